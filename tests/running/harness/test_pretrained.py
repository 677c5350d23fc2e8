"""Which pretrainings a run has: each once, shared, kept, without a label, and never of a copy."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tests_support.copies import OGG, RATE_HZ, encoded, speech_like
from tests_support.front_ends import front_end
from tests_support.pretraining import (
    Heir,
    HeirParams,
    Hinted,
    HintedParams,
    hinted,
    pretrained_plan,
    pretrainings,
    write_both,
    write_speech,
)
from tests_support.runs import HERE, Watcher, candidate, method, resources

from serbench.api import CorpusError, LeakageError, PluginError, RegistryError
from serbench.learning.fit.task import FitTask, InitialState, PretrainTask
from serbench.protocol.guard.certificate import Certificate
from serbench.running.harness.folds import copies_in_audio, plan_folds
from serbench.running.harness.inputs import Inputs, load_audio, load_dataset, load_inputs
from serbench.running.harness.observer import Observer
from serbench.running.harness.pretrained import initial_state, pretrain_all, pretraining_of
from serbench.running.harness.run import run
from serbench.running.plan.records import Candidate, RunPlan
from serbench.running.store.cache import FitCache
from serbench.running.store.run import RunStore
from serbench.settings import AugmentSettings, SegmentSettings
from serbench_baselines.kd import Distillation, DistillationParams

EPOCHS = 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pretrained")
    write_both(root)
    return root


def inputs_of(plan: RunPlan, root: Path) -> Inputs:
    cache, watch = root / "cache", Observer()
    table = load_dataset(plan.dataset, None, cache, watch)
    return load_inputs(plan, table, load_audio(plan, cache, watch), cache, "cpu", watch)


def do(plan: RunPlan, root: Path) -> tuple[RunStore, Watcher]:
    watch = Watcher()
    return RunStore(run(plan, resources(root), watch)), watch


def task_of(chosen: Candidate, inputs: Inputs, seed: int = 0, device: str = "cpu") -> PretrainTask:
    task = pretraining_of(chosen, "hinted", seed, inputs, device)
    assert task is not None
    return task


# ── what there is ────────────────────────────────────────────────────────────────────────────────


def test_a_method_without_an_objective_is_not_pretrained(root: Path) -> None:
    plan = pretrained_plan(root)
    inputs = inputs_of(plan, root)
    assert pretraining_of(candidate(), "plain", 0, inputs, "cpu") is None
    without = replace(inputs, pretrain=None)
    assert pretraining_of(hinted(), "hinted", 0, without, "cpu") is None


def test_a_task_holds_no_label_and_no_utterance(root: Path) -> None:
    task = task_of(hinted(), inputs_of(pretrained_plan(root), root))
    recordings = tuple(f"unlabelled/r{n}.wav" for n in range(4))
    assert task.features.ids == recordings
    assert [teacher.frames.ids for teacher in task.teachers] == [recordings]
    assert task.loss is not None
    assert task.loss.needs == {"frames"}


def changed(chosen: Candidate, **settings: Any) -> Candidate:
    return replace(chosen, settings=chosen.settings.model_copy(update=settings))


def test_an_address_names_all_that_decides_it_and_nothing_else(root: Path) -> None:
    plan = pretrained_plan(root)
    inputs = inputs_of(plan, root)
    assert inputs.pretrain is not None
    base = hinted()
    key = task_of(base, inputs).key
    training = base.settings.training.model_copy(update={"learning_rate": 0.3, "epochs": 9})
    for same in (
        task_of(hinted(), inputs),
        task_of(changed(base, training=training), inputs),
        task_of(changed(base, head=base.settings.head.model_copy(update={"groups": 3})), inputs),
        task_of(hinted(extra=2), inputs),  # of the full loss alone
    ):
        assert same.key == key
    longer = base.settings.pretrain.model_copy(update={"epochs": 3})
    audio = replace(inputs.pretrain.audio, digest="0" * 64)
    (name, embeddings), *_ = inputs.pretrain.embeddings.items()
    mels = front_end(n_mels=20)
    features = inputs.pretrain.features[base.front_end]
    others = [
        task_of(base, inputs, seed=1),
        task_of(base, inputs, device="cuda"),
        task_of(changed(base, pretrain=longer), inputs),
        task_of(changed(base, segments=SegmentSettings(window_s=0.5)), inputs),
        task_of(changed(base, augment=AugmentSettings()), inputs),
        task_of(base, replace(inputs, pretrain=replace(inputs.pretrain, audio=audio))),
        task_of(
            base,
            replace(
                inputs,
                pretrain=replace(
                    inputs.pretrain, embeddings={name: replace(embeddings, digest="other")}
                ),
            ),
        ),
        task_of(
            replace(base, front_end=mels),
            replace(
                inputs,
                pretrain=replace(
                    inputs.pretrain,
                    features=dict.fromkeys([mels], replace(features, digest="other")),
                ),
            ),
        ),
    ]
    assert len({key, *(task.key for task in others)}) == 1 + len(others)


def test_the_order_of_teachers_is_part_of_the_address(root: Path) -> None:
    inputs = inputs_of(pretrained_plan(root), root)
    assert inputs.pretrain is not None
    (one,) = inputs.pretrain.embeddings.values()
    two = replace(one, digest="other")
    keys = {
        task_of(hinted(), replace(inputs, pretrain=replace(inputs.pretrain, embeddings=each))).key
        for each in ({"a": one, "b": two}, {"b": two, "a": one})
    }
    assert len(keys) == 2


# ── each once ────────────────────────────────────────────────────────────────────────────────────


def test_methods_share_a_pretraining_and_seeds_have_their_own(root: Path, tmp_path: Path) -> None:
    plan = pretrained_plan(
        root,
        method("one", hinted()),
        method("two", hinted(extra=2)),
        method("longer", changed_epochs(3)),
        method("plain", candidate()),
        seeds=2,
    )
    inputs = inputs_of(plan, root)
    watch = Watcher()
    found = pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch)
    names = ["one/seed-0", "one/seed-1", "longer/seed-0", "longer/seed-1"]
    assert sorted(set(pretrainings(watch))) == sorted(f"{name}/pretraining" for name in names)
    assert len(pretrainings(watch)) == 2 * EPOCHS + 2 * 3
    assert len(found) == 4
    weights = [state.student["project.weight"] for state in found.values()]
    for n, weight in enumerate(weights):
        assert not any(torch.allclose(weight, other) for other in weights[n + 1 :])

    quiet = Watcher()
    again = pretrain_all(plan, inputs, tmp_path, HERE, "cpu", quiet)
    assert pretrainings(quiet) == []
    assert again.keys() == found.keys()
    for key, state in found.items():
        for mine, theirs in ((state.student, again[key].student), (state.loss, again[key].loss)):
            assert mine.keys() == theirs.keys()
            assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def changed_epochs(epochs: int) -> Candidate:
    chosen = hinted()
    pretrain = chosen.settings.pretrain.model_copy(update={"epochs": epochs})
    return changed(chosen, pretrain=pretrain)


def test_a_damaged_one_is_made_anew(root: Path, tmp_path: Path) -> None:
    plan = pretrained_plan(root)
    inputs = inputs_of(plan, root)
    (key,) = pretrain_all(plan, inputs, tmp_path, HERE, "cpu", Observer())
    FitCache(tmp_path, "pretraining").path(key).write_bytes(b"damaged")
    watch = Watcher()
    assert pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch).keys() == {key}
    assert len(pretrainings(watch)) == EPOCHS


def test_it_is_told_of_as_a_stage(root: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    watch = Watcher()
    watch.advance = lambda stage, done, total: told.append((stage, done, total))
    plan = pretrained_plan(root, seeds=2)
    inputs = inputs_of(plan, root)
    pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch)
    assert told == [("pretraining (epochs)", n, 2 * EPOCHS) for n in range(2 * EPOCHS + 1)]
    told.clear()
    pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch)
    assert told == []


def test_a_stopped_one_goes_on_and_leaves_nothing_behind(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serbench.learning.fit.checkpoint.EVERY_S", 0.0)
    plan = pretrained_plan(root)
    inputs = inputs_of(plan, root)

    class Stopped(Watcher):
        def epoch(self, event: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain_all(plan, inputs, tmp_path, HERE, "cpu", Stopped())
    (begun,) = (tmp_path / "checkpoints").iterdir()
    told: list[Any] = []
    watch = Watcher()
    monkeypatch.setattr(watch, "epoch_again", told.append)
    (key,) = pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch)
    assert begun.name == f"{key}.pt"
    assert not begun.exists()
    assert [event.epoch for event in told] == [1]
    assert len(pretrainings(watch)) == EPOCHS - 1


# ── a whole run ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def done(root: Path) -> tuple[RunStore, Watcher]:
    plan = pretrained_plan(root, method("hinted", hinted()), method("plain", candidate()))
    return do(plan, root)


def refits(watch: Watcher, name: str) -> list[FitTask]:
    return [task for task in watch.tasks if task.method == name]


def test_all_folds_start_from_the_same_weights(done: tuple[RunStore, Watcher], root: Path) -> None:
    _, watch = done
    starts = {id(task.initial) for task in refits(watch, "hinted")}
    assert len(refits(watch, "hinted")) == 3
    assert len(starts) == 1
    assert {task.initial for task in refits(watch, "plain")} == {None}
    unpretrained = replace(pretrained_plan(root), pretrain_audio=None)
    _, other = do(unpretrained, root)
    assert {task.initial for task in other.tasks} == {None}
    assert len(other.tasks) == 3  # none was taken over from the pretrained run
    assert not {task.key for task in other.tasks} & {task.key for task in watch.tasks}


def test_plan_and_certificate_say_what_was_heard(done: tuple[RunStore, Watcher]) -> None:
    store, _ = done
    plan, content = store.plan(), store.read_json("certificate")
    digest = content.pop("digest")
    certificate = Certificate.model_validate(content)
    assert certificate.digest == digest
    assert certificate.audio is not None
    assert certificate.audio.model_dump() == plan["pretrain_audio"]
    assert certificate.audio.recordings == 4
    assert len(certificate.audio.digest) == 64
    near = next(check for check in certificate.checks if check.code == "L5")
    assert near.outcome == "passed"
    assert near.detail.endswith("no copy of any in 4 unlabelled recordings")
    said = {each["name"]: (each["pretrained"], each["teachers"]) for each in plan["methods"]}
    assert said == {"hinted": (True, ["functionals"]), "plain": (False, [])}
    assert store.read_json("timing")["pretrain_s"] > 0.0


def test_other_audio_is_another_run(
    done: tuple[RunStore, Watcher], root: Path, tmp_path: Path
) -> None:
    write_speech(tmp_path / "speech", seed=8)
    plan = pretrained_plan(root, method("hinted", hinted()), method("plain", candidate()))
    store, watch = do(replace(plan, pretrain_audio=tmp_path / "speech"), root)
    assert store.plan()["digest"] != done[0].plan()["digest"]
    assert {task.method for task in watch.tasks} == {"hinted"}  # the plain fits are shared


def test_a_second_run_pretrains_nothing_and_says_the_same(
    done: tuple[RunStore, Watcher], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a pretraining in a run that is complete")

    monkeypatch.setattr("serbench.running.executors.executor.pretrain", forbidden)
    before = done[0].read_json("certificate")
    plan = pretrained_plan(root, method("hinted", hinted()), method("plain", candidate()))
    store, watch = do(plan, root)
    assert store.folder == done[0].folder
    assert watch.tasks == []
    assert store.read_json("certificate") == before


def test_a_teacher_that_teaches_before_the_folds_only_has_its_row(root: Path) -> None:
    """A loss that reads nothing of a teacher in its fits, and its hints without labels."""
    store, _ = do(pretrained_plan(root, method("early", hinted(hint=False))), root)
    assert set(store.predictions()["method"]) == {"early", "teacher:functionals"}
    (told,) = store.plan()["methods"]
    assert (told["pretrained"], told["teachers"]) == (True, ["functionals"])


def test_a_canary_hears_the_audio_too_and_shares_the_pretraining(tmp_path: Path) -> None:
    write_both(tmp_path, utterances=4)
    plan, watch = pretrained_plan(tmp_path, canary=3), Watcher()
    folder = run(replace(plan, canary=pretrained_plan(tmp_path)), resources(tmp_path), watch)
    assert pretrainings(watch) == ["hinted/seed-0/pretraining"] * EPOCHS
    permuted = [task for task in watch.tasks if task.initial is not None]
    assert len(permuted) == (3 + 1) * 3
    first, *rest = permuted
    assert first.initial is not None
    for task in rest:
        assert task.initial is not None
        for name, value in first.initial.student.items():
            assert torch.equal(task.initial.student[name], value)
    checks = {c["code"]: c["outcome"] for c in RunStore(folder).read_json("certificate")["checks"]}
    assert checks["L10"] == "passed"


# ── copies ───────────────────────────────────────────────────────────────────────────────────────


def write_spoken(folder: Path) -> None:
    """A corpus that sounds like speech: what a codec leaves of it can be told apart."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(3)
    for speaker in range(3):
        for label in ("high", "low"):
            name = f"s{speaker}_{label}_0.wav"
            soundfile.write(folder / name, speech_like(draw, 2.0), RATE_HZ)


