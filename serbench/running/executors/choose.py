"""The executor that the options of a command choose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from serbench.api import SerbenchError
from serbench.running.executors.executor import Executor
from serbench.running.executors.local import LocalExecutor, resolve_device, resolve_workers

ExecutorName = Literal["local", "dask", "ray"]


def make_executor(
    name: ExecutorName = "local",
    address: str = "",
    jobs: int | None = None,
    device: str = "auto",
    *,
    cache: Path,
    threads: int = 1,
    fit_bytes: int | None = None,
) -> Executor:
    """Make the executor of ``--executor`` and ``--address``.

    Args:
        name: ``local``, ``dask`` or ``ray``.
        address: address of a running cluster. If it is empty, Ray starts one on this machine.
        jobs: number of items at the same time on this machine; None: see ``resolve_workers``.
        device: value of ``--device``.
        cache: root of the cache.
        threads: number of threads of each item.
        fit_bytes: bytes of a GPU's memory that each item needs; None: unknown.

    Raises:
        SerbenchError: a package is missing, no cluster answers, or options exclude each other.
    """
    if name == "local":
        if address:
            raise SerbenchError(
                "--address is the address of a cluster: give --executor dask or ray, too"
            )
        return LocalExecutor(resolve_workers(jobs, resolve_device(device), threads, fit_bytes))
    if name == "dask" and not address:
        raise SerbenchError(
            "--executor dask needs the address of a scheduler: --address tcp://HOST:8786; "
            "`dask scheduler` starts one"
        )
    if address and jobs is not None:
        raise SerbenchError(
            f"--jobs {jobs}: the cluster at --address determines the number of workers; leave "
            "--jobs out"
        )
    try:
        if name == "dask":
            from serbench.running.executors.dask import DaskExecutor

            return DaskExecutor(address, cache)
        from serbench.running.executors.ray import RayExecutor

        return RayExecutor(address, jobs, cache)
    except ImportError as error:
        raise SerbenchError(
            f"--executor {name} needs another package ({error.name}): pip install serbench[{name}]"
        ) from None
