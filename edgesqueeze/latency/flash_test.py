import pytest

from edgesqueeze.latency.flash import flash_of
from edgesqueeze.latency.timings import Cycles
from edgesqueeze.runners.counts import FlashCaches
from edgesqueeze.target.load import list_targets, load_target


def flash(name):
    target = load_target(name)
    return flash_of(target.cpu, target.memory)


def test_caches():
    assert flash("nucleo-l4r5zi").caches == FlashCaches(1024, 256)
    assert flash("nucleo-u575zi-q").caches == FlashCaches(8192, 0)
    assert flash("stm32f746g-disco").caches == FlashCaches(4096, 4096)
    assert flash("corstone-300").caches == FlashCaches(16384, 16384)
    assert "8,192 bytes for code and data;" in flash("nucleo-u575zi-q").basis
    assert "4,096 bytes for code and 4,096 for data;" in flash("stm32f746g-disco").basis


def test_waiting():
    assert flash("nucleo-l4r5zi").code_line == Cycles(2.5, 5, 10)
    assert "flash with 5 wait states" in flash("nucleo-l4r5zi").basis
    # A Cortex-M7 reads 32 bytes at once.
    assert flash("stm32f746g-disco").data_line == Cycles(3.5, 5.5, 9)
    assert flash("pico").data_line == Cycles(60, 90, 120)
    assert "serial flash that takes 60 to 120 cycles" in flash("pico").basis
    assert "the profile gives no wait states" in flash("corstone-300").basis


@pytest.mark.parametrize("name", ["pico", "pico2"])
def test_serial_flash_is_recognized_in_a_copy(name):
    target = load_target(name)
    other = target.model_copy(
        update={
            "name": "my-board",
            "memory": target.memory.model_copy(update={"flash_bytes": 1 << 23, "usable_ram_bytes": 1 << 17}),
        }
    )
    assert flash_of(other.cpu, other.memory) == flash_of(target.cpu, target.memory)
    assert "serial flash" in flash_of(other.cpu, other.memory).basis


def test_no_other_target_has_serial_flash():
    others = [one for one in list_targets() if one.is_mcu and one.name not in ("pico", "pico2")]
    assert not any("serial" in flash_of(one.cpu, one.memory).basis for one in others)
