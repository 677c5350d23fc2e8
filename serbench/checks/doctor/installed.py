"""Packages, extras, plugins and the registry."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from serbench.checks.doctor.records import Line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from serbench.running.plugins import Plugins
    from serbench.running.registry.lookup import Registry

INSTALL = "pip install --upgrade serbench"

IMPORTED = ("soundfile", "onnxruntime", "torch")
"""Packages with compiled libraries, which may be installed but fail to load. serbench works without
the library of torchaudio.
"""

IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    print(name, flush=True)
    importlib.import_module(name)
"""

IMPORT_S = 60.0
"""Time limit of the imports."""

ERRORS = 10
"""Greatest number of the registry's errors that are shown."""


def versions() -> list[Line]:
    """serbench, Python, and every package that serbench requires."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    own = [
        Line("serbench", metadata.version("serbench")),
        Line("Python", f"{python} ({sys.executable})"),
    ]
    name, fault = _import_fault()
    again = f"it cannot be imported ({fault}); pip install --force-reinstall {name}"
    return own + [_package(each, again if each.name == name else "") for each in _required()]


def _import_fault() -> tuple[str, str]:
    """The first of ``IMPORTED`` that is installed but cannot be imported, with the cause; else
    empty.

    A separate process tries it, because a damaged library can end the process that loads it.
    """
    names = [each for each in IMPORTED if _version(each) is not None]
    command = [sys.executable, "-P", "-c", IMPORT, *names]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, timeout=IMPORT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        begun = (error.stdout or b"").decode().split()
        return (begun or names)[-1], f"no result within {IMPORT_S:g} s"
    if done.returncode == 0:
        return "", ""
    told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return (done.stdout.split() or names)[-1], told[-1]


def _package(required: Requirement, fault: str) -> Line:
    version = _version(required.name)
    if version is None:
        return Line(required.name, "not installed", f"it is required; {INSTALL}")
    if not required.specifier.contains(version, prereleases=True):
        needed = f"serbench needs {required.specifier}; {INSTALL}"
        return Line(required.name, version, needed)
    return Line(required.name, version, fault)


def _required(extra: str = "", package: str = "serbench") -> list[Requirement]:
    """Requirements of a package on this system, or only the additional ones of an ``extra``."""
    from packaging.requirements import Requirement

    found = {}
    for text in metadata.requires(package) or ():
        each = Requirement(text)
        always = each.marker is None or each.marker.evaluate({"extra": ""})
        if always != bool(extra) and (always or each.marker.evaluate({"extra": extra})):  # pyright: ignore[reportOptionalMemberAccess]
            found[each.name] = each
    return sorted(found.values(), key=lambda each: each.name)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def extras() -> list[Line]:
    """The extras, and how to install them."""
    named = metadata.metadata("serbench").get_all("Provides-Extra") or []
    return [_extra(name) for name in named if name != "dev"]


def _extra(name: str) -> Line:
    needed = [each for each in _whole(name) if _version(each.name) is None]
    if not needed:
        return Line(name, "installed")
    missing = ", ".join(each.name for each in needed)
    return Line(name, f"not installed ({missing}): pip install 'serbench[{name}]'")


def _whole(extra: str, package: str = "serbench") -> Iterator[Requirement]:
    """Packages that an extra adds, including those of extras that it asks for."""
    for each in _required(extra, package):
        if each.name != "serbench":
            yield each
        if each.extras and _version(each.name) is not None:
            for other in each.extras:
                yield from _whole(other, each.name)


def plugins(load: Callable[[], Plugins]) -> list[Line]:
    """Packages with plugins, and plugins that failed to load."""
    found = load()
    packages: dict[str, list[str]] = {}
    for each in found.loaded:
        packages.setdefault(f"{each.distribution} {each.version}", []).append(each.entry_point)
    loaded = [Line(package, f"loaded: {', '.join(names)}") for package, names in packages.items()]
    causes: dict[tuple[str, str, str], list[str]] = {}
    for each in found.failed:
        key = (each.distribution, each.version, each.cause)
        causes.setdefault(key, []).append(each.entry_point)
    failed = [
        Line(
            f"{distribution} {version}",
            f"failed to load: {', '.join(names)}: {cause}",
            f"reinstall the package that the error names, or update {distribution}",
        )
        for (distribution, version, cause), names in causes.items()
    ]
    return loaded + failed


def registry(load: Callable[[], Registry], overlay: Path | None) -> list[Line]:
    """The user's registry file, and errors in it or in the packaged one. Errors that a failed
    plugin causes are left out.
    """
    from serbench.errors import RegistryError
    from serbench.running.registry.load import USERS

    named = overlay or (USERS if USERS.is_file() else None)
    lines = [Line("overlay", str(named.absolute()) if named else "none")]
    try:
        load()
    except RegistryError as error:
        told = str(error).splitlines()
        more = [f"and {len(told) - ERRORS} more lines"] if len(told) > ERRORS else []
        text = "\n".join([*told[:ERRORS], *more])
        lines.append(Line("errors", text, "correct them; `serbench registry check` shows all"))
    return lines
