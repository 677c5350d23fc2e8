"""One ONNX graph from waveform to posteriors: front end, windows, student, mean over windows.

PyTorch exports the front end and the student; the windows between them, whose number depends on
the utterance's length, are written here in ONNX's own text form. Then the parts are joined.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import onnx
import torch
from onnx import compose, parser
from torch import Tensor, nn

from serbench.api import SAMPLE_RATE_HZ, FrontEnd, PluginError
from serbench.device.export.masks import drop_idle_masks
from serbench.device.export.modules import Core, WindowModel
from serbench.device.windows import WindowPlan
from serbench.learning.front_ends import whole_module
from serbench_runtime import KEY
from serbench_runtime.audio.read import SHORTEST_S

OPSET = 20
IR_VERSION = 10
"""The version that came with opset 20 to 21: older runtimes still read it."""

MOST_FRAMES = 2**20
"""Limit on the frames of a window, which none reaches. PyTorch 2.8 exports no convolution over
frames without a limit.
"""

INPUT, OUTPUT = "waveform", "posteriors"

CUT = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
cut (float[batch, samples] waveform, float[batch, frames, mels] all_frames)
    => (float[windows, size, mels] window_frames, int64[1] per_utterance)
{{
  none = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  zero = Constant <value = double[1] {{0.0}}> ()
  rate = Constant <value = double[1] {{{rate}}}> ()
  window_s = Constant <value = double[1] {{{window_s}}}> ()
  hop_s = Constant <value = double[1] {{{hop_s}}}> ()
  frame_rate = Constant <value = double[1] {{{frame_rate}}}> ()
  little = Constant <value = double[1] {{0.000000001}}> ()
  size = Constant <value_ints = [{size}]> ()

  samples_int = Shape <start = 1, end = 2> (waveform)
  samples = Cast <to = 11> (samples_int)
  duration_s = Div (samples, rate)
  last_s_any = Sub (duration_s, window_s)
  last_s = Max (last_s_any, zero)
  hops_any = Div (last_s, hop_s)
  hops_less = Sub (hops_any, little)
  hops_up = Ceil (hops_less)
  hops_double = Max (hops_up, zero)
  hops = Cast <to = 7> (hops_double)

  hops_scalar = Squeeze (hops, none)
  none_scalar = Squeeze (none, none)
  one_scalar = Squeeze (one, none)
  number_int = Range (none_scalar, hops_scalar, one_scalar)
  number = Cast <to = 11> (number_int)
  regular_s = Mul (number, hop_s)
  start_s = Concat <axis = 0> (regular_s, last_s)
  start_any = Mul (start_s, frame_rate)
  start_double = Round (start_any)
  start = Cast <to = 7> (start_double)

  frames_int = Shape <start = 1, end = 2> (all_frames)
  kept = Min (frames_int, size)
  kept_scalar = Squeeze (kept, none)
  offset = Range (none_scalar, kept_scalar, one_scalar)
  start_column = Unsqueeze (start, one)
  place = Add (start_column, offset)
  per_utterance = Shape <start = 0, end = 1> (start)

  cut = Gather <axis = 1> (all_frames, place)
  minus = Constant <value_ints = [-1]> ()
  mels = Shape <start = 2, end = 3> (all_frames)
  shape = Concat <axis = 0> (minus, kept, mels)
  window_frames = Reshape (cut, shape)
}}
"""
"""Cuts frames into windows. Times are computed in double precision, as in ``segments``, so that a
window begins at the same frame in both.
"""

MIDDLE = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
cut (float[batch, samples] waveform, float[batch, frames, mels] all_frames)
    => (float[windows, size, mels] window_frames, int64[1] per_utterance)
{{
  none = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  two = Constant <value_ints = [2]> ()
  size = Constant <value_ints = [{size}]> ()
  none_scalar = Squeeze (none, none)
  one_scalar = Squeeze (one, none)

  frames_int = Shape <start = 1, end = 2> (all_frames)
  kept = Min (frames_int, size)
  kept_scalar = Squeeze (kept, none)
  spare = Sub (frames_int, kept)
  start = Div (spare, two)
  offset = Range (none_scalar, kept_scalar, one_scalar)
  place = Add (start, offset)
  per_utterance = Shape <start = 0, end = 1> (start)

  window_frames = Gather <axis = 1> (all_frames, place)
}}
"""
"""Cuts one window of each utterance: its middle, or all of it."""

MEAN = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
mean (float[windows, classes] window_posteriors, int64[1] per_utterance)
    => (float[batch, classes] posteriors)
{{
  minus = Constant <value_ints = [-1]> ()
  one = Constant <value_ints = [1]> ()
  classes = Shape <start = 1, end = 2> (window_posteriors)
  shape = Concat <axis = 0> (minus, per_utterance, classes)
  rows = Reshape (window_posteriors, shape)
  posteriors = ReduceMean <keepdims = 0> (rows, one)
}}
"""
"""Computes the posterior of an utterance: the mean of its windows' posteriors."""