def plant(corpus: Path, speech: Path) -> Path:
    """A quieter copy of an utterance, cut at both ends, re-encoded, under another name."""
    x = soundfile.read(corpus / "s1_low_0.wav", dtype="float32")[0]
    content, _ = encoded(0.25 * x[4_000:-3_000], OGG)
    path = speech / "interviews" / "part 2.ogg"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_copy_of_an_utterance_stops_the_run_before_anything_is_trained(tmp_path: Path) -> None:
    write_spoken(tmp_path / "noise")
    write_speech(tmp_path / "speech")
    planted = plant(tmp_path / "noise", tmp_path / "speech")
    plan, watch = pretrained_plan(tmp_path), Watcher()
    with pytest.raises(LeakageError) as caught:
        run(plan, resources(tmp_path), watch)
    assert caught.value.code == "L5"
    (pair,) = caught.value.units
    assert re.fullmatch(r"s1_low_0 ~ unlabelled/interviews/part 2\.ogg \((0\.9\d|1\.00)\)", pair)
    assert "utterances of the corpus that are also in the unlabelled audio" in str(caught.value)
    assert "--pretrain-audio" in caught.value.hint
    assert watch.tasks == []
    assert watch.events == []
    assert not (tmp_path / "runs").exists()
    for stage in ("fits", "embeddings", "features"):
        assert not (tmp_path / "cache" / stage).exists()
    planted.unlink()
    run(plan, resources(tmp_path), watch)
    assert pretrainings(watch)


