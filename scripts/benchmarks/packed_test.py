"""What the benchmark of packed weights does to a model, and its figures of a small one."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from packed import (
    BLOCKS_TIME,
    CASES,
    FACTORED_TIME,
    FOR_SIZE,
    SPARSE_LIMITS,
    Case,
    anomaly_detection,
    block_of,
    changed,
    clustered,
    image_classification,
    keyword_spotting,
    measured,
    pruned,
)

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.weight_blocks import block_numbers
from runtime_tests.support.tools import require_tool


def small():
    graph = GraphBuilder(5, name="small")
    x = graph.conv2d(graph.input((1, 18, 12, 16)), 64, kernel=1)
    x = graph.conv2d(graph.depthwise_conv2d(x), 64, kernel=1)
    x = graph.conv2d(graph.depthwise_conv2d(x), 64, kernel=1)
    return parse_tflite(graph.build([graph.fully_connected(graph.mean(x), 12)]), "small")


def test_pruned_and_clustered():
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, 4000).astype(np.int8)
    zeros = pruned(weights, 0.8, (1, 1))
    assert np.count_nonzero(zeros) <= 800
    assert np.abs(zeros[zeros != 0]).min() >= np.abs(weights[zeros == 0]).max() - 1
    values = clustered(zeros, 16)
    assert len(np.unique(values)) == 16
    np.testing.assert_array_equal(values == 0, zeros == 0)
    assert len(np.unique(clustered(weights, 16))) <= 16


def test_only_weights_change():
    before, after = small(), changed(small(), Case("", 0.5, 16), "m4")
    for operator in before.main.operators:
        one, other = (model.main.tensors[operator.inputs[1]].data for model in (before, after))
        if operator.kind.endswith("CONV_2D") or operator.kind == "FULLY_CONNECTED":
            assert len(np.unique(other)) <= 16
            assert one.shape == other.shape
        else:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("core", "case", "bits", "time"),
    [
        ("m4", CASES[1], 4.2, 1.04),
        ("m4", CASES[3], 2.1, 0.8),
        ("m55", CASES[1], 4.2, 1.04),
        # Plain kernels with vectors are so fast that 4 % more time pays for a palette, not for a bitmap.
        ("m55", CASES[3], 4.2, 1.04),
        ("m0plus", CASES[1], 4.5, 1.04),
        ("m0plus", CASES[3], 4.5, 0.7),
    ],
)
def test_flash_and_instructions(core, case, bits, time):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    row = measured(changed(small(), case, core), core)
    assert row.exact
    assert row.bits <= bits
    assert row.time <= time


@pytest.mark.parametrize("make", [keyword_spotting, image_classification])
def test_zeros_anywhere_reach_both_limits(make):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    name = make.__name__.replace("_", " ")
    row = measured(changed(parse_tflite(make(), name), CASES[3], "m4"), "m4")
    less, time = SPARSE_LIMITS[name]
    assert row.exact
    assert row.plain_bytes / row.packed_bytes >= less
    assert row.time <= time


def test_fully_connected_layers_for_size():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = changed(parse_tflite(anomaly_detection()), CASES[3], "m4")
    row = measured(model, "m4", "size")
    less, time = SPARSE_LIMITS[FOR_SIZE]
    assert row.exact
    assert row.plain_bytes / row.packed_bytes >= less
    assert row.time <= time


def test_blocks_are_zero_as_a_whole_or_not_at_all():
    model = changed(small(), Case("", 0.75, 16, device=True), "m4")
    for operator in model.main.operators:
        if operator.kind in ("CONV_2D", "FULLY_CONNECTED"):
            weights = model.main.tensors[operator.inputs[1]].data
            numbers = block_numbers(weights.shape, block_of(operator.kind, "m4")).reshape(-1)
            kept = np.bincount(numbers, weights.reshape(-1) != 0)[numbers] > 0
            assert np.mean(~kept) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("core", BLOCKS_TIME)
def test_image_classification_with_zeros_in_blocks(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(image_classification(), "images")
    row = measured(changed(model, CASES[5], core), core)
    assert row.exact
    assert row.time <= BLOCKS_TIME[core]
    assert row.bits <= 1.2


@pytest.mark.parametrize("core", FACTORED_TIME)
def test_image_classification_with_few_values(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(image_classification(), "images")
    for case, most in zip((CASES[1], CASES[3]), FACTORED_TIME[core], strict=True):
        row = measured(changed(model, case, core), core)
        assert row.exact
        assert row.time <= most
