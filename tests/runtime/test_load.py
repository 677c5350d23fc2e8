from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import onnxruntime
import pytest
from onnx import TensorProto
from tests_support.exported import FACTS, LABELS, make_exported

import serbench
from serbench.errors import ModelError
from serbench_runtime import load

LEVELS = onnxruntime.GraphOptimizationLevel


def test_a_model_says_what_it_is(tmp_path: Path) -> None:
    model = load(make_exported(tmp_path / "m.onnx"))
    assert model.labels == LABELS
    assert model.name == "tiny/seed-0/outer-1"
    assert (model.sample_rate_hz, model.shortest_s) == (16000, 0.1)
    assert (model.window_s, model.overlap_s) == (3.0, 0.5)
    assert model.precision == "fp32"
    assert model.facts == FACTS


@pytest.mark.parametrize("as_what", [str, Path])
def test_serbench_load_takes_any_path(tmp_path: Path, as_what: type) -> None:
    assert serbench.load(as_what(make_exported(tmp_path / "m.onnx"))).labels == LABELS


def test_serbench_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        serbench.lode  # pyright: ignore[reportAttributeAccessIssue] # noqa: B018


def test_loading_and_predicting_import_neither_torch_nor_pandas(tmp_path: Path) -> None:
    script = f"""
import sys
import serbench
assert "numpy" not in sys.modules and "onnxruntime" not in sys.modules
model = serbench.load({str(make_exported(tmp_path / "m.onnx"))!r})
model.predict([0.0] * 16000, 16000)
model.stream().feed([0.0] * 16000)
heavy = {{"torch", "transformers", "pandas", "matplotlib", "sklearn", "scipy", "pydantic", "onnx"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such file; serbench export"):
        load(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match=r"is a folder; give the \.onnx file"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx")
    path.chmod(0)
    with pytest.raises(ModelError, match="Permission denied"):
        load(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    with pytest.raises(ModelError, match=r"m\.onnx: the file is empty"):
        load(tmp_path / "m.onnx")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """Up to the metadata, which is the last field; without it, a model is not ours."""
    path = make_exported(tmp_path / "m.onnx")
    whole = path.read_bytes()
    messages = set()
    # The property's own key and length come before its name.
    before_metadata = whole.rindex(b"serbench", 0, whole.index(b'{"format"')) - 5
    for size in [*range(1, len(whole), 5), before_metadata, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError) as caught:
            load(path)
        messages.add(str(caught.value).removeprefix(f"{path}: ").split(":")[0].split(",")[0])
    assert messages == {"truncated", "an ONNX model"}


def test_a_truncated_file_says_how_much_is_there(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"truncated: .* \(it has 100 bytes\); copy or export"):
        load(path)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("unpickled"),)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Bomb()))


NOT_ONNX = {
    "text": lambda path: path.write_text("this is no model\n" * 9),
    "html": lambda path: path.write_text("<!DOCTYPE html><p>not found"),
    "zeros": lambda path: path.write_bytes(bytes(1000)),
    "ones": lambda path: path.write_bytes(b"\xff" * 1000),
    "wav": lambda path: path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt "),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Bomb())),
    "checkpoint": _zip,
    "safetensors": lambda path: path.write_bytes((16).to_bytes(8, "little") + b'{"a":{}}        '),
}


@pytest.mark.parametrize("kind", NOT_ONNX)
def test_what_is_no_onnx_is_refused_and_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    NOT_ONNX[kind](tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx: not an ONNX file(; give a model|, but a web)"):
        load(tmp_path / "m.onnx")
    assert not (tmp_path / "unpickled").exists()


def test_an_onnx_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="an ONNX model, but not from serbench export"):
        load(make_exported(tmp_path / "m.onnx", None))


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, r"format 2, written by serbench 9\.1; serbench .* reads format 1: install a newer"),
        (0, r"format 0, written by serbench 9\.1; serbench .* reads format 1: export the model"),
    ],
)
def test_another_format_says_which_way_to_go(tmp_path: Path, version: int, message: str) -> None:
    # What a format of the future holds is not looked at.
    facts = {"format": version, "serbench_version": "9.1"}
    with pytest.raises(ModelError, match=message):
        load(make_exported(tmp_path / "m.onnx", facts))


DAMAGED = [
    ("", "it is not JSON"),
    ("{", "it is not JSON"),
    ("[" * 100_000, "it is not JSON"),
    ("[1]", "it is not a JSON object"),
    ('{"format": 1, "window_s": NaN}', "NaN is not a JSON number"),
    ({"format": None}, "format is missing, not a whole number"),
    ({"format": True}, "format is true, not a whole number"),
    ({"format": "1"}, 'format is "1", not a whole number'),
    ({"precision": 16}, "precision is 16, not a text"),
    ({"name": 3}, "name is 3, not a text"),
    ({"labels": None}, "labels is missing, not a list of at least two"),
    ({"labels": "anger"}, 'labels is "anger", not a list'),
    ({"labels": ["anger"]}, "not a list of at least two names"),
    ({"labels": ["a", 2, "b"]}, "labels contains 2, which is not a name"),
    ({"labels": ["a", " ", "b"]}, 'labels contains " ", which is not a name'),
    ({"labels": ["a", "b", "a"]}, 'labels contains "a" twice'),
    ({"sample_rate_hz": None}, "sample_rate_hz is missing, not 16000"),
    ({"sample_rate_hz": 8000}, "sample_rate_hz is 8000, not 16000"),
    ({"window_s": "3"}, 'window_s is "3", not a number'),
    ({"window_s": True}, "window_s is true, not a number"),
    ({"window_s": 1e400}, "is not a JSON number"),
    ({"window_s": 0.05}, r"shortest_s is 0\.1, not above 0 and up to window_s"),
    ({"shortest_s": 0}, r"shortest_s is 0\.0, not above 0"),
    ({"shortest_s": None}, "shortest_s is missing, not a number"),
    ({"overlap_s": -0.5}, r"overlap_s is -0\.5, not from 0"),
    ({"overlap_s": 3.0}, r"overlap_s is 3\.0, not from 0 to 0\.01 below window_s"),
    ({"provenance": [1]}, r"provenance is \[1\], not an object"),
    ({"student": "x" * 100}, 'student is "x+…, not an object'),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_facts_are_told(
    tmp_path: Path, change: str | dict[str, object], message: str
) -> None:
    facts = change if isinstance(change, str) else json.dumps({**FACTS, **change})
    with pytest.raises(ModelError, match=f"its metadata is damaged: .*{message}"):
        load(make_exported(tmp_path / "m.onnx", facts))


def test_metadata_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx", '{"format": "ABCDEFGH"}')
    path.write_bytes(path.read_bytes().replace(b"ABCDEFGH", b"\xff" * 8))
    with pytest.raises(ModelError, match=r"its metadata is damaged .*invalid start byte"):
        load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("audio", "posteriors")}, r"from audio tensor\(float\) of 2 axes to posteriors"),
        ({"names": ("waveform", "scores")}, r"to scores tensor\(float\) of 2 axes, not from wave"),
        ({"element": TensorProto.DOUBLE}, r"waveform tensor\(double\)"),
        ({"shape": (1, "samples")}, r"only takes waveforms of shape \[1, 'samples'\]"),
        ({"shape": ("batch", 48000)}, r"only takes waveforms of shape \['batch', 48000\]"),
        ({"facts": {**FACTS, "labels": ["a", "b"]}}, r"3 posteriors, but 2 labels \(a, b\)"),
    ],
)
def test_a_graph_of_another_form_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = make_exported(tmp_path / "m.onnx", **change)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match=message):
        load(path)


def test_a_width_that_the_graph_does_not_declare_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serbench_runtime.model.check_signature", lambda *_: None)
    facts = {**FACTS, "labels": ["a", "b", "c", "d"]}
    with pytest.raises(ModelError, match=r"shape \(1, 3\) for 1 waveforms and 4 labels"):
        load(make_exported(tmp_path / "m.onnx", facts))


def test_a_graph_that_onnx_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx", final="NoSuchOperator")
    with pytest.raises(ModelError, match=r"m\.onnx: ONNX Runtime .* cannot load it .*NoSuchOp"):
        load(path)


@pytest.mark.parametrize(
    ("precision", "level"),
    [
        ("fp32", LEVELS.ORT_ENABLE_ALL),
        ("int8 dynamic", LEVELS.ORT_ENABLE_ALL),
        # ONNX Runtime has a level between "extended" and "all" from 1.22 on.
        ("fp16", getattr(LEVELS, "ORT_ENABLE_LAYOUT", LEVELS.ORT_ENABLE_EXTENDED)),
    ],
)
def test_fp16_is_optimised_with_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, level: object
) -> None:
    real, levels = onnxruntime.InferenceSession, []

    def watched(path: str, options: onnxruntime.SessionOptions, providers: list[str]) -> object:
        levels.append(options.graph_optimization_level)
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    model = load(make_exported(tmp_path / "m.onnx", {**FACTS, "precision": precision}))
    assert model.precision == precision
    assert levels == [level]


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_threads_are_a_whole_number_from_1(tmp_path: Path, threads: float) -> None:
    with pytest.raises(ModelError, match=r"threads is .*; give a whole number of at least 1"):
        load(make_exported(tmp_path / "m.onnx"), threads=threads)  # pyright: ignore[reportArgumentType]


def test_a_provider_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no NoSuchProvider; it has .*CPUExecutionProvider"):
        load(make_exported(tmp_path / "m.onnx"), providers=("NoSuchProvider",))


@pytest.mark.parametrize("providers", [(), "CPUExecutionProvider"])
def test_providers_are_a_list_of_names(tmp_path: Path, providers: object) -> None:
    with pytest.raises(ModelError, match="give a list of names"):
        load(make_exported(tmp_path / "m.onnx"), providers=providers)  # pyright: ignore[reportArgumentType]


def test_a_provider_that_was_replaced_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onnxruntime-gpu does it where there is no GPU: it lists CUDA, and runs on the CPU."""
    real = onnxruntime.InferenceSession

    def falls_back(path: str, options: object, providers: list[str]) -> object:
        assert providers == ["CUDAExecutionProvider"]
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", falls_back)
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    with pytest.raises(ModelError, match="replaced CUDAExecutionProvider by CPUExecutionProvider"):
        load(make_exported(tmp_path / "m.onnx"), providers=("CUDAExecutionProvider",))


def test_a_graph_whose_names_are_no_text_is_damaged(tmp_path: Path) -> None:
    path = make_exported(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(b"batch", b"b\xbbtch"))
    with pytest.raises(ModelError, match=r"m\.onnx is damaged"):
        load(path)