def test_copies_are_those_across_and_change_nothing_of_the_corpus(tmp_path: Path) -> None:
    write_spoken(tmp_path / "noise")
    (tmp_path / "noise" / "s0_low_9.wav").write_bytes(
        (tmp_path / "noise" / "s0_low_0.wav").read_bytes()
    )
    write_speech(tmp_path / "speech")
    (tmp_path / "speech" / "again.wav").write_bytes((tmp_path / "speech" / "r0.wav").read_bytes())
    plant(tmp_path / "noise", tmp_path / "speech")
    plan, cache = pretrained_plan(tmp_path), tmp_path / "cache"
    table = load_dataset(plan.dataset, None, cache, Observer())
    audio = load_audio(plan, cache, Observer())
    assert audio is not None
    copied = copies_in_audio(table, audio, cache, lambda *_: None)
    assert [(pair.one, pair.other) for pair in copied] == [
        ("s1_low_0", "unlabelled/interviews/part 2.ogg")
    ]
    folds = plan_folds(plan, table, cache, Observer(), audio)
    assert folds.copied == copied
    assert folds.near == plan_folds(plan, table, cache, Observer()).near
    assert [(pair.one, pair.other) for pair in folds.near] == [("s0_low_0", "s0_low_9")]


def test_audio_that_cannot_be_had_is_told_before_anything_is_trained(root: Path) -> None:
    watch = Watcher()
    plan = replace(pretrained_plan(root), pretrain_audio=root / "nowhere")
    with pytest.raises(CorpusError, match=r"unlabelled audio does not exist: .*nowhere"):
        run(plan, resources(root), watch)
    assert watch.events == []


