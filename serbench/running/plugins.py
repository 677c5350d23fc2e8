"""Loads plugins from entry points: sorted, checked, and isolated from one another.

Every plugin is first tried alone, in its own plugin manager. Only a plugin that passes all checks
joins the others. A broken one has no effect: it is only listed with its package, its version and
the cause.
"""

from __future__ import annotations

import inspect
import re
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points

import pluggy
from pydantic import BaseModel

from serbench import hookspecs
from serbench.api.backend import Backend
from serbench.api.corpus import Corpus
from serbench.api.front_end import FrontEnd
from serbench.api.loss import Loss
from serbench.api.markers import PROJECT
from serbench.api.student import Student
from serbench.api.teacher import Teacher
from serbench.api.tracker import Tracker
from serbench.errors import PluginError, did_you_mean
from serbench.running.needed import check_contract

GROUP = "serbench"
"""The entry-point group, which is also the name of serbench's own distribution."""

Origin = tuple[str, str]
"""The name of a distribution, and its version."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

SINGULAR: dict[str, str] = {
    "corpora": "corpus",
    "teachers": "teacher",
    "front_ends": "front end",
    "students": "student",
    "losses": "loss",
    "backends": "backend",
    "trackers": "tracker",
}
KINDS = tuple(SINGULAR)
CONTRACTS: dict[str, type] = dict(
    zip(KINDS, (Corpus, Teacher, FrontEnd, Student, Loss, Backend, Tracker), strict=True)
)


def see_list(kind: str) -> str:
    """The command that lists the entries of one of ``KINDS``, or of another table."""
    return f"serbench list {kind.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Provided:
    """One class that a plugin provides, and its plugin."""

    kind: str
    name: str
    cls: type
    entry_point: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """An entry point that loaded completely.

    Attributes:
        cpu_s: processor time of loading it, in seconds.
    """

    entry_point: str
    distribution: str
    version: str
    provides: tuple[Provided, ...]
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FailedPlugin:
    """An entry point that failed to load, and the cause."""

    entry_point: str
    distribution: str
    version: str
    cause: str


@dataclass(frozen=True)
class Plugins:
    """All plugins of one process.

    Attributes:
        loaded, failed: in loading order.
        hook: sends run events to every loaded plugin: ``hook.serbench_run_started(event=…)``.
    """

    loaded: tuple[LoadedPlugin, ...]
    failed: tuple[FailedPlugin, ...]
    hook: pluggy.HookRelay
    _by_kind: dict[str, dict[str, Provided]] = field(repr=False)

    def items(self, kind: str) -> tuple[Provided, ...]:
        """Everything that plugins provide of one of ``KINDS``, sorted by name."""
        return tuple(sorted(self._of_kind(kind).values(), key=lambda provided: provided.name))

    def get(self, kind: str, name: str) -> type:
        """The class of that name.

        Raises:
            PluginError: no such kind or name; the message suggests similar names, and lists plugins
                that failed to load, because the name may be one of theirs.
        """
        known = self._of_kind(kind)
        if name in known:
            return known[name].cls
        near = did_you_mean(name, known, see_list(kind))
        message = f"no {SINGULAR[kind]} plugin is called {name!r}{near}"
        if self.failed:
            message += "; not loaded: " + "; ".join(
                f"{plugin.entry_point} of {plugin.distribution} {plugin.version} ({plugin.cause})"
                for plugin in self.failed
            )
        raise PluginError(message)

    def _of_kind(self, kind: str) -> dict[str, Provided]:
        if kind not in KINDS:
            raise PluginError(f"no kind of plugin is called {kind!r}{did_you_mean(kind, KINDS)}")
        return self._by_kind[kind]


def load_plugins(entry_points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load every entry point of the group ``serbench``, those of serbench's own distribution first.

    They come first so that no other plugin can take a built-in name. Nothing that a plugin does at
    import or in a hook raises here: it is recorded in ``failed``.
    """
    if entry_points is None:
        entry_points = installed_entry_points(group=GROUP)
    manager = _new_manager()
    by_kind: dict[str, dict[str, Provided]] = {kind: {} for kind in KINDS}
    loaded: list[LoadedPlugin] = []
    failed: list[FailedPlugin] = []
    # Done once for each entry point: a distribution reads its whole metadata each time.
    origins = [(_origin(entry_point), entry_point) for entry_point in entry_points]
    for origin, entry_point in sorted(origins, key=_loading_order):
        try:
            loaded.append(_load_one(entry_point, origin, manager, by_kind))
        except (Exception, SystemExit) as error:  # code of other people may raise anything
            cause = str(error) if isinstance(error, PluginError) else _describe(error)
            failed.append(FailedPlugin(entry_point.name, *origin, cause))
    return Plugins(tuple(loaded), tuple(failed), manager.hook, by_kind)


