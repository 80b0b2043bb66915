"""Several images at once: equal to TensorFlow Lite Micro on the host, under sanitizers, and on every core."""

import numpy as np
import pytest

from edgesqueeze.emit.native.channel_counts import lower_for_kernels
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.images import with_images_apart
from edgesqueeze.emit.native.intervals import intervals_of
from edgesqueeze.emit.native.plan import plan
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import extreme_inputs
from runtime_tests.support.tools import require_tool

KERNEL_SETS = ("reference", "dsp", "mve")


def resized(graph, opcode, x, size):
    batch, *_, depth = graph.shapes[x]
    y = graph.like(x, (batch, *size, depth))
    options = {"alignCorners": False, "halfPixelCenters": opcode == "RESIZE_BILINEAR"}
    graph.op(opcode, [x, graph.constant(np.array(size, np.int32))], [y], **options)
    return y


def moved(graph, opcode, x, shape):
    y = graph.like(x, shape)
    graph.op(opcode, [x], [y], blockSize=2)
    return y


def transposed(graph, x, channels, dtype="int8"):
    batch, height, width, depth = graph.shapes[x]
    data = graph.rng.integers(-127, 128, (channels, 3, 3, depth)).astype(np.int8)
    weights = graph.tensor(data.shape, "int8", [0.01] * channels, [0] * channels, data=data)
    y = graph.activation((batch, 2 * height, 2 * width, channels), dtype)
    size = graph.constant(np.array(graph.shapes[y], np.int32))
    graph.op("TRANSPOSE_CONV", [size, weights, x], [y], version=4, padding="SAME", strideW=2, strideH=2)
    return y


def all_kinds(graph):
    return [*kinds_of(graph, "int8"), *kinds_of(graph, "int16")]


def kinds_of(graph, dtype):
    """Images of whole words, and such that do not begin at multiples of four bytes."""

    def images(*shape):
        return graph.input(shape, dtype, 0.0002 if dtype == "int16" else 0.02)

    found = [
        graph.conv2d(images(3, 6, 7, 4), 8),
        graph.conv2d(images(4, 5, 5, 3), 7, activation="RELU"),
        graph.conv2d(images(2, 7, 6, 16), 12, (2, 3), 2, "VALID"),
        graph.conv2d(images(3, 6, 5, 5), 9, 1),
        graph.conv2d(images(3, 6, 8, 8), 4, 1, 2),
        graph.conv2d(images(2, 3, 4, 8), 12, (3, 4), padding="VALID"),
        graph.depthwise_conv2d(images(4, 6, 7, 4), activation="RELU6"),
        graph.depthwise_conv2d(images(3, 5, 7, 3), 5),
        graph.depthwise_conv2d(images(2, 6, 6, 8), 3, 2),
        graph.depthwise_conv2d(images(2, 9, 1, 6), (4, 1), multiplier=2),
        graph.max_pool(images(3, 6, 8, 4), 2),
        graph.average_pool(images(3, 5, 7, 3), 2, "SAME"),
        graph.fully_connected(images(5, 33), 6),
        graph.softmax(images(4, 9)),
        graph.mean(images(3, 4, 5, 6)),
        transposed(graph, images(3, 3, 4, 4), 8, dtype),
        transposed(graph, images(2, 3, 3, 1), 5, dtype),
    ]
    if dtype == "int16":
        return found
    return [
        *found,
        resized(graph, "RESIZE_BILINEAR", images(2, 3, 4, 4), (5, 7)),
        resized(graph, "RESIZE_BILINEAR", images(3, 3, 3, 3), (4, 5)),
        resized(graph, "RESIZE_NEAREST_NEIGHBOR", images(3, 4, 4, 2), (3, 2)),
        moved(graph, "DEPTH_TO_SPACE", images(3, 2, 3, 8), (3, 4, 6, 2)),
        moved(graph, "SPACE_TO_DEPTH", images(2, 4, 6, 3), (2, 2, 3, 12)),
    ]


