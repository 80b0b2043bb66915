"""Estimates of code against firmware that is linked; ``fit_code_test.py`` checks the table."""

import pytest

from edgesqueeze.emit.native.code_size import estimate_native_code, linked_bytes
from edgesqueeze.emit.native.code_table import MACHINES, code_table, file_bytes
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import FOLDER, sources_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners.elf import read_sizes
from edgesqueeze.runners.firmware_build import build_firmware
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.packed_layers import small_images
from runtime_tests.support.random_chains import random_chain, random_residuals
from runtime_tests.support.random_layers import random_convolutions
from runtime_tests.support.tools import require_tool

CORES = {"small": "m0plus", "portable": "m3", "dsp": "m4", "mve": "m55"}
SETS = {"small": "reference", "portable": "reference", "dsp": "dsp", "mve": "mve"}


def test_every_file_of_kernels_is_in_the_table():
    files = {path.stem for path in FOLDER.glob("*/*.c")}
    assert set(code_table().files) == files
    for machine in MACHINES:
        assert {name for name in files if file_bytes(name, machine)} <= set(sources_of(SETS[machine]))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "content",
    [random_chain(101, 9), random_residuals(102, 4), random_convolutions(103, 6), small_images(values=12)],
)
def test_linked_firmware_is_about_what_is_said(content, machine):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    processor = PROCESSORS[CORES[machine]]
    source = emit_native(parse_tflite(content), core=processor.kernel_core)
    sizes = read_sizes(build_firmware(source, processor, "O3").elf)
    said = estimate_native_code(source, processor.core)
    linked = sizes.code + sizes.constants
    assert linked <= said.high_bytes
    assert linked >= said.code_bytes - (said.high_bytes - said.code_bytes)
    assert 0 < linked_bytes(source, machine) < said.high_bytes


def test_a_file_that_nobody_knows_has_no_code():
    assert file_bytes("es_of_tomorrow", "dsp") == 0
