"""Reads the metadata of an ONNX file without loading the model.

So files that are truncated, not ONNX, or from a newer serbench are recognised before any runtime
parses them. An ONNX file is one protobuf message, ``ModelProto`` of onnx.proto: a sequence of
fields, each a number with a wire type, then a value.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from serbench_runtime.errors import ModelError
from serbench_runtime.file_kinds import stands_in

_VARINT, _BYTES = 0, 2

_IR_VERSION, _GRAPH, _METADATA = 1, 7, 14

_FIELDS = {
    _IR_VERSION: _VARINT,
    2: _BYTES,  # producer_name
    3: _BYTES,  # producer_version
    4: _BYTES,  # domain
    5: _VARINT,  # model_version
    6: _BYTES,  # doc_string
    _GRAPH: _BYTES,
    8: _BYTES,  # opset_import
    _METADATA: _BYTES,
    20: _BYTES,  # training_info
    25: _BYTES,  # functions
    26: _BYTES,  # configuration
}
"""Field number to wire type of ``ModelProto``."""


class _NotOnnxError(Exception):
    """The content does not follow onnx.proto."""


class _CutOffError(Exception):
    """The file ends before a field does."""


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata properties of an ONNX file.

    Raises:
        ModelError: the file does not exist, or is a folder, unreadable, empty, not ONNX, or
            truncated.
    """
    size = 0
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size == 0:
                raise ModelError(f"{path}: the file is empty (0 bytes); export the model again")
            return _read_model(stream, size)
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder; give the .onnx file of an exported model") from error
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; serbench export RUN writes a model") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except _NotOnnxError as error:
        what = stands_in(path)
        told = f", but {what}" if what else "; give a model of serbench export"
        raise ModelError(f"{path}: not an ONNX file{told}") from error
    except _CutOffError as error:
        raise ModelError(
            f"{path}: truncated: the model continues after the file's last byte (it has "
            f"{size:,} bytes); copy or export it again"
        ) from error
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{path}: its metadata is damaged ({error.reason}); export the model again"
        ) from error


def _read_model(stream: BinaryIO, size: int) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[int] = set()
    while (position := stream.tell()) < size:
        number, wire = divmod(_varint(stream), 8)
        # The number of the first field distinguishes an ONNX file from other files.
        if _FIELDS.get(number) != wire or (position == 0 and number != _IR_VERSION):
            raise _NotOnnxError
        seen.add(number)
        if wire == _VARINT:
            _varint(stream)
            continue
        length = _varint(stream)
        if stream.tell() + length > size:
            raise _CutOffError
        if number == _METADATA:
            key, value = _entry(stream.read(length))
            found[key] = value
        else:
            stream.seek(length, os.SEEK_CUR)
    if _GRAPH not in seen:
        raise _CutOffError
    return found


def _entry(content: bytes) -> tuple[str, str]:
    """Key and value of a ``StringStringEntryProto``."""
    stream = BytesIO(content)
    fields: dict[int, str] = {}
    while stream.tell() < len(content):
        number, wire = divmod(_varint(stream), 8)
        length = _varint(stream)
        if wire != _BYTES or stream.tell() + length > len(content):
            raise _NotOnnxError
        fields[number] = stream.read(length).decode()
    return fields.get(1, ""), fields.get(2, "")


def _varint(stream: BinaryIO) -> int:
    """A protobuf integer: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise _CutOffError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _NotOnnxError