def waveform_graph(
    core: Core, front_end: FrontEnd, plan: WindowPlan, facts: Mapping[str, Any]
) -> onnx.ModelProto:
    """A graph from ``waveform (N, samples)`` to ``posteriors (N, C)``; N and samples are dynamic.

    Args:
        core: a student with its normaliser, in evaluation mode.
        front_end: the front end that makes its input.
        plan: its windows.
        facts: JSON for the metadata.

    Raises:
        PluginError: PyTorch cannot export the student.
    """
    dims = {0: torch.export.Dim("windows")}
    if not plan.whole:  # otherwise every utterance has the same number of frames
        dims[1] = torch.export.Dim("frames", max=MOST_FRAMES)
    student = _export(
        core,
        (torch.zeros(2, plan.size, front_end.width),),
        ["window_frames"],
        ["window_posteriors"],
        (dims,),
    )
    shortest = plan.frames(round(SHORTEST_S * SAMPLE_RATE_HZ))
    drop_idle_masks(student, range(min(shortest, plan.size), plan.size + 1))
    mean = parser.parse_model(MEAN.format(ir=IR_VERSION, opset=OPSET))
    graph = _join(
        [
            ("frontend", _frontend_graph(front_end)),
            ("cut", parser.parse_model(_cut_text(plan))),
            ("student", student),
            ("mean", mean),
        ]
    )
    return _finished(graph, facts)


def _cut_text(plan: WindowPlan) -> str:
    if plan.cut_how != "sliding":
        return MIDDLE.format(ir=IR_VERSION, opset=OPSET, size=plan.size)
    return CUT.format(
        ir=IR_VERSION,
        opset=OPSET,
        rate=float(SAMPLE_RATE_HZ),
        window_s=plan.segments.window_s,
        hop_s=plan.segments.window_s - plan.segments.overlap_s,
        frame_rate=plan.rate_hz,
        size=plan.size,
    )


@cache
def _frontend_graph(front_end: FrontEnd) -> onnx.ModelProto:
    """A graph from ``waveform (N, samples)`` to ``all_frames (N, frames, d)``, for any student."""
    dims = {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples")}
    example = (torch.zeros(2, SAMPLE_RATE_HZ),)
    module = whole_module(front_end, front_end.exported())
    return _export(module, example, [INPUT], ["all_frames"], (dims,))


def window_graph(model: WindowModel, plan: WindowPlan, facts: Mapping[str, Any]) -> onnx.ModelProto:
    """A graph from ``window (1, S)`` and int64 ``length (1,)`` to ``posteriors (1, C)``, fixed
    shapes.
    """
    example = (torch.zeros(1, plan.samples), torch.full((1,), plan.size))
    graph = _export(model, example, ["window", "length"], [OUTPUT], None)
    return _finished(graph, facts)


def _export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    shapes: Any,
) -> onnx.ModelProto:
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                module.eval(),
                example,
                dynamo=True,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            told = str(error.__cause__ or error).strip().splitlines()
            raise PluginError(
                "PyTorch cannot export this student for windows of every length and number "
                f"({told[0] if told else 'no reason given'}); its code must not depend on them, "
                "nor require windows longer than these"
            ) from error
    assert program is not None
    graph = program.model_proto
    graph.ir_version = IR_VERSION
    return graph


def _join(parts: Sequence[tuple[str, onnx.ModelProto]]) -> onnx.ModelProto:
    """Connect outputs and inputs of the same name, and put parts' names before their nodes'
    names.
    """
    whole = onnx.ModelProto()
    whole.ir_version = IR_VERSION
    whole.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    for name, part in parts:
        graph = _renamed(name, part).graph
        whole.graph.node.extend(graph.node)
        whole.graph.initializer.extend(graph.initializer)
    whole.graph.name = KEY
    whole.graph.input.append(_tensor(INPUT, "batch", "samples"))
    classes = parts[-2][1].graph.output[0].type.tensor_type.shape.dim[1].dim_value
    whole.graph.output.append(_tensor(OUTPUT, "batch", classes))
    return whole


def _renamed(name: str, part: onnx.ModelProto) -> onnx.ModelProto:
    """Put ``name/`` before all names inside a part; its inputs and outputs keep their names."""
    outer = {value.name for value in (*part.graph.input, *part.graph.output)}
    renamed = compose.add_prefix(part, f"{name}/", rename_inputs=False, rename_outputs=False)
    for number, node in enumerate(renamed.graph.node):
        if not node.name.startswith(f"{name}/"):
            node.name = f"{name}/{node.op_type}-{number}"
    assert outer <= {value.name for value in (*renamed.graph.input, *renamed.graph.output)}
    return renamed


def _tensor(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _finished(graph: onnx.ModelProto, facts: Mapping[str, Any]) -> onnx.ModelProto:
    """Add metadata, and remove PyTorch's notes on source files and on inner shapes."""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.graph.value_info[:]  # out of date after a quantization, which relies on them
    del graph.graph.metadata_props[:], graph.metadata_props[:]
    graph.producer_name, graph.doc_string = KEY, ""
    graph.metadata_props.add(key=KEY, value=json.dumps(facts, ensure_ascii=False))
    onnx.checker.check_model(graph)
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages about packages that are not needed here."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
