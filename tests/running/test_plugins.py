from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from serbench import hookspecs
from serbench.api import (
    Backend,
    Corpus,
    CorpusCard,
    EpochEvent,
    FoldEvent,
    FrontEnd,
    FrontEndParams,
    Loss,
    Params,
    PluginError,
    RunEvent,
    Student,
    Teacher,
    Tracker,
    hookimpl,
)
from serbench.running.plugins import KINDS, load_plugins

MakeEntryPoint = Callable[..., EntryPoint]


@pytest.fixture
def entry_point(monkeypatch: pytest.MonkeyPatch) -> MakeEntryPoint:
    """Makes an entry point of a distribution that is not installed, on a module that holds
    ``members``; hooks among them are marked."""

    def make(
        name: str, members: dict[str, object], distribution: str = "stranger", version: str = "1.0"
    ) -> EntryPoint:
        module = ModuleType(f"plugin_under_test_{distribution}_{name}".replace("-", "_"))
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        point = EntryPoint(name, module.__name__, "serbench")
        vars(point)["dist"] = SimpleNamespace(name=distribution, version=version)
        return point

    return make


def student_class(name: str = "s") -> type[Student]:
    return type("S", (Student,), {"name": name, "Params": Params, "build": lambda *_: None})


def students(*classes: type) -> dict[str, object]:
    return {"serbench_students": hookimpl(lambda: list(classes))}


def cause(points: list[EntryPoint]) -> str:
    (failed,) = load_plugins(points).failed
    return failed.cause


def test_the_plugins_of_our_own_distribution_load_whole() -> None:
    plugins = load_plugins()
    assert [p for p in plugins.failed if p.distribution == "serbench"] == []
    assert {p.entry_point for p in plugins.loaded} >= {"akd", "backends", "baselines", "corpora"}


def test_serbench_corpora(entry_point: MakeEntryPoint) -> None:
    card = CorpusCard("t", "l", "l", "h", "c", "acted", ("a", "b"))
    members = {"name": "c", "Params": Params, "card": card, "utterances": lambda *_: ()}
    cls = type("C", (Corpus,), members)
    plugins = load_plugins([entry_point("p", {"serbench_corpora": hookimpl(lambda: (cls,))})])
    assert plugins.get("corpora", "c") is cls


def test_serbench_teachers(entry_point: MakeEntryPoint) -> None:
    members = dict.fromkeys(("card", "frame_rate_hz", "model_digest", "load", "embed"))
    cls = type("T", (Teacher,), {"name": "t", "Params": Params, **members})
    plugins = load_plugins([entry_point("p", {"serbench_teachers": hookimpl(lambda: [cls])})])
    assert plugins.get("teachers", "t") is cls


def test_serbench_front_ends(entry_point: MakeEntryPoint) -> None:
    members = {"name": "f", "Params": FrontEndParams, "width": 1, "framing": None}
    cls = type("F", (FrontEnd,), {**members, "build": lambda *_: None})
    plugins = load_plugins([entry_point("p", {"serbench_front_ends": hookimpl(lambda: [cls])})])
    assert plugins.get("front_ends", "f") is cls
    frameless = type("F", (FrontEnd,), {"name": "f", "Params": FrontEndParams, "width": 1})
    hook = {"serbench_front_ends": hookimpl(lambda: [frameless])}
    (failed,) = load_plugins([entry_point("p", hook)]).failed
    assert failed.cause == "F lacks build, framing of serbench.api.FrontEnd"


def test_serbench_students(entry_point: MakeEntryPoint) -> None:
    cls = student_class()
    assert load_plugins([entry_point("p", students(cls))]).get("students", "s") is cls


def test_serbench_losses(entry_point: MakeEntryPoint) -> None:
    cls = type("L", (Loss,), {"name": "l", "Params": Params, "build": lambda *_: None})
    plugins = load_plugins([entry_point("p", {"serbench_losses": hookimpl(lambda: [cls])})])
    assert plugins.get("losses", "l") is cls


