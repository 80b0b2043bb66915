import subprocess

import pytest

from edgesqueeze.runners.elf import ElfSizes, constant_ranges, read_marks, read_sizes
from runtime_tests.support.tools import require_tool

# The sections that firmware/link.ld.j2 makes, in an object file of this machine.
ASSEMBLY = """
.section .text, "ax"
.zero 100
.section .weights, "a"
.zero 40
.section .rodata, "a"
.zero 24
.section .data, "aw"
.zero 12
.section .bss, "aw", %nobits
.zero 8
.section .harness, "ax"
.zero 1000
.section .es_marks, "a"
.long 300, 1
.long 100, 0x10000
.long 300, 0
"""


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    require_tool("gcc", "gcc")

    def make(text):
        folder = tmp_path_factory.mktemp("elf")
        (folder / "a.s").write_text(text)
        command = ["gcc", "-c", "a.s", "-o", "a.o"]
        subprocess.run(command, cwd=folder, check=True)
        return folder / "a.o"

    return make


def test_sizes_without_the_harness(assembled):
    assert read_sizes(assembled(ASSEMBLY)) == ElfSizes(code=100, weights=40, constants=36, variables=20)


def test_marks_are_in_the_order_of_the_code(assembled):
    # Those of one address keep their order.
    assert read_marks(assembled(ASSEMBLY)) == [(100, 0x10000), (300, 1), (300, 0)]


def test_constants_are_where_weights_tables_and_code_are(assembled):
    assert constant_ranges(assembled(ASSEMBLY)) == [(0, 40), (0, 24), (0, 100)]


def test_a_file_without_these_sections(assembled):
    file = assembled("")
    assert read_sizes(file) == ElfSizes(0, 0, 0, 0)
    assert read_marks(file) == constant_ranges(file) == []
