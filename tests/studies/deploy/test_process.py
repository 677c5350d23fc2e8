from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests_support.fake_backend import FakeBackend, FakeParams, Mode

from serbench.files.kept import check_folder, folder_files
from serbench.studies.deploy.device.instruments import ended, thread_environment
from serbench.studies.deploy.process import WorkerError, call_worker, describe_backend


def convert(root: Path, mode: Mode, patience_s: float = 60) -> Path:
    """Convert a model that is any file."""
    (root / "any.onnx").write_bytes(b"graph")
    model = {"onnx": str(root / "any.onnx"), "labels": ["a", "b"], "window_samples": 1}
    item = {"model": model, "folder": str(root / "done"), "begun": str(root / "begun")}
    task = {"backend": describe_backend(FakeBackend(FakeParams(mode=mode))), "items": [item]}
    call_worker("convert", task, 1, patience_s)
    return root / "done"


def test_a_conversion_is_there_whole(tmp_path: Path) -> None:
    folder = convert(tmp_path, "plain")
    assert folder_files(check_folder(folder)) == ["model.onnx"]
    assert not (tmp_path / "begun").exists()


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"gave no answer within 1\.5 s and was stopped"):
        convert(tmp_path, "hangs", patience_s=1.5)
    assert not (tmp_path / "done").exists()


def test_ctrl_c_ends_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    whole = subprocess.Popen.communicate

    def interrupted(self: subprocess.Popen[bytes], *given: object, **named: object) -> object:
        if not started:
            started.append(self)
            raise KeyboardInterrupt
        return whole(self, *given, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path, "hangs")
    assert started[0].returncode is not None


def test_a_failure_that_no_user_can_know_keeps_its_type(tmp_path: Path) -> None:
    model = {"onnx": str(tmp_path / "gone.onnx"), "labels": ["a"], "window_samples": 1}
    item = {"model": model, "folder": str(tmp_path / "x"), "begun": str(tmp_path / "y")}
    task = {"backend": describe_backend(FakeBackend(FakeParams())), "items": [item]}
    with pytest.raises(WorkerError, match=r"^FileNotFoundError: .*gone\.onnx"):
        call_worker("convert", task, 1)


def test_a_worker_without_torch_imports_none(tmp_path: Path) -> None:
    """Its start and its memory are measured."""
    code = (
        "import sys, serbench.studies.deploy.worker, serbench.studies.deploy.opened, "
        "serbench.studies.deploy.device.instruments; "
        "print([m for m in ('torch', 'pandas', 'onnx', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("code", "err", "told"),
    [
        (-11, b"one\nlast \n\n", "crashed with SIGSEGV: last"),
        (-9, b"", "crashed with SIGKILL"),
        (3, b"\xff oops", "ended with exit code 3: \N{REPLACEMENT CHARACTER} oops"),
        (-40, b"", "crashed with signal 40"),
    ],
)
def test_how_a_process_ended_is_told(code: int, err: bytes, told: str) -> None:
    assert ended(code, err) == told


def test_threads_are_told_to_every_library() -> None:
    found = thread_environment(3)
    assert found["OMP_NUM_THREADS"] == found["TF_NUM_INTRAOP_THREADS"] == "3"
    assert set(os.environ) <= set(found)
