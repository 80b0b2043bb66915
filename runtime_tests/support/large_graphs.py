"""Models of as many operators as a test asks for: what shows whether time grows faster than the model."""

from __future__ import annotations

import numpy as np

from edgesqueeze.graph.builder import GraphBuilder

IMAGE = (1, 4, 4, 8)


def chain(count: int) -> bytes:
    """Convolutions one after the other."""
    graph = GraphBuilder(1, name="chain")
    x = graph.input(IMAGE)
    for index in range(count):
        x = graph.conv2d(x, 8, kernel=3 if index % 2 else 1)
    return graph.build([x])


def tangled(count: int) -> bytes:
    """Every operator takes the last values, some of them inside of others, and everything is needed."""
    graph = GraphBuilder(3, name="tangled")
    x, y = graph.input(IMAGE), graph.input(IMAGE)
    while len(graph.operators) < count:
        halves = [graph.like(x, (1, 2, 4, 8)) for _ in range(2)]
        graph.op("SPLIT", [graph.constant(np.array(1, np.int32)), x], halves, numSplits=2)
        swapped = graph.like(x, IMAGE)
        graph.op("CONCATENATION", halves[::-1], [swapped], axis=1, fusedActivationFunction="NONE")
        flat = graph.reshape(graph.depthwise_conv2d(y), (1, 16, 8))
        x, y = graph.add(swapped, graph.reshape(flat, IMAGE)), graph.conv2d(swapped, 8, kernel=1)
    return graph.build([x, y])


def crowd(count: int) -> bytes:
    """Half of the values live until the other half adds them up: nearly all are in use together."""
    graph = GraphBuilder(1, name="crowd")
    x = graph.input(IMAGE)
    parts = [graph.conv2d(x, 8, kernel=1) for _ in range(count // 2)]
    total = parts[0]
    for part in parts[1:]:
        total = graph.add(total, part)
    return graph.build([total])


def borders(count: int) -> bytes:
    """Every third operator converts an input or an output of its own; they are called the same."""
    graph = GraphBuilder(1, name="borders")
    outputs = []
    for _ in range(count // 3):
        x = graph.quantize(graph.input((1, 8), "float32", name="same"))
        outputs.append(graph.dequantize(graph.fully_connected(x, 4), name="same"))
    return graph.build(outputs)


def reshapes(count: int) -> bytes:
    """One value, reshaped again and again."""
    graph = GraphBuilder(1, name="reshapes")
    x = graph.conv2d(graph.input(IMAGE), 8, kernel=1)
    for index in range(count - 2):
        x = graph.reshape(x, IMAGE if index % 2 else (1, 128))
    return graph.build([graph.fully_connected(graph.reshape(x, (1, 128)), 4)])


def dequantized(count: int) -> bytes:
    """Float layers whose integer weights are dequantized first; native C does not take them."""
    graph = GraphBuilder(1, name="dequantized")
    x = graph.input((1, 8), "float32")
    for _ in range(count // 2):
        weights = graph.rng.integers(-127, 128, (8, 8)).astype(np.int8)
        floats = graph.dequantize(graph.tensor((8, 8), "int8", 0.1, 0, data=weights))
        y = graph.tensor((1, 8), "float32")
        graph.op("FULLY_CONNECTED", [x, floats], [y])
        x = y
    return graph.build([x])
