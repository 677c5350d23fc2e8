"""Diagnosis of the machine: devices, folders, data and the hub."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib import error as url_error
from urllib import request

from serbench.checks.doctor.records import Line

if TYPE_CHECKING:
    from serbench.running.registry.lookup import Registry

GPU_S = 5.0
"""Time limit for a GPU's driver."""

HUB_S = 3.0
"""Time limit for the hub."""


def devices() -> list[Line]:
    """System, processor, memory and GPUs."""
    from serbench.files.machine import cpu_name, memory_bytes, usable_cpus

    memory = memory_bytes()
    return [
        Line("system", platform.platform()),
        Line("processor", cpu_name()),
        Line("cores", f"{usable_cpus()} of {os.cpu_count()} usable"),
        Line("memory", f"{memory / 1e9:.1f} GB" if memory else "unknown"),
        *_gpus(),
    ]


def _gpus() -> list[Line]:
    """GPUs from the output of the driver; torch is not imported because that takes seconds."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [Line("GPU", "Apple, --device mps")]
    asked = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    if shutil.which(asked[0]) is None:
        return [Line("GPU", "none found (no nvidia-smi)")]
    try:
        told = subprocess.run(  # noqa: S603 - a fixed command
            asked, capture_output=True, text=True, timeout=GPU_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return [Line("GPU", f"unknown: {error}", "nvidia-smi fails: check the GPU's driver")]
    names = [name.strip() for name in told.stdout.splitlines() if name.strip()]
    return [Line("GPU", f"{name}, --device cuda:{index}") for index, name in enumerate(names)] or [
        Line("GPU", "none found")
    ]


def folders() -> list[Line]:
    """The cache and the folder of corpora, with their sizes."""
    from serbench.data.corpus.locate import DATA_VARIABLE
    from serbench.files.paths import CACHE_VARIABLE, cache_folder

    cache = cache_folder().absolute()
    lines = [_cache(cache, f"set another folder with {CACHE_VARIABLE}")]
    if value := os.environ.get(DATA_VARIABLE):
        there = Path(value).expanduser().is_dir()
        wrong = f"it is not a folder; set {DATA_VARIABLE} to one, or unset it"
        lines.append(Line(DATA_VARIABLE, value, "" if there else wrong))
    else:
        lines.append(Line(DATA_VARIABLE, "not set"))
    return lines


def _cache(cache: Path, elsewhere: str) -> Line:
    there = next(each for each in (cache, *cache.parents) if each.exists())
    free = f"{shutil.disk_usage(there).free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK) or not there.is_dir():
        return Line("cache", f"{cache}, {free}", f"{there} cannot be written; {elsewhere}")
    if there != cache:
        return Line("cache", f"{cache} (not created yet), {free}")
    return Line("cache", f"{cache}, {_held(cache) / 1e9:.1f} GB, {free}")


def _held(folder: Path) -> int:
    """Bytes of all files below a folder."""
    held = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                held += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - quick
            except OSError:  # deleted meanwhile
                continue
    return held


def hub() -> list[Line]:
    """Whether models can be downloaded; no data about the user is sent."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return [Line("model hub", "not asked, because HF_HUB_OFFLINE is set")]
    address = constants.ENDPOINT
    # In a thread, because looking up a name may take longer than any timeout.
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(_fault(address)), daemon=True)
    asking.start()
    asking.join(HUB_S)
    fault = told[0] if told else f"no answer within {HUB_S:g} s"
    if not fault:
        return [Line("model hub", f"{address} answers")]
    without = "corpora and weights must be on this machine (--data-dir, --teacher FOLDER)"
    return [Line("model hub", f"{address} cannot be reached ({fault}); {without}")]


def _fault(address: str) -> str:
    """Why an address does not answer; empty if it does."""
    try:
        with request.urlopen(request.Request(address, method="HEAD"), timeout=HUB_S):  # noqa: S310
            return ""
    except url_error.HTTPError:  # is an answer, too
        return ""
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def datasets(load: Callable[[], Registry]) -> list[Line]:
    """Datasets of the registry with a folder on this machine."""
    from serbench.data.corpus.locate import folders_here
    from serbench.files.paths import cache_folder

    known = load()
    lines = []
    for name, spec in sorted(known.datasets.items()):
        found = folders_here(name, cache_folder(), spec.path)
        lines += [Line(name, str(found[0]))] if found else []
    rest = len(known.datasets) - len(lines)
    return [
        *lines,
        Line("others", f"{rest} are not on this machine; `serbench list datasets` shows them"),
    ]
