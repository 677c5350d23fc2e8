from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests_support.exported import LABELS, make_exported, posteriors_by_hand
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench_runtime.audio.read import read_waveform
from serbench_runtime.cli.pipes import READER_GONE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somewhere with a model, and audio of three kinds."""
    monkeypatch.chdir(tmp_path)
    make_exported(tmp_path / "m.onnx")
    (tmp_path / "audio" / "more").mkdir(parents=True)
    draw = np.random.default_rng(0)
    kinds = {"a.wav": (16000, 1), "b.flac": (44100, 2), "more/c.ogg": (8000, 1)}
    for name, (rate, channels) in kinds.items():
        samples = draw.normal(0.05, 0.1, (rate, channels))
        soundfile.write(tmp_path / "audio" / name, samples, rate)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["predict", *arguments])


def by_hand(path: str) -> np.ndarray:
    return posteriors_by_hand(read_waveform(Path(path))[None])[0]


FILES = ["audio/a.wav", "audio/b.flac", "audio/more/c.ogg"]


@pytest.mark.usefixtures("folder")
def test_json_is_an_object_a_line() -> None:
    result = invoke("m.onnx", "audio", "--format", "json")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["file"] for line in lines] == FILES
    for line in lines:
        wanted = by_hand(line["file"])
        assert list(line["posteriors"]) == list(LABELS)
        np.testing.assert_allclose(list(line["posteriors"].values()), wanted, atol=1e-5)
        assert line["label"] == LABELS[int(wanted.argmax())]
        assert line["duration_s"] == pytest.approx(1.0, abs=0.01)
        assert (line["schema"], line["final"]) == (1, True)
        assert line["model_sha256"] == hashlib.sha256(Path("m.onnx").read_bytes()).hexdigest()
    assert result.stderr == ""


@pytest.mark.usefixtures("folder")
def test_a_file_comes_from_standard_input() -> None:
    content = Path("audio/b.flac").read_bytes()
    arguments = ["predict", "m.onnx", "audio/a.wav", "-", "--format", "json"]
    result = CliRunner().invoke(app, arguments, input=content)
    assert result.exit_code == 0, result.output
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["file"], second["file"]) == ("audio/a.wav", "-")
    wanted = by_hand("audio/b.flac")
    np.testing.assert_allclose(list(second["posteriors"].values()), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty (0 bytes)"), (b"text" * 99, "not a readable audio file")],
)
@pytest.mark.usefixtures("folder")
def test_standard_input_that_is_no_file_is_told(content: bytes, message: str) -> None:
    result = CliRunner().invoke(app, ["predict", "m.onnx", "-"], input=content)
    assert result.exit_code == 2
    assert result.stderr.startswith("serbench: standard input: ")
    assert message in result.stderr


@pytest.mark.usefixtures("folder")
def test_csv_has_a_header_and_a_column_for_each_class() -> None:
    result = invoke("m.onnx", "audio", "-f", "csv")
    header, *rows = csv.reader(io.StringIO(result.stdout))
    assert header == ["file", "label", "duration_s", "p_high", "p_low", "p_loud"]
    assert [row[0] for row in rows] == FILES
    for row in rows:
        np.testing.assert_allclose([float(x) for x in row[3:]], by_hand(row[0]), atol=1e-5)


@pytest.mark.usefixtures("folder")
def test_a_table_has_columns_that_line_up() -> None:
    result = invoke("m.onnx", "audio")
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["FILE", "SECONDS", "LABEL", "HIGH", "LOW", "LOUD"]
    assert {len(row) for row in rows} == {len(header)}
    assert [row.split()[0] for row in rows] == FILES
    assert [float(x) for x in rows[0].split()[3:]] == pytest.approx(by_hand(FILES[0]), abs=1e-3)


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_named_twice_is_classified_once() -> None:
    result = invoke("m.onnx", "audio/b.flac", "audio", "audio/a.wav", "-f", "json")
    named = [json.loads(line)["file"] for line in result.stdout.splitlines()]
    assert named == ["audio/b.flac", "audio/a.wav", "audio/more/c.ogg"]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_an_unreadable_file_is_told_of_and_the_others_go_on(folder: Path, form: str) -> None:
    (folder / "audio" / "aa.wav").write_bytes(b"no audio" * 20)
    (folder / "audio" / "empty.wav").touch()
    result = invoke("m.onnx", "audio", "--format", form)
    assert result.exit_code == 2
    first, second, last = result.stderr.splitlines()
    assert first.startswith("serbench: audio/aa.wav: not a readable audio file")
    assert second == "serbench: audio/empty.wav: the file is empty (0 bytes)"
    assert last == "serbench: 2 of 5 files could not be classified"
    assert [name for name in FILES if name in result.stdout] == FILES
    assert "aa.wav" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("m.onnx", "audio", "none.wav"), "none.wav: no such file or folder"),
        (("m.onnx", "empty"), "empty: no audio in this folder or below"),
        (("none.onnx", "audio"), "none.onnx: no such file; serbench export RUN"),
        (("audio", "audio"), "audio is a folder; give the .onnx file"),
        (("audio/a.wav", "audio"), "audio/a.wav: not an ONNX file"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    (folder / "empty").mkdir()
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_any_file_name_is_printed(folder: Path, form: str) -> None:
    odd = os.fsdecode(b"caf\xe9, \xc3\xa9\n.wav")
    (folder / "audio" / "a.wav").rename(odd)
    done = subprocess.run(
        [sys.executable, "-m", "serbench_runtime", "predict", "m.onnx", odd, "--format", form],
        capture_output=True,
        check=True,
    )
    if form == "json":
        assert json.loads(done.stdout)["file"] == odd
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(done.stdout.decode("utf-8"))))
        assert rows[1][0] == "caf\\xe9, é\n.wav"
    else:
        assert "caf\\xe9, é\\n.wav ".encode() in done.stdout


def test_a_reader_that_goes_away_ends_it_quietly(folder: Path) -> None:
    for n in range(200):
        (folder / "audio" / f"x{n}.wav").symlink_to("a.wav")
    command = [sys.executable, "-m", "serbench_runtime", "predict", "m.onnx", "audio", "-f", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"audio/a.wav" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == READER_GONE == 141


@pytest.mark.usefixtures("folder")
def test_a_bar_is_drawn_on_a_terminal_that_rows_do_not_go_to() -> None:
    """Standard error is a terminal of its own, standard output is not."""
    main, terminal = os.openpty()
    command = [sys.executable, "-m", "serbench_runtime", "predict", "m.onnx", "audio", "-f", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=True)
    os.close(terminal)
    assert len(done.stdout.splitlines()) == 3
    assert b"3/3 files" in os.read(main, 65536)
    os.close(main)


def test_help_is_quick_and_teaches_by_example() -> None:
    script = """
import sys
from typer.testing import CliRunner
from serbench.cli import app
result = CliRunner().invoke(app, ["predict", "--help"])
assert "serbench predict " in result.output
print(sorted({"numpy", "torch", "onnxruntime"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.usefixtures("folder")
def test_predicting_imports_no_torch() -> None:
    """Nor does telling of an error."""
    script = """
import sys
from typer.testing import CliRunner
from serbench.cli import app
assert CliRunner().invoke(app, ["predict", "m.onnx", "audio"]).exit_code == 0
assert CliRunner().invoke(app, ["predict", "m.onnx", "none"]).exit_code == 2
assert CliRunner().invoke(app, ["stream", "m.onnx"], input=bytes(64000)).exit_code == 0
print(sorted({"torch", "pandas", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
