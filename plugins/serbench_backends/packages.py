"""Finds out which packages and GPUs a machine lacks."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from serbench.api import PluginError
from serbench_backends.failures import first_line, quiet


def missing(runtime: str, extra: str, packages: Mapping[str, str]) -> str | None:
    """Why a runtime cannot run; None if all of its packages are installed.

    The packages are only searched for, because importing one of them takes seconds.

    Args:
        runtime: name of the runtime.
        extra: serbench's extra that installs it.
        packages: role of each package, for instance ``the converter``, by its importable name.
    """
    for module, purpose in packages.items():
        if not _is_installed(module):
            return (
                f"{purpose} of {runtime} is not installed (no module {module}): "
                f"pip install 'serbench[{extra}]'"
            )
    return None


def imported(module: str) -> ModuleType:
    """Import an optional package.

    Raises:
        PluginError: it is missing or broken.
    """
    try:
        with quiet():
            return importlib.import_module(module)
    except Exception as error:  # broken native packages can raise any error
        raise PluginError(f"{module} cannot be imported: {first_line(error)}") from error


def unusable(module: str, install: str) -> str | None:
    """Why ``module`` cannot be imported, in a few words; None if it can be imported.

    Args:
        module: its name.
        install: name of the package for ``pip install``.
    """
    try:
        if module not in sys.modules and importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install '{install}'"
        with quiet():
            importlib.import_module(module)
    except Exception as error:  # broken native packages can raise any error
        return f"{module} cannot be imported: {first_line(error)}"
    return None


def first_usable(modules: Sequence[str], install: str) -> tuple[str | None, str | None]:
    """The first of several modules that can be imported, or why none can.

    Returns:
        Module and None, or None and the reason. If a module is broken and another one is missing,
            it is the reason of the broken one.
    """
    reasons = [(module, unusable(module, install)) for module in modules]
    for module, reason in reasons:
        if reason is None:
            return module, None
    broken = [reason for _, reason in reasons if reason and "is not installed" not in reason]
    return None, broken[0] if broken else reasons[0][1]


def nvidia_gpus() -> int:
    """Number of GPUs that NVIDIA's driver shows to this process; 0 without a driver. The driver is
    asked directly.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
