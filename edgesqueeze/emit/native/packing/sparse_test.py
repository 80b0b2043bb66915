"""The kernel that skips zeros: its streams, its results on every core of the set, and what it takes."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.emit.native.packing.sparse import (
    SPARSE,
    decode_any_rows,
    decode_rows,
    encode_any_rows,
    encode_rows,
)
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import all_kinds, clustered, force
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

CORES = ("m4", "m7", "m33")


def convolutions(zeros=0.8, seed=0, values=16):
    """Windows, strides, dilation, odd channels, and pixels that are no multiple of 8."""
    rng = np.random.default_rng(seed)

    def conv(x, channels, kernel, **options):
        depth = graph.shapes[x][3]
        return graph.conv2d(
            x,
            channels,
            kernel,
            weights=clustered(rng, (channels, *kernel, depth), values=values, zeros=zeros),
            **options,
        )

    graph = GraphBuilder(seed, name="sparse")
    x = conv(graph.input((1, 43, 31, 8)), 24, (3, 3), stride=2)
    x = conv(x, 33, (1, 1), stride=2)
    y = conv(x, 31, (3, 2), dilation=2)
    x = conv(x, 31, (2, 3), padding="SAME")
    x = conv(graph.add(x, y), 7, (2, 3), padding="VALID")
    x = graph.reshape(x, (1, 10 * 6 * 7))
    weights = clustered(rng, (37, 420), values=values, zeros=zeros)
    return graph.build([graph.fully_connected(x, 37, weights=weights)])


def samples_of(model, seed=3):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)


def encodings(source):
    return [layer.packing.encoding for layer in source.layers if layer.packing]


def test_random_rows_come_back():
    rng = np.random.default_rng(0)
    for _ in range(300):
        shape = rng.integers(1, 9), int(rng.choice([1, 15, 16, 17, 64, 300]))
        values = rng.choice(256, rng.integers(1, 16), replace=False) - 128
        zeros = rng.choice([0.2, 0.8, 0.99, 1.0])
        rows = np.where(rng.random(shape) < zeros, 0, rng.choice(values, shape)).astype(np.int8)
        stream = encode_rows(rows)
        assert stream is not None and len(stream) % 4 == 0
        np.testing.assert_array_equal(decode_rows(stream, *shape), rows)


def test_random_rows_of_any_values_come_back():
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = rng.integers(1, 9), int(rng.choice([1, 255, 256, 257, 300, 1000]))
        rows = np.where(
            rng.random(shape) < rng.choice([0.3, 0.8, 0.999, 1.0]), 0, rng.integers(-128, 128, shape)
        )
        stream = encode_any_rows(rows.astype(np.int8))
        if stream is None:
            assert 2 * np.count_nonzero(rows) >= rows.size
            continue
        assert len(stream) % 4 == 0
        np.testing.assert_array_equal(decode_any_rows(stream, *shape), rows)
    assert encode_any_rows(np.array([[1] * (1 << 16) + [0] * (1 << 17)], np.int8)) is None


def test_what_a_stream_cannot_hold():
    assert encode_rows(np.arange(17, dtype=np.int8)[None]) is None
    assert encode_rows(np.arange(1, 17, dtype=np.int8)[None]) is None  # no zero to skip
    assert encode_rows(np.ones((1, 1 << 16), np.int8)) is None
    assert encode_rows(np.ones((1, (1 << 16) - 1), np.int8)) is not None


@pytest.mark.parametrize("name", ["sparse", "sparse-any"])
def test_on_this_computer_equals_tflm(name, monkeypatch):
    require_tool("gcc", "gcc")
    force(monkeypatch, name)
    for content in (convolutions(), all_kinds(zeros=0.7)):
        model = parse_tflite(content)
        source = emit_native(model, optimize="size")
        assert encodings(source).count(name) >= 2
        got = host_c.host_program(source, sanitize=True).run(samples_of(model))
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize("level", ["O3", "Os"])
@pytest.mark.parametrize("core", CORES)
def test_on_cores_with_the_dsp_extension_equals_tflm(core, level, monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    force(monkeypatch, "sparse")
    processor = PROCESSORS[core]
    for zeros in (0.5, 0.97):
        model = parse_tflite(convolutions(zeros, seed=1))
        source = emit_native(model, core=processor.kernel_core, optimize="size")
        assert encodings(source) == ["sparse"] * 6
        got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize(("core", "level"), [("m4", "Os"), ("m33", "O3")])
def test_any_values_on_cores_with_the_dsp_extension(core, level, monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    force(monkeypatch, "sparse", "sparse-any")
    processor = PROCESSORS[core]
    model = parse_tflite(convolutions(0.9, seed=1, values=200))
    source = emit_native(model, core=processor.kernel_core, optimize="size")
    assert encodings(source) == ["sparse-any"] * 5 + ["plain"]
    got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def widest(weights, pixels=10):
    """A 1x1 convolution, its input and samples that reach the ends of the sums of two neighbours."""
    graph = GraphBuilder(0, name="widest")
    shape = (1, 1, pixels, weights.shape[1])
    x = graph.conv2d(graph.input(shape), len(weights), 1, weights=weights[:, None, None])
    ends = np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)
    odd = np.arange(pixels)[:, None] % 2 == 1
    mixed = np.where(odd, *ends), np.where(odd, *ends[::-1])
    return parse_tflite(graph.build([x])), [[one] for one in (*ends, *mixed)]


def test_the_largest_sums_that_share_a_register(monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    force(monkeypatch, "sparse")
    weights = np.zeros((16, 258), np.int8)
    weights[:3] = 127
    weights[1], weights[2, ::2] = -127, -127
    assert np.abs(weights.astype(int)).sum(axis=1).max() == (1 << 15) - 2
    model, samples = widest(weights)
    source = emit_native(model, core="cortex-m4", optimize="size")
    assert encodings(source) == ["sparse"]
    got = run_firmware(build_firmware(source, PROCESSORS["m4"]), samples).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples))
    larger, _ = widest(np.hstack([weights, np.full((16, 1), 2, np.int8)]))
    assert encodings(emit_native(larger, core="cortex-m4", optimize="size")) == ["plain"]
    assert encodings(emit_native(larger, optimize="size")) == ["sparse"]


@pytest.mark.parametrize(
    ("shape", "channels", "kernel", "zeros", "values", "most"),
    [
        ((8, 8, 64), 64, 3, 0.8, 16, 0.44),
        ((25, 5, 64), 64, 1, 0.8, 16, 0.62),
        ((12, 12, 32), 48, 3, 0.6, 200, 0.82),
    ],
)
def test_instructions_are_what_the_formula_says_and_fewer(
    shape, channels, kernel, zeros, values, most, monkeypatch
):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    rng = np.random.default_rng(0)
    graph = GraphBuilder(0, name="one")
    x = graph.average_pool(graph.input((1, 2 * shape[0], 2 * shape[1], shape[2])), 2)
    weights = clustered(rng, (channels, kernel, kernel, shape[2]), values=values, zeros=zeros)
    model = parse_tflite(graph.build([graph.conv2d(x, channels, kernel, weights=weights)]))
    processor = PROCESSORS["m4"]
    force(monkeypatch)
    dense = emit_native(model, core="cortex-m4", optimize="time")
    monkeypatch.undo()
    sparse = emit_native(model, core="cortex-m4", optimize="time")
    name = "sparse" if values == 16 else "sparse-any"
    assert (encodings(dense), encodings(sparse)) == (["plain"], [name])
    before, after = (layer_instructions(one, processor, samples_of(model))[1] for one in (dense, sparse))
    (site,) = sites_of(lower(model, "dsp"), "dsp")
    (row,) = (one for one in SPARSE[site.kind] if one.name == name)
    assert row.instructions(site, "dsp") == pytest.approx(after, rel=0.03)
    assert after < most * before


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("core", "machine", "most"), [("m0plus", "small", 0.56), ("m3", "portable", 0.82), ("m4", "dsp", 1.5)]
)
def test_fully_connected_layers_take_what_the_formula_says(core, machine, most, per_channel, monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph, processor = GraphBuilder(0, name="one"), PROCESSORS[core]
    weights = clustered(np.random.default_rng(0), (61, 128), zeros=0.8)
    x = graph.input((1, 128))
    y = graph.fully_connected(x, 61, weights=weights, per_channel=per_channel)
    model = parse_tflite(graph.build([y]))
    force(monkeypatch)
    dense = emit_native(model, core=processor.kernel_core)
    monkeypatch.undo()
    force(monkeypatch, "sparse")
    sparse = emit_native(model, core=processor.kernel_core, optimize="size")
    assert (encodings(dense), encodings(sparse)) == (["plain"], ["sparse"])
    before, after = (layer_instructions(one, processor, samples_of(model))[0] for one in (dense, sparse))
    kernel_set = "dsp" if machine == "dsp" else "reference"
    (site,) = sites_of(lower(model, kernel_set), kernel_set)
    (row,) = SPARSE[site.kind]
    assert row.instructions(site, machine) == pytest.approx(after, rel=0.02)
    assert per_channel or after <= most * before
    for level in ("O3", "Os"):
        got = run_firmware(build_firmware(sparse, processor, level), samples_of(model)).outputs
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def test_plain_where_few_are_zero():
    rng = np.random.default_rng(0)
    graph = GraphBuilder(0, name="dense")
    weights = clustered(rng, (64, 1, 1, 64), zeros=0.3)
    model = parse_tflite(graph.build([graph.conv2d(graph.input((1, 16, 16, 64)), 64, 1, weights=weights)]))
    assert encodings(emit_native(model, core="cortex-m4", optimize="time")) == ["plain"]
    assert encodings(emit_native(model, core="cortex-m4")) != ["sparse"]
