"""The estimate of a whole model's instructions against counts."""

import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import kernel_set_of
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing.cost import layer_instructions, machine_of, other_instructions
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.native_figures import layer_instructions as counted
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def network():
    graph = GraphBuilder(7, name="network")
    x = graph.conv2d(graph.input((1, 16, 12, 4)), 32)
    y = graph.conv2d(graph.depthwise_conv2d(x), 32, kernel=1)
    x = graph.conv2d(graph.add(x, y), 48, stride=2)
    x = graph.conv2d(graph.depthwise_conv2d(x), 64, kernel=1)
    return parse_tflite(graph.build([graph.fully_connected(graph.reshape(x, (1, 8 * 6 * 64)), 20)]))


@pytest.mark.parametrize("core", ["m0plus", "m3", "m4", "m55"])
def test_a_whole_model_is_estimated_within_15_percent(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, processor = network(), PROCESSORS[core]
    source = emit_native(model, core=processor.kernel_core, optimize="time")
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 0)
    kernel_set = kernel_set_of(processor.kernel_core)
    lowered, machine = lower(model, kernel_set), machine_of(kernel_set, processor.kernel_core)
    sites = {(site.layer, site.position): site for site in sites_of(lowered, kernel_set)}
    assert len(sites) == 7
    estimate = other_instructions(lowered, sites, machine)
    estimate += sum(layer_instructions(site, machine) for site in sites.values())
    assert estimate == pytest.approx(sum(counted(source, processor, samples)), rel=0.15)


def test_fully_connected_layers_of_all_sizes_on_m3():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(7, name="layers")
    x = graph.input((1, 640))
    for units in (128, 128, 640):
        x = graph.fully_connected(x, units)
    model, processor = parse_tflite(graph.build([x])), PROCESSORS["m3"]
    source = emit_native(model, core=processor.kernel_core, optimize="time")
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 0)
    counts = counted(source, processor, samples)
    for site, count in zip(sites_of(lower(model, "reference"), "reference"), counts, strict=False):
        assert layer_instructions(site, "portable") == pytest.approx(count, rel=0.02)
