"""Checks everything, one section after another; an error in one does not end the others."""

from __future__ import annotations

import logging
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from serbench.checks.doctor import installed, machine
from serbench.checks.doctor.records import Diagnosis, section

if TYPE_CHECKING:
    from serbench.running.plugins import Plugins
    from serbench.running.registry.lookup import Registry


def diagnose(overlay: Path | None = None) -> Diagnosis:
    """Diagnose this installation and machine. Nothing is written; risky imports happen in another
    process.

    Args:
        overlay: the user's registry file; None: ``./serbench.toml``, if it exists.
    """
    load = cache(_plugins)
    registry = cache(lambda: _registry(load(), overlay))
    looks = {
        "Versions": installed.versions,
        "Devices": machine.devices,
        "Folders": machine.folders,
        "Network": machine.hub,
        "Plugins": partial(installed.plugins, load),
        "Registry": partial(installed.registry, registry, overlay),
        "Datasets on this machine": partial(machine.datasets, registry),
        "Extras": installed.extras,
    }
    return Diagnosis(tuple(section(title, look) for title, look in looks.items()))


# Imported where they are used: if a required package is missing, other sections report it.
def _plugins() -> Plugins:
    from serbench.running.plugins import load_plugins

    return load_plugins()


def _registry(plugins: Plugins, overlay: Path | None) -> Registry:
    from serbench.running.registry import load

    before = load.log.level
    load.log.setLevel(logging.ERROR)  # its warnings only repeat that plugins failed
    try:
        return load.load_registry(plugins, overlay, strict=False)
    finally:
        load.log.setLevel(before)
