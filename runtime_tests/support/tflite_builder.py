"""Small .tflite files for tests."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import NO_TENSOR
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.builder_parts import FileBuilder
from edgesqueeze.graph.repack import pack


def tiny_cnn(seed: int = 0, io: str = "int8") -> bytes:
    """An int8 classifier, 8x8x1 in, 4 classes out, of seven operators.

    Args:
        seed: of the weights.
        io: dtype of input and output: ``int8``, or ``uint8`` or ``float32`` with converting operators.
    """
    graph = GraphBuilder(seed, name=f"tiny_cnn_{io}")
    x = graph.input((1, 8, 8, 1), io)
    if io != "int8":
        x = graph.quantize(x, "int8")
    x = graph.conv2d(x, 4, activation="RELU")
    x = graph.depthwise_conv2d(x, stride=2, activation="RELU")
    x = graph.conv2d(x, 8, kernel=1, activation="RELU")
    x = graph.average_pool(x, 4)
    x = graph.reshape(x, (1, 8))
    x = graph.softmax(graph.fully_connected(x, 4))
    if io == "float32":
        x = graph.dequantize(x)
    elif io != "int8":
        x = graph.quantize(x, io)
    return graph.build([x])


def tiny_dense(seed: int = 0, dtype: str = "int8") -> bytes:
    """Two dense layers, 16 values in, 4 out, all in ``dtype``."""
    graph = GraphBuilder(seed, name=f"tiny_dense_{dtype}")
    x = graph.input((1, 16), dtype)
    x = graph.fully_connected(x, 8, activation="RELU")
    return graph.build([graph.fully_connected(x, 4)])


def tiny_residual(seed: int = 0) -> bytes:
    """A convolutional block with a shortcut, 8x8x4 in, 3 classes out, int8."""
    graph = GraphBuilder(seed, name="tiny_residual")
    start = graph.input((1, 8, 8, 4))
    x = graph.conv2d(start, 4, activation="RELU")
    x = graph.conv2d(x, 4)
    x = graph.add(x, start, activation="RELU")
    x = graph.max_pool(x, 2)
    return graph.build([graph.fully_connected(graph.reshape(x, (1, 64)), 3)])


def tiny_two_heads(seed: int = 0) -> bytes:
    """Two inputs (8 and 6 values) and two outputs (int8 scores, float32 value)."""
    graph = GraphBuilder(seed, name="tiny_two_heads")
    left = graph.fully_connected(graph.input((1, 8), name="accel/x:0"), 4)
    right = graph.fully_connected(graph.input((1, 6), scale=0.02, zero_point=3, name="gyro"), 4)
    both = graph.add(left, right)
    scores = graph.softmax(both, name="scores")
    value = graph.dequantize(graph.fully_connected(both, 1), name="value")
    return graph.build([scores, value])


def tiny_lstm(seed: int = 0) -> bytes:
    """A float LSTM over 5 steps of 3 values with 4 units and a dense layer, 2 values out.

    Its state is in variable tensors, as the converter makes it of a Keras LSTM without state.
    """
    graph = GraphBuilder(seed, name="tiny_lstm")
    x = graph.input((1, 5, 3), "float32")
    kernels = [_random(graph, (4, 3)) for _ in range(4)] + [_random(graph, (4, 4)) for _ in range(4)]
    biases = [_random(graph, (4,)) for _ in range(4)]
    states = [graph.tensor((1, 4), "float32", variable=True) for _ in range(2)]
    y = graph.tensor((1, 5, 4), "float32")
    absent = NO_TENSOR
    inputs = [x, *kernels, *[absent] * 3, *biases, absent, absent, *states, *[absent] * 4]
    graph.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        [y],
        fusedActivationFunction="TANH",
        cellClip=0.0,
        projClip=0.0,
        timeMajor=False,
    )
    return graph.build([graph.fully_connected(graph.reshape(y, (1, 20)), 2)])


def tiny_svdf(seed: int = 0) -> bytes:
    """A float SVDF with a memory of 4 steps: 3 values in, 2 out, one step of a sequence per inference."""
    graph = GraphBuilder(seed, name="tiny_svdf")
    x = graph.input((1, 3), "float32")
    features, times, bias = _random(graph, (2, 3)), _random(graph, (2, 4)), _random(graph, (2,))
    state = graph.tensor((1, 8), "float32", variable=True)
    y = graph.tensor((1, 2), "float32")
    graph.op("SVDF", [x, features, times, bias, state], [y], rank=1, fusedActivationFunction="NONE")
    return graph.build([y])


def tiny_sum(first: float = 10.0) -> bytes:
    """The sum of all inputs so far, from ``first`` on: a resource variable that CALL_ONCE sets."""
    graph = GraphBuilder(name="tiny_sum")
    x = graph.input((1, 2), "float32")
    start = graph.subgraph("start")
    start.op("ASSIGN_VARIABLE", [_handle(start), start.constant(np.full((1, 2), first, np.float32))], [])
    graph.op("CALL_ONCE", [], [], initSubgraphIndex=1)
    variable = _handle(graph)
    before = graph.tensor((1, 2), "float32")
    graph.op("READ_VARIABLE", [variable], [before])
    y = graph.add(before, x)
    graph.op("ASSIGN_VARIABLE", [variable, y], [])
    return graph.build([y])


def tiny_compiled(name: str = "ethos-u") -> bytes:
    """One custom operator, as compilers for neural processors leave it."""
    graph = GraphBuilder(name="tiny_compiled")
    x, y = graph.input((1, 8)), graph.tensor((1, 4), "int8", 0.1, 0)
    graph.op("CUSTOM", [x], [y], custom_name=name)
    return graph.build([y])


def with_plan(content: bytes, offsets: list[int]) -> bytes:
    """The file with a plan of its tensors, as compilers for neural processors write it."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    plan = np.array([0, 1, len(offsets), *offsets], np.int32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(plan.tobytes(), np.uint8)
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = b"OfflineMemoryAllocation", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [metadata]
    return pack(model, 1 << 10)