# ── planted leaks ────────────────────────────────────────────────────────────────────────────────


def test_an_objective_that_reads_labels_finds_none(root: Path, tmp_path: Path) -> None:
    curious = replace(hinted(), objective=Hinted(HintedParams()))
    watch = Watcher()
    with pytest.raises(PluginError, match=r"pretrain\.objective = hints: .* a label .*bounds"):
        run(pretrained_plan(root, method("curious", curious)), resources(tmp_path), watch)
    assert watch.tasks == []


def test_an_objective_that_wants_soft_targets_is_refused() -> None:
    """They are fitted on labels."""
    with pytest.raises(RegistryError, match=r"pretrain\.objective = hints: it uses soft_targets"):
        replace(hinted(), objective=Distillation(DistillationParams()))


def test_what_is_pretrained_says_so() -> None:
    plan = replace(pretrained_plan(Path("absent")), pretrain_audio=Path("speech"))
    with_part, without = method("a", hinted()), method("b", hinted(before=False))
    assert plan.pretrains(with_part)
    assert not plan.pretrains(without)
    assert not replace(plan, pretrain_audio=None).pretrains(with_part)
    assert SimpleNamespace(**plan.describe()).pretrain_audio is None  # until it was read


# ── students that inherit ────────────────────────────────────────────────────────────────────────


