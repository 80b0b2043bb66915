"""Read a .tflite into records, without trusting it.

The FlatBuffers accessors of ai-edge-litert check little: a damaged file can claim vectors of billions of
entries or offsets outside the file. Every vector is therefore measured against the file before it is
walked (``walk.py``), every index against what it points into, and whatever the accessors still raise
becomes a ``TfliteError``.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.files import read_file
from edgesqueeze.base.given import path_of
from edgesqueeze.errors import TfliteError
from edgesqueeze.graph.custom import KNOWN, custom_options
from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Quantization, Tensor, TfliteModel
from edgesqueeze.graph.walk import Walk

Bytes = npt.NDArray[np.uint8]

FILE_IDENTIFIER = b"TFL3"
MAX_RANK = 16
MOST_BYTES = 1 << 31
"""The offsets of a FlatBuffer reach no farther."""
KERAS = "edgesqueeze.compress turns a Keras model into a .tflite"
# Types that NumPy does not have; their constants are given as raw bytes.
RAW_TYPES = {
    "int4",
    "int2",
    "uint4",
    "string",
    "resource",
    "variant",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e5m2",
}
ENUM_OPTIONS = {
    "padding": schema.Padding,
    "fused_activation_function": schema.ActivationFunctionType,
    "mode": schema.MirrorPadMode,
    "weights_format": schema.FullyConnectedOptionsWeightsFormat,
    "in_data_type": schema.TensorType,
    "out_data_type": schema.TensorType,
    "output_type": schema.TensorType,
}
# What the accessors raise on damaged content.
DAMAGE = (struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError, AttributeError)


def as_model(given: str | Path | TfliteModel) -> TfliteModel:
    """A model, read first where its path was given; all public functions take models so.

    Raises:
        UsageError: neither a model nor a path.
        TfliteError: see ``read_tflite``.
    """
    if isinstance(given, TfliteModel):
        return given
    return read_tflite(path_of(given, "the path of a .tflite file, or a TfliteModel", KERAS))


def read_tflite(path: str | Path) -> TfliteModel:
    """Read a .tflite file.

    Raises:
        UsageError: that is no path.
        TfliteError: the file is missing, is something else, or is malformed.
    """
    path = path_of(path, "the path of a .tflite file", KERAS)
    try:
        content = read_file(path, MOST_BYTES)
    except FileNotFoundError:
        raise TfliteError(f"there is no file {path}", hint="check the path") from None
    except OSError as error:
        raise TfliteError(
            f"cannot read {path}: {error.strerror}",
            expected="a .tflite file",
            hint="check the path, and whether you may read the file",
        ) from error
    return parse_tflite(content, name=path.stem)


def parse_tflite(content: bytes, name: str = "model") -> TfliteModel:
    """Parse the bytes of a .tflite file.

    Raises:
        TfliteError: the bytes are something else, or malformed.
    """
    if len(content) < 16 or content[4:8] != FILE_IDENTIFIER:
        raise TfliteError(
            f"{name} is not a TensorFlow Lite model",
            expected="a FlatBuffer with the file identifier TFL3",
            got=_describe(content),
            hint="edgesqueeze compress turns a Keras model into a .tflite",
        )
    try:
        return _parse(content, name)
    except DAMAGE as error:
        raise TfliteError(
            f"{name} is a damaged .tflite: {type(error).__name__}: {error}",
            expected="a complete FlatBuffer that follows the TFLite schema, version 3",
            hint="export or copy it again; compare file sizes if it was transferred",
        ) from error


def _describe(content: bytes) -> str:
    kinds = {
        b"PK\x03\x04": "a zip archive (a .keras file, perhaps)",
        b"\x89HDF": "an HDF5 file (a Keras .h5, perhaps)",
        b"\x89PNG": "a PNG image",
    }
    if not content:
        return "an empty file"
    return kinds.get(content[:4], f"{len(content)} bytes that start with {content[:8].hex(' ')}")


def _parse(content: bytes, name: str) -> TfliteModel:
    root = schema.Model.GetRootAsModel(content, 0)
    if root.Version() != 3:
        raise ValueError(f"schema version {root.Version()}, expected 3")
    walk = Walk(content)
    opcodes = [_opcode(walk, root.OperatorCodes(i)) for i in walk.entries(root.OperatorCodesLength(), 4)]
    buffers = [_buffer(walk, root.Buffers(i)) for i in walk.entries(root.BuffersLength(), 4)]
    graphs = tuple(
        _graph(walk, root.Subgraphs(i), opcodes, buffers) for i in walk.entries(root.SubgraphsLength(), 4)
    )
    if not graphs:
        raise ValueError("no subgraph")
    return TfliteModel(
        name=name,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        description=walk.text(root.Description()),
        graphs=graphs,
    )


@cache
def _names(enum: type) -> Mapping[int, str]:
    # Python 3.13 gives a class integers of its own (__firstlineno__).
    return {value: key for key, value in vars(enum).items() if isinstance(value, int) and key[0] != "_"}


def _opcode(walk: Walk, code: Any) -> tuple[str, str, int]:
    # Files from before the 128th operator hold only the deprecated 8-bit field; newer ones may hold both.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    opcode = _names(schema.BuiltinOperator).get(number)
    if opcode is None:
        raise ValueError(f"operator code {number} is not in the schema")
    return opcode, walk.text(code.CustomCode()), code.Version()


def _graph(walk: Walk, graph: Any, opcodes: list[tuple[str, str, int]], buffers: list[Bytes | None]) -> Graph:
    tensors = tuple(
        _tensor(walk, graph.Tensors(i), i, buffers) for i in walk.entries(graph.TensorsLength(), 4)
    )
    operators = []
    for i in walk.entries(graph.OperatorsLength(), 4):
        operator = _operator(walk, graph.Operators(i), i, opcodes)
        _check_indices(operator.inputs, len(tensors), optional=True)
        _check_indices(operator.outputs, len(tensors), optional=False)
        operators.append(operator)
    inputs = _vector(walk, graph, "Inputs")
    outputs = _vector(walk, graph, "Outputs")
    _check_indices(inputs, len(tensors), optional=False)
    _check_indices(outputs, len(tensors), optional=False)
    return Graph(walk.text(graph.Name()), tensors, tuple(operators), inputs, outputs)


def _check_indices(indices: tuple[int, ...], count: int, *, optional: bool) -> None:
    lowest = NO_TENSOR if optional else 0
    for index in indices:
        if not lowest <= index < count:
            raise ValueError(f"tensor index {index} in a graph of {count} tensors")


def _vector(walk: Walk, table: Any, field: str) -> tuple[int, ...]:
    """A vector of integers or floats as a tuple; empty when it is absent."""
    walk.entries(getattr(table, f"{field}Length")(), 4)
    values = getattr(table, f"{field}AsNumpy")()
    return () if isinstance(values, int) else tuple(values.tolist())


def _tensor(walk: Walk, tensor: Any, index: int, buffers: list[Bytes | None]) -> Tensor:
    shape = _vector(walk, tensor, "Shape")
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        raise ValueError(f"tensor {index} has shape {shape}")
    dtype = _names(schema.TensorType).get(tensor.Type())
    if dtype is None:
        raise ValueError(f"tensor {index} has type {tensor.Type()}, which is not in the schema")
    dtype = dtype.lower()
    if not 0 <= tensor.Buffer() < max(len(buffers), 1):
        raise ValueError(f"tensor {index} names buffer {tensor.Buffer()} of {len(buffers)}")
    raw = buffers[tensor.Buffer()] if tensor.Buffer() else None
    sparse = tensor.Sparsity() is not None
    return Tensor(
        index=index,
        name=walk.text(tensor.Name()),
        shape=shape,
        signature=_vector(walk, tensor, "ShapeSignature") or shape,
        dtype=dtype,
        data=None if raw is None else _constant(raw, dtype, shape, index, sparse),
        stored_bytes=0 if raw is None else raw.size,
        quantization=_quantization(walk, tensor.Quantization(), shape, index),
        sparse=sparse,
        variable=bool(tensor.IsVariable()),
    )


def _buffer(walk: Walk, buffer: Any) -> Bytes | None:
    """A buffer's bytes, copied so that they are aligned for every element type; None for an empty one."""
    content = walk.content
    # Models over 2 GB keep their constants behind the FlatBuffer, at an absolute offset.
    if buffer.Offset() > 1:
        start, size = buffer.Offset(), buffer.Size()
        if start + size > len(content):
            raise ValueError(f"a buffer of {size} bytes at {start} in a file of {len(content)} bytes")
        walk.entries(size, 1)
        return np.frombuffer(content[start : start + size], np.uint8)
    if not walk.entries(buffer.DataLength(), 1):
        return None
    return np.frombuffer(buffer.DataAsNumpy().tobytes(), np.uint8)


