from edgesqueeze.devices.cores import core_name


def test_names_of_cores():
    assert core_name({"CPU implementer": "0x41", "CPU part": "0xd0b"}) == "Cortex-A76"
    assert core_name({"CPU implementer": "0x99", "CPU part": "0x1"}) == "implementer 0x99, part 0x001"
    assert core_name({"model name": "AMD EPYC"}) == "AMD EPYC"
    assert core_name({"CPU implementer": "?", "CPU part": "0x1"}) == "unknown"