def test_serbench_backends(entry_point: MakeEntryPoint) -> None:
    members = {"name": "b", "Params": Params, "convert": lambda *_: None, "open": lambda *_: None}
    cls = type("B", (Backend,), members)
    plugins = load_plugins([entry_point("p", {"serbench_backends": hookimpl(lambda: [cls])})])
    assert plugins.get("backends", "b") is cls


def test_serbench_trackers(entry_point: MakeEntryPoint) -> None:
    cls = type("T", (Tracker,), {"name": "t", "Params": Params})
    plugins = load_plugins([entry_point("p", {"serbench_trackers": hookimpl(lambda: [cls])})])
    assert plugins.get("trackers", "t") is cls


def told(entry_point: MakeEntryPoint, hook: str, event: object) -> list[object]:
    """What two listeners to ``hook`` were told."""
    heard: list[object] = []

    def listener() -> Callable[..., None]:
        def listen(event: object) -> None:
            heard.append(event)

        return hookimpl(listen)

    points = [entry_point(name, {hook: listener()}) for name in ("one", "two")]
    getattr(load_plugins(points).hook, hook)(event=event)
    return heard


def test_serbench_run_started(entry_point: MakeEntryPoint) -> None:
    event = RunEvent(Path("runs/x"), "digest", 3)
    assert told(entry_point, "serbench_run_started", event) == [event, event]


def test_serbench_fit_epoch(entry_point: MakeEntryPoint) -> None:
    event = EpochEvent("fit", 1, 2, {"ce": 0.5})
    assert told(entry_point, "serbench_fit_epoch", event) == [event, event]


def test_serbench_fold_scored(entry_point: MakeEntryPoint) -> None:
    event = FoldEvent("akd", 1, 0, 0.5, 0.5, 0.5)
    assert told(entry_point, "serbench_fold_scored", event) == [event, event]


def test_serbench_run_finished(entry_point: MakeEntryPoint) -> None:
    event = RunEvent(Path("runs/x"), "digest", 3)
    assert told(entry_point, "serbench_run_finished", event) == [event, event]


def test_every_kind_has_a_hook() -> None:
    assert all(hasattr(hookspecs, f"serbench_{kind}") for kind in KINDS)


