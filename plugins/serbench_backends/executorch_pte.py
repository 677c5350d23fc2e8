"""ExecuTorch, PyTorch's runtime for phones and small boards, with its XNNPACK delegate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serbench.api import Backend, DeployedModel, Params, PluginError, WaveformPredictor, Waveforms
from serbench_backends.failures import converting, opening
from serbench_backends.packages import imported, missing
from serbench_backends.windowed import over_windows

FILE = "model.pte"


class ExecuTorchParams(Params):
    """Nothing to choose."""


class ExecuTorchBackend(Backend):
    """A ``.pte`` program in fp32; the portable kernels run what XNNPACK does not support."""

    name = "executorch"
    Params = ExecuTorchParams
    params: ExecuTorchParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        return missing("ExecuTorch", "executorch", {"executorch": "the runtime"})

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        import torch

        exir = imported("executorch.exir")
        xnnpack = imported("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        example = (torch.zeros(1, model.window_samples), torch.ones(1, dtype=torch.int64))
        with converting("ExecuTorch"):
            program = torch.export.export(model.window_module(), example)
            lowered = exir.to_edge_transform_and_lower(
                program, partitioner=[xnnpack.XnnpackPartitioner()]
            )
            content = lowered.to_executorch().buffer
        (folder / FILE).write_bytes(content)

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        import torch

        use_threads(threads)
        runtime = imported("executorch.runtime").Runtime.get()
        with opening("ExecuTorch"):
            program = runtime.load_program(str(folder / FILE))
            method = program.load_method("forward")
        opened.append(threads)

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            inputs = (torch.from_numpy(window), torch.from_numpy(length))
            return method.execute(inputs)[0].numpy()

        return over_windows(model, predict)


opened: list[int] = []
"""The number of threads of each program that this process has loaded."""


def use_threads(count: int) -> None:
    """Give ExecuTorch's only thread pool ``count`` threads.

    Raises:
        PluginError: the pool has another number of threads, which cannot be changed.
    """
    library = imported("executorch.extension.pybindings.portable_lib")
    try:
        has, reset = library._threadpool_get_thread_count, library._unsafe_reset_threadpool
    except AttributeError as error:
        raise PluginError(
            "this version of ExecuTorch cannot set its number of threads; install a newer one"
        ) from error
    if has() == count:
        return
    if opened:  # a reset would free the pool that a loaded program uses
        raise PluginError(
            "ExecuTorch has one number of threads per process, and this process has loaded a "
            f"program with {opened[0]}; open a model with {count} in another process"
        )
    with opening("ExecuTorch"):
        reset(count)
    if has() != count:
        raise PluginError(f"ExecuTorch runs with {has()} threads here, not with {count}")
