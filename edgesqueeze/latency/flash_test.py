from edgesqueeze.latency.flash import flash_of
from edgesqueeze.latency.timings import Cycles
from edgesqueeze.runners.qemu import FlashCaches
from edgesqueeze.target import load_target


def flash(name):
    target = load_target(name)
    return flash_of(target.cpu, target.name)


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
    assert flash("pico").data_line == Cycles(60, 90, 120)
    assert "serial flash that takes 60 to 120 cycles" in flash("pico").basis
    assert "the profile gives no wait states" in flash("corstone-300").basis
