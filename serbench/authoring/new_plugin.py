"""``serbench new-plugin``: a distribution with one plugin that works and passes its tests."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import serbench.api
from serbench.errors import PluginError, did_you_mean
from serbench.running.plugins import SINGULAR, Plugins

TEMPLATES = Path(__file__).parent / "templates"
SHARED = "shared"
"""Folder of the files that all kinds of plugin share."""

KINDS: dict[str, str] = {noun.replace(" ", "-"): table for table, noun in SINGULAR.items()}
"""Values of ``--kind`` with the registry's table of each kind, which has a folder of templates."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 24
"""Greatest length of a name, so that lines of the templates have at most a hundred characters."""

PLAIN_RUN = "serbench run hybrid-small+ce --dataset demo --profile demo"
COMMANDS: dict[str, tuple[str, ...]] = {
    "corpus": (
        "serbench corpus check placeholder --data-dir FOLDER",
        "serbench run hybrid-small+ce --dataset placeholder --data-dir FOLDER",
    ),
    "teacher": ("serbench run akd --dataset demo --profile demo --teacher placeholder",),
    "front-end": ("serbench run try-placeholder --dataset demo --profile demo",),
    "student": ("serbench run placeholder+ce --dataset demo --profile demo",),
    "loss": ("serbench run hybrid-small+placeholder --dataset demo --profile demo",),
    "backend": (PLAIN_RUN, "serbench deploy runs/RUN --backends placeholder"),
    "tracker": (f"{PLAIN_RUN} --tracker placeholder",),
}
"""Commands that try a plugin, by kind."""


@dataclass(frozen=True, slots=True)
class Named:
    """All names in a new distribution.

    Example:
        >>> named = Named("soft-focal", "loss")
        >>> named.distribution, named.package, named.cls
        ('serbench-soft-focal', 'serbench_soft_focal', 'SoftFocal')

    Attributes:
        plugin: name in the registry and in commands.
        kind: one of ``KINDS``.
    """

    plugin: str
    kind: str

    @property
    def distribution(self) -> str:
        """Name for pip."""
        return f"serbench-{self.plugin}"

    @property
    def package(self) -> str:
        """Name to import."""
        return self.distribution.replace("-", "_")

    @property
    def cls(self) -> str:
        """The plugin's class."""
        return "".join(part.capitalize() for part in self.plugin.split("-"))

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands that try the plugin, once it is installed."""
        return tuple(line.replace("placeholder", self.plugin) for line in COMMANDS[self.kind])

    def fill(self, text: str) -> str:
        """A template's text with these names filled in."""
        for old, new in (
            ("TRY_IT", "\n".join(self.commands)),
            ("KIND", self.kind.replace("-", " ")),
            ("serbench_placeholder", self.package),
            ("Placeholder", self.cls),
            ("placeholder", self.plugin),
        ):
            text = text.replace(old, new)
        return text


@dataclass(frozen=True, slots=True)
class Written:
    """A new distribution.

    Attributes:
        folder: its folder.
        todo: ``FILE:LINE`` of the part to change, below ``folder``.
        commands: commands that try it, once it is installed.
    """

    folder: Path
    todo: str
    commands: tuple[str, ...]


def new_plugin(name: str, kind: str, into: Path | None, plugins: Plugins) -> Written:
    """Write a distribution.

    Args:
        name: name of the plugin; a leading ``serbench-`` is removed.
        kind: one of ``KINDS``.
        into: a folder that is new or empty; None: ``serbench-NAME`` in the current folder.
        plugins: the installed plugins, whose names cannot be used again.

    Raises:
        PluginError: the kind is unknown, the name cannot be used, or the folder is not empty.
    """
    if kind not in KINDS:
        raise PluginError(f"--kind {kind}: no such kind of plugin{did_you_mean(kind, KINDS)}")
    named = Named(name.removeprefix("serbench-"), kind)
    _check_name(named, plugins)
    folder = into or Path(named.distribution)
    if folder.exists() and not folder.is_dir():
        raise PluginError(f"{folder} is a file: give a new folder with --into")
    if folder.is_dir() and any(folder.iterdir()):
        raise PluginError(f"{folder} is not empty: give a new folder with --into")
    todo = ""
    for target, text in _files(named):
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        before, found, _ = text.partition("# TODO")
        if found:
            todo = f"{target}:{before.count(chr(10)) + 1}"
    return Written(folder, todo, named.commands)


def _files(named: Named) -> Iterator[tuple[str, str]]:
    """Path below the distribution, and text, of each file."""
    for root in (TEMPLATES / SHARED, TEMPLATES / named.kind):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                target = path.relative_to(root).as_posix()
                yield named.fill(target), named.fill(path.read_text(encoding="utf-8"))


def _check_name(named: Named, plugins: Plugins) -> None:
    name, noun = named.plugin, named.kind.replace("-", " ")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise PluginError(
            f"{name!r} cannot be the name of a plugin: use at most {LONGEST} lower-case "
            "letters, digits and single hyphens, beginning with a letter, as in soft-focal"
        )
    if named.cls in serbench.api.__all__ or keyword.iskeyword(named.cls):
        raise PluginError(
            f"the class of {name!r} would be called {named.cls}, a name that Python or "
            f"serbench.api uses: choose another name, such as my-{name}"
        )
    for item in plugins.items(KINDS[named.kind]):
        if item.name == name:
            raise PluginError(
                f"a {noun} called {name!r} is already installed, by {item.distribution} "
                f"{item.version}: choose another name"
            )
    if find_spec(named.package) is not None:
        raise PluginError(
            f"a package {named.package} is already installed: choose another name than {name!r}"
        )
