"""Model cards: what they say is what the run, the corpus and the file say."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard
from tests_support.replays import make_replayable, open_replay
from tests_support.runs import HERE

from serbench.api import StoreError, TeacherCard
from serbench.device.export.file import export_file
from serbench.device.export.parity import Parity
from serbench.device.export.source import export_source
from serbench.running.replay.run import Replay
from serbench.studies.model_card import (
    CardOf,
    check_card_replaceable,
    model_card,
    write_model_card,
)
from serbench_runtime import load


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    root = tmp_path_factory.mktemp("card")
    make_replayable(root)
    return open_replay(root)


@pytest.fixture(scope="module")
def exported(replay: Replay, tmp_path_factory: pytest.TempPathFactory) -> CardOf:
    """The model of outer fold 2, which was taught, and its file."""
    trained = export_source(replay, "taught", 0, 2, None, HERE).trained
    file = tmp_path_factory.mktemp("exported") / "noise-taught-fold-2.onnx"
    return CardOf(replay, trained, file, export_file(replay, trained, file))


def test_hugging_face_reads_the_metadata(exported: CardOf) -> None:
    data = ModelCard(model_card(exported)).data
    assert (data.pipeline_tag, data.library_name) == ("audio-classification", "onnx")
    assert (data.datasets, data.metrics) == (["noise"], ["recall", "accuracy", "f1"])
    assert data.license == "unknown"  # whoever publishes it chooses
    assert {"speech-emotion-recognition", "knowledge-distillation"} <= set(data.tags)
    assert data.language is None  # the corpus's language is none that is known
    (ua, *_) = data.eval_results
    assert (ua.metric_type, ua.dataset_type) == ("recall", "noise")
    assert ua.dataset_split == "test speakers s1"
    assert ua.metric_value == pytest.approx(exported.known["test_ua"], abs=1e-4)


def test_every_number_is_the_runs_or_the_files(exported: CardOf) -> None:
    text = model_card(exported)
    content = exported.file.read_bytes()
    known, pooled = exported.known, exported.pooled.pooled["ua"]
    for said in (
        hashlib.sha256(content).hexdigest(),
        f"{len(content) / 1e6:.2f} MB",
        ", ".join(load(exported.file).labels),
        "16000 Hz",
        f"unseen speakers: {known['test_speakers'][0]} (8 utterances)",
        "outer fold 2 of 4",
        f"| UA | {100 * known['test_ua']:.1f} | {100 * pooled.value:.1f} "
        f"[{100 * pooled.low:.1f}, {100 * pooled.high:.1f}] |",
        f"`{exported.replay.certificate.digest}`",
        "Protocol | speaker-independent",
        f"Licence: {exported.replay.table.card.licence}",
        "Teacher: log-mel functionals, serbench. Licence: MIT.",
        "| Latency | not measured |",
    ):
        assert said in text
    assert "Pretrained weights" not in text
    assert "reconstruction" not in text
    assert str(exported.replay.run.folder) not in text  # no path of this machine
    prose = re.sub(r"```python.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"\{[{%]|None|\bnan\b", prose)


def test_the_code_that_it_shows_runs(
    exported: CardOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", model_card(exported), re.DOTALL)
    monkeypatch.chdir(exported.file.parent)
    (exported.file.parent / "speech.wav").write_bytes(
        exported.replay.table.utterances[0].path.read_bytes()
    )
    exec(compile(code, "card", "exec"), {})
    label, posterior = capsys.readouterr().out.split()
    assert label in exported.trained.labels
    assert 0.5 <= float(posterior) <= 1


def test_a_model_of_all_speakers_has_no_score_of_its_own(exported: CardOf) -> None:
    known = {
        key: value
        for key, value in exported.known.items()
        if key not in {"outer_fold", "test_speakers", "test_ua"}
    }
    trained = replace(
        exported.trained,
        provenance=known | {"training_speakers": 4, "cross_validated_ua": 0.5},
    )
    shipped = replace(exported, trained=trained)
    text = model_card(shipped)
    assert "This model has no test score: it was trained on all 4 speakers" in text
    assert "the run's 4 other models" in " ".join(text.split())
    assert "| | The method, all 4 test folds [95 % CI] |" in text
    assert ModelCard(text).data.eval_results is None


def test_a_conversion_that_changes_classes_has_no_score_either(exported: CardOf) -> None:
    changed = Parity(utterances=32, greatest=0.4, worst="s0_high_0", changed=3)
    converted = replace(exported, parity=changed, backend="onnxruntime-int8")
    text = model_card(converted)
    assert "before its conversion by `onnxruntime-int8`" in text
    assert "for 3 of the 32 utterances" in " ".join(text.split())
    assert ModelCard(text).data.eval_results is None
    same = replace(converted, parity=replace(changed, changed=0))
    assert ModelCard(model_card(same)).data.eval_results


def test_weights_that_it_starts_from_are_named_with_their_licence(
    exported: CardOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = TeacherCard("openai/whisper-tiny.en", "apache-2.0", "https://hub/whisper", "paper")
    monkeypatch.setattr(type(exported.trained.student), "card", start, raising=False)
    text = model_card(exported)
    assert "Pretrained weights in this file: openai/whisper-tiny.en" in text
    assert "Licence: apache-2.0" in text
    assert ModelCard(text).data.base_model == ["openai/whisper-tiny.en"]


def test_it_is_written_beside_the_file_and_replaces_only_a_card(exported: CardOf) -> None:
    path = write_model_card(exported)
    assert path == exported.file.with_name("noise-taught-fold-2.md")
    check_card_replaceable(exported.file)
    path.write_text("# My notes\n", encoding="utf-8")
    with pytest.raises(StoreError, match="was not written by serbench export"):
        check_card_replaceable(exported.file)
    path.unlink()
