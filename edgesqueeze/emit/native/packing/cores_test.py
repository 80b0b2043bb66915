"""Every encoding on every core: outputs equal TFLM's, and unpacking takes what the formulas say."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.packing.table import ENCODINGS
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import DENSE_ENCODINGS, MOST_VALUES, all_kinds, force, small_images
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

ERROR = {"huffman": 0.1}  # what filling the table takes depends on the code
COUNTED = ("m0plus", "m3", "m4", "m55")


@pytest.fixture(autouse=True)
def tools():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def samples_of(model):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], 3)


@pytest.mark.parametrize("ram_bytes", [None, 0])
@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("core", PROCESSORS)
def test_outputs_equal_tflm(core, name, ram_bytes, monkeypatch):
    force(monkeypatch, name)
    zeros, values = 0.2 if name in DENSE_ENCODINGS else 0.7, MOST_VALUES.get(name, 16)
    model = parse_tflite(all_kinds(zeros=zeros, values=values, seed=1))
    processor = PROCESSORS[core]
    source = emit_native(model, core=processor.kernel_core, optimize="size", ram_bytes=ram_bytes)
    assert any(layer.packing and layer.packing.encoding == name for layer in source.layers)
    samples = samples_of(model)
    got = run_firmware(build_firmware(source, processor, "Os" if ram_bytes == 0 else "O3"), samples).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples))


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("core", COUNTED)
def test_unpacking_takes_what_the_formula_says(core, name, monkeypatch):
    zeros = 0.0 if name in DENSE_ENCODINGS else 0.8
    model = parse_tflite(small_images(zeros=zeros, values=MOST_VALUES.get(name, 16)))
    processor = PROCESSORS[core]
    force(monkeypatch)
    plain = emit_native(model, core=processor.kernel_core)
    force(monkeypatch, name)
    packed = emit_native(model, core=processor.kernel_core, optimize="size")
    counts = [layer_instructions(source, processor, samples_of(model)) for source in (plain, packed)]
    compared = 0
    for layer, before, after in zip(packed.layers, *counts, strict=False):
        if layer.packing and layer.packing.encoding == name:
            expected = layer.packing.unpack_instructions * layer.packing.plain_bytes
            assert after - before == pytest.approx(expected, rel=ERROR.get(name, 0.06), abs=40)
            compared += 1
    assert compared == 4
