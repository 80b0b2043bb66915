import platform

import pytest

from edgesqueeze.devices import agent
from edgesqueeze.devices.cores import core_name
from edgesqueeze.devices.look import condition, decode_throttled, describe, device_of
from edgesqueeze.errors import DeviceError

PI4 = {
    "board": "Raspberry Pi 4 Model B Rev 1.4",
    "compatible": ["raspberrypi,4-model-b", "brcm,bcm2711"],
    "processors": {
        "kinds": [{"names": {"CPU implementer": "0x41", "CPU part": "0xd08"}, "count": 4}],
        "whole": {"Features": "fp asimd evtstrm crc32 cpuid"},
        "physical": 4,
    },
    "cores": 4,
    "usable_cores": 4,
    "clocks": [
        {
            "cpus": "0 1 2 3",
            "governor": "ondemand",
            "current_khz": 600000,
            "max_khz": 1800000,
            "limit_khz": 1500000,
        }
    ],
    "caches": [{"level": 2, "kind": "Unified", "size_bytes": 1 << 20, "count": 1}],
    "memory": {"MemTotal": 3 << 30, "MemAvailable": 1 << 30, "SwapTotal": 0},
    "temperature_c": 51.1,
    "throttled": 0x50005,
    "load": [0.1, 0.2, 0.3],
    "os": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "6.6.31+rpt-rpi-v8",
    "machine": "aarch64",
    "libc": "glibc 2.36",
    "bits": 64,
    "python": "3.11.2",
    "python_path": "/usr/bin/python3",
    "runtimes": {"ai-edge-litert": "2.1.0"},
    "numpy": "1.26.4",
    "free_bytes": 1 << 33,
    "busy_cores": 0.0,
}


def test_a_raspberry_pi_4():
    device = device_of(PI4)
    assert device.soc == "brcm,bcm2711"
    assert device.core_kinds[0].name == "Cortex-A72"
    assert device.clocks[0].limit_mhz == 1500
    assert device.throttling.now == ("under-voltage", "throttled")
    assert device.load == 0.1
    assert describe(device) == "Raspberry Pi 4 Model B Rev 1.4, 4x Cortex-A72, 1800 MHz, aarch64"


def test_its_condition_in_one_line():
    assert condition(device_of(PI4)) == (
        "brcm,bcm2711; Debian GNU/Linux 12 (bookworm); 64-bit Python 3.11.2; 3.0 GiB of memory, "
        "1.0 available; at 600 MHz (ondemand); 51.1 C; under-voltage, throttled"
    )
    cool = {**PI4, "throttled": 0, "temperature_c": None, "os": None, "compatible": []}
    assert condition(device_of(cool)).endswith("at 600 MHz (ondemand); not throttled")


def test_no_text_of_a_device_drives_the_terminal():
    told = {**PI4, "caches": [{**PI4["caches"][0], "kind": "\x1b[2J"}], "board": "\x1b]0;x\x07"}
    told |= {"os": "\x9b31m\u202e", "runtimes": {"\x1b[1m": "\r\n"}, "features": "\x1b"}
    assert device_of(told).model_dump_json().isprintable()
    assert "\\u" not in device_of(told).model_dump_json()


def test_everything_optional_may_be_missing():
    nothing = {
        **PI4,
        "board": None,
        "compatible": [],
        "clocks": [],
        "caches": [],
        "throttled": None,
        "load": None,
    }
    nothing |= {
        "temperature_c": None,
        "os": None,
        "libc": None,
        "numpy": None,
        "free_bytes": None,
        "busy_cores": None,
        "runtimes": {},
    }
    nothing |= {"processors": {"kinds": [], "whole": {}, "physical": None}}
    nothing |= {"memory": {"MemTotal": None, "MemAvailable": None, "SwapTotal": None}}
    device = device_of(nothing)
    assert (device.board, device.soc, device.throttling, device.core_kinds) == (None, None, None, ())
    assert describe(device) == "aarch64"
    assert condition(device) == "64-bit Python 3.11.2"


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {**PI4, "cores": "many"},
        {**PI4, "processors": []},
        {**PI4, "load": 3},
        {**PI4, "usable_cores": 0},
        {**PI4, "usable_cores": 10**9},
        {**PI4, "temperature_c": float("nan")},
        {**PI4, "caches": [{**PI4["caches"][0], "kind": 7}]},
    ],
)
def test_nonsense_is_a_device_error(told):
    with pytest.raises(DeviceError, match="makes no sense"):
        device_of(told)


def test_what_the_agent_reads_here_is_understood(tmp_path):
    device = device_of(agent.look(str(tmp_path)))
    assert device.architecture == platform.machine()
    assert device.python_version == platform.python_version()
    assert "ai-edge-litert" in device.runtimes
    assert device.memory_bytes > 0
    assert sum(kind.count for kind in device.core_kinds) == device.cores


def test_other_programs_are_noticed(monkeypatch):
    lines = iter(["cpu  10 0 10 80 0 0 0 0 5 5", "cpu  15 0 10 85 0 0 0 0 9 9"])
    monkeypatch.setattr(agent, "read", lambda path: next(lines) + "\ncpu0 1 1 1")
    monkeypatch.setattr(agent.os, "cpu_count", lambda: 4)
    assert agent.busy_cores() == 2
    monkeypatch.setattr(agent, "read", lambda path: None)
    assert agent.busy_cores() is None


def test_bits_of_the_firmware():
    assert decode_throttled(0).now == decode_throttled(0).since_boot == ()
    assert decode_throttled(0x80002).now == ("clock capped",)
    assert decode_throttled(0x80002).since_boot == ("temperature limit",)


def fake_system(monkeypatch, files):
    monkeypatch.setattr(agent, "read", lambda path, limit=0: files.get(path))
    monkeypatch.setattr(agent.glob, "glob", lambda pattern: [])
    monkeypatch.setattr(
        agent, "said_by", lambda *command: {"get_throttled": "throttled=0x20000"}.get(command[1], "")
    )


def test_two_kinds_of_cores_are_told_apart(monkeypatch):
    block = "processor : {}\nCPU implementer : 0x41\nCPU part : {}\n\n"
    text = "".join(block.format(i, "0xd03" if i < 4 else "0xd09") for i in range(6)) + "Hardware : Amlogic"
    fake_system(monkeypatch, {"/proc/cpuinfo": text})
    found = agent.processors()
    assert [(core_name(kind["names"]), kind["count"]) for kind in found["kinds"]] == [
        ("Cortex-A53", 4),
        ("Cortex-A73", 2),
    ]
    assert found["whole"] == {"Hardware": "Amlogic"}


def test_the_firmware_is_asked_where_there_is_no_file(monkeypatch):
    fake_system(monkeypatch, {})
    assert agent.throttled() == 0x20000
    fake_system(monkeypatch, {agent.THROTTLED_FILE: "50000"})
    assert agent.throttled() == 0x50000
    assert agent.temperature() is None


def test_a_virtual_machine_tells_its_clock_in_cpuinfo_alone():
    told = {**PI4, "clocks": [], "processors": {**PI4["processors"], "whole": {"cpu MHz": "2595.124"}}}
    (clock,) = device_of(told).clocks
    assert (clock.max_mhz, clock.current_mhz, clock.governor) == (2595.124, 2595.124, None)
