"""The table of code that ships, against what the compiler makes of the kernels now."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fit_code import compiled

from edgesqueeze.emit.native.code_table import MACHINES, code_table, file_bytes
from runtime_tests.support.tools import require_tool


@pytest.mark.parametrize("machine", MACHINES)
def test_bytes_are_what_the_compiler_makes(machine):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("arm-none-eabi-size", "binutils-arm-none-eabi")
    made = compiled(machine)
    assert {name for name in code_table().files if file_bytes(name, machine)} == set(made)
    for name, size in made.items():
        said = f"{name}: run scripts/benchmarks/fit_code.py"
        assert file_bytes(name, machine) == pytest.approx(size, rel=0.1, abs=24), said
