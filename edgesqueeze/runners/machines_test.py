import pytest

from edgesqueeze.runners.machines import MACHINES
from edgesqueeze.target.load import list_targets
from edgesqueeze.target.processor import Processor, processor_of
from edgesqueeze.target.records import CORES


def test_every_microcontroller_core_has_a_board():
    assert set(MACHINES) == {name for name, core in CORES.items() if core.microcontroller}


@pytest.mark.parametrize("target", [one for one in list_targets() if one.is_mcu], ids=lambda one: one.name)
def test_every_target_has_flags(target):
    processor = processor_of(target.cpu)
    assert processor.kernel_core == target.cpu.core
    assert "-mthumb" in processor.flags
    assert any(flag.startswith("-mfloat-abi=") for flag in processor.flags)


@pytest.mark.parametrize(
    ("processor", "kernels", "flags"),
    [
        (Processor("cortex-m0plus", "none", False, "none"), "cortex-m0plus", "-mcpu=cortex-m0plus"),
        (Processor("cortex-m4", "single", True, "none"), "cortex-m4", "-mfpu=fpv4-sp-d16"),
        (Processor("cortex-m4", "none", True, "none"), "cortex-m4", "-mfloat-abi=soft"),
        (Processor("cortex-m33", "none", False, "none"), "cortex-m3", "-mcpu=cortex-m33+nodsp"),
        (Processor("cortex-m55", "double", True, "float"), "cortex-m55", "armv8.1-m.main+mve.fp+fp.dp"),
        (Processor("cortex-m55", "none", True, "integer"), "cortex-m55", "-march=armv8.1-m.main+mve"),
        (Processor("cortex-m55", "none", True, "none"), "cortex-m33", "-march=armv8.1-m.main+dsp"),
    ],
)
def test_extensions_choose_kernels_and_flags(processor, kernels, flags):
    assert processor.kernel_core == kernels
    assert any(flags in flag for flag in processor.flags)
