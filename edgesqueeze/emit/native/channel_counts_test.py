"""Constant channels that stay so that counts are multiples: faster with vectors, and the same outputs."""

import numpy as np
import pytest

from edgesqueeze.emit.native.channel_counts import lower_for_kernels
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def pruned(left):
    """Pointwise layers of which so many filters are not zero."""
    graph = GraphBuilder(1, name="pruned")
    x = graph.input((1, 6, 6, 16))
    for count in left:
        weights = graph.rng.integers(-127, 128, (64, 1, 1, graph.shapes[x][3]))
        weights[count:] = 0
        x = graph.conv2d(x, 64, 1, activation="RELU", weights=weights)
    return parse_tflite(graph.build([graph.conv2d(x, 8, 1)]))


def channels(lowered):
    return [tensor.shape[-1] for tensor in lowered.graph.tensors if len(tensor.shape) == 4]


@pytest.mark.parametrize(("left", "kept"), [((37, 22), (40, 24)), ((40, 64), (40, 64)), ((61, 64), (64, 64))])
def test_counts_become_multiples_of_four_for_vectors(left, kept):
    model = pruned(left)
    for kernel_set, expected in (("mve", kept), ("dsp", left), ("reference", left)):
        found = channels(lower_for_kernels(model, kernel_set))
        assert set(expected) <= set(found)
    assert set(left) <= set(channels(lower(model, "mve")))


def test_vectors_gain_and_outputs_stay(monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, processor = pruned((37, 22)), PROCESSORS["m55"]
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 3)
    source = emit_native(model, core=processor.kernel_core)
    got = run_firmware(build_firmware(source, processor, "O3"), samples).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples))
    with_multiples = sum(layer_instructions(source, processor, samples))
    monkeypatch.setattr("edgesqueeze.emit.native.channel_counts.MULTIPLES", {})
    without = emit_native(model, core=processor.kernel_core)
    assert with_multiples < 0.85 * sum(layer_instructions(without, processor, samples))
