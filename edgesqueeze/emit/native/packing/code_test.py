"""What code counts for packed weights, and that packing makes no firmware larger."""

import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.packing.code import ALONE_BYTES, alone_of, code_of, linked_by
from edgesqueeze.emit.native.packing.skipping import SKIPPING
from edgesqueeze.emit.native.packing.table import ENCODINGS, PLAIN
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners.elf import read_sizes
from edgesqueeze.runners.firmware_build import build_firmware
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.packed_layers import all_kinds, force, small_images
from runtime_tests.support.tools import require_tool


def test_what_is_linked_anyway_does_not_count():
    functions = ("es_packed_conv2d_s8", "es_conv2d_1x1_s8", "es_unpack_runs_pairs_s8")
    code = code_of(functions, "dsp", "dsp")
    assert {"es_conv_core_dsp", "es_join_pairs_dsp", "es_unpack_runs_s8", *functions} <= set(code)
    linked = linked_by(("es_conv2d_s8",), "dsp")
    rest = code_of(functions, "dsp", "dsp", linked)
    assert set(code) - set(rest) == {"es_conv_core_dsp", "es_unpack_channels"}


def test_every_encoding_counts_alone():
    rows = [*ENCODINGS.values(), *(row for rows in SKIPPING.values() for row in rows)]
    assert {row.name for row in rows if not row.name.startswith("dense")} <= set(ALONE_BYTES)
    assert sum(alone_of("runs", ("es_packed_conv2d_s8", "es_unpack_runs_s8")).values()) == 560
    assert alone_of("sparse", ("es_sparse_fully_connected_s8",)).keys() == {
        "es_sparse_fully_connected_s8",
        "call",
    }
    assert alone_of(PLAIN, ("es_conv2d_s8",)) == {}


def flash_of(model, processor, optimize):
    source = emit_native(model, core=processor.kernel_core, optimize=optimize)
    sizes = read_sizes(build_firmware(source, processor, "O3").elf)
    return sizes.code + sizes.constants + sizes.weights, source


@pytest.mark.parametrize("optimize", ["size", "balance"])
@pytest.mark.parametrize("core", ["m0plus", "m4", "m55"])
@pytest.mark.parametrize(
    "content", [small_images(zeros=0.85), small_images(values=8), all_kinds(), all_kinds(zeros=0.8)]
)
def test_firmware_is_not_larger_than_with_plain_weights(content, core, optimize, monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    model, processor = parse_tflite(content), PROCESSORS[core]
    packed, source = flash_of(model, processor, optimize)
    force(monkeypatch)
    plain, _ = flash_of(model, processor, optimize)
    used = {layer.packing.encoding for layer in source.layers if layer.packing}
    assert packed <= plain, (used, packed, plain)
