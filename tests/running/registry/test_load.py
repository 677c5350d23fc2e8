from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import NonNegativeFloat, PositiveInt

from serbench.api import Corpus, CorpusCard, Loss, Params, RegistryError, Student, Teacher, hookimpl
from serbench.running.plugins import SINGULAR, Plugins, load_plugins
from serbench.running.registry import load as load_module
from serbench.running.registry.load import load_registry
from serbench.running.registry.lookup import Registry, entries
from serbench.running.registry.toml_text import dump_toml

BASE = """\
[datasets.speech]
corpus = "files"
folds = "pairs"
teachers = ["big"]
params = { size = 4 }

[teachers.big]
plugin = "encoder"

[students.small]
plugin = "net"
params = { width = 4, block = { depth = 2 } }

[losses.soft]
plugin = "kd"

[methods.m]
summary = "s"
student = "small"
loss = "soft"
loss_params = { temperature = 3.0 }
[methods.m.settings.training]
epochs = 5
[methods.m.grids.tiny]
"loss.temperature" = [1.0, 2.0]
"student.block.depth" = [1, 2]
"training.learning_rate" = [1e-3]

[profiles.fast]
summary = "f"
[profiles.fast.protocol]
search = "tiny"
"""


class Size(Params):
    size: PositiveInt = 1


class Block(Params):
    depth: PositiveInt = 1


class Width(Params):
    width: PositiveInt = 8
    block: Block = Block()


class Temperature(Params):
    temperature: NonNegativeFloat = 2.0