def heir(model: str = "some", *, before: bool = False) -> Candidate:
    return hinted(before=before, hint=False, student=Heir(HeirParams(model=model)))


def test_a_student_that_inherits_hears_the_audio_of_the_run(root: Path, tmp_path: Path) -> None:
    plan = pretrained_plan(root, method("heir", heir()), method("plain", candidate()))
    inputs = inputs_of(plan, root)
    watch = Watcher()
    ((key, state),) = pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch).items()
    assert pretrainings(watch) == []  # no epochs
    assert state.loss == {}
    task = task_of(heir(), inputs)
    assert (task.key, task.loss, task.teachers) == (key, None, ())
    assert pretrain_all(plan, inputs, tmp_path, HERE, "cpu", watch)[key].student.keys()
    others = [task_of(heir("other"), inputs), task_of(heir(before=True), inputs)]
    assert len({key, *(other.key for other in others)}) == 3


def test_all_folds_start_from_what_was_inherited_from_the_audio(root: Path, tmp_path: Path) -> None:
    store, watch = do(replace(pretrained_plan(root, method("heir", heir())), teachers={}), root)
    (start,) = {id(task.initial): task.initial for task in watch.tasks}.values()
    assert start is not None
    whats = {record["what"] for record in store.read_json("certificate")["fitted"]}
    assert "inheritance of heir" not in whats
    (told,) = store.plan()["methods"]
    assert (told["pretrained"], told["teachers"]) == (True, [])


def test_without_audio_it_inherits_in_each_training_partition(root: Path) -> None:
    plan = pretrained_plan(root, method("heir", heir()))
    plan = replace(plan, pretrain_audio=None, teachers={})
    store, watch = do(plan, root)
    assert {task.initial for task in watch.tasks} == {None}
    fitted = store.read_json("certificate")["fitted"]
    records = [record for record in fitted if record["what"] == "inheritance of heir"]
    assert len(records) == len(watch.tasks) == 3
    certificate = store.read_json("certificate")
    (student,) = certificate["students"]
    assert (student["model"], student["licence"]) == ("Forebear", "MIT")
    assert (student["status"], student["trained_on"]) == ("declared", ["LibriSpeech"])
    (seventh,) = [check for check in certificate["checks"] if check["code"] == "L7"]
    assert "LibriSpeech" in seventh["detail"]
    stored = store.plan()
    assert stored["model_digests"] == {student["student"]: "some"}
    assert stored["inherited"][student["student"]]["title"] == "Forebear"
    assert stored["methods"][0]["inherits"] == ["Forebear"]
    other = replace(plan, methods=(method("heir", heir("other")),))
    _, again = do(other, root)
    assert not {task.key for task in again.tasks} & {task.key for task in watch.tasks}


def test_teachers_can_be_chosen(root: Path) -> None:
    inputs = inputs_of(pretrained_plan(root), root)
    assert inputs.pretrain is not None
    (one,) = inputs.pretrain.embeddings.values()
    embeddings = {"a": one, "b": replace(one, digest="other")}
    inputs = replace(
        inputs, embeddings=embeddings, pretrain=replace(inputs.pretrain, embeddings=embeddings)
    )
    chosen = hinted()
    only = chosen.settings.pretrain.model_copy(update={"teachers": ("b",)})
    keys = set()
    for each, names in ((chosen, ["a", "b"]), (changed(chosen, pretrain=only), ["b"])):
        task = task_of(each, inputs)
        keys.add(task.key)
        assert [teacher.name for teacher in task.teachers] == names
        given = {"project.weight": torch.zeros(1)}
        initial = initial_state(task, {task.key: InitialState(given, given)}, inputs)
        assert initial is not None
        # With other teachers than the fits have, a projection is of another's frames.
        assert dict(initial.loss) == (given if len(names) == 2 else {})
    assert len(keys) == 2