def test_a_plugin_that_raises_at_import_harms_nobody_else(
    entry_point: MakeEntryPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_at_import.py").write_text("\n\nraise RuntimeError('no\\nluck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    broken = EntryPoint("bad", "broken_at_import", "serbench")
    plugins = load_plugins([broken, entry_point("good", students(student_class()))])
    assert [p.entry_point for p in plugins.loaded] == ["good"]
    (failed,) = plugins.failed
    assert failed.entry_point == "bad"
    assert failed.distribution == "unknown"
    assert failed.cause == f"RuntimeError: no luck ({tmp_path / 'broken_at_import.py'}:3)"


def test_a_plugin_that_exits_at_import_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert cause([EntryPoint("bad", "exits_at_import", "serbench")]).startswith("SystemExit: 1")


def test_a_missing_module_is_named() -> None:
    point = EntryPoint("bad", "no_such_module_at_all", "serbench")
    assert cause([point]) == "ModuleNotFoundError: No module named 'no_such_module_at_all'"


def test_a_misspelt_hook_fails_with_near_names(entry_point: MakeEntryPoint) -> None:
    point = entry_point("p", {"serbench_student": hookimpl(lambda: ())})
    message = cause([point])
    assert "no hook is called 'serbench_student'" in message
    assert "did you mean 'serbench_students'" in message


def test_an_unmarked_hook_fails(entry_point: MakeEntryPoint) -> None:
    message = cause([entry_point("p", {"serbench_students": lambda: ()})])
    assert message == "serbench_students is not marked with @serbench.api.hookimpl"


def test_an_unknown_argument_of_a_hook_fails(entry_point: MakeEntryPoint) -> None:
    assert "folder" in cause([entry_point("p", {"serbench_students": hookimpl(lambda folder: [])})])


def test_a_hook_that_raises_fails(entry_point: MakeEntryPoint) -> None:
    point = entry_point("p", {"serbench_students": hookimpl(lambda: 1 // 0)})
    assert cause([point]).startswith("serbench_students raised ZeroDivisionError")


@pytest.mark.parametrize("result", [[object()], 3, student_class()])
def test_a_hook_must_return_classes(entry_point: MakeEntryPoint, result: object) -> None:
    point = entry_point("p", {"serbench_students": hookimpl(lambda: result)})
    assert cause([point]).startswith("serbench_students must return a list of classes")


def test_a_class_that_lacks_a_member_fails(entry_point: MakeEntryPoint) -> None:
    heir = type("Heir", (Student,), {"name": "x", "Params": Params})
    duck = type("Duck", (), {"name": "x", "Params": Params, "utterances": lambda *_: ()})
    assert cause([entry_point("p", students(heir))]) == ("Heir lacks build of serbench.api.Student")
    point = entry_point("q", {"serbench_corpora": hookimpl(lambda: [duck])})
    assert (
        cause([point])
        == "Duck lacks card, read_name, missing, left_out, sources, build of serbench.api.Corpus"
    )


@pytest.mark.parametrize("name", ["", "two words", "a/b", 3])
def test_a_class_needs_a_plain_name(entry_point: MakeEntryPoint, name: object) -> None:
    cls = student_class()
    cls.name = name  # pyright: ignore[reportAttributeAccessIssue]
    assert "S.name must be" in cause([entry_point("p", students(cls))])


def test_params_that_let_unknown_names_through_fail(entry_point: MakeEntryPoint) -> None:
    class Loose(Params, extra="ignore"):
        pass

    for params, told_so in ((Loose, "accepts unknown names"), (dict, "must be a subclass")):
        cls = student_class()
        cls.Params = params  # pyright: ignore[reportAttributeAccessIssue]
        assert told_so in cause([entry_point("p", students(cls))])


def test_a_clashing_plugin_is_unregistered_whole(entry_point: MakeEntryPoint) -> None:
    heard: list[object] = []

    def listen(event: object) -> None:
        heard.append(event)

    clashing = students(student_class("new"), student_class("taken"))
    clashing["serbench_run_started"] = hookimpl(listen)
    points = [
        entry_point("z", clashing, "zebra"),
        entry_point("a", students(student_class("taken")), "ant", "2.1"),
    ]
    plugins = load_plugins(points)
    (failed,) = plugins.failed
    assert (failed.distribution, failed.cause) == (
        "zebra",
        "the student name 'taken' is taken by a of ant 2.1",
    )
    assert [item.name for item in plugins.items("students")] == ["taken"]
    plugins.hook.serbench_run_started(event=None)
    assert heard == []


def test_a_stranger_never_takes_a_name_of_ours(entry_point: MakeEntryPoint) -> None:
    theirs = entry_point("a", students(student_class("hybrid")), "aardvark")
    ours = entry_point("z", students(student_class("hybrid")), "serbench", "0.1")
    plugins = load_plugins([theirs, ours])
    assert [p.distribution for p in plugins.loaded] == ["serbench"]
    assert [p.distribution for p in plugins.failed] == ["aardvark"]


def test_a_name_given_twice_and_a_module_named_twice_fail(entry_point: MakeEntryPoint) -> None:
    twice = entry_point("p", students(student_class("s"), student_class("s")))
    assert cause([twice]) == "the student name 's' is given twice"
    once = entry_point("q", students())
    again = EntryPoint("r", once.value, "serbench")
    (failed,) = load_plugins([once, again]).failed
    assert failed.cause == "another entry point already names the same object"


def test_an_unknown_name_is_told_with_near_ones_and_with_failed_plugins(
    entry_point: MakeEntryPoint,
) -> None:
    good = entry_point("good", students(student_class("hybrid")))
    plugins = load_plugins([good, EntryPoint("bad", "no_such_module_at_all", "serbench")])
    with pytest.raises(PluginError, match=r"no student plugin is called 'hybird'.*'hybrid'"):
        plugins.get("students", "hybird")
    with pytest.raises(PluginError, match="not loaded: bad of unknown"):
        plugins.get("students", "x")
    with pytest.raises(PluginError, match=r"no kind of plugin.*did you mean 'students'"):
        plugins.get("student", "hybrid")
    with pytest.raises(PluginError, match="none is known"):
        plugins.get("losses", "ce")
