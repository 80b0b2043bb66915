"""Random tangled graphs: whatever shares memory with what, results stay those of TFLite Micro."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

SHAPE = (1, 4, 6, 8)
STEPS = 14


def like(graph, x, shape=SHAPE):
    return graph.tensor(shape, "int8", graph.scale_of(x), -1)


def split(graph, x):
    """The halves of a tensor along its rows, which lie in its memory."""
    parts = [like(graph, x, (1, 2, 6, 8)) for _ in range(2)]
    graph.op("SPLIT", [graph.constant(np.array(1, np.int32)), x], parts, numSplits=2)
    return parts


def step(graph, values):
    """One more value, made from some that are there."""
    rng = graph.rng
    x, y = (values[i] for i in rng.integers(max(0, len(values) - 4), len(values), 2))
    kind = rng.choice(["pointwise", "conv", "depthwise", "add", "parts", "swap", "turn", "pool", "scale"])
    if kind == "pointwise":
        return graph.conv2d(x, 8, kernel=1, activation=str(rng.choice(["NONE", "RELU"])))
    if kind == "conv":
        return graph.conv2d(x, 8, dilation=int(rng.integers(1, 3)))
    if kind == "depthwise":
        return graph.depthwise_conv2d(x, activation="RELU6")
    if kind == "add":
        return graph.add(x, y, activation=str(rng.choice(["NONE", "RELU"])))
    if kind == "pool":
        z = like(graph, x)
        window = {"filterHeight": 3, "filterWidth": 3, "strideH": 1, "strideW": 1}
        graph.op("MAX_POOL_2D", [x], [z], padding="SAME", **window)
        return z
    if kind == "turn":
        flat = graph.reshape(x, (1, 2, 12, 8))
        return graph.reshape(graph.add(flat, flat), SHAPE)
    first, second = split(graph, x)
    z = like(graph, x)
    if kind == "swap":
        graph.op("CONCATENATION", [second, first], [z], axis=1)
    elif kind == "parts":
        total, product = graph.add(first, second), like(graph, x, (1, 2, 6, 8))
        graph.op("MUL", [second, first], [product])
        z = like(graph, total)
        graph.op("CONCATENATION", [total, graph.add(total, product)], [z], axis=1)
    else:
        rows = [like(graph, x, (1, 1, 6, 8)) for _ in range(2)]
        graph.op("SPLIT", [graph.constant(np.array(1, np.int32)), first], rows, numSplits=2)
        graph.op("ADD", [x, rows[0]], [z])
    return z


@pytest.mark.parametrize("seed", range(16))
def test_random_graphs_equal_tflm(seed):
    require_tool("gcc", "gcc")
    graph = GraphBuilder(seed, name=f"graph_{seed}")
    values = [graph.input(SHAPE), graph.input(SHAPE)]
    for _ in range(STEPS):
        values.append(step(graph, values))
    outputs = [values[-1], values[int(graph.rng.integers(2, len(values) - 1))]]
    model = parse_tflite(graph.build(outputs))
    samples = random_inputs([SHAPE, SHAPE], seed)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)