def tiny_open(seed: int = 0) -> bytes:
    """A float network for images of any size: a convolution, a mean over the image, 3 values out."""
    graph = GraphBuilder(seed, name="tiny_open")
    x = graph.input((1, 1, 1, 3), "float32", name="image", signature=(-1, -1, -1, 3))
    x = graph.conv2d(x, 4, stride=2)
    return graph.build([graph.fully_connected(graph.mean(x), 3)])


def tiny_misplaced(axis: int = 3) -> bytes:
    """tiny_cnn with biases whose quantized dimension is that of their depthwise weights, as TOCO wrote it."""
    model = schema.ModelT.InitFromPackedBuf(tiny_cnn(), 0)
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 1 and tensor.quantization is not None and len(tensor.quantization.scale) > 1:
            tensor.quantization.quantizedDimension = axis
    return pack(model, 1 << 12)


def tiny_hybrid() -> bytes:
    """A dense layer with int8 weights for float values: dynamic-range quantization."""
    graph = GraphBuilder(name="tiny_hybrid")
    x = graph.input((1, 4), "float32")
    kernel = graph.tensor((2, 4), "int8", 0.1, data=np.ones((2, 4), np.int8))
    y = graph.tensor((1, 2), "float32")
    graph.op("FULLY_CONNECTED", [x, kernel, NO_TENSOR], [y], fusedActivationFunction="NONE")
    return graph.build([y])


def tiny_uint8(seed: int = 0) -> bytes:
    """Two dense layers in TensorFlow 1's quantization: unsigned, one scale for each tensor."""
    graph = GraphBuilder(seed, name="tiny_uint8")
    x = graph.input((1, 8), "uint8", 0.02, 128)
    for units in (6, 4):
        shape = (units, graph.shapes[x][-1])
        kernel = graph.tensor(
            shape, "uint8", 0.01, 120, data=graph.rng.integers(0, 256, shape).astype(np.uint8)
        )
        scale = 0.01 * graph.scale_of(x)
        bias = graph.tensor((units,), "int32", scale, 0, data=np.zeros(units, np.int32))
        y = graph.tensor((1, units), "uint8", 0.1, 128)
        graph.op("FULLY_CONNECTED", [x, kernel, bias], [y], fusedActivationFunction="NONE")
        x = y
    return graph.build([x])


def _handle(graph: FileBuilder) -> int:
    handle = graph.tensor((), "resource")
    graph.op("VAR_HANDLE", [], [handle], container=b"", sharedName=b"total")
    return handle


def _random(graph: GraphBuilder, shape: tuple[int, ...]) -> int:
    return graph.constant(graph.rng.normal(0, 0.7, shape).astype(np.float32))
