"""What may be missing on a machine: packages and GPUs."""

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
    """Why a runtime cannot run, None where all of its packages are installed.

    Only looks for the packages: importing one of these takes seconds.

    Args:
        runtime: its name.
        extra: of serbench, that installs it.
        packages: importable name to what the package does, for instance ``the converter``.
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
    except Exception as error:  # native packages raise whatever they like when they are broken
        raise PluginError(f"{module} cannot be imported: {first_line(error)}") from error


def unusable(module: str, install: str) -> str | None:
    """Why ``module`` cannot be imported, in a few words; None where it can.

    Args:
        module: its name.
        install: what pip is to install.
    """
    try:
        if module not in sys.modules and importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install '{install}'"
        with quiet():
            importlib.import_module(module)
    except Exception as error:  # native packages raise whatever they like when they are broken
        return f"{module} cannot be imported: {first_line(error)}"
    return None


def first_usable(modules: Sequence[str], install: str) -> tuple[str | None, str | None]:
    """The first of several modules that can be imported, or why none can.

    Returns:
        Module and None, or None and the reason: that of a broken one before that of a missing one.
    """
    reasons = [(module, unusable(module, install)) for module in modules]
    for module, reason in reasons:
        if reason is None:
            return module, None
    broken = [reason for _, reason in reasons if reason and "is not installed" not in reason]
    return None, broken[0] if broken else reasons[0][1]


def nvidia_gpus() -> int:
    """GPUs that NVIDIA's driver shows this process; 0 without a driver. Asks the driver itself."""
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
