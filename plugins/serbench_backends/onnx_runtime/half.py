"""An exported graph in half precision."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from serbench_backends.onnx_runtime.parts import in_full_precision


def halve(source: Path, target: Path) -> None:
    """Write ``source`` with weights and arithmetic in fp16; front end, input and output in fp32."""
    model = onnx.load(source)
    halved = convert_float_to_float16(
        model, keep_io_types=True, node_block_list=in_full_precision(model.graph)
    )
    onnx.save(halved, target)