def _load_one(
    entry_point: EntryPoint,
    origin: Origin,
    manager: pluggy.PluginManager,
    by_kind: dict[str, dict[str, Provided]],
) -> LoadedPlugin:
    """Import a plugin, try it alone, and only then add it to ``manager`` and ``by_kind``.

    Raises:
        PluginError: the plugin breaks the contract, or its code raises an exception.
    """
    distribution, version = origin
    check_contract(entry_point)
    before_s = time.process_time()
    plugin = entry_point.load()
    if manager.is_registered(plugin):
        raise PluginError("another entry point already names the same object")
    provides = tuple(
        Provided(kind, _check_class(kind, cls), cls, entry_point.name, distribution, version)
        for kind, cls in _try_alone(plugin)
    )
    _check_names_are_free(provides, by_kind)
    manager.register(plugin, name=f"{distribution}:{entry_point.name}")
    for provided in provides:
        by_kind[provided.kind][provided.name] = provided
    took_s = time.process_time() - before_s
    return LoadedPlugin(entry_point.name, distribution, version, provides, took_s)


def _new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _origin(entry_point: EntryPoint) -> Origin:
    """Distribution and version of an entry point; one that code has created has none."""
    if entry_point.dist is None:
        return "unknown", "unknown"
    return entry_point.dist.name, entry_point.dist.version


def _loading_order(found: tuple[Origin, EntryPoint]) -> tuple[bool, str, str]:
    (distribution, _), entry_point = found
    return distribution != GROUP, distribution, entry_point.name


def _describe(error: BaseException) -> str:
    """An exception with its file and line, in one line."""
    text = " ".join(str(error).split())
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = [frame for frame in frames if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError) or not where or where[-1].filename == __file__:
        return cause
    return f"{cause} ({where[-1].filename}:{where[-1].lineno})"


def _try_alone(plugin: object) -> list[tuple[str, type]]:
    """Kind and class of everything that ``plugin`` provides, found in a separate manager.

    Raises:
        PluginError: a hook is misspelt, unmarked, takes unknown arguments or raises.
    """
    manager = _new_manager()
    _check_hook_names(plugin, manager)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        raise PluginError(" ".join(str(error).split())) from error
    return [(kind, cls) for kind in KINDS for cls in _call(manager, kind)]


def _check_hook_names(plugin: object, manager: pluggy.PluginManager) -> None:
    known = {name for name in vars(hookspecs) if name.startswith(f"{PROJECT}_")}
    for attribute in dir(plugin):
        if not attribute.startswith(f"{PROJECT}_"):
            continue
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if attribute in known and inspect.isroutine(getattr(plugin, attribute)):
                raise PluginError(f"{attribute} is not marked with @serbench.api.hookimpl")
        elif (hook := options.get("specname") or attribute) not in known:
            raise PluginError(f"no hook is called {hook!r}{did_you_mean(hook, known)}")


def _call(manager: pluggy.PluginManager, kind: str) -> list[type]:
    """The classes that the only plugin of ``manager`` returns for one kind."""
    hook = f"{PROJECT}_{kind}"
    try:
        results = getattr(manager.hook, hook)()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{hook} raised {_describe(error)}") from error
    classes: list[type] = []
    for result in results:
        if not isinstance(result, Sequence) or not all(isinstance(cls, type) for cls in result):
            raise PluginError(f"{hook} must return a list of classes, not {result!r}")
        classes.extend(result)
    return classes


def _check_class(kind: str, cls: type) -> str:
    """The name of a class, after checking that it has every member of its contract.

    Raises:
        PluginError: a member is missing.
    """
    contract = CONTRACTS[kind]
    missing = [member for member in _members(contract) if not hasattr(cls, member)]
    missing += sorted(set(getattr(cls, "__abstractmethods__", ())) - set(missing))
    if missing:
        raise PluginError(
            f"{cls.__name__} lacks {', '.join(missing)} of serbench.api.{contract.__name__}"
        )
    name, params = getattr(cls, "name", None), getattr(cls, "Params", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{cls.__name__}.name must be letters, digits, '-', '_' and '.', not {name!r}"
        )
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        raise PluginError(f"{cls.__name__}.Params must be a subclass of serbench.api.Params")
    if params.model_config.get("extra") != "forbid":
        raise PluginError(
            f"{cls.__name__}.Params accepts unknown names; subclass serbench.api.Params"
        )
    return name


def _members(contract: type) -> list[str]:
    """Public members that a class must have. ``params`` is left out because it belongs to
    instances; ``aliases`` and ``reconstruction`` are optional.
    """
    public = [member for member in vars(contract) if not member.startswith("_")]
    others = {"name", "Params", "params", "aliases", "reconstruction"}
    return ["name", "Params", *(member for member in public if member not in others)]


def _check_names_are_free(
    provides: Sequence[Provided], taken: dict[str, dict[str, Provided]]
) -> None:
    own: set[tuple[str, str]] = set()
    for provided in provides:
        what = f"the {SINGULAR[provided.kind]} name {provided.name!r}"
        holder = taken[provided.kind].get(provided.name)
        if holder is not None:
            raise PluginError(
                f"{what} is taken by {holder.entry_point} of {holder.distribution} {holder.version}"
            )
        if (provided.kind, provided.name) in own:
            raise PluginError(f"{what} is given twice")
        own.add((provided.kind, provided.name))
