"""Small .tflite files for tests."""

from __future__ import annotations

from edgesqueeze.graph.builder import GraphBuilder


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
