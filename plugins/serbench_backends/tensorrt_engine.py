"""TensorRT, NVIDIA's runtime for its GPUs: ``tensorrt``, or ``tensorrt_rtx`` for desktop GPUs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serbench.api import (
    SAMPLE_RATE_HZ,
    Backend,
    DeployedModel,
    Params,
    PluginError,
    WaveformPredictor,
    Waveforms,
)
from serbench_backends.failures import converting, opening
from serbench_backends.packages import first_usable, imported, nvidia_gpus, unusable

FILE = "model.engine"

MODULES = ("tensorrt", "tensorrt_rtx")

MOST = 16
"""Largest number of utterances at once; more are run one batch after another."""

SHORTEST_S, USUAL_S, LONGEST_S = 0.1, 3.0, 60.0
"""Lengths in seconds: the shortest and longest that an engine accepts, and the one at which
it is fastest.
"""

INSTALL = "serbench[tensorrt]"

INPUT, OUTPUT = "waveform", "posteriors"


class TensorRTParams(Params):
    """Precision of the student."""

    precision: Literal["fp32", "fp16"] = "fp32"
    """Precision. ``fp16``: everything but the front end. ``fp32`` does not use TF32."""


class TensorRTBackend(Backend):
    """A TensorRT engine of the exported graph, for up to 16 utterances of up to 60 s."""

    name = "tensorrt"
    Params = TensorRTParams
    params: TensorRTParams

    def unavailable(self) -> str | None:
        """See ``Backend``."""
        _, reason = first_usable(MODULES, INSTALL)
        if reason is not None:
            return f"{reason}, or tensorrt-rtx" if INSTALL in reason else reason
        if nvidia_gpus() == 0:
            return "no NVIDIA GPU"
        return unusable("torch", "torch") or _without_cuda()

    @property
    def precision(self) -> str:
        """See ``Backend``."""
        return self.params.precision

    @property
    def device(self) -> str:
        """See ``Backend``."""
        return "cuda"

    def convert(self, model: DeployedModel, folder: Path) -> None:
        """See ``Backend``."""
        runtime = find_runtime()
        with tempfile.TemporaryDirectory(prefix="serbench-") as name, converting("TensorRT"):
            source = model.onnx
            if self.params.precision == "fp16":
                from serbench_backends.onnx_runtime.half import halve

                source = Path(name) / "half.onnx"
                halve(model.onnx, source)
            (folder / FILE).write_bytes(build_engine(runtime, source))

    def open(self, model: DeployedModel, folder: Path, threads: int) -> WaveformPredictor:  # noqa: ARG002 - a GPU has its own
        """See ``Backend``."""
        runtime = find_runtime()
        with opening("TensorRT"):
            content, notes = (folder / FILE).read_bytes(), _notes(runtime)
            engine = runtime.Runtime(notes).deserialize_cuda_engine(content)
            if engine is None:
                raise PluginError(
                    "TensorRT cannot load this engine, which was built for one version and one "
                    f"kind of GPU: {_first(notes)}"
                )
            context = engine.create_execution_context()
        return _Engine(context, len(model.labels))


class _Engine:
    """Runs an engine. PyTorch allocates its memory, on the current GPU."""

    def __init__(self, context: Any, classes: int) -> None:
        import torch

        self.context, self.classes, self.torch = context, classes, torch
        self.stream = torch.cuda.Stream()

    def __call__(self, waveforms: Waveforms) -> NDArray[np.float32]:
        parts = [waveforms[n : n + MOST] for n in range(0, len(waveforms), MOST)]
        return np.concatenate([self._run(part) for part in parts])

    def _run(self, waveforms: Waveforms) -> NDArray[np.float32]:
        torch = self.torch
        with torch.cuda.stream(self.stream):
            given = torch.from_numpy(np.ascontiguousarray(waveforms)).cuda()
            posteriors = torch.empty(len(waveforms), self.classes, device="cuda")
            if not self.context.set_input_shape(INPUT, tuple(given.shape)):
                raise PluginError(
                    f"TensorRT does not accept waveforms of {given.shape[1] / SAMPLE_RATE_HZ:g} "
                    f"s: its engine is for {SHORTEST_S:g} to {LONGEST_S:g} s"
                )
            self.context.set_tensor_address(INPUT, given.data_ptr())
            self.context.set_tensor_address(OUTPUT, posteriors.data_ptr())
            if not self.context.execute_async_v3(self.stream.cuda_stream):
                raise PluginError("TensorRT could not run its engine")
            return posteriors.cpu().numpy()


def build_engine(runtime: ModuleType, source: Path) -> bytes:
    """An engine of an ONNX graph, in the precision that the graph has.

    Args:
        runtime: ``tensorrt`` or ``tensorrt_rtx``.
        source: a graph from ``waveform (N, samples)``, both dimensions dynamic.

    Raises:
        PluginError: TensorRT cannot parse the graph or build the engine; the message contains its
            first error.
    """
    notes = _notes(runtime)
    builder = runtime.Builder(notes)
    strongly = int(runtime.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(1 << strongly)
    parser = runtime.OnnxParser(network, notes)
    if not parser.parse_from_file(str(source)):
        raise PluginError(f"TensorRT cannot express this model: {parser.get_error(0).desc()}")
    settings = builder.create_builder_config()
    settings.clear_flag(runtime.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    samples = [round(each * SAMPLE_RATE_HZ) for each in (SHORTEST_S, USUAL_S, LONGEST_S)]
    profile.set_shape(INPUT, (1, samples[0]), (1, samples[1]), (MOST, samples[2]))
    settings.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise PluginError(f"TensorRT cannot build an engine of this model: {_first(notes)}")
    return bytes(engine)


def find_runtime() -> ModuleType:
    """The module ``tensorrt``, or ``tensorrt_rtx``.

    Raises:
        PluginError: neither can be imported.
    """
    module, reason = first_usable(MODULES, INSTALL)
    if module is None:
        raise PluginError(str(reason))
    return imported(module)


def _notes(runtime: ModuleType) -> Any:
    """A log that keeps errors, which TensorRT's own log would print."""

    class Notes(runtime.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (self.Severity.ERROR, self.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Notes()


def _first(notes: Any) -> str:
    return notes.errors[0] if notes.errors else "no reason given"


def _without_cuda() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "this build of PyTorch has no CUDA"
