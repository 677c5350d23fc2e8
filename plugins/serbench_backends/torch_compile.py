"""PyTorch's compiler, TorchInductor, used ahead of time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from serbench.api import Backend, DeployedModel, Params, WaveformPredictor, Waveforms
from serbench_backends.failures import converting, opening
from serbench_backends.windowed import over_windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "model.pt2"
"""Name of the file with native code and the weights. It contains nothing pickled."""

COMPILERS = ("g++", "clang++")


class TorchCompile(Backend):
    """The model of one window, compiled for this processor when it is converted.

    It is compiled ahead of time. ``torch.compile`` itself would compile again in each process, once
    for each kind of shape, which took minutes. Its code for variable shapes was also slower.
    """

    name = "torch-compile"
    Params = Params

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        if compiler() is not None:
            return None
        named = os.environ.get("CXX")
        if named:
            return f"no C++ compiler: CXX names {named}, which does not exist"
        return f"no C++ compiler: neither {' nor '.join(COMPILERS)} found"

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        import torch
        from torch._inductor import aoti_compile_and_package

        module = model.window_module()
        length = torch.ones(1, dtype=torch.int64)
        with converting("torch.compile"), torch.no_grad():
            program = torch.export.export(module, (torch.zeros(1, model.window_samples), length))
            aoti_compile_and_package(
                program,
                package_path=str(folder / FILE),
                inductor_configs={
                    "cpp.cxx": (compiler(),),
                    "cpp.dynamic_threads": True,  # their number is set when the model is opened
                },
            )

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:
        """See ``Backend``."""
        import torch
        from torch._inductor import aoti_load_package

        torch.set_num_threads(threads)
        with opening("torch.compile"):
            run = aoti_load_package(str(folder / FILE))

        def predict(window: Waveforms, length: NDArray[np.int64]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return run(torch.from_numpy(window), torch.from_numpy(length)).numpy()

        return over_windows(model, predict)


def compiler() -> str | None:
    """The path of a C++ compiler: the compiler that CXX names, else one of the usual compilers."""
    named = os.environ.get("CXX")
    found = map(shutil.which, (named,) if named else COMPILERS)
    return next((path for path in found if path), None)