def network(batch=4, channels=8, size=12, kernel=None):
    """A small network in whose arena outputs lie over inputs."""
    graph = GraphBuilder(5, name="batch")
    x = graph.conv2d(graph.input((batch, size, size, 3)), channels, stride=2, activation="RELU")
    y = graph.depthwise_conv2d(x, activation="RELU6")
    y = graph.conv2d(y, channels, 1)
    x = graph.add(x, y)
    x = graph.conv2d(x, 2 * channels, 3, activation="RELU", weights=kernel)
    x = graph.mean(graph.average_pool(graph.max_pool(x, 2), 2))
    x = graph.fully_connected(graph.reshape(x, (batch, 2 * channels)), 5)
    return parse_tflite(graph.build([graph.softmax(x)]))


def compared(run, model, seed=1):
    samples = extreme_inputs(model, seed)
    for row, expected in zip(run(samples), tflm.run(model, samples), strict=True):
        for tensor, one, other in zip(model.main.output_tensors, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=tensor.label)


def test_all_kinds_are_those_of_tflm_under_sanitizers():
    graph = GraphBuilder(2)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model)


@pytest.mark.parametrize("core", PROCESSORS)
def test_all_kinds_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model)


@pytest.mark.parametrize("optimize", ["time", "size", "ram"])
def test_a_network_of_one_arena_gives_what_tflm_gives(optimize):
    few = np.random.default_rng(0).choice([-90, 0, 0, 0, 0, 70], (96, 3, 3, 48))
    model = network(channels=48, size=8, kernel=few)
    source = emit_native(model, optimize=optimize)
    compared(host_c.host_program(source, sanitize=True).run, model)
    packed = any(layer.packing and layer.packing.encoding != "plain" for layer in source.layers)
    assert packed == (optimize == "size")


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_a_network_on_vectors_and_pairs_gives_what_tflm_gives(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = network()
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model)


def test_a_loop_runs_the_kernel_and_its_weights_are_stored_once():
    one, several = (emit_native(network(batch)) for batch in (1, 4))
    assert len(several.layers) == len(one.layers)
    assert several.weights_bytes == one.weights_bytes
    assert "image < 4" in several.files[f"{several.name}.c"]
    assert "image" not in one.files[f"{one.name}.c"]


@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_every_image_begins_at_a_multiple_of_four_bytes(kernel_set):
    graph = GraphBuilder(2)
    lowered = lower_for_kernels(parse_tflite(graph.build(all_kinds(graph))), kernel_set)
    repeated = [call for layer in lowered.layers for call in layer.calls if call.images > 1]
    sizes = [
        lowered.graph.tensors[index].nbytes // call.images
        for call in repeated
        for index in (*call.inputs, *call.outputs)
        if isinstance(index, int)
    ]
    assert sizes and not any(size % 4 for size in sizes)


def test_a_growing_output_keeps_away_from_the_images_that_are_still_read():
    """Two images in one memory: the second must not be overwritten by the first one's larger output."""
    graph = GraphBuilder(1)
    x = graph.conv2d(graph.input((3, 4, 4, 4)), 4, 3)
    model = parse_tflite(graph.build([graph.conv2d(x, 16, 3)]))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model)
    lowered = lower_for_kernels(model, "reference")
    middle, last = (layer.calls[0].outputs[0] for layer in lowered.layers)
    offsets = plan(lowered, "reference").offsets
    assert offsets[middle] - offsets[last] >= 2 * (256 - 64)


def test_what_is_known_of_channels_does_not_depend_on_the_number_of_images():
    constant = np.random.default_rng(1).integers(-127, 128, (16, 3, 3, 8))
    constant[::2] = 0
    one, several = (intervals_of(network(batch, kernel=constant).main) for batch in (1, 4))
    assert one.keys() == several.keys()
    for index, interval in one.items():
        np.testing.assert_array_equal(interval, several[index])


def test_a_graph_of_whole_words_stays_as_it_is():
    model = network()
    assert with_images_apart(model.main) is model.main