def _constant(raw: Bytes, dtype: str, shape: tuple[int, ...], index: int, sparse: bool) -> npt.NDArray[Any]:
    if dtype in RAW_TYPES or sparse:
        return raw
    element = np.dtype(dtype)
    expected = math.prod(shape) * element.itemsize
    if raw.size != expected:
        raise ValueError(f"constant tensor {index} of {shape} holds {raw.size} bytes, expected {expected}")
    values: npt.NDArray[Any] = raw.view(element.newbyteorder("<")).reshape(shape)
    return values


def _quantization(walk: Walk, table: Any, shape: tuple[int, ...], index: int) -> Quantization | None:
    if table is None or not table.ScaleLength():
        return None
    scales = np.asarray(_vector(walk, table, "Scale"), np.float32)
    zero_points = np.asarray(_vector(walk, table, "ZeroPoint"), np.int64)
    if zero_points.size == 0:
        zero_points = np.zeros(scales.size, np.int64)
    # For TensorFlow Lite Micro, one may stand for all.
    if zero_points.size == 1:
        zero_points = np.repeat(zero_points, scales.size)
    axis, stored_axis = table.QuantizedDimension(), None
    # Old converters gave biases the dimension of their depthwise weights, 3; a vector has only one.
    if scales.size > 1 and shape == (scales.size,) and axis != 0:
        axis, stored_axis = 0, axis
    if scales.size != zero_points.size or (scales.size > 1 and not 0 <= axis < len(shape)):
        counts = f"{scales.size} scales, {zero_points.size} zero points"
        raise ValueError(f"tensor {index} has {counts}, axis {axis}")
    if scales.size > 1 and scales.size != shape[axis]:
        raise ValueError(f"tensor {index} has {scales.size} scales for {shape[axis]} channels")
    return Quantization(scales, zero_points, axis, stored_axis)


