"""Writes a folder to carry to another device: models, probes, one script, three commands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from serbench.api import SAMPLE_RATE_HZ, SerbenchError, StoreError
from serbench.files.atomic import write_atomically
from serbench.files.paths import below
from serbench.running.replay.run import Replay
from serbench.studies.deploy.backends import TriedBackend, runnable
from serbench.studies.deploy.measure import run_facts
from serbench.studies.deploy.models import (
    Converted,
    FoldModel,
    convert_folds,
    export_folds,
)
from serbench.studies.deploy.process import PATIENCE_S, WorkerError
from serbench.studies.deploy.results import SCHEMA_VERSION

MANIFEST, PROBES = "manifest.json", "probes.npz"

CARRIED = ("measure.py", "instruments.py", "README.txt")
"""The script, the module that it shares with serbench, and the instructions."""

REFERENCE = "onnxruntime"
"""The backend that ratios refer to on a device that has no torch."""

PROBE_LENGTHS_S = (0.5, 1.0, 2.0, 3.0, 4.2, 10.0)
"""Lengths in seconds of the synthetic waveforms whose posteriors are compared."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written.

    Attributes:
        models: names of backends whose models are in it.
        left_out: why other backends' models are not in it.
    """

    folder: Path
    models: tuple[str, ...]
    left_out: dict[str, str]


def write_bundle(
    replay: Replay,
    candidates: Sequence[TriedBackend],
    folder: Path,
    method: str | None = None,
    seed: int = 0,
    patience_s: float = PATIENCE_S,
) -> Bundle:
    """Write the models of outer fold 1 that ONNX Runtime alone can run, and what measures them.

    The probes are synthetic, so that a bundle has no recording of the corpus.

    Raises:
        StoreError: ``folder`` is not empty, or cannot be written; no such method or seed; no
            backend's model can be put into a bundle.
    """
    replay.check_proper()
    _check_folder(folder)
    (model,) = export_folds(replay, replay.fold_networks(method, [seed])[:1])
    entries, left_out = [], {}
    advance = partial(replay.watch.advance, "convert")
    able = runnable(candidates)
    for number, candidate in enumerate(able):
        advance(number, len(able))
        try:
            (converted,) = convert_folds(candidate, [model], replay.cache, patience_s)
            content = _portable(candidate, converted)
        except SerbenchError as error:
            left_out[candidate.name] = str(error)
            continue
        name = f"{candidate.name}.onnx"
        write_atomically(below(folder, name), content)
        entries.append(_entry(candidate, name, content))
    advance(len(able), len(able))
    if not entries:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise StoreError(f"no backend can write a model for a bundle: {reasons}")
    names = tuple(str(entry["name"]) for entry in entries)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "run": run_facts(replay, model.student).model_dump(mode="json"),
        "reference": REFERENCE if REFERENCE in names else names[0],
        "models": entries,
    }
    write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    _write_probes(model, folder)
    for name in CARRIED:
        content = resources.files("serbench.studies.deploy.device").joinpath(name).read_bytes()
        write_atomically(below(folder, name), content)
    return Bundle(folder, names, left_out)


def _check_folder(folder: Path) -> None:
    """
    Raises:
        StoreError: the folder has other content.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty; give a new folder for the bundle")


def _portable(candidate: TriedBackend, converted: Converted) -> bytes:
    """Return the only file of a conversion, if ONNX Runtime can run it without anything else.

    Raises:
        WorkerError: it cannot.
    """
    files = converted.files
    if candidate.device != "cpu" or len(files) != 1 or files[0].suffix != ".onnx":
        raise WorkerError("its model is not a single file that ONNX Runtime can run alone")
    return files[0].read_bytes()


def _entry(candidate: TriedBackend, name: str, content: bytes) -> dict[str, object]:
    return {
        "name": candidate.name,
        "plugin": type(candidate.backend).name,
        "params": candidate.backend.params.model_dump(mode="json"),
        "precision": candidate.precision,
        "file": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "cautious": "fp16" in candidate.precision,
    }


def _write_probes(model: FoldModel, folder: Path) -> None:
    """Write synthetic waveforms and their posteriors from PyTorch in fp32."""
    module = model.deployed.module()
    waveforms = probes()
    with torch.inference_mode():
        rows = [module(torch.from_numpy(each)).numpy() for each in waveforms]
    named = {f"wave_{number}": each for number, each in enumerate(waveforms)}
    place = folder / PROBES
    np.savez(place, allow_pickle=False, posteriors=np.concatenate(rows), **named)


def probes() -> list[NDArray[np.float32]]:
    """Waveforms ``(1, samples)``: tones that rise and fall in noise."""
    made = []
    for number, length_s in enumerate(PROBE_LENGTHS_S):
        generator = np.random.default_rng(number)
        at_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        pitch_hz = 150 + 60 * number + 40 * np.sin(2 * np.pi * 0.7 * at_s)
        phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
        voice = sum(np.sin(partial_ * phase) / partial_ for partial_ in range(1, 12))
        loud = 0.5 + 0.5 * np.sin(2 * np.pi * (1.5 + 0.4 * number) * at_s)
        made.append((0.1 * loud * voice + 0.01 * generator.normal(size=len(at_s)))[None])
    return [each.astype(np.float32) for each in made]
