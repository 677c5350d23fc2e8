"""A separate process for one task: convert models, score utterances, or measure one round.

It reads a task as JSON from standard input and answers in JSON on standard output, which prints of
libraries do not reach. Nothing is imported before it is needed, because its start and its memory
are part of what is measured.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serbench.api import Backend

Task = dict[str, Any]


def main() -> None:
    """Do one task."""
    began_s = time.time()
    from serbench.running.parent import end_with
    from serbench.studies.deploy.device.instruments import answer_stream

    stream = answer_stream()
    task: Task = json.load(sys.stdin)
    end_with(task["parent"])
    try:
        answer = {"answer": TASKS[task["kind"]](task, began_s)}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": _one_line(error)}
    json.dump(answer, stream)
    stream.close()


def _one_line(error: Exception) -> str:
    """The message of an error that was written for users; the type and message of any other."""
    from serbench.errors import SerbenchError

    text = " ".join(str(error).split())
    if isinstance(error, SerbenchError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def convert(task: Task, _began_s: float) -> dict[str, Any]:
    """Convert models; each folder is complete or does not exist."""
    from serbench.files.kept import keep_folder
    from serbench.studies.deploy.opened import OpenedModel

    backend = _backend(task)
    for item in task["items"]:
        begun, folder = Path(item["begun"]), Path(item["folder"])
        begun.mkdir(parents=True)
        backend.convert(OpenedModel(item["model"]), begun)
        keep_folder(begun, folder)
    return {}


def score(task: Task, _began_s: float) -> dict[str, Any]:
    """Write posteriors ``(U, C)`` of utterances by each of several models, as ``.npy`` files.

    Raises:
        PluginError: the output of the backend is no posterior.
    """
    import numpy as np

    from serbench.errors import PluginError
    from serbench.studies.deploy.opened import OpenedModel
    from serbench_runtime.audio.read import read_waveform

    backend = _backend(task)
    for item in task["items"]:
        model = OpenedModel(item["model"])
        predict = backend.open(model, Path(item["folder"]), task["threads"])
        rows = [np.asarray(predict(read_waveform(Path(p))[None])) for p in item["audio"]]
        for row in rows:
            sums = row.sum() if np.isfinite(row).all() else float("nan")
            if row.shape != (1, len(model.labels)) or not abs(sums - 1.0) < 1e-2:
                raise PluginError(
                    f"it gives {row.tolist()} of shape {row.shape}, but posteriors of "
                    f"{len(model.labels)} classes that sum to 1 are expected"
                )
        np.save(item["posteriors"], np.concatenate(rows).astype(np.float32))
    return {}


def measure(task: Task, began_s: float) -> dict[str, Any]:
    """Measure one round of one backend: start, memory, latencies."""
    from serbench.studies.deploy.device import instruments as device

    pinned = device.pin(task["cores"])
    import numpy as np

    from serbench.studies.deploy.opened import OpenedModel

    audio = np.load(task["audio"], allow_pickle=False)
    idle = device.resident_bytes()
    ready_s = time.time()
    predict = _backend(task).open(OpenedModel(task["model"]), Path(task["folder"]), task["threads"])
    opened_s = time.time()
    predict(device.cut(audio, task["effort"]["window_s"], 1))
    spoken_s = time.time()
    found = device.measure(predict, audio, task["effort"])
    found["idle_bytes"] = idle
    found["stages_s"] = {
        "python": began_s - task["started"],
        "import": ready_s - began_s,
        "open": opened_s - ready_s,
        "first call": spoken_s - opened_s,
    }
    return {"round": found, "pinned": pinned}


def import_(task: Task, _began_s: float) -> dict[str, Any]:
    """Measure time and memory of a process that only imports a module, for comparison."""
    from serbench.studies.deploy.device import instruments

    instruments.pin(task["cores"])
    importlib.import_module(task["module"])
    return {"seconds": time.time() - task["started"], "peak_bytes": instruments.peak_bytes()}


def _backend(task: Task) -> Backend:
    from serbench.studies.deploy.opened import find_class

    cls = find_class(task["backend"]["class"])
    return cls(cls.Params.model_validate(task["backend"]["params"]))


TASKS: dict[str, Callable[[Task, float], dict[str, Any]]] = {
    "convert": convert,
    "score": score,
    "measure": measure,
    "import": import_,
}

if __name__ == "__main__":
    main()
