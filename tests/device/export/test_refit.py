"""What is exported of a run: a fold's student, or one that everybody was learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests_support.front_ends import front_end
from tests_support.pretraining import MapStudent, hinted, make_pretrained, write_speech
from tests_support.replays import contents, make_replayable, open_replay
from tests_support.runs import HERE, Watcher, candidate, method
from tests_support.trained import expected, noise

from serbench.api import Backend, CorpusError, DeployedModel, Params, PluginError, StoreError
from serbench.device.export.file import export_file
from serbench.device.export.parity import check_parity
from serbench.device.export.refit import refit_all
from serbench.device.export.source import default_name, export_source
from serbench.running.replay.run import Replay
from serbench_akd.akd import Akd, AkdParams
from serbench_runtime import load
from serbench_runtime.audio.read import read_waveform


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("export")
    make_replayable(made, seeds=2)
    return made


@pytest.fixture(scope="module")
def replay(root: Path) -> Replay:
    return open_replay(root)


def test_a_folds_student_is_the_stored_one_and_says_who_tested_it(replay: Replay) -> None:
    source = export_source(replay, "plain", 1, 2, None, HERE)
    student = next(s for s in replay.students if (s.method, s.seed, s.outer) == ("plain", 1, 2))
    for name, value in student.module.state_dict().items():
        torch.testing.assert_close(source.trained.network.state_dict()[name], value)
    known = source.trained.provenance
    assert known["test_speakers"] == ["s1"]
    assert known["certificate_digest"] == replay.certificate.digest
    rows = replay.run.predictions.query("method == 'plain' and seed == 1 and outer == 2")
    recalls = [
        (own["predicted"] == label).mean() for label, own in rows.groupby("label", sort=True)
    ]
    assert known["test_ua"] == pytest.approx(np.mean(recalls), abs=1e-4)
    assert default_name(source.trained, None) == "noise-plain-fold-2.onnx"


def test_calibration_is_of_the_training_side_alone(replay: Replay) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    test = replay.folds.outer[0].test.ids
    forbidden = {read_waveform(replay.table.by_id[i].path).tobytes() for i in test}
    allowed = {read_waveform(u.path).tobytes() for u in replay.table.utterances} - forbidden
    heard = [waveform.tobytes() for waveform in source.calibration]
    assert heard
    assert set(heard) <= allowed


def test_the_file_says_what_pytorch_says_and_the_run_stays_as_it_was(
    root: Path, replay: Replay, tmp_path: Path
) -> None:
    before = contents(root / "run")
    source = export_source(replay, None, 0, 1, None, HERE)
    parity = export_file(replay, source.trained, tmp_path / "new" / "m.onnx")
    assert parity.utterances == len(replay.table.ids)
    assert parity.holds
    model = load(tmp_path / "new" / "m.onnx")
    waveform = noise(30_000)
    found = model.posteriors(waveform[None])[0]
    np.testing.assert_allclose(found, expected(source.trained, waveform), atol=2e-5)
    assert contents(root / "run") == before


def test_a_graph_that_says_something_else_is_not_written(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    other = export_source(replay, "plain", 0, 2, None, HERE)
    graph = other.trained.graph()
    monkeypatch.setattr(type(source.trained), "graph", lambda _: graph)
    with pytest.raises(StoreError, match="give different posteriors"):
        export_file(replay, source.trained, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_parity_tells_the_worst_utterance_and_changed_classes(
    replay: Replay, tmp_path: Path
) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    other = export_source(replay, "taught", 0, 3, None, HERE)
    path = tmp_path / "other.onnx"
    path.write_bytes(other.trained.graph().SerializeToString())
    parity = check_parity(replay, source.trained, path)
    truth = {
        u.id: (expected(source.trained, x), expected(other.trained, x))
        for u in replay.table.utterances
        for x in [read_waveform(u.path)]
    }
    gaps = {i: float(np.abs(a - b).max()) for i, (a, b) in truth.items()}
    assert parity.worst == max(gaps, key=gaps.__getitem__)
    assert parity.greatest == pytest.approx(max(gaps.values()), abs=1e-4)
    assert parity.changed == sum(a.argmax() != b.argmax() for a, b in truth.values())
    assert not parity.holds


class Copying(Backend):
    """Writes the graph as it is, without metadata, as often as it is told."""

    name = "copying"
    Params = Params
    graphs = 1

    def convert(self, model: DeployedModel, folder: Path) -> None:
        graph = onnx.load(model.onnx)
        del graph.metadata_props[:]
        for number in range(self.graphs):
            onnx.save(graph, folder / f"{number}.onnx")

    def open(self, model: DeployedModel, folder: Path, threads: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise AssertionError


class Two(Copying):
    graphs = 2


class Missing(Copying):
    def unavailable(self) -> str | None:
        return "its library is not there"


def test_a_backends_file_gets_the_facts_back(replay: Replay, tmp_path: Path) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    path = tmp_path / "m.onnx"
    export_file(replay, source.trained, path, Copying(Params()), source.calibration)
    facts = load(path).facts
    assert facts["precision"] == "fp32"
    assert facts["provenance"] == dict(source.trained.provenance)


@pytest.mark.parametrize(
    ("backend", "message"),
    [(Two, "does not write one ONNX file"), (Missing, "cannot run here: its library is not")],
)
def test_a_backend_that_cannot_is_told(
    replay: Replay, tmp_path: Path, backend: type[Backend], message: str
) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    with pytest.raises(PluginError, match=message):
        export_file(replay, source.trained, tmp_path / "m.onnx", backend(Params()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", None, "must end with .onnx"),
        ("m.onnx", b"my thesis", "exists and is not a model"),
        ("m.onnx", b"", "exists and serbench did not export it"),
    ],
)
def test_what_is_not_ours_is_not_replaced(
    replay: Replay, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    source = export_source(replay, "plain", 0, 1, None, HERE)
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        export_file(replay, source.trained, path)
    if content is not None:
        assert path.read_bytes() == content


def test_a_refit_hears_everybody_once_and_has_no_test_score(root: Path) -> None:
    watch = Watcher()
    replay = open_replay(root, watch)
    source = export_source(replay, "taught", 0, None, None, HERE)
    (task,) = watch.tasks
    assert task.train.ids == replay.table.ids
    assert task.epochs == 3
    known = source.trained.provenance
    assert known["test_score"] is None
    assert "test_ua" not in known
    rows = replay.run.predictions.query("method == 'taught'")
    recalls = [(own["predicted"] == label).mean() for label, own in rows.groupby("label")]
    assert known["cross_validated_ua"] == pytest.approx(np.mean(recalls), abs=1e-4)
    frames = replay.frames(task.front_end).evaluation(replay.table.ids).values.double()
    torch.testing.assert_close(
        source.trained.normaliser.mean.double(), frames.mean(0), atol=1e-4, rtol=0
    )
    again = Watcher()
    same = export_source(open_replay(root, again), "taught", 0, None, None, HERE)
    assert not again.tasks, "the refit is kept"
    for name, value in same.trained.network.state_dict().items():
        assert torch.equal(value, source.trained.network.state_dict()[name])
    assert default_name(source.trained, "onnxruntime-int8") == (
        "noise-taught-all-speakers-onnxruntime-int8.onnx"
    )


def test_a_refit_takes_what_most_folds_chose(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = open_replay(root)
    own = [s for s in replay.students if s.method == "plain" and s.seed == 0]
    settings = own[0].candidate.settings
    slow = settings.model_copy(
        update={"training": settings.training.model_copy(update={"learning_rate": 0.5})}
    )
    chosen = replace(own[0].candidate, values={"training.learning_rate": 0.5}, settings=slow)
    students = tuple(
        replace(s, candidate=chosen) if s in own and s.outer > 1 else s for s in replay.students
    )
    watch = Watcher()
    changed = replace(replay, students=students, watch=watch)
    export_source(changed, "plain", 0, None, None, HERE)
    assert [task.settings.training.learning_rate for task in watch.tasks] == [0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("akd", 0, 1), "its methods: taught, plain"),
        (("plain", 7, 1), "has no seed 7; its seeds: 0, 1"),
        (("plain", 0, 9), "has no outer fold 9; it has 4"),
    ],
)
def test_what_the_run_does_not_have_is_told(
    replay: Replay, arguments: tuple[str, int, int], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        export_source(replay, *arguments, None, HERE)


def test_a_pretrained_method_is_refitted_from_the_same_audio(tmp_path: Path) -> None:
    make_pretrained(tmp_path, method("hinted", hinted()))
    with pytest.raises(StoreError, match="give that folder with --pretrain-audio"):
        export_source(open_replay(tmp_path), "hinted", 0, None, None, HERE)
    write_speech(tmp_path / "other", seed=9)
    with pytest.raises(CorpusError, match="is not the audio that"):
        export_source(open_replay(tmp_path), "hinted", 0, None, tmp_path / "other", HERE)
    watch = Watcher()
    source = export_source(
        open_replay(tmp_path, watch), "hinted", 0, None, tmp_path / "speech", HERE
    )
    (task,) = watch.tasks
    assert task.initial is not None
    assert not watch.results[0].name.endswith("pretraining")
    assert source.trained.provenance["method"] == "hinted"


def test_a_refit_hears_crops_and_unlabelled_audio_as_the_folds_did(tmp_path: Path) -> None:
    params = {"k": 1.0, "alpha": 0.0, "lambda_hint": 0.0, "unlabelled": 0.5}
    chosen = candidate(loss=Akd(AkdParams.model_validate(params)), student=MapStudent(Params()))
    augment = chosen.settings.augment.model_copy(update={"crops": 2})
    settings = chosen.settings.model_copy(update={"augment": augment})
    make_pretrained(tmp_path, method("hears", replace(chosen, settings=settings)))
    with pytest.raises(StoreError, match="give that folder with --pretrain-audio"):
        export_source(open_replay(tmp_path), "hears", 0, None, None, HERE)
    watch = Watcher()
    export_source(open_replay(tmp_path, watch), "hears", 0, None, tmp_path / "speech", HERE)
    (task,) = watch.tasks
    assert task.unlabelled is not None
    assert task.unlabelled.ids == tuple(f"unlabelled/r{n}.wav" for n in range(4))
    assert len(task.crops) == 2
    (teacher,) = task.teachers
    assert teacher.logits is not None
    assert teacher.logits.shape == (2 * len(task.train.ids), 2)
    assert teacher.unlabelled is not None
    assert teacher.unlabelled.shape == (4, 2)


def test_a_refit_has_the_shape_of_what_most_folds_chose(replay: Replay) -> None:
    first, *others = replay.fold_networks("taught", [0])
    narrow = {"values": {"front_end.deltas": False}, "front_end": front_end(deltas=False)}
    odd = replace(first, candidate=replace(first.candidate, **narrow))
    trained = refit_all(replay, (odd, *others), None, HERE)
    assert trained.network.classify.in_features == 3 * 40  # pyright: ignore[reportAttributeAccessIssue]
    assert trained.front_end.channels == 3
