from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tests_support.exported import LABELS, make_exported, posteriors_by_hand
from typer.testing import CliRunner, Result

from serbench.cli import app
from serbench_runtime import Capacity


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_exported(tmp_path / "m.onnx")


def invoke(*arguments: str, sound: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["stream", "m.onnx", *arguments], input=sound)


def lines(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def noise(seconds: float, rate: int = 16000) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(0.05, 0.1, round(seconds * rate))
    return (drawn * 32767).clip(-32768, 32767).astype("<i2")


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


KEYS = ["schema", "time_s", "label", "posteriors", "latency_s"]

OPPOSITE = (noise(1.0)[:, None] // 2 * np.array([1, -1], "<i2")).tobytes()


@pytest.mark.parametrize("source", [(), ("-",)])
def test_each_step_is_a_line(source: tuple[str, ...]) -> None:
    sound = noise(1.3)
    steps = lines(invoke(*source, "--average", "1", sound=sound.tobytes()))
    assert [step["time_s"] for step in steps] == [0.5, 1.0, 1.3]
    assert [step["final"] for step in steps] == [False, False, True]
    digest = hashlib.sha256(Path("m.onnx").read_bytes()).hexdigest()
    for step in steps:
        assert list(step) == [*KEYS, "final", "model_sha256"]
        assert (step["schema"], step["model_sha256"]) == (1, digest)
        heard = sound[None, : round(16000 * step["time_s"])] / 32768
        wanted = posteriors_by_hand(heard)[0]
        np.testing.assert_allclose(list(step["posteriors"].values()), wanted, atol=1e-5)
        assert step["label"] == LABELS[int(wanted.argmax())]
        assert 0 < step["latency_s"] < 10


def test_f32le_is_the_same_sound() -> None:
    sound = noise(2.0)
    integers = lines(invoke(sound=sound.tobytes()))
    floats = lines(
        invoke("--encoding", "f32le", sound=(sound / np.float32(32768)).astype("<f4").tobytes())
    )
    for one, other in zip(integers, floats, strict=True):
        assert one["posteriors"] == other["posteriors"]


def test_step_average_and_rate_are_taken() -> None:
    steps = lines(
        invoke("--step", "0.25", "--average", "2", "--rate", "8000", sound=noise(2, 8000).tobytes())
    )
    assert [step["time_s"] for step in steps] == [0.25 * n for n in range(1, 9)]


def test_an_end_without_a_step_gives_the_last_answer_again() -> None:
    *before, last, again = lines(invoke(sound=noise(1.05).tobytes()))
    assert len(before) == 1
    assert not any(step["final"] for step in (*before, last))
    assert again == {**last, "final": True}


def test_channels_are_averaged() -> None:
    one, other = noise(1.3), noise(1.3)[::-1]
    both = np.stack([one, other], axis=1)
    mean = (one / np.float32(32768) + other / np.float32(32768)) / 2
    wanted = lines(invoke("--encoding", "f32le", sound=mean.astype("<f4").tobytes()))
    got = lines(invoke("--channels", "2", sound=both.tobytes()))
    assert [step["time_s"] for step in got] == [0.5, 1.0, 1.3]
    for step, other_step in zip(got, wanted, strict=True):
        assert step["posteriors"] == pytest.approx(other_step["posteriors"], abs=1e-5)


def test_two_channels_that_are_given_as_one_are_told_of_once() -> None:
    speech = np.cumsum(noise(4.0).astype(float)) % 20000 - 10000
    stereo = np.repeat(speech.astype("<i2"), 2)
    told = invoke(sound=stereo.tobytes())
    assert told.exit_code == 0
    (line,) = told.stderr.splitlines()
    assert "looks like two interleaved channels, read as one; give --channels 2" in line
    assert invoke("--channels", "2", sound=stereo.tobytes()).stderr == ""
    assert invoke(sound=speech.astype("<i2").tobytes()).stderr == ""


def test_half_a_sample_at_the_end_is_told_of() -> None:
    whole = invoke(sound=noise(1.0).tobytes())
    more = invoke(sound=noise(1.0).tobytes() + b"\x01")
    assert [step["posteriors"] for step in lines(more)] == [
        step["posteriors"] for step in lines(whole)
    ]
    assert "ends in the middle of an s16le sample, which is left out" in more.stderr
    assert whole.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "sound", "message"),
    [
        ((), b"", "standard input ended after 0.000 s of sound; at least 0.1 s are needed"),
        ((), bytes(1600), "standard input ended after 0.050 s"),
        ((), b"RIFF\x24\0\0\0WAVEfmt ", "standard input is a WAV file, not raw PCM; convert it"),
        ((), b"fLaC" + bytes(100), "standard input is a FLAC file"),
        (("--encoding", "f32le"), floats(0, np.nan), "1 of 2 samples are NaN"),
        (("--encoding", "f32le"), floats(0, 9999), "samples reach 9999, but"),
        (("--step", "0.01"), b"", "a step of 0.01 s; give one from 0.1 s"),
        (("--rate", "16"), b"", "the sample rate is 16 Hz"),
        (("--capacity", "--microphone"), b"", "--capacity uses no sound"),
        (("--capacity", "--device", "1"), b"", "--capacity uses no sound"),
        (("--channels", "2"), OPPOSITE, "its 2 channels cancel one another"),
        (("call.wav",), b"", "-i call.wav -f s16le -ac 1 -ar 16000 - | serbench stream"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(
    arguments: tuple[str, ...], sound: bytes, message: str
) -> None:
    result = invoke(*arguments, sound=sound)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_model_that_is_not_there_is_told() -> None:
    result = CliRunner().invoke(app, ["stream", "none.onnx"], input=b"")
    assert result.exit_code == 2
    assert "none.onnx: no such file" in result.stderr


COMMAND = [sys.executable, "-m", "serbench_runtime", "stream", "m.onnx"]


@pytest.fixture
def process(heard_signals: None) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe) as started:
        yield started
        started.kill()


def feed(process: subprocess.Popen[bytes], sound: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(sound)
    process.stdin.flush()


def answer(process: subprocess.Popen[bytes]) -> float:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())["time_s"]


def test_an_answer_comes_before_the_input_ends(process: subprocess.Popen[bytes]) -> None:
    sound = noise(2.0).tobytes()
    feed(process, sound[:10001])  # within a sample
    feed(process, sound[10001:16000])
    assert answer(process) == 0.5
    feed(process, sound[16000:40000])
    assert answer(process) == 1.0
    assert process.stdin is not None
    process.stdin.close()
    assert answer(process) == 1.25
    assert process.wait(20) == 0


def test_ctrl_c_ends_it_in_one_line(process: subprocess.Popen[bytes]) -> None:
    feed(process, bytes(16000))
    assert answer(process) == 0.5
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stderr is not None
    assert process.stderr.read() == b"stopped after 0.5 s of sound\n"


def test_a_reader_that_goes_away_ends_it_quietly(process: subprocess.Popen[bytes]) -> None:
    feed(process, bytes(16000))
    assert answer(process) == 0.5
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    feed(process, bytes(32000))
    assert process.wait(20) == 141
    assert process.stderr.read() == b""


def test_a_terminal_is_no_input() -> None:
    main, terminal = os.openpty()
    done = subprocess.run(COMMAND, stdin=terminal, capture_output=True, timeout=20, check=False)
    os.close(terminal)
    os.close(main)
    assert done.returncode == 2
    assert b"standard input is a terminal; pipe raw PCM into this command" in done.stderr


class FakeMicrophone:
    """Stands for ``sounddevice.InputStream``: so much sound, then Ctrl-C."""

    def __init__(self, seconds: float, **settings: object) -> None:
        self.settings = settings
        self.left = round(seconds * 16000)

    def __enter__(self) -> FakeMicrophone:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def read(self, samples: int) -> tuple[np.ndarray, bool]:
        if self.left < samples:
            raise KeyboardInterrupt
        self.left -= samples
        channels = self.settings["channels"]
        return np.full((samples, channels), 0.25, np.float32), self.left == 16000


class FakePortAudioError(Exception):
    pass


def fake_sounddevice(monkeypatch: pytest.MonkeyPatch, open_stream: object) -> None:
    module = ModuleType("sounddevice")
    vars(module).update(InputStream=open_stream, PortAudioError=FakePortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_a_microphone_is_listened_to_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_stream(**settings: object) -> FakeMicrophone:
        opened.append(FakeMicrophone(2.0, **settings))
        return opened[0]

    fake_sounddevice(monkeypatch, open_stream)
    result = invoke("--microphone")
    assert result.exit_code == 130
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert [step["time_s"] for step in steps] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert [step["final"] for step in steps] == [False] * 4 + [True]
    assert {step["label"] for step in steps} == {"high"}
    settings = {"samplerate": 16000, "channels": 1, "dtype": "float32", "device": None}
    assert opened[0].settings == settings
    assert opened[0].closed
    assert result.stderr.splitlines() == [
        "serbench: sound was lost: this machine is too slow",
        "stopped after 2.0 s of sound",
    ]


def test_a_microphone_that_cannot_be_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise FakePortAudioError("Invalid sample rate")

    fake_sounddevice(monkeypatch, refuse)
    result = invoke("--microphone", "--rate", "22050")
    assert result.exit_code == 2
    told = "cannot be used with 1 channel at 22050 Hz (Invalid sample rate); try another --rate"
    assert told in result.stderr


@pytest.mark.parametrize(("device", "asked"), [("3", 3), ("USB", "USB")])
def test_a_microphone_is_chosen_by_number_or_name(
    monkeypatch: pytest.MonkeyPatch, device: str, asked: object
) -> None:
    opened = []

    def open_stream(**settings: object) -> FakeMicrophone:
        opened.append(settings)
        return FakeMicrophone(0.5, **settings)

    fake_sounddevice(monkeypatch, open_stream)
    result = invoke("--device", device, "--channels", "2")
    assert result.exit_code == 130
    assert (opened[0]["device"], opened[0]["channels"]) == (asked, 2)


def test_a_microphone_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ValueError("No input device matching 'USB'")

    fake_sounddevice(monkeypatch, refuse)
    result = invoke("--device", "USB")
    assert result.exit_code == 2
    assert "the microphone 'USB' cannot be used" in result.stderr
    assert "--list-devices shows the microphones" in result.stderr


DEVICES = [
    {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 44100.0},
    {"name": "USB Audio", "max_input_channels": 2, "default_samplerate": 48000.0},
    {"name": "Built-in", "max_input_channels": 1, "default_samplerate": 44100.0},
]


def test_microphones_are_listed_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_sounddevice(monkeypatch, None)
    module = sys.modules["sounddevice"]
    vars(module).update(query_devices=lambda: DEVICES, default=SimpleNamespace(device=(2, 0)))
    result = CliRunner().invoke(app, ["stream", "--list-devices"])
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NUMBER", "MICROPHONE", "CHANNELS", "RATE"],
        ["1", "USB", "Audio", "2", "48000"],
        ["2", "Built-in", "1", "44100", "default"],
    ]
    vars(module).update(query_devices=lambda: DEVICES[:1])
    result = CliRunner().invoke(app, ["stream", "--list-devices"])
    assert result.exit_code == 2
    assert "no microphone found" in result.stderr


def test_no_model_is_told() -> None:
    result = CliRunner().invoke(app, ["stream"])
    assert result.exit_code == 2
    assert "give a model: serbench stream MODEL" in result.stderr


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = invoke("--microphone")
    assert result.exit_code == 2
    assert "needs sounddevice: pip install 'serbench-runtime[microphone]'" in result.stderr


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("serbench_runtime.cli.microphone.import_module", import_module)
    result = invoke("--microphone")
    assert result.exit_code == 2
    assert "needs PortAudio (PortAudio library not found); install" in result.stderr


@pytest.mark.parametrize(("threads", "shown"), [(1, "on 1 thread:"), (2, "on 2 threads:")])
def test_capacity_is_printed(monkeypatch: pytest.MonkeyPatch, threads: int, shown: str) -> None:
    asked = SimpleNamespace()

    def measure(model: object, step_s: float) -> Capacity:
        asked.step_s = step_s
        return Capacity(120, 0.934, 0.02, step_s, 3.0, 10.0)

    monkeypatch.setattr("serbench_runtime.capacity", measure)
    result = invoke("--capacity", "--step", "0.25", "--threads", str(threads))
    assert result.exit_code == 0
    assert asked.step_s == 0.25
    assert result.stdout.startswith(f"120 simultaneous streams {shown} 93 % of real time used, 2 %")


def test_help_teaches_by_example() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert "  serbench stream akd.onnx --microphone" in result.output
