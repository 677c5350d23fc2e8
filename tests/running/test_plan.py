from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serbench.api import FrontEnd, Hears, RegistryError
from serbench.running.plan.records import MethodPlan, RunPlan, digest_of, stable_seed
from serbench.running.plan.request import Request
from serbench.running.plan.resolve import plan_run
from serbench.running.plan.sets import parse_set
from serbench.running.plugins import load_plugins
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry
from serbench_akd.frames import Frames
from serbench_baselines.transformer import Transformer

PLUGINS = load_plugins()

OVERLAY = """
[students.small]
plugin = "transformer"
params = { dim = 16, layers = 1 }

[methods.searched]
summary = "s"
student = "small"
loss = "kd"
student_params = { heads = 2 }
loss_params = { temperature = 3.0 }
settings = { training = { epochs = 11, batch_size = 8 } }
[methods.searched.profiles.plenty.training]
epochs = 40
[methods.searched.grids.g]
"training.learning_rate" = [1e-3, 1e-2]
"loss.temperature" = [1.0, 2.0]
"student.dropout" = [0.0, 0.2]

[methods.alone]
summary = "s"
student = "small"
loss = "ce"

[profiles.brief]
summary = "s"
settings = { training = { epochs = 2 } }
protocol = { search = "g", seeds = 3, folds = "loso" }

[profiles.plain]
summary = "s"

[profiles.plenty]
summary = "s"
settings = { training = { epochs = 20, batch_size = 16 } }
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    overlay = tmp_path_factory.mktemp("plan") / "overlay.toml"
    overlay.write_text(OVERLAY)
    return load_registry(PLUGINS, overlay)


def plan(registry: Registry, *methods: str, **more: Any) -> RunPlan:
    fields: dict[str, object] = {"dataset": "demo", "profile": "plain"} | more
    return plan_run(registry, Request(methods=methods or ("alone",), **fields))


def only(made: RunPlan) -> MethodPlan:
    (method,) = made.methods
    return method


def fails(registry: Registry, *methods: str, **more: Any) -> str:
    with pytest.raises(RegistryError) as error:
        plan(registry, *methods, **more)
    return str(error.value)


# ── layers of settings ───────────────────────────────────────────────────────────────────────────


def test_settings_are_laid_over_in_order(registry: Registry) -> None:
    first = only(plan(registry, "searched")).candidates[0]
    assert first.settings.training.epochs == 11
    assert first.settings.training.batch_size == 8
    assert first.settings.segments.window_s == 3.0  # the schema's default
    brief = only(plan(registry, "searched", profile="brief")).candidates[0]
    assert brief.settings.training.epochs == 2
    assert brief.settings.training.batch_size == 8
    sets = ("training.epochs=5", "methods.searched.training.epochs=6")
    both = plan(registry, "searched", "alone", profile="brief", sets=sets)
    epochs = {m.name: m.candidates[0].settings.training.epochs for m in both.methods}
    assert epochs == {"searched": 6, "alone": 5}


def test_a_methods_own_part_of_a_profile_goes_over_the_profile(registry: Registry) -> None:
    def made(*sets: str) -> dict[str, tuple[int, int]]:
        methods = plan(registry, "searched", "alone", profile="plenty", sets=sets).methods
        trained = {m.name: m.candidates[0].settings.training for m in methods}
        return {name: (each.epochs, each.batch_size) for name, each in trained.items()}

    assert made() == {"searched": (40, 16), "alone": (20, 16)}
    assert made("training.epochs=3") == {"searched": (3, 16), "alone": (3, 16)}


def test_plugin_parameters_are_laid_over_too(registry: Registry) -> None:
    sets = ("student.expansion=3", "methods.searched.loss.temperature=7.0")
    made = only(plan(registry, "searched", sets=sets)).candidates[0]
    params = made.student.params
    assert (params.dim, params.layers, params.heads, params.expansion) == (16, 1, 2, 3)
    assert made.loss.params.temperature == 7.0


def test_a_setting_of_a_loss_goes_to_the_methods_that_have_it(registry: Registry) -> None:
    made = plan(registry, "searched", "alone", sets=("loss.temperature=5.0",))
    assert made.method("searched").candidates[0].loss.params.temperature == 5.0
    assert "temperature" not in made.method("alone").candidates[0].loss.params.model_dump()


def test_a_method_with_dots_in_its_name_can_be_set(registry: Registry) -> None:
    registry.methods["alone-2.3m"] = registry.methods["alone"]  # pyright: ignore[reportIndexIssue]
    sets = ("methods.alone-2.3m.training.epochs=7", "methods.alone.training.epochs=3")
    made = plan(registry, "alone-2.3m", "alone", sets=sets)
    epochs = [method.candidates[0].settings.training.epochs for method in made.methods]
    assert epochs == [7, 3]
    told = fails(registry, "alone-2.3m", sets=("methods.alone-2.4m.training.epochs=7",))
    assert "methods.NAME.training.epochs" in told


def test_protocol_and_corpus_can_be_set(registry: Registry) -> None:
    sets = ("protocol.folds=kfold", "protocol.kfold=4", "corpus.speakers=6")
    made = plan(registry, sets=sets)
    assert (made.folds, made.protocol.kfold) == ("kfold", 4)
    assert made.dataset.evaluated.corpus.params.speakers == 6
    assert plan(registry).folds == "pairs"  # the dataset's own
    assert plan(registry, profile="brief").folds == "loso"


def test_a_canary_is_the_same_run_in_a_cheap_training(registry: Registry) -> None:
    assert plan(registry, profile="brief").canary is None
    brief = registry.profile("brief")
    registry.profiles["canary"] = brief.model_copy(
        update={"settings": {"training": {"epochs": 3}}, "protocol": {}}
    )
    sets = ("protocol.canary=4", "training.epochs=50", "loss.temperature=5.0")
    made = plan(registry, "searched", sets=sets)
    assert made.canary is not None
    (candidate,) = only(made.canary).candidates
    assert candidate.settings.training.epochs == 3
    assert candidate.loss.params.temperature == 5.0
    assert only(made).candidates[0].settings.training.epochs == 50
    assert (made.canary.folds, made.canary.canary) == (made.folds, None)
    assert made.describe()["canary"] == made.canary.describe()["methods"]


# ── unlabelled audio ─────────────────────────────────────────────────────────────────────────────


OBJECTIVE = "methods.transformer+akd.pretrain.objective=frames"


def test_audio_pretrains_the_methods_that_have_an_objective(
    registry: Registry, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"sets": (OBJECTIVE,)}
    names = ("transformer+akd", "searched", "alone")
    made = plan(registry, *names, **asked, pretrain_audio=tmp_path)
    assert made.pretrain_audio == tmp_path
    assert {m.name: made.pretrains(m) for m in made.methods} == {
        "transformer+akd": True, "searched": False, "alone": False,
    }  # fmt: skip
    assert not any(map(plan(registry, "transformer+akd", **asked).pretrains, made.methods))
    objective = made.methods[0].candidates[0].objective
    assert isinstance(objective, Frames)
    methods: Any = made.describe()["methods"]
    assert {m["name"]: m["pretrained"] for m in methods} == {
        m.name: made.pretrains(m) for m in made.methods
    }
    assert [m.get("objective") for m in methods] == [
        {"name": "frames", "params": objective.params.model_dump(mode="json")}, None, None,
    ]  # fmt: skip


def test_no_objective_is_spelt_none(registry: Registry) -> None:
    made = plan(registry, "akd", sets=("pretrain.objective=none",))
    (candidate,) = only(made).candidates
    assert (candidate.objective, candidate.settings.pretrain.objective) == (None, None)


def test_an_objective_that_reads_more_than_frames_is_told(registry: Registry) -> None:
    told = fails(registry, "alone", sets=("pretrain.objective=kd",))
    assert told.startswith("alone: pretrain.objective = kd: it uses soft_targets, but unlabelled")


def test_teachers_of_a_pretraining_are_of_the_run(registry: Registry, tmp_path: Path) -> None:
    sets = (OBJECTIVE, 'pretrain.teachers=["nobody"]')
    told = fails(registry, "transformer+akd", sets=sets, pretrain_audio=tmp_path)
    assert told.startswith("pretrain.teachers: the run has no teacher nobody; its teachers: ")
    assert plan(registry, "transformer+akd", sets=sets)  # without audio nothing reads them


def test_what_a_student_hears_lies_under_the_settings_of_the_method(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Hears("log-mel", {"n_mels": 80, "hop_s": 0.02})
    monkeypatch.setattr(Transformer, "hears", asked)
    (candidate,) = only(plan(registry, "alone")).candidates
    heard = candidate.front_end.params
    assert (heard.n_mels, heard.hop_s, heard.window_s) == (80, 0.02, 0.025)
    for sets in (("front_end.n_mels=24",), ("methods.alone.front_end.n_mels=24",)):
        (candidate,) = only(plan(registry, "alone", sets=sets)).candidates
        heard = candidate.front_end.params
        assert (heard.n_mels, heard.hop_s) == (24, 0.02)


def heard_by(registry: Registry, asked: dict[str, object], sets: Sequence[str] = ()) -> FrontEnd:
    spec = registry.method("alone").model_copy(update=asked)
    own = replace(registry, methods={**registry.methods, "alone": spec})
    return only(plan(own, "alone", sets=tuple(sets))).candidates[0].front_end


def test_a_methods_front_end_lies_over_what_its_student_hears(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transformer, "hears", Hears("log-mel", {"n_mels": 80, "f_min_hz": 50.0}))
    heard = heard_by(registry, {"front_end_params": {"n_mels": 64}}, ["front_end.hop_s=0.02"])
    assert heard.name == "log-mel"
    assert (heard.params.n_mels, heard.params.f_min_hz, heard.params.hop_s) == (64, 50.0, 0.02)
    other = heard_by(registry, {"front_end": "whisper", "front_end_params": {"n_mels": 128}})
    assert (other.name, other.width) == ("whisper", 128)  # nothing of what log-mel was to be


def test_a_grid_goes_over_a_front_end(registry: Registry) -> None:
    grids = {"mine": {"front_end.n_mels": [20, 30]}}
    spec = registry.method("alone").model_copy(update={"grids": grids})
    own = replace(registry, methods={**registry.methods, "alone": spec})
    found = only(plan(own, "alone", sets=("protocol.search=mine",))).candidates
    assert [each.front_end.width for each in found] == [20, 30]
    (decided,) = only(
        plan(own, "alone", sets=("protocol.search=mine", "front_end.n_mels=24"))
    ).candidates
    assert decided.front_end.width == 24


def test_a_method_whose_front_end_does_not_fit_is_named(registry: Registry) -> None:
    sets = ("augment.time_masks=1", "augment.gain_db=3")
    with pytest.raises(RegistryError) as told:
        plan_run(registry, Request("emodb", ("hybrid", "mf-cnn"), sets=sets))
    gain, masks = str(told.value).splitlines()
    assert gain.startswith("mf-cnn: augment.gain_db = 3: the effect of a gain on the values of")
    assert masks.startswith("mf-cnn: augment.time_masks = 1: front end acoustic-vector gives one")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("front_end.n_mel=24", "--set front_end.n_mel: no front end (log-mel) of this run has it;"),
        (
            "methods.alone.front_end.n_mel=24",
            "--set methods.alone.front_end.n_mel: front end log-mel has no such parameter; did you",
        ),
        ("front_end.n_mels=-1", "front_ends.log-mel.params.n_mels: should be greater than 0"),
    ],
)
def test_a_parameter_that_a_front_end_does_not_have_is_told(
    registry: Registry, option: str, told: str
) -> None:
    assert fails(registry, "alone", sets=(option,)).startswith(told)


LABELS_ALONE = (
    "loss.k=0.0", "loss.alpha=0.0", "loss.lambda_angle=0.0", "loss.lambda_hint=0.0",
    "loss.beta=one",
)  # fmt: skip


def test_pretraining_needs_a_teacher_where_the_fits_need_none(
    registry: Registry, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"sets": (*LABELS_ALONE, OBJECTIVE)}
    assert not plan(registry, "transformer+akd", **asked).teachers
    made = plan(registry, "transformer+akd", **asked, pretrain_audio=tmp_path)
    assert list(made.teachers) == list(plan(registry, "transformer+akd").teachers)
    method = only(made)
    assert not method.uses_teachers
    assert made.uses_teachers(method)


def test_audio_that_nobody_can_hear_or_that_is_not_there_is_told(
    registry: Registry, tmp_path: Path
) -> None:
    assert fails(registry, "searched", "alone", pretrain_audio=tmp_path).startswith(
        "--pretrain-audio: no method of this run uses it: none has a pretrain.objective"
    )
    told = fails(registry, "akd", pretrain_audio=tmp_path / "nowhere")
    assert told.startswith(f"--pretrain-audio {tmp_path / 'nowhere'}: no such folder")
    file = tmp_path / "file.wav"
    file.touch()
    assert "no such folder" in fails(registry, "akd", pretrain_audio=file)


def test_a_home_is_found(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = plan(registry, "akd", pretrain_audio=Path("~"))
    assert made.pretrain_audio == tmp_path


# ── grids ────────────────────────────────────────────────────────────────────────────────────────


def test_a_grid_is_opened_up_in_full(registry: Registry) -> None:
    candidates = only(plan(registry, "searched", profile="brief")).candidates
    assert len(candidates) == 8
    assert len({digest_of(dict(c.values)) for c in candidates}) == 8
    for each in candidates:
        assert each.settings.training.learning_rate == each.values["training.learning_rate"]
        assert each.loss.params.temperature == each.values["loss.temperature"]
        assert each.student.params.dropout == each.values["student.dropout"]
        assert each.settings.training.epochs == 2
    assert len(only(plan(registry, "searched")).candidates) == 1
    assert len(only(plan(registry, "alone", profile="brief")).candidates) == 1


def test_what_is_set_is_not_searched_over(registry: Registry) -> None:
    sets = ("training.learning_rate=0.5", "methods.searched.loss.temperature=9.0")
    candidates = only(plan(registry, "searched", profile="brief", sets=sets)).candidates
    assert [dict(c.values) for c in candidates] == [
        {"student.dropout": 0.0}, {"student.dropout": 0.2},
    ]  # fmt: skip
    assert {c.settings.training.learning_rate for c in candidates} == {0.5}
    assert {c.loss.params.temperature for c in candidates} == {9.0}


# ── methods, teachers ────────────────────────────────────────────────────────────────────────────


def test_a_method_can_be_made_up_on_the_spot(registry: Registry) -> None:
    made = only(plan(registry, "small+ce"))
    assert (made.name, made.student, made.loss) == ("small+ce", "small", "ce")
    assert made.candidates[0].student.params.dim == 16


def test_methods_named_twice_run_once(registry: Registry) -> None:
    names = [m.name for m in plan(registry, "alone", "searched", "alone").methods]
    assert names == ["alone", "searched"]


def test_teachers_come_with_methods_that_need_them(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    assert plan(registry, "alone").teachers == {}
    assert list(plan(registry, "searched").teachers) == ["functionals"]
    named = plan(registry, "searched", teachers=("whisper-tiny", "functionals"))
    assert list(named.teachers) == ["whisper-tiny", "functionals"]
    with caplog.at_level(logging.WARNING):
        assert plan(registry, "alone", teachers=("functionals",)).teachers == {}
    assert "functionals is not used" in caplog.text


def test_a_folder_is_a_speech_encoder(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    made = plan(registry, "searched", teachers=(str(folder),), sets=("teacher.layer=3",))
    teacher = made.teachers["encoder"]
    assert teacher.name == "speech-encoder"
    assert teacher.params.model == str(folder)
    assert teacher.params.layer == 3


def test_layers_of_one_encoder_are_several_teachers(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    named = (f"{folder}@2", f"{folder}@mix", "whisper-tiny@3")
    teachers = plan(registry, "searched", teachers=named).teachers
    layers = {name: teacher.params.layer for name, teacher in teachers.items()}
    assert layers == {"encoder@2": 2, "encoder@mix": "mix", "whisper-tiny@3": 3}
    assert "layer" in fails(registry, "searched", teachers=("functionals@2",))
    assert "no teacher" in fails(registry, "searched", teachers=("whisper-tinny@2",))


def test_two_folders_of_one_name_are_an_error(registry: Registry, tmp_path: Path) -> None:
    folders = tmp_path / "a" / "encoder", tmp_path / "b" / "encoder"
    for folder in folders:
        folder.mkdir(parents=True)
    message = fails(registry, "searched", teachers=tuple(map(str, folders)))
    assert "another teacher of this run is also called encoder" in message


@pytest.mark.parametrize(
    ("methods", "more", "parts"),
    [
        ((), {"methods": ()}, None),
        (("alon",), {}, ["no method is called 'alon'", "alone"]),
        (("small+cee",), {}, ["no loss is called 'cee'", "ce"]),
        (("smal+ce",), {}, ["no student is called 'smal'", "small"]),
        (("alone",), {"dataset": "dem"}, ["no dataset is called 'dem'", "demo"]),
        (("alone",), {"profile": "plane"}, ["no profile is called 'plane'", "plain"]),
        (("searched",), {"teachers": ("functional",)}, ["no teacher", "functionals"]),
        (("alone",), {"teachers": ("functional",)}, ["no teacher", "functionals"]),
        (("searched",), {"teachers": ("no/folder",)}, ["no/folder", "no such folder"]),
        (("alone",), {"sets": ("training.epochs",)}, ["path=value"]),
        (("alone",), {"sets": ("training..epochs=1",)}, ["path=value"]),
        (("alone",), {"sets": ("trainin.epochs=1",)}, ["trainin.epochs", "training"]),
        (("alone",), {"sets": ("training=1",)}, ["training"]),
        (("alone",), {"sets": ("training.epoch=1",)}, ["training.epoch", "'epochs'"]),
        (("alone",), {"sets": ("training.epochs=many",)}, ["training.epochs", "'many'"]),
        (("alone",), {"sets": ("training.epochs=0",)}, ["alone.training: epochs = 0"]),
        (("alone",), {"sets": ("loss.temperature=2.0",)}, ["loss.temperature", "no loss of this"]),
        (("alone",), {"sets": ("student.dims=2",)}, ["student.dims", "dim"]),
        (("alone",), {"sets": ("student.dim=wide",)}, ["dim", "'wide'"]),
        (("alone",), {"sets": ("corpus.speaker=2",)}, ["speaker", "speakers"]),
        (("alone",), {"sets": ("protocol.fold=2",)}, ["protocol.fold", "folds"]),
        (("alone",), {"sets": ("teacher.layer=2",)}, ["teacher.layer", "no method of this run"]),
        (("alone",), {"sets": ("methods.alone.training=2",)}, ["methods.NAME.training"]),
        (("alone",), {"sets": ("methods.alon.training.epochs=2",)}, ["alon", "alone"]),
        (("alone",), {"sets": ("methods.alone.trainin.epochs=2",)}, ["trainin", "training"]),
    ],
)  # fmt: skip
def test_bad_requests_are_told_with_the_place_and_a_near_name(
    registry: Registry, methods: tuple[str, ...], more: dict[str, object], parts: list[str] | None
) -> None:
    if parts is None:
        with pytest.raises(RegistryError, match="name at least one method"):
            plan_run(registry, Request(dataset="demo", profile="plain", methods=()))
        return
    message = fails(registry, *methods, **more)
    for part in parts:
        assert part in message


def test_a_method_without_any_teacher_to_learn_from_is_told(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.toml"
    overlay.write_text('[datasets.bare]\ncorpus = "demo"\nfolds = "pairs"\n')
    registry = load_registry(PLUGINS, overlay)
    with pytest.raises(RegistryError, match=r"akd needs a teacher.*bare.*--teacher"):
        plan_run(registry, Request("bare", ("akd",), "quick"))


# ── small things ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", 3), ("a.b=3.5", 3.5), ("a.b=1e-4", 1e-4), ("a.b=true", True),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=loso", "loso"), ('a.b="3"', "3"), ("a.b=x=y", "x=y"), ("a.b= ~/x ", "~/x"),
    ],
)  # fmt: skip
def test_set_values_are_toml_or_text(text: str, value: object) -> None:
    assert parse_set(text) == (("a", "b"), value)


def test_a_name_in_a_path_may_have_a_number_with_a_point() -> None:
    path, value = parse_set("methods.inherited-1.5m+ce.training.epochs=2")
    assert path == ("methods", "inherited-1.5m+ce", "training", "epochs")
    assert value == 2


def test_seeds_are_hashes_of_names() -> None:
    assert stable_seed("a", 1) == stable_seed("a", "1")
    many = {stable_seed("corpus", f"outer-{n}", seed) for n in range(5) for seed in range(5)}
    assert len(many) == 25
    assert 0 <= stable_seed("x") < 2**56  # torch takes it
    assert stable_seed("emodb", "outer-1/train", 0) == 22738965509301380


@pytest.mark.parametrize("value", [{"a", "b"}, Path("a"), object(), b"a"])
def test_a_digest_refuses_what_has_no_name(value: object) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        digest_of({"value": value})


def test_the_plan_describes_itself_and_its_digest_follows(registry: Registry) -> None:
    one = plan(registry, "searched", profile="brief").describe()
    again = plan(registry, "searched", profile="brief").describe()
    assert digest_of(one) == digest_of(again)
    (method,) = one["methods"]  # pyright: ignore[reportGeneralTypeIssues, reportAssignmentType]
    assert method["teachers"] == ["functionals"]
    assert len(method["candidates"]) == 8
    for sets in (("training.epochs=3",), ("protocol.seeds=4",), ("loss.temperature=4.0",)):
        other = plan(registry, "searched", profile="brief", sets=sets).describe()
        assert digest_of(other) != digest_of(one)
