"""Kernels that skip blocks of zeros: their results on every core of the set, and what they take."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import CORE_SETS, kernel_set_of
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.pack.skipped import SKIPPED_BLOCKS
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.emit.native.packing.skipping import SKIPPING
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from edgesqueeze.target.device_blocks import DEVICE_BLOCKS
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import force, in_blocks
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

OF_DSP = sorted({row.name for rows in SKIPPING.values() for row in rows if "dsp" in row.costs})
OF_MVE = sorted({row.name for rows in SKIPPING.values() for row in rows if "mve" in row.costs})
NAMES = OF_DSP + OF_MVE


@pytest.fixture
def arm():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def layers(zeros, seed=0, block=(2, 4), dense=(4, 1)):
    """Windows, strides, dilation, odd channels, rests of rows, one channel, pixels no multiple of 3."""
    rng = np.random.default_rng(seed)

    def conv(x, channels, kernel, **options):
        weights = in_blocks(rng, (channels, *kernel, graph.shapes[x][3]), block, zeros=zeros)
        return graph.conv2d(x, channels, kernel, weights=weights, **options)

    graph = GraphBuilder(seed, name="blocks")
    x = conv(graph.input((1, 43, 31, 8)), 24, (3, 3), stride=2)
    x = conv(x, 33, (1, 1), stride=2)
    y = conv(x, 31, (3, 2), dilation=2)
    x = conv(x, 31, (2, 3), padding="SAME")
    x = conv(graph.add(x, y), 7, (2, 3), padding="VALID")
    x = conv(x, 16, (1, 1))
    x = conv(x, 5, (5, 3))
    x = conv(conv(x, 1, (3, 1)), 12, (3, 5))
    x = graph.reshape(x, (1, 10 * 6 * 12))
    return graph.build([graph.fully_connected(x, 37, weights=in_blocks(rng, (37, 720), dense, zeros=zeros))])


def samples_of(model, seed=3):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)


def encodings(source):
    return [layer.packing.encoding for layer in source.layers if layer.packing]


@pytest.mark.parametrize("ram_bytes", [None, 0])
@pytest.mark.parametrize("name", NAMES)
def test_on_this_computer_equals_tflm(name, ram_bytes, monkeypatch):
    require_tool("gcc", "gcc")
    force(monkeypatch, name)
    used = set()
    for zeros in (0.5, 0.97, 1.0):
        make = even_layers if name in OF_MVE else layers
        model = parse_tflite(make(zeros, seed=int(10 * zeros)))
        source = emit_native(model, optimize="size", ram_bytes=ram_bytes)
        used.update(encodings(source))
        got = host_c.host_program(source, sanitize=True).run(samples_of(model))
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))
    assert name in used


@pytest.mark.parametrize(("core", "level"), [("m4", "O3"), ("m4", "Os"), ("m7", "Os"), ("m33", "O3")])
@pytest.mark.parametrize("name", OF_DSP)
def test_on_cores_with_the_dsp_extension_equals_tflm(name, core, level, monkeypatch, arm):
    force(monkeypatch, name)
    processor = PROCESSORS[core]
    for zeros in (0.4, 0.97):
        model = parse_tflite(layers(zeros, seed=1))
        source = emit_native(model, core=processor.kernel_core, optimize="size")
        assert encodings(source).count(name) >= (1 if name == "dense-blocks" else 2)
        got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def even_layers(zeros, seed):
    """The same for outputs that are multiples of 4, and in groups of 16 with one of fewer."""
    rng = np.random.default_rng(seed)

    def conv(x, channels, kernel, **options):
        weights = in_blocks(rng, (channels, *kernel, graph.shapes[x][3]), (16, 1), zeros=zeros)
        return graph.conv2d(x, channels, kernel, weights=weights, **options)

    graph = GraphBuilder(seed, name="columns")
    x = conv(graph.input((1, 43, 31, 8)), 24, (3, 3), stride=2)
    x = conv(x, 36, (1, 1), stride=2)
    y = conv(x, 32, (3, 2), dilation=2)
    x = conv(x, 32, (2, 3), padding="SAME")
    x = conv(graph.add(x, y), 8, (2, 3), padding="VALID")
    x = conv(conv(x, 300, (1, 1)), 48, (1, 1))  # places beyond the first 255
    x = conv(conv(x, 4, (5, 3)), 12, (3, 5))
    x = graph.reshape(x, (1, 10 * 6 * 12))
    return graph.build([graph.fully_connected(x, 37, weights=in_blocks(rng, (37, 720), (4, 1), zeros=zeros))])


@pytest.mark.parametrize("level", ["O3", "Os"])
@pytest.mark.parametrize("name", OF_MVE)
def test_on_cores_with_vectors_equals_tflm(name, level, monkeypatch, arm):
    force(monkeypatch, name)
    processor = PROCESSORS["m55"]
    for zeros in (0.4, 0.97):
        model = parse_tflite(even_layers(zeros, seed=1))
        source = emit_native(model, core=processor.kernel_core, optimize="size")
        assert encodings(source).count(name) >= (1 if name == "dense-columns" else 3)
        got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize("name", ["columns", "palette-columns"])
@pytest.mark.parametrize(
    ("shape", "kernel", "zeros", "gain"),
    [
        ((25, 5, 64), 1, 0.8, 1.4),
        ((8, 8, 64), 3, 0.6, 1.6),
        ((8, 8, 64), 3, 0.8, 2.6),
        ((6, 6, 128), 1, 0.8, 1.45),
    ],
)
def test_columns_take_what_the_formula_says(name, shape, kernel, zeros, gain, monkeypatch, arm):
    make = one_convolution(shape, kernel, zeros, (16, 1))
    dense, _, _ = counted("m55", monkeypatch, (), make)
    skipped, packing, site = counted("m55", monkeypatch, (name,), make)
    (row,) = (one for one in SKIPPING[site.kind] if one.name == name)
    part_outputs = -(-site.outputs // packing.parts) if packing.parts else site.outputs
    part_outputs += -part_outputs % 16
    assert row.instructions(site, part_outputs, "mve") == pytest.approx(skipped, rel=0.16)
    if packing.parts <= 1:
        assert dense > gain * skipped


def test_in_several_parts_where_memory_is_short(monkeypatch, arm):
    force(monkeypatch, "palette-blocks")
    graph = GraphBuilder(0, name="wide")
    weights = in_blocks(np.random.default_rng(0), (62, 3, 3, 32), (2, 4), zeros=0.5)
    model = parse_tflite(graph.build([graph.conv2d(graph.input((1, 9, 7, 32)), 62, weights=weights)]))
    source = emit_native(model, core="cortex-m4", optimize="size")
    (packing,) = (layer.packing for layer in source.layers)
    assert packing.parts > 1
    got = run_firmware(build_firmware(source, PROCESSORS["m4"], "O3"), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def counted(core, monkeypatch, names, make):
    """Instructions of the layer behind a pool, or of the only one, with the given encodings."""
    model, processor = parse_tflite(make), PROCESSORS[core]
    force(monkeypatch, *names)
    source = emit_native(model, core=processor.kernel_core, optimize="size")
    (packing,) = (layer.packing for layer in source.layers if layer.packing)
    assert packing.encoding == (names[0] if names else "plain")
    index = next(layer.index for layer in source.layers if layer.packing)
    (site,) = sites_of(lower(model, source.kernel_set), source.kernel_set)
    return layer_instructions(source, processor, samples_of(model))[index], packing, site


def one_convolution(shape, kernel, zeros, block, channels=64):
    rng = np.random.default_rng(1)
    height, width, depth = shape
    graph = GraphBuilder(1, name="one")
    x = graph.average_pool(graph.input((1, 2 * height, 2 * width, depth)), 2)
    weights = in_blocks(rng, (channels, kernel, kernel, depth), block, zeros=zeros)
    return graph.build([graph.conv2d(x, channels, kernel, weights=weights)])


def one_dense(inputs, outputs, zeros):
    graph = GraphBuilder(1, name="one")
    weights = in_blocks(np.random.default_rng(2), (outputs, inputs), (4, 1), zeros=zeros)
    return graph.build([graph.fully_connected(graph.input((1, inputs)), outputs, weights=weights)])


@pytest.mark.parametrize("name", ["blocks", "palette-blocks"])
@pytest.mark.parametrize(
    ("shape", "kernel", "zeros", "gain"),
    [
        ((25, 5, 64), 1, 0.6, 1.55),
        ((25, 5, 64), 1, 0.8, 2.25),
        ((8, 8, 64), 3, 0.6, 2.0),
        ((8, 8, 64), 3, 0.8, 3.5),
    ],
)
def test_convolutions_take_what_the_formula_says(name, shape, kernel, zeros, gain, monkeypatch, arm):
    make = one_convolution(shape, kernel, zeros, (2, 4))
    dense, _, _ = counted("m4", monkeypatch, (), make)
    skipped, packing, site = counted("m4", monkeypatch, (name,), make)
    (row,) = (one for one in SKIPPING[site.kind] if one.name == name)
    part_outputs = -(-site.outputs // packing.parts) if packing.parts else site.outputs
    part_outputs += -part_outputs % (row.part_unit(site) or 1)
    assert row.instructions(site, part_outputs, "dsp") == pytest.approx(skipped, rel=0.07)
    if packing.parts <= 1:
        assert dense > gain * skipped


@pytest.mark.parametrize(
    ("core", "inputs", "outputs", "zeros", "gain"),
    [
        ("m4", 640, 128, 0.6, 1.55),
        ("m4", 640, 128, 0.8, 2.9),
        ("m4", 128, 128, 0.8, 2.0),
        ("m55", 640, 128, 0.8, 2.4),
        ("m55", 128, 128, 0.8, 1.65),
    ],
)
def test_fully_connected_layers_take_what_the_formula_says(
    core, inputs, outputs, zeros, gain, monkeypatch, arm
):
    name, kernel_set = ("dense-blocks", "dsp") if core == "m4" else ("dense-columns", "mve")
    make = one_dense(inputs, outputs, zeros)
    dense, _, _ = counted(core, monkeypatch, (), make)
    skipped, _, site = counted(core, monkeypatch, (name,), make)
    (row,) = (one for one in SKIPPING["fully_connected"] if one.name == name)
    assert row.instructions(site, site.outputs, kernel_set) == pytest.approx(skipped, rel=0.07)
    assert dense > gain * skipped


def test_bits_of_a_weight():
    model = parse_tflite(one_convolution((8, 8, 64), 3, 0.8, (2, 4)))
    fast, small = (emit_native(model, core="cortex-m4", optimize=kind) for kind in ("time", "size"))
    assert encodings(fast) == ["blocks"]
    bits = [8 * layer.packing.bytes / layer.packing.plain_bytes for layer in fast.layers if layer.packing]
    assert bits[0] < 1.9
    bits = [8 * layer.packing.bytes / layer.packing.plain_bytes for layer in small.layers if layer.packing]
    assert bits[0] < 1.1


def test_the_blocks_that_training_makes_are_those_of_the_kernels():
    for core, blocks in DEVICE_BLOCKS.items():
        assert SKIPPED_BLOCKS[kernel_set_of(core)] == blocks.convolution
        assert blocks.dense == (4, 1)
    assert {core for core, kernel_set in CORE_SETS.items() if kernel_set in SKIPPED_BLOCKS} == set(
        DEVICE_BLOCKS
    )