class Files(Corpus):
    name = "files"
    Params = Size
    card = CorpusCard(  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
        "t", "l", "l", "h", "c", "acted", ("a", "b"), fold_sets={"pairs": (("1",), ("2",))}
    )
    utterances = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class Encoder(Teacher):
    name = "encoder"
    Params = Params
    card = frame_rate_hz = model_digest = load = embed = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class Net(Student):
    name = "net"
    Params = Width
    build = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class Kd(Loss):
    name = "kd"
    Params = Temperature
    build = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    module = ModuleType("registry_plugin_under_test")
    for hook, cls in (("corpora", Files), ("teachers", Encoder), ("students", Net), ("losses", Kd)):
        setattr(module, f"serbench_{hook}", hookimpl(lambda cls=cls: [cls]))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    point = EntryPoint("p", module.__name__, "serbench")
    vars(point)["dist"] = SimpleNamespace(name="stranger", version="1.0")
    plugins = load_plugins([point])
    assert not plugins.failed
    return plugins


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder of our own, and a packaged registry that fits the plugins above."""
    packaged = tmp_path / "packaged.toml"
    packaged.write_text(BASE)
    monkeypatch.setattr(load_module, "PACKAGED", packaged)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "cwd"


def errors(plugins: Plugins, text: str) -> list[str]:
    """What is told of an overlay, without a heading."""
    Path("o.toml").write_text(text)
    with pytest.raises(RegistryError) as caught:
        load_registry(plugins, Path("o.toml"))
    lines = [line.strip() for line in str(caught.value).split("\n")]
    return lines[1:] if "errors in the registry" in lines[0] else lines


def test_the_packaged_registry_alone(plugins: Plugins) -> None:
    registry = load_registry(plugins)
    assert registry.files == ("registry.toml",)
    assert registry.dataset("speech").folds == "pairs"
    assert registry.method("m").grids["tiny"]["loss.temperature"] == [1.0, 2.0]
    assert registry.origins["losses", "soft"] == "registry.toml:14"


def test_an_overlay_is_laid_over_key_by_key(plugins: Plugins) -> None:
    Path("serbench.toml").write_text("[students.small.params.block]\ndepth = 7\n")
    registry = load_registry(plugins)
    assert registry.files == ("registry.toml", "serbench.toml")
    assert registry.students["small"].params == {"width": 4, "block": {"depth": 7}}
    assert registry.origins["students", "small"] == "registry.toml:10"


def test_a_named_overlay_wins_over_the_one_in_the_folder(plugins: Plugins) -> None:
    Path("serbench.toml").write_text("broken")
    Path("other.toml").write_text('[losses.hard]\nplugin = "kd"\n')
    registry = load_registry(plugins, Path("other.toml"))
    assert set(registry.losses) == {"soft", "hard"}
    assert registry.origins["losses", "hard"] == "other.toml:1"


def test_another_plugin_or_student_drops_the_params_of_the_old(plugins: Plugins) -> None:
    Path("serbench.toml").write_text('[methods.m]\nloss = "kd"\n')
    assert load_registry(plugins).method("m").loss_params == {}


def test_paths_are_meant_from_where_their_file_stands(plugins: Plugins, folder: Path) -> None:
    there = folder / "sub"
    there.mkdir()
    (there / "folds.csv").write_text("utterance,fold\n")
    (there / "o.toml").write_text('[datasets.speech]\npath = "wavs"\nfolds = "folds.csv"\n')
    spec = load_registry(plugins, there / "o.toml").dataset("speech")
    assert spec.path == there / "wavs"
    assert spec.folds == str(there / "folds.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datsets = {}", "o.toml:1: datsets: unknown table; did you mean 'datasets'?"),
        ("profiles = 3", "o.toml:1: profiles: must be a table of entries, not 3"),
        ("[losses]\nx = 3", "o.toml:2: losses.x: must be a table, not 3"),
        ("[losses.x]", "o.toml:1: losses.x.plugin: is missing"),
        (
            "\n[datasets.speech]\nfolds = 5",
            "o.toml:3: datasets.speech.folds: should be a valid string, not 5",
        ),
        (
            '[datasets.speech]\nfolds = "pair"',
            "o.toml:2: datasets.speech.folds: no folds are called 'pair'; did you mean 'pairs'? "
            "(or give a CSV fold file)",
        ),
        (
            '[datasets.speech]\nfolds = "no/such.csv"',
            "o.toml:2: datasets.speech.folds: no fold file no/such.csv",
        ),
        (
            '[datasets.speech]\nfold = "pairs"',
            "o.toml:2: datasets.speech.fold: unknown key; did you mean 'folds'?",
        ),
        (
            '[datasets.speech]\nteachers = ["bigg"]',
            "o.toml:2: datasets.speech.teachers: nothing in [teachers] is called 'bigg'; "
            "did you mean 'big'?",
        ),
        (
            '[datasets.d]\ncorpus = "file"',
            "o.toml:2: datasets.d.corpus: no corpus plugin is called 'file'; did you mean 'files'?",
        ),
        (
            "[students.small.params]\nwidht = 3",
            "o.toml:2: students.small.params.widht: unknown key; did you mean 'width'?",
        ),
        (
            "[students.small]\nparams = { width = -3 }",
            "o.toml:2: students.small.params.width: should be greater than 0, not -3",
        ),
        (
            '[methods.m]\nstudent = "smal"',
            "o.toml:2: methods.m.student: nothing in [students] is called 'smal'; "
            "did you mean 'small'?",
        ),
        (
            "[methods.m.loss_params]\ntemperature = -1",
            "o.toml:2: methods.m.loss_params.temperature: should be greater than or equal to 0, "
            "not -1",
        ),
        (
            "[methods.m.settings.traininng]\nepochs = 3",
            "o.toml:1: methods.m.settings.traininng: unknown key; did you mean 'training'?",
        ),
        (
            '[methods.m.settings.training]\nepochs = "3"',
            "o.toml:2: methods.m.settings.training.epochs: should be a valid integer, not '3'",
        ),
        (
            '[methods.m.grids.tiny]\n"loss.temperatur" = [1]',
            "o.toml:2: methods.m.grids.tiny.loss.temperatur: unknown key; "
            "did you mean 'temperature'?",
        ),
        (
            '[methods.m.grids.tiny]\n"student.block.depth" = [1, 0]',
            "o.toml:2: methods.m.grids.tiny.student.block.depth: should be greater than 0, not 0",
        ),
        (
            '[methods.m.grids.halving]\n"training.epochs" = [1]',
            "o.toml:1: methods.m.grids.halving: 'halving' is the name of a search "
            "(protocol.search = halving); give the grid another name",
        ),
        (
            '[methods.m.grids.tiny]\n"training.epochs" = []',
            "o.toml:2: methods.m.grids.tiny.training.epochs: has no candidates",
        ),
        (
            '[methods.m.grids.tiny]\n"traininng.epochs" = [1]',
            "o.toml:2: methods.m.grids.tiny.traininng.epochs: no setting is called "
            "'traininng.epochs'; did you mean 'training'? (a grid's keys are dotted paths, such as "
            "loss.temperature)",
        ),
        (
            "[methods.m.profiles.fasst]\ntraining.epochs = 3",
            "o.toml:1: methods.m.profiles.fasst: no profile is called 'fasst'; did you mean "
            "'fast'?",
        ),
        (
            "[methods.m.profiles.fast.training]\nepochs = -3",
            "o.toml:2: methods.m.profiles.fast.training.epochs: should be greater than or equal "
            "to 0, not -3",
        ),
        (
            '[profiles.fast.protocol]\nsearch = "tin"',
            "o.toml:2: profiles.fast.protocol.search: no method has a grid called 'tin'; "
            "did you mean 'tiny'?",
        ),
        (
            "[profiles.fast.protocol]\nseeds = 0",
            "o.toml:2: profiles.fast.protocol.seeds: should be greater than 0, not 0",
        ),
    ],
)
def test_each_mistake_is_told_with_file_and_line(plugins: Plugins, text: str, message: str) -> None:
    assert errors(plugins, text) == [message]


def test_all_mistakes_of_both_stages_at_once(plugins: Plugins) -> None:
    told = errors(
        plugins, '[losses.soft]\nplugn = "kd"\n[students.small.params]\nwidth = 0\n[teachers.t]\n'
    )
    assert told == [
        "o.toml:5: teachers.t.plugin: is missing",
        "o.toml:2: losses.soft.plugn: unknown key; did you mean 'plugin'?",
        "o.toml:4: students.small.params.width: should be greater than 0, not 0",
    ]


def test_a_corpus_whose_card_fails_is_told(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "card", property(lambda _: 1 // 0))
    with pytest.raises(RegistryError, match=r"registry.toml:2: .*card fails: ZeroDivisionError"):
        load_registry(plugins)


def test_a_name_that_is_declared_different_must_have_another_of_its_spelling(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = {"text": ("a", "A", "b"), "speaker": ("1", "01")}
    monkeypatch.setattr(Files, "card", replace(Files.card, different=declared))  # pyright: ignore[reportArgumentType, reportCallIssue]
    (message,) = errors(plugins, "")
    assert "datasets.speech.params.card.different.text: 'b': no other name in the list" in message


def test_failed_plugins_are_named_beside_a_missing_name() -> None:
    plugins = load_plugins([EntryPoint("bad", "no_such_module_at_all", "serbench")])
    with pytest.raises(RegistryError, match="not loaded: bad of unknown unknown: ModuleNotFound"):
        load_registry(plugins)


def test_a_missing_overlay_is_told(plugins: Plugins) -> None:
    with pytest.raises(RegistryError, match=r"nowhere\.toml: cannot be read"):
        load_registry(plugins, Path("nowhere.toml"))


@pytest.fixture
def registry(plugins: Plugins) -> Registry:
    return load_registry(plugins)


def test_make_lays_overrides_over_an_entrys_params(registry: Registry) -> None:
    student = registry.make("students", "small", {"block": {"depth": 9}})
    assert isinstance(student, Net)
    assert student.params == Width(width=4, block=Block(depth=9))
    corpus = registry.make("corpora", "speech")
    assert isinstance(corpus, Files)
    assert corpus.params == Size(size=4)


def test_a_plugin_that_no_entry_names_is_used_by_its_own_name(registry: Registry) -> None:
    assert registry.make("students", "net").params == Width()  # pyright: ignore[reportAttributeAccessIssue]
    assert registry.plugin_spec("teachers", "encoder").plugin == "encoder"
    assert registry.plugin_spec("losses", "kd").plugin == "kd"
    assert registry.dataset("files").folds == "loso"
    assert registry.dataset("files").corpus == "files"


def test_make_tells_wrong_overrides(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"students\.small\.params\.widht: .*'width'"):
        registry.make("students", "small", {"widht": 3})


@pytest.mark.parametrize(
    ("look_up", "name", "message"),
    [
        ("dataset", "speach", r"no dataset is called 'speach'; did you mean 'speech'"),
        ("teachers", "bug", r"no teacher is called 'bug'; did you mean 'big'"),
        ("students", "smal", r"no student is called 'smal'; did you mean 'small'"),
        ("losses", "sotf", r"no loss is called 'sotf'; did you mean 'soft'"),
        ("backends", "x", r"no backend is called 'x'; none is known"),
        ("method", "x", r"no method is called 'x'; known: m"),
        ("profile", "fats", r"no profile is called 'fats'; did you mean 'fast'"),
    ],
)
def test_an_unknown_name_is_told_with_near_ones(
    registry: Registry, look_up: str, name: str, message: str
) -> None:
    make = partial(registry.make, look_up)
    find = make if look_up in SINGULAR else getattr(registry, look_up)
    with pytest.raises(RegistryError, match=message):
        find(name)


def test_what_is_shown_can_be_laid_over_again(plugins: Plugins, registry: Registry) -> None:
    Path("again.toml").write_text(dump_toml(entries(registry)))
    again = load_registry(plugins, Path("again.toml"))
    assert entries(again) == entries(registry)
    assert entries(registry, "losses.soft") == {"losses": {"soft": {"plugin": "kd"}}}
    with pytest.raises(RegistryError, match="no table is called 'loss'"):
        entries(registry, "loss")
    with pytest.raises(RegistryError, match=r"nothing in \[losses\] is called 'x'"):
        entries(registry, "losses.x")
