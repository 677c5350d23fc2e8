"""The folder of one run."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from serbench.api import StoreError
from serbench.files.atomic import (
    file_name,
    json_bytes,
    sweep_temporaries,
    write_atomically,
    write_text,
)
from serbench.files.paths import below
from serbench.running.store.schema import FILES, Fit, Json, Stated, damaged, read_bytes, read_stored
from serbench.running.store.tables import check_columns, check_values, utterance_rows

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

TEACHER_PREFIX = "teacher:"
"""Prefix of a teacher's own head among the methods of predictions."""

_NPZ_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors that NumPy raises for a file that is damaged or is not an archive of arrays."""

_PARQUET_ERRORS = (OSError, ValueError, TypeError, KeyError, NotImplementedError, MemoryError)
"""Errors that pyarrow and pandas raise for a file that is damaged or is not a table."""


class RunStore:
    """Reads and writes one run's folder.

    ``plan.json``, ``environment.json``, ``certificate.json``, ``timing.json``,
    ``predictions.parquet``, ``fits/*.json``, ``models/<method>/outer-K-seed-S.safetensors``,
    ``readings/<method>/outer-K-seed-S.npz``, ``seal/``, and the report's files: ``report.md``,
    ``tables/``, ``figures/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def seal_path(self) -> Path:
        """Folder of the ledger of the outer test partition."""
        return self.folder / "seal"

    def create(self, plan: Mapping[str, object]) -> None:
        """Create the folder and store ``plan``, or continue if the folder already has
        the same plan.

        Raises:
            StoreError: the folder has other content or another run, or cannot be written.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"{self.folder} is a file; a run needs its own folder")
        if (self.folder / "plan.json").exists():
            held = read_stored(self.folder / "plan.json", Stated).get("digest")
            if held != plan["digest"]:
                raise StoreError(
                    f"{self.folder} holds another run (digest {held}, this run's is "
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
            StoreError: the folder is missing or is not a run.
        """
        if not self.folder.is_dir():
            raise StoreError(f"no run folder {self.folder}")
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
        """Content of ``<name>.json`` (plan, environment, certificate or timing), checked
        by its schema.

        Raises:
            StoreError: the file is missing or damaged.
        """
        return read_stored(self.folder / f"{name}.json", FILES[name])

    def has(self, name: str) -> bool:
        """Whether the folder contains the file ``name``."""
        return (self.folder / name).is_file()

    def write_fit(self, record: Mapping[str, object]) -> None:
        """Store one fit's record under ``record["fit"]``."""
        path = self.folder / "fits" / f"{file_name(str(record['fit']))}.json"
        write_atomically(path, json_bytes(record, str(path)))

    def fits(self) -> tuple[Json, ...]:
        """Every fit's record, sorted by file name.

        Raises:
            StoreError: a record is damaged, or belongs to no outer fold of the plan.
        """
        folds = len(self.plan()["outer"])
        found = []
        for path in sorted((self.folder / "fits").glob("*.json")):
            fit = read_stored(path, Fit)
            if fit["outer"] > folds:
                raise damaged(path, ValueError(f"plan.json has no outer fold {fit['outer']}"))
            found.append(fit)
        return tuple(found)

    def utterances(self) -> dict[str, dict[str, str]]:
        """The rows of ``utterances.csv`` by utterance.

        Raises:
            StoreError: the file is missing or damaged.
        """
        path = self.folder / "utterances.csv"
        try:
            return utterance_rows(read_bytes(path))
        except ValueError as error:
            raise damaged(path, error) from None

    def model_path(self, method: str, outer: int, seed: int) -> Path:
        """Path of the student that was refitted for an outer fold."""
        name = f"outer-{outer}-seed-{seed}.safetensors"
        return self.folder / "models" / file_name(method) / name

    def write_model(
        self, method: str, outer: int, seed: int, tensors: Mapping[str, Tensor]
    ) -> None:
        """Store a trained student's state by parameter name."""
        import safetensors.torch

        write_atomically(
            self.model_path(method, outer, seed), safetensors.torch.save(_contiguous(tensors))
        )

    def read_model(self, method: str, outer: int, seed: int) -> dict[str, Tensor]:
        """
        Raises:
            StoreError: the model is missing or damaged.
        """
        import safetensors.torch
        from safetensors import SafetensorError

        path = self.model_path(method, outer, seed)
        try:
            return safetensors.torch.load(read_bytes(path))
        except SafetensorError as error:
            raise damaged(path, error) from error

    def readings_path(self, method: str, outer: int, seed: int) -> Path:
        """Path of the loss's readings of the training utterances in the refit of an outer fold."""
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
            StoreError: the readings are missing or damaged.
        """
        path = self.readings_path(method, outer, seed)
        content = read_bytes(path)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except _NPZ_ERRORS as error:
            raise damaged(path, error) from error

    def write_predictions(self, predictions: pd.DataFrame) -> None:
        """Store one row per method, seed and outer test utterance: ``PREDICTION_COLUMNS`` and a
        ``p_<label>`` column per class. ``outer`` counts from 1; labels are names.

        Raises:
            StoreError: a column is missing, or the file cannot be written.
        """
        check_columns(predictions, "the predictions", ())
        buffer = io.BytesIO()
        predictions.to_parquet(buffer, index=False)
        write_atomically(self.folder / "predictions.parquet", buffer.getvalue())

    def predictions(self) -> pd.DataFrame:
        """The predictions of every method.

        Raises:
            StoreError: the predictions are missing (the run has not finished), damaged, or
                lack a column.
        """
        import pandas as pd

        self.check()
        path = self.folder / "predictions.parquet"
        if not path.is_file():
            raise StoreError(
                f"{self.folder} has no predictions: the run has not finished; run the same "
                "command again to continue"
            )
        try:
            predictions = pd.read_parquet(io.BytesIO(read_bytes(path)))
        except _PARQUET_ERRORS as error:
            raise damaged(path, error) from error
        plan = self.plan()
        check_columns(predictions, str(path), plan["dataset"]["labels"])
        try:
            check_values(predictions, plan)
        except ValueError as error:
            raise damaged(path, error) from error
        return predictions

    def write_text(self, name: str, text: str) -> None:
        """Store a text file, such as ``report.md``."""
        write_text(below(self.folder, name), text)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Store a binary file, such as ``figures/ua.png``."""
        write_atomically(below(self.folder, name), content)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that share no memory, as safetensors requires."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
