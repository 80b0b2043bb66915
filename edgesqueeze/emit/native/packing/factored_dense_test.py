"""Fully connected layers that add up the inputs of a value: streams, results, and what they take."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing import factored_dense
from edgesqueeze.emit.native.packing.cost import FACTORED_CORES
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.emit.native.packing.skip_dense import FULLY_CONNECTED
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import FACTORED_BOARDS, FACTORED_MACHINES, clustered, force
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

(ROW,) = (row for row in FULLY_CONNECTED if row.name == "factored")


@pytest.fixture
def arm():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def test_random_weights_come_back():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        shape = int(rng.integers(1, 12)), int(rng.choice([1, 7, 32, 33, 254, 255, 256, 511, 700]))
        zeros, values = rng.choice([0.3, 0.9, 1.0]), int(rng.choice([2, 3, 16]))
        rows = clustered(rng, shape, values=values, zeros=zeros)
        stream = factored_dense.stream(rows)
        if stream is not None:
            held += 1
            np.testing.assert_array_equal(factored_dense.decode(stream, *shape), rows)
    assert held > 50


def test_not_where_hardly_any_inputs_share_a_weight():
    rows = np.arange(-100, 100).reshape(2, 100).astype(np.int8)
    assert factored_dense.stream(rows) is None
    many = np.repeat(np.arange(-128, 128), 40).astype(np.int8)[None, :]
    assert factored_dense.stream(many) is None  # more than 255 entries


def layers(zeros, seed=0):
    """Lists longer than an entry holds, several segments, their edges, a single value, outputs of zeros."""
    rng = np.random.default_rng(seed)

    def dense(x, outputs, values=16, weights=None):
        if weights is None:
            weights = clustered(rng, (outputs, graph.shapes[x][1]), zeros=zeros, values=values)
        return graph.fully_connected(x, outputs, weights=weights)

    graph = GraphBuilder(seed, name="dense")
    x = dense(dense(graph.input((1, 511)), 255), 256, values=5)
    x = dense(x, 70, values=2)
    x = dense(x, 9, weights=np.full((9, 70), 77, np.int8))
    some = clustered(rng, (33, 9), zeros=0.6, values=3)
    some[3:13] = 0
    return graph.build([dense(x, 33, weights=some)])


def samples_of(model, seed=3):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)


def encodings(source):
    return [layer.packing.encoding for layer in source.layers if layer.packing]


def test_on_this_computer_equals_tflm(monkeypatch):
    require_tool("gcc", "gcc")
    force(monkeypatch, "factored")
    for zeros in (0.3, 0.6, 0.97):
        model = parse_tflite(layers(zeros, seed=int(10 * zeros)))
        source = emit_native(model, optimize="size")
        assert encodings(source).count("factored") >= 3
        got = host_c.host_program(source, sanitize=True).run(samples_of(model))
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize(
    ("board", "level"), [("m0plus", "O3"), ("m0plus", "Os"), ("m3", "O3"), ("m3", "Os"), ("m33", "O3")]
)
def test_on_cores_equals_tflm(board, level, monkeypatch, arm):
    force(monkeypatch, "factored")
    processor = FACTORED_BOARDS[board]
    model = parse_tflite(layers(0.6 if level == "O3" else 0.9, seed=1))
    source = emit_native(model, core=processor.kernel_core, optimize="size")
    assert encodings(source).count("factored") >= 4
    got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize(
    ("core", "inputs", "zeros", "values", "most"),
    [
        ("m0plus", 640, 0.0, 16, 0.75),
        ("m0plus", 640, 0.6, 16, 0.43),
        ("m0plus", 640, 0.8, 16, 0.32),
        ("m0plus", 128, 0.8, 16, 0.56),
        ("m0plus", 128, 0.6, 8, 0.51),
        ("m3", 640, 0.8, 16, 0.79),
        ("m3", 640, 0.8, 4, 0.43),
        ("m3", 128, 0.9, 4, 0.51),
    ],
)
def test_layers_take_what_the_formula_says(core, inputs, zeros, values, most, monkeypatch, arm):
    graph, processor = GraphBuilder(1, name="one"), PROCESSORS[core]
    weights = clustered(np.random.default_rng(3), (64, inputs), values=values, zeros=zeros)
    model = parse_tflite(graph.build([graph.fully_connected(graph.input((1, inputs)), 64, weights=weights)]))
    counts = []
    for names in ((), ("factored",)):
        force(monkeypatch, *names)
        source = emit_native(model, core=processor.kernel_core, optimize="time")
        assert encodings(source) == [names[0] if names else "plain"]
        counts.append(layer_instructions(source, processor, samples_of(model))[0])
    (site,) = sites_of(lower(model, source.kernel_set), source.kernel_set)
    assert ROW.instructions(site, 64, FACTORED_MACHINES[core]) == pytest.approx(counts[1], rel=0.02)
    assert counts[1] <= most * counts[0]


def test_only_cores_that_gain_by_it_use_it():
    graph = GraphBuilder(1, name="one")
    weights = clustered(np.random.default_rng(3), (64, 640), values=8, zeros=0.8)
    model = parse_tflite(graph.build([graph.fully_connected(graph.input((1, 640)), 64, weights=weights)]))
    for core in (None, "cortex-a7", "cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"):
        source = emit_native(model, core=core, optimize="time")
        assert ("factored" in encodings(source)) == (core in FACTORED_CORES)
