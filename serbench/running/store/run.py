"""One run's folder."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from serbench.api import StoreError
from serbench.files.atomic import file_name, json_bytes, sweep_temporaries, write_atomically

PREDICTION_COLUMNS = ("method", "seed", "outer", "utterance", "speaker", "label", "predicted")
"""Columns of the predictions, before one ``p_<label>`` per class: the posterior."""

TEACHER_PREFIX = "teacher:"
"""How the methods of predictions begin that are a teacher's own head."""

Json = dict[str, Any]  # JSON objects are what they are

_NPZ_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises on a file that is no archive of arrays, or a damaged one."""


class RunStore:
    """Reads and writes one run's folder.

    ``plan.json``, ``environment.json``, ``certificate.json``, ``timing.json``,
    ``predictions.parquet``, ``fits/*.json``, ``models/<method>/outer-K-seed-S.safetensors``,
    ``readings/<method>/outer-K-seed-S.npz``, ``seal/``, and what the report makes:
    ``report.md``, ``tables/``, ``figures/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def seal_path(self) -> Path:
        """Folder of the ledger of the outer test partition."""
        return self.folder / "seal"

    def create(self, plan: Mapping[str, object]) -> None:
        """Make the folder and store ``plan``, or go on in a folder that holds the same plan.

        Raises:
            StoreError: the folder holds something else, another run, or cannot be written.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"{self.folder} is a file; a run needs a folder of its own")
        if (self.folder / "plan.json").exists():
            held = self.plan()
            if held.get("digest") != plan["digest"]:
                raise StoreError(
                    f"{self.folder} holds another run (digest {held.get('digest')}, this run's is "
                    f"{plan['digest']}); choose another output folder"
                )
            sweep_temporaries(self.folder)
            return
        if self.folder.is_dir() and any(
            not entry.name.startswith(".plan.json.") for entry in self.folder.iterdir()
        ):
            raise StoreError(
                f"{self.folder} is not a serbench run and is not empty; "
                "choose a new or empty output folder"
            )
        self.write_json("plan", plan)

    def check(self) -> None:
        """
        Raises:
            StoreError: the folder is missing or holds no run.
        """
        if not self.folder.is_dir():
            raise StoreError(f"there is no run folder {self.folder}")
        if not (self.folder / "plan.json").is_file():
            raise StoreError(f"{self.folder} is not a serbench run: it has no plan.json")

    def plan(self) -> Json:
        """The resolved plan."""
        return self.read_json("plan")

    def write_json(self, name: str, content: Mapping[str, object]) -> None:
        """Store ``<name>.json``: plan, environment, certificate or timing."""
        path = self.folder / f"{name}.json"
        write_atomically(path, json_bytes(content, str(path)))

    def read_json(self, name: str) -> Json:
        """
        Raises:
            StoreError: ``<name>.json`` is missing or damaged.
        """
        return _read_json(self.folder / f"{name}.json")

    def has(self, name: str) -> bool:
        """Whether the folder holds the file ``name``."""
        return (self.folder / name).is_file()

    def write_fit(self, record: Mapping[str, object]) -> None:
        """Store one fit's record under ``record["fit"]``."""
        path = self.folder / "fits" / f"{file_name(str(record['fit']))}.json"
        write_atomically(path, json_bytes(record, str(path)))

    def fits(self) -> tuple[Json, ...]:
        """Every fit's record, sorted by file name."""
        return tuple(_read_json(path) for path in sorted((self.folder / "fits").glob("*.json")))

    def model_path(self, method: str, outer: int, seed: int) -> Path:
        """Where the student of an outer fold's refit is kept."""
        name = f"outer-{outer}-seed-{seed}.safetensors"
        return self.folder / "models" / file_name(method) / name

    def write_model(
        self, method: str, outer: int, seed: int, tensors: Mapping[str, Tensor]
    ) -> None:
        """Store a trained student's state by parameter name."""
        write_atomically(
            self.model_path(method, outer, seed), safetensors.torch.save(_contiguous(tensors))
        )

    def read_model(self, method: str, outer: int, seed: int) -> dict[str, Tensor]:
        """
        Raises:
            StoreError: that model is missing or damaged.
        """
        path = self.model_path(method, outer, seed)
        try:
            return safetensors.torch.load(_read(path))
        except SafetensorError as error:
            raise _damaged(path, error) from error

    def readings_path(self, method: str, outer: int, seed: int) -> Path:
        """Where the loss's readings of the training utterances of an outer fold's refit are."""
        return self.folder / "readings" / file_name(method) / f"outer-{outer}-seed-{seed}.npz"

    def write_readings(
        self, method: str, outer: int, seed: int, arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        """Store a refit's readings by name, compressed. The same arrays give the same bytes.

        Raises:
            StoreError: the file cannot be written.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
        write_atomically(self.readings_path(method, outer, seed), buffer.getvalue())

    def read_readings(self, method: str, outer: int, seed: int) -> dict[str, NDArray[Any]]:
        """
        Raises:
            StoreError: those readings are missing or damaged.
        """
        path = self.readings_path(method, outer, seed)
        content = _read(path)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except _NPZ_ERRORS as error:
            raise _damaged(path, error) from error

    def write_predictions(self, predictions: pd.DataFrame) -> None:
        """Store one row per method, seed and outer test utterance: ``PREDICTION_COLUMNS`` and a
        ``p_<label>`` column per class. ``outer`` counts from 1; labels are names.

        Raises:
            StoreError: a column is missing, or the file cannot be written.
        """
        _check_columns(predictions, "the predictions", ())
        buffer = io.BytesIO()
        predictions.to_parquet(buffer, index=False)
        write_atomically(self.folder / "predictions.parquet", buffer.getvalue())

    def predictions(self) -> pd.DataFrame:
        """The predictions of every method.

        Raises:
            StoreError: they are missing (the run has not finished), damaged, or lack a column.
        """
        self.check()
        path = self.folder / "predictions.parquet"
        if not path.is_file():
            raise StoreError(
                f"{self.folder} has no predictions: the run has not finished; "
                "run the same command again to go on"
            )
        try:
            predictions = pd.read_parquet(path)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors or OSErrors
            raise _damaged(path, error) from error
        _check_columns(predictions, str(path), self.plan()["dataset"]["labels"])
        return predictions

    def write_text(self, name: str, text: str) -> None:
        """Store a text file, such as ``report.md``."""
        write_atomically(self.folder / name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Store a binary file, such as ``figures/ua.png``."""
        write_atomically(self.folder / name, content)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that share no memory, as safetensors wants them."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"{path.parent} has no {path.name}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _read_json(path: Path) -> Json:
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, ValueError("it is not a JSON object"))
    return content


def _damaged(path: Path, error: Exception) -> StoreError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StoreError(
        f"{path} is damaged ({reason}); remove it and run the same command again to make it anew"
    )


def _check_columns(predictions: pd.DataFrame, what: str, labels: tuple[str, ...]) -> None:
    wanted = [*PREDICTION_COLUMNS, *(f"p_{label}" for label in labels)]
    missing = [column for column in wanted if column not in predictions.columns]
    if missing:
        raise StoreError(f"{what}: missing columns {', '.join(missing)}")
