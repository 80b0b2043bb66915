"""What the tests of measuring over SSH share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgesqueeze.devices import session
from edgesqueeze.devices import ssh_host as host
from edgesqueeze.devices.jobs import Job
from edgesqueeze.devices.ssh_host import Host, parse_host
from runtime_tests.support.loopback_sshd import ALIAS, Device
from runtime_tests.support.tflite_builder import tiny_cnn


def host_of(device: Device) -> Host:
    """A device as a host to measure on."""
    return parse_host(ALIAS, device.config)


def brief_job(content: bytes | None = None, **settings: Any) -> Job:
    """A job of a few inferences, of a tiny model unless another is given."""
    return Job(
        **{"name": "brief", "content": content or tiny_cnn(), "min_runs": 5, "min_seconds": 0.0, **settings}
    )


def long_job() -> Job:
    """A job that ends by force only."""
    return Job("long", tiny_cnn(), sustain_seconds=1800.0)


def until(condition: Callable[[], Any], seconds: float = 300.0) -> Any:
    """Wait for a condition; its last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def runners(device: Device) -> list[int]:
    """The measuring agent of a device and its children, oldest first."""
    return sorted(process.pid for process in device.processes() if "/edgesqueeze " in process.command)


def rests(device: Device, seconds: float = 300.0) -> bool:
    """Whether nothing of ours runs on a device any more, or soon."""
    return bool(until(lambda: not device.processes(), seconds))


def shorten_waits(patch: pytest.MonkeyPatch) -> None:
    """Seconds where a user's patience counts minutes; enough for what does answer on a busy machine."""
    shorter = {"ConnectTimeout": "10", "ServerAliveInterval": "5", "ServerAliveCountMax": "2"}
    patch.setattr(host, "OPTIONS", tuple((name, shorter.get(name, value)) for name, value in host.OPTIONS))
    patch.setattr(session, "ANSWER_SECONDS", 30.0)


def own_clients() -> list[str]:
    """The ssh programs that this process has started, and that still run or were not waited for."""
    found = []
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        found += [name] if name == "ssh" else []
    return found
