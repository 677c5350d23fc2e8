"""Runs tasks in separate processes, so that a crash in one does not affect the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from serbench.api import Backend, SerbenchError
from serbench.studies.deploy.device.instruments import ended, thread_environment
from serbench.studies.deploy.opened import class_path

PATIENCE_S = 1800.0
"""Seconds after which a worker that has given no answer is ended."""


class WorkerError(SerbenchError):
    """An error of a worker that did not do its task; the message says why, in one line."""


def describe_backend(backend: Backend) -> dict[str, Any]:
    """JSON from which a worker makes the backend."""
    cls = type(backend)
    return {"class": class_path(cls), "params": backend.params.model_dump(mode="json")}


def call_worker(
    kind: str, task: Mapping[str, Any], threads: int, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Do a task in a fresh process, and end it in any case.

    Args:
        kind: a key of ``worker.TASKS``.
        task: the JSON that this kind takes.
        threads: number of threads of numerical libraries in the process.
        patience_s: time limit.

    Raises:
        WorkerError: the task failed, the process crashed, or gave no answer in time.
    """
    environment = thread_environment(threads)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    started_s = time.time()
    process = subprocess.Popen(
        # With -P, a file in the current folder is not imported instead of a module.
        [sys.executable, "-P", "-m", "serbench.studies.deploy.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    own = {"kind": kind, "started": started_s, "threads": threads, "parent": os.getpid()}
    message = json.dumps({**task, **own})
    try:
        out, err = process.communicate(message.encode(), timeout=patience_s)
    except subprocess.TimeoutExpired:
        raise WorkerError(f"gave no answer within {patience_s:g} s and was stopped") from None
    finally:
        _end(process)
    return _answer(process.returncode, out, err)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and all processes that it has started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def _answer(code: int, out: bytes, err: bytes) -> dict[str, Any]:
    """
    Raises:
        WorkerError: there is no answer.
    """
    if code == 0 and out:
        answer = json.loads(out)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["answer"]
    raise WorkerError(ended(code, err))
