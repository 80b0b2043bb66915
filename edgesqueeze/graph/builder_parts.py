"""The parts of a .tflite under construction: tensors, operators, buffers, and the file itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Shape = tuple[int, ...]
QUANTIZED = {"int8": 127, "uint8": 127, "int16": 32767}
OPTIONS_OF = {
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "SVDF": "SVDFOptions",
}


class FileBuilder:
    """Collects tensors and operators of one graph, and writes them as a .tflite.

    Args:
        seed: seed of all random weights.
        name: the subgraph's name and the model's description.
    """

    def __init__(self, seed: int = 0, name: str = "tiny") -> None:
        self.rng = np.random.default_rng(seed)
        self.name = name
        self.tensors: list[Any] = []
        self.shapes: list[Shape] = []
        self.dtypes: list[str] = []
        self.inputs: list[int] = []
        self.operators: list[Any] = []
        self.codes: list[tuple[str, str, int]] = []
        self.buffers: list[AlignedBuffer] = [AlignedBuffer()]
        self.subgraphs: list[FileBuilder] = []
        self._places: dict[bytes, int] = {}

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scales: float | Sequence[float] | None = None,
        zero_points: int | Sequence[int] = 0,
        *,
        axis: int = 0,
        data: npt.NDArray[Any] | None = None,
        name: str = "",
        signature: Sequence[int] | None = None,
        variable: bool = False,
    ) -> int:
        """A tensor of any kind; constant when ``data`` is given. Returns its index."""
        record = schema.TensorT()
        record.shape = list(shape)
        record.shapeSignature = list(signature) if signature else None
        record.type = getattr(schema.TensorType, dtype.upper())
        record.name = (name or f"t{len(self.tensors)}").encode()
        record.hasRank = True
        record.isVariable = variable
        if scales is not None:
            record.quantization = quantization(scales, zero_points, axis)
        if data is not None:
            record.buffer = self._buffer(np.ascontiguousarray(data).tobytes())
        self.tensors.append(record)
        self.shapes.append(tuple(shape))
        self.dtypes.append(dtype)
        return len(self.tensors) - 1

    def _buffer(self, content: bytes) -> int:
        """The index of a buffer with this content; equal ones are stored once."""
        if content not in self._places:
            self._places[content] = len(self.buffers)
            self.buffers.append(AlignedBuffer(np.frombuffer(content, np.uint8)))
        return self._places[content]

    def input(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float = 0.02,
        zero_point: int | None = None,
        name: str = "",
        signature: Sequence[int] | None = None,
    ) -> int:
        """A graph input; graph inputs are in the order of these calls."""
        quantized = dtype in QUANTIZED
        zero_point = middle(dtype) if zero_point is None else zero_point
        scales = scale if quantized else None
        name = name or f"input_{len(self.inputs)}"
        index = self.tensor(shape, dtype, scales, zero_point, name=name, signature=signature)
        self.inputs.append(index)
        return index

    def activation(self, shape: Sequence[int], dtype: str, real_range: float = 6.0, name: str = "") -> int:
        """A computed tensor whose integers cover about -real_range to +real_range."""
        scale = real_range / QUANTIZED[dtype] if dtype in QUANTIZED else None
        return self.tensor(shape, dtype, scale, middle(dtype), name=name)

    def constant(self, data: npt.NDArray[Any], name: str = "") -> int:
        """A constant without quantization: shapes, axes, paddings, float values."""
        return self.tensor(data.shape, data.dtype.name, data=data, name=name)

    def scale_of(self, index: int) -> float:
        """The scale of a tensor that has one."""
        return float(self.tensors[index].quantization.scale[0])

    def op(
        self,
        opcode: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        custom_name: str = "",
        custom_options: bytes = b"",
        **options: Any,
    ) -> None:
        """Any operator; ``options`` by the object API's field names (``strideW=1``)."""
        code = (opcode, custom_name, version)
        if code not in self.codes:
            self.codes.append(code)
        record = schema.OperatorT()
        record.opcodeIndex = self.codes.index(code)
        record.inputs, record.outputs = list(inputs), list(outputs)
        if custom_options:
            record.customOptions = np.frombuffer(custom_options, np.uint8)
        if options:
            kind = options_of(opcode)
            record.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            record.builtinOptions = filled(getattr(schema, f"{kind}T")(), options)
        self.operators.append(record)

    def subgraph(self, name: str) -> FileBuilder:
        """Another graph of the same file, without outputs; graphs are numbered from 1 in this order."""
        other = FileBuilder(name=name)
        other.codes, other.buffers, other._places = self.codes, self.buffers, self._places
        self.subgraphs.append(other)
        return other

    def _graph(self, outputs: Sequence[int]) -> Any:
        graph = schema.SubGraphT()
        graph.name = self.name.encode()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = list(self.inputs), list(outputs)
        return graph

    def build(self, outputs: Sequence[int]) -> bytes:
        """The whole file; the first subgraph is the one built here."""
        model = schema.ModelT()
        model.version = 3
        model.description = self.name.encode()
        model.operatorCodes = [operator_code(*code) for code in self.codes]
        model.subgraphs = [self._graph(outputs), *(other._graph([]) for other in self.subgraphs)]
        model.buffers = self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose data start at a multiple of 16, as the schema asks and runtimes rely on."""

    def __init__(self, data: npt.NDArray[np.uint8] | None = None) -> None:
        super().__init__()
        self.data = data

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the object API's name
        """Write the buffer; called by the object API."""
        vector = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), 16)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data.tobytes()
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def quantization(scales: Any, zero_points: Any, axis: int) -> Any:
    """Quantization of a tensor: one scale and zero point, or one of each per slice along ``axis``."""
    record = schema.QuantizationParametersT()
    record.scale = np.atleast_1d(np.asarray(scales, np.float32))
    record.zeroPoint = np.atleast_1d(np.asarray(zero_points, np.int64))
    record.quantizedDimension = axis
    return record


def filled(record: Any, options: Mapping[str, Any]) -> Any:
    """An options record with its fields set; paddings and activations by name."""
    enums = {"padding": schema.Padding, "fusedActivationFunction": schema.ActivationFunctionType}
    for field, value in options.items():
        if not hasattr(record, field):
            raise AttributeError(f"{type(record).__name__} has no field {field}")
        setattr(record, field, getattr(enums[field], value) if isinstance(value, str) else value)
    return record


def options_of(opcode: str) -> str:
    """What the schema calls the options of an operator, if it has some."""
    return OPTIONS_OF.get(opcode) or "".join(part.capitalize() for part in opcode.split("_")) + "Options"


def operator_code(opcode: str, custom_name: str, version: int) -> Any:
    """An entry of the file's table of operator kinds."""
    record = schema.OperatorCodeT()
    record.builtinCode = getattr(schema.BuiltinOperator, opcode)
    # Readers of older files look at the one-byte field first.
    record.deprecatedBuiltinCode = min(record.builtinCode, 127)
    record.customCode = custom_name.encode() or None
    record.version = version
    return record


def middle(dtype: str) -> int:
    """The zero point that puts real zero in the middle of an integer type's range."""
    return {"int8": -1, "uint8": 127}.get(dtype, 0)
