"""Layers that run by turns, some rows at a time: outputs to the byte, no access beyond what is planned."""

from dataclasses import replace

import numpy as np
import pytest

from edgesqueeze.emit.native import emit
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.rows import choose
from edgesqueeze.emit.native.rows.stages import Chain
from edgesqueeze.graph import parse_tflite, read_tflite
from edgesqueeze.runners import host_c, tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.mltk_models import mltk_model
from runtime_tests.support.native_figures import PROCESSORS, measure_source, sample
from runtime_tests.support.random_chains import random_chain, random_residuals
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


@pytest.fixture
def longest(monkeypatch):
    """Let everything that can run by turns do so, whether it makes the arena smaller or not."""

    def force(rows):
        def chosen(lowered, kernel_set):
            runs = choose.runs_of(lowered)
            return replace(lowered, chains=tuple(Chain(run[: choose.LONGEST], rows) for run in runs))

        monkeypatch.setattr(emit, "with_rows", chosen)

    return force


def chained(source):
    return sum(layer.chain is not None for layer in source.layers)


def check(got, expected):
    for row, wanted in zip(got, expected, strict=True):
        for one, other in zip(row, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def sums(source):
    return sum(layer.chain is not None and layer.opcode == "ADD" for layer in source.layers)


@pytest.mark.parametrize("seed", range(12))
def test_random_sums_under_sanitizers(seed, longest):
    longest(1 + seed % 3)
    model = parse_tflite(random_residuals(seed))
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    source = emit_native(model, optimize="ram")
    assert sums(source)
    check(host_c.host_program(source, sanitize=True).run(samples), tflm.run(model, samples))


@pytest.mark.parametrize("core", PROCESSORS)
def test_random_sums_on_each_core(core, longest):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    longest(2)
    model, processor = parse_tflite(random_residuals(30)), PROCESSORS[core]
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 30)
    source = emit_native(model, core=processor.kernel_core, optimize="ram")
    assert sums(source)
    check(run_firmware(build_firmware(source, processor, "O3"), samples).outputs, tflm.run(model, samples))


@pytest.mark.parametrize("seed", range(12))
def test_random_chains_under_sanitizers(seed, longest):
    longest(1 + seed % 3)
    model = parse_tflite(random_chain(seed))
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    source = emit_native(model, optimize="ram")
    assert chained(source) >= 2
    check(host_c.host_program(source, sanitize=True).run(samples), tflm.run(model, samples))


@pytest.mark.parametrize("core", PROCESSORS)
@pytest.mark.parametrize("seed", [20, 21, 22])
def test_random_chains_on_each_core(core, seed, longest):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    longest(1 + seed % 3)
    model, processor = parse_tflite(random_chain(seed)), PROCESSORS[core]
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    source = emit_native(model, core=processor.kernel_core, optimize="ram")
    assert chained(source) >= 2
    check(run_firmware(build_firmware(source, processor, "O3"), samples).outputs, tflm.run(model, samples))


@pytest.mark.parametrize(
    ("name", "most_bytes", "most_time"),
    [("rock_paper_scissors", 24_000, 1.02), ("visual_wake_words", 30_000, 1.03)],
)
def test_published_models_in_little_ram(name, most_bytes, most_time):
    """The input of visual wake words alone has 27,648 bytes."""
    model, processor = read_tflite(mltk_model(name)), PROCESSORS["m4"]
    samples = [sample(model, seed) for seed in range(2)]
    expected = tflm.run(model, samples)
    plain, small = (
        measure_source(emit_native(model, core="cortex-m4", optimize=way), processor, samples, expected)
        for way in ("balance", "ram")
    )
    assert plain.exact and small.exact
    assert small.ram_bytes <= most_bytes < plain.ram_bytes
    assert small.instructions <= most_time * plain.instructions
    assert small.stack_bytes <= plain.stack_bytes + 200


def test_keyword_spotting_takes_little_more_than_its_largest_tensor():
    """125 pixels of 64 channels, and 1,920 bytes of scratch memory of its first layer."""
    model = read_tflite(mltk_model("keyword_spotting"))
    assert emit_native(model, core="cortex-m55").arena_bytes == 9_936