def _operator(walk: Walk, operator: Any, index: int, opcodes: list[tuple[str, str, int]]) -> Operator:
    if not 0 <= operator.OpcodeIndex() < len(opcodes):
        raise ValueError(f"operator {index} names code {operator.OpcodeIndex()} of {len(opcodes)}")
    opcode, custom_name, version = opcodes[operator.OpcodeIndex()]
    return Operator(
        index=index,
        opcode=opcode,
        custom_name=custom_name,
        version=version,
        inputs=_vector(walk, operator, "Inputs"),
        outputs=_vector(walk, operator, "Outputs"),
        options={**dict(_options(walk, operator)), **_custom_options(walk, operator, custom_name)},
    )


def _custom_options(walk: Walk, operator: Any, name: str) -> dict[str, float]:
    if name not in KNOWN or not walk.entries(operator.CustomOptionsLength(), 1):
        return {}
    return custom_options(name, operator.CustomOptionsAsNumpy().tobytes())


def _options(walk: Walk, operator: Any) -> Iterator[tuple[str, Any]]:
    """The fields of an operator's builtin options, whichever table of the schema holds them."""
    for union, kind, table in (
        (schema.BuiltinOptions, operator.BuiltinOptionsType(), operator.BuiltinOptions()),
        (schema.BuiltinOptions2, operator.BuiltinOptions2Type(), operator.BuiltinOptions2()),
    ):
        name = _names(union).get(kind)
        if table is None or name in (None, "NONE"):
            continue
        record = getattr(schema, str(name))()
        record.Init(table.Bytes, table.Pos)
        for method, vector in _fields(str(name)):
            value = _vector(walk, record, method) if vector else getattr(record, method)()
            key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", method).lower()
            yield key, _readable(key, value)


@cache
def _fields(table: str) -> tuple[tuple[str, bool], ...]:
    """Accessor names of an options table, and whether each is a vector of numbers."""
    methods = {name for name in vars(getattr(schema, table)) if name[0].isupper() and name != "Init"}
    methods -= {name for name in methods if name.startswith(("GetRootAs", table))}
    vectors = {name.removesuffix("AsNumpy") for name in methods if name.endswith("AsNumpy")}
    tables = {name.removesuffix("Length") for name in methods if name.endswith("Length")} - vectors
    suffixes = ("AsNumpy", "Length", "IsNone")
    helpers = {other + suffix for other in vectors | tables for suffix in suffixes}
    plain = methods - vectors - tables - helpers
    return tuple(sorted([(name, False) for name in plain] + [(name, True) for name in vectors]))


def _readable(key: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if key in ENUM_OPTIONS and isinstance(value, int):
        return _names(ENUM_OPTIONS[key]).get(value, value)
    return value if isinstance(value, int | float | bool | tuple | str) else None
