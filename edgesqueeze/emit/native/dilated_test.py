"""Padding and blocks that become options of convolutions: the results stay those of the runtimes."""

import numpy as np
import pytest

from edgesqueeze.emit.native.dilated import with_dilation, with_margins
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

KINDS = ("conv", "depthwise", "depthwise_3x3", "first")


def image(graph, channels):
    height, width = (int(size) for size in graph.rng.integers(5, 13, 2))
    zero = int(graph.rng.choice([-128, -5, 0, 127]))
    return graph.input((1, height, width, channels), "int8", 0.02, zero)


def pad(graph, x, margins, opcode="PAD", value=None):
    pads = np.array([(0, 0), *margins, (0, 0)], np.int32)
    y = graph.like(x, [size + sum(one) for size, one in zip(graph.shapes[x], pads.tolist(), strict=True)])
    inputs = [x, graph.constant(pads)]
    if value is not None:
        inputs.append(graph.tensor((1,), "int8", graph.scale_of(x), 0, data=np.array([value], np.int8)))
    graph.op(opcode, inputs, [y])
    return y


def convolution(graph, x, kind, kernel, stride=1):
    """A convolution without padding of its own."""
    options = {"padding": "VALID", "activation": str(graph.rng.choice(["NONE", "RELU"]))}
    if kind.startswith("depthwise"):
        return graph.depthwise_conv2d(x, kernel, stride, **options)
    return graph.conv2d(x, int(graph.rng.integers(1, 18)), kernel, stride, **options)


def padded(graph, kind):
    """A PAD with margins smaller than the window, and the convolution."""
    rng = graph.rng
    kernel = (3, 3) if kind == "depthwise_3x3" else tuple(int(size) for size in rng.integers(1, 6, 2))
    margins = [tuple(int(one) for one in rng.integers(0, size, 2)) for size in kernel]
    x = image(graph, 1 if kind == "first" else int(rng.choice([1, 3, 4, 8, 17])))
    return convolution(graph, pad(graph, x, margins), kind, kernel, int(rng.choice([1, 1, 2])))


def blocks(graph, opcode, x, sizes, margins, shape):
    y = graph.like(x, shape)
    constants = [graph.constant(np.array(values, np.int32)) for values in (sizes, margins)]
    graph.op(opcode, [x, *constants], [y])
    return y


def on_blocks(graph, kind, sizes, *, causal=False, cropped=True):
    """A convolution of every place in blocks, padded so that the output has the input's size."""
    rng = graph.rng
    channels = int(rng.choice([3, 4, 8]))
    kernel = (3, 3) if kind == "depthwise_3x3" else tuple(int(size) for size in rng.integers(2, 4, 2))
    x = image(graph, channels)
    _, *area, _ = graph.shapes[x]
    before, after, deep, wide = [], [], [], []
    for size, window, block in zip(area, kernel, sizes, strict=True):
        reach = (window - 1) * block
        start = reach if causal else reach // 2
        spare = -(size + reach) % block
        before.append((start, reach - start + spare))
        after.append((0, spare if cropped else 0))
        deep.append((size + reach + spare) // block)
        wide.append(size if cropped else size + spare)
    places = sizes[0] * sizes[1]
    y = blocks(graph, "SPACE_TO_BATCH_ND", x, sizes, before, (places, *deep, channels))
    z = convolution(graph, y, kind, kernel)
    shape = (places, *(n - k + 1 for n, k in zip(deep, kernel, strict=True)), graph.shapes[z][3])
    graph.tensors[z].shape = list(shape)
    return blocks(graph, "BATCH_TO_SPACE_ND", z, sizes, after, (1, *wide, shape[3]))


def plain_blocks(graph):
    """Blocks without a convolution, with and without margins, of images and of rows."""
    first, rows = graph.input((2, 4, 6, 3)), graph.input((1, 9, 5))
    deep = blocks(graph, "SPACE_TO_BATCH_ND", first, (2, 3), ((0, 0), (0, 0)), (12, 2, 2, 3))
    odd = blocks(graph, "SPACE_TO_BATCH_ND", first, (3, 2), ((3, 2), (1, 3)), (12, 3, 5, 3))
    other = graph.input((4, 3, 2, 5))
    return [
        deep,
        odd,
        blocks(graph, "SPACE_TO_BATCH_ND", rows, (4,), ((1, 2),), (4, 3, 5)),
        blocks(graph, "BATCH_TO_SPACE_ND", other, (2, 2), ((1, 2), (0, 1)), (1, 3, 3, 5)),
    ]


def dilated(graph):
    return [
        on_blocks(graph, "conv", (2, 2)),
        on_blocks(graph, "depthwise", (2, 3)),
        on_blocks(graph, "depthwise_3x3", (2, 2), cropped=False),
        on_blocks(graph, "conv", (1, 4), causal=True),
    ]


def compared(run, model, seed, oracle):
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    for row, expected in zip(run(samples), oracle(model, samples), strict=True):
        for number, (one, other) in enumerate(zip(row, expected, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"output {number}")


def margins_model(seed):
    graph = GraphBuilder(seed)
    return parse_tflite(graph.build([padded(graph, KINDS[number % 4]) for number in range(24)]))


def blocks_model(seed):
    graph = GraphBuilder(seed)
    return parse_tflite(graph.build(dilated(graph) + plain_blocks(graph)))


@pytest.mark.parametrize("seed", range(4))
def test_padding_goes_into_convolutions(seed):
    model = margins_model(seed)
    assert not [one for one in with_margins(model.main).operators if one.opcode == "PAD"]
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, tflm.run)


@pytest.mark.parametrize("seed", range(3))
def test_convolutions_on_blocks_become_dilated(seed):
    model = blocks_model(seed)
    left = [one.opcode for one in with_dilation(model.main).operators]
    assert left.count("SPACE_TO_BATCH_ND") == 3
    assert left.count("BATCH_TO_SPACE_ND") == 1
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, litert.run_reference)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_the_runtimes(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    for model, oracle in ((margins_model(5), tflm.run), (blocks_model(6), litert.run_reference)):
        compared(lambda samples, of=model: qemu.runner(PROCESSORS[core])(of, samples), model, 7, oracle)


def test_padding_with_another_value_or_another_reader_stays():
    graph = GraphBuilder()
    x = image(graph, 4)
    first = convolution(graph, pad(graph, x, [(1, 1), (1, 1)], "PADV2", 17), "conv", (3, 3))
    shared = pad(graph, x, [(1, 1), (1, 1)])
    second = convolution(graph, shared, "conv", (3, 3))
    far = convolution(graph, pad(graph, x, [(3, 0), (0, 0)]), "conv", (3, 3))
    model = parse_tflite(graph.build([first, second, shared, far]))
    assert with_margins(model.main) is model.main
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, 1, tflm.run)


def test_zeros_that_only_padding_makes_are_no_constant_channels():
    """One row of padding above and none below, with a stride that leaves the last row out."""
    graph = GraphBuilder(2)
    x = graph.input((1, 5, 5, 3), "int8", 0.02, 5)
    y = graph.conv2d(x, 4, kernel=1, weights=np.zeros((4, 1, 1, 3), np.int8), activation="RELU")
    z = convolution(graph, pad(graph, y, [(1, 0), (1, 0)]), "conv", (3, 3), 2)
    model = parse_tflite(graph.build([z]))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, 1, tflm.run)
