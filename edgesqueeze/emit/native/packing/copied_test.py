"""Weights that are copied to RAM: streams, results on every kind of core, and how often flash is read."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.for_target import emit_for, wait_states_of
from edgesqueeze.emit.native.packing.copied import COPY
from edgesqueeze.emit.native.packing.waiting import waiting
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from edgesqueeze.runners.counts import FlashCaches
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from edgesqueeze.target.load import load_target
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


@pytest.fixture
def arm():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def network():
    """Convolutions whose weights are more than a small cache holds, and one whose weights are fewer."""
    graph = GraphBuilder(3, name="network")
    x = graph.conv2d(graph.input((1, 16, 12, 2)), 8, kernel=1)
    x = graph.conv2d(x, 25)
    x = graph.conv2d(graph.depthwise_conv2d(x), 60, kernel=1, stride=2)
    return parse_tflite(graph.build([graph.fully_connected(graph.mean(x), 12)]))


def samples_of(model):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], 3)


def copied(source):
    return [layer.index for layer in source.layers if layer.packing and layer.packing.encoding == "copy"]


def test_streams_come_back():
    rng = np.random.default_rng(0)
    for parts in ((1,), (7, 2), (16, 16, 5), (576, 64)):
        weights = rng.integers(-128, 128, sum(parts)).astype(np.int8)
        stream = COPY.encode(weights, parts, False)
        assert stream is not None and len(stream) % 4 == 0
        np.testing.assert_array_equal(COPY.decode(stream, parts, False), weights)


@pytest.mark.parametrize("ram_bytes", [None, 0])
@pytest.mark.parametrize("core", ["m0plus", "m3", "m4", "m55"])
def test_on_cores_equals_tflm(core, ram_bytes, arm):
    model, processor = network(), PROCESSORS[core]
    source = emit_native(
        model, core=processor.kernel_core, optimize="time", ram_bytes=ram_bytes, wait_states=9
    )
    assert copied(source) == [1, 3] or ram_bytes == 0
    got = run_firmware(build_firmware(source, processor, "O3"), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def test_flash_is_read_once(arm):
    model, processor, lines = network(), PROCESSORS["m4"], []
    for wait_states in (0, 5):
        source = emit_native(model, core=processor.kernel_core, wait_states=wait_states)
        assert copied(source) == ([1, 3] if wait_states else [])
        firmware = build_firmware(source, processor, "O3")
        run = run_firmware(firmware, samples_of(model), count=FlashCaches(1024, 256))
        lines.append(sum(run.counts.data_lines[layer] for layer in (1, 3)))
    assert 8 * lines[1] < lines[0]


def test_where_flash_makes_the_core_wait():
    waits = {name: wait_states_of(load_target(name).cpu) for name in ("nucleo-l4r5zi", "pico")}
    assert waits == {"nucleo-l4r5zi": 5, "pico": 0}
    cpu = load_target("nucleo-l4r5zi").cpu
    assert wait_states_of(cpu.model_copy(update={"core": "cortex-m7"})) == 0
    assert wait_states_of(cpu.model_copy(update={"flash_wait_states": None})) == 0
    assert copied(emit_for(network(), load_target("nucleo-l4r5zi"))) == [1, 3]
    assert copied(emit_for(network(), load_target("pico"))) == []


def test_what_waiting_takes():
    assert waiting(160, 7, 5) == waiting(160, 1, 5)  # a cache keeps so few
    assert waiting(320, 1, 5) == pytest.approx(20 * 10 * 0.7)
    assert waiting(320, 7, 5) == pytest.approx(7 * waiting(320, 1, 5))
    assert waiting(320, 7, 0) == 0
