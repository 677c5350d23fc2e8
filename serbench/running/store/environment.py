"""The environment of a run."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from importlib import metadata

import torch

from serbench.files.machine import cpu_name, usable_cpus
from serbench.running.plugins import LoadedPlugin


def environment(plugins: Iterable[LoadedPlugin]) -> dict[str, object]:
    """Python, system, processor, torch, versions of packages and of ``plugins``, as JSON.

    No name of a user or a host is included, because results are meant to be published.
    """
    return {
        "serbench": metadata.version("serbench"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": usable_cpus(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "torch_threads": torch.get_num_threads(),
        "packages": _package_versions(),
        "plugins": [
            {
                "entry_point": plugin.entry_point,
                "distribution": plugin.distribution,
                "version": plugin.version,
            }
            for plugin in plugins
        ],
    }


def _package_versions() -> dict[str, str]:
    """Installed versions of serbench's requirements, by name."""
    required = [line for line in metadata.requires("serbench") or () if "extra ==" not in line]
    names = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in required}
    return {name: _version(name) for name in sorted(names)}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
