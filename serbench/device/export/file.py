"""Writes the exported file: the graph itself, or a backend's conversion of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from serbench.api import Backend, PluginError, StoreError, Waveforms
from serbench.device.export.deployed import Trained
from serbench.device.export.parity import Parity, check_parity
from serbench.files.atomic import write_atomically
from serbench.running.replay.run import Replay
from serbench_runtime import KEY


def export_file(
    replay: Replay,
    trained: Trained,
    output: Path,
    backend: Backend | None = None,
    calibration: Sequence[Waveforms] = (),
) -> Parity:
    """Write an ``.onnx`` file after comparing it with PyTorch on every utterance of the corpus.

    Args:
        replay: the run of the student.
        trained: the student.
        output: the file; it is replaced if it is an exported model already.
        backend: the backend that converts the model, for instance a quantization; None: the fp32
            graph.
        calibration: training-side utterances, for a quantization that needs some.

    Raises:
        StoreError: ``output`` is something else, or cannot be written; or the graph's posteriors
            differ from PyTorch's.
        PluginError: the backend cannot run here or cannot convert it, or writes no ONNX file.
        RegistryError: the front end or the windows cannot be exported.
        CorpusError: an audio file can no longer be read.
    """
    check_replaceable(output)
    if backend is not None and (reason := backend.unavailable()):
        raise PluginError(f"backend {backend.name} cannot run here: {reason}")
    with tempfile.TemporaryDirectory(prefix="serbench-export-") as scratch:
        folder = Path(scratch)
        if backend is None:
            content = trained.graph().SerializeToString()
        else:
            content = _converted(trained, backend, calibration, folder)
        draft = folder / "draft.onnx"
        draft.write_bytes(content)
        parity = check_parity(replay, trained, draft)
        if backend is None and not parity.holds:
            raise StoreError(
                "the exported graph and PyTorch give different posteriors: they differ by up to "
                f"{parity.greatest:.1e} ({parity.worst}); nothing was written"
            )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, content)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from error
    return parity


def check_replaceable(output: Path) -> None:
    """
    Raises:
        StoreError: a file exists there that is not an exported model, so it is not replaced.
    """
    if output.suffix != ".onnx":
        raise StoreError(f"--output {output}: the file's name must end with .onnx")
    if not output.exists():
        return
    try:
        model = onnx.load(output, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise StoreError(f"{output} exists and is not a model; give another --output") from error
    if KEY not in {entry.key for entry in model.metadata_props}:
        raise StoreError(f"{output} exists and serbench did not export it; give another --output")


def _converted(
    trained: Trained, backend: Backend, calibration: Sequence[Waveforms], scratch: Path
) -> bytes:
    """The only ONNX file of a backend's conversion, with the facts in its metadata."""
    deployed = trained.write(scratch / "model", calibration)
    folder = scratch / "converted"
    folder.mkdir()
    backend.convert(deployed, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    graphs = [path for path in files if path.suffix == ".onnx"]
    if len(graphs) != 1:
        raise PluginError(
            f"backend {backend.name} does not write one ONNX file, which serbench export needs; "
            "serbench deploy measures it, and serbench deploy --bundle ships it to another "
            "device"
        )
    model = onnx.load(graphs[0])
    kept = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    facts = {**trained.facts, "precision": backend.precision}
    model.metadata_props.add(key=KEY, value=json.dumps(facts, ensure_ascii=False))
    return model.SerializeToString()
