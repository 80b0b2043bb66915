"""Make a profile of one very device: measure it, and write what was seen and fitted as a target file."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edgesqueeze.base.given import expect, path_of
from edgesqueeze.base.output import write_files
from edgesqueeze.devices.look import Device
from edgesqueeze.devices.session import Session
from edgesqueeze.errors import UsageError
from edgesqueeze.target.latency import OperatorLatency
from edgesqueeze.target.load import calibrated_folder, parse_target
from edgesqueeze.target.records import CORES, MAX_NAME, NAME_RULE, Target, is_target_name
from edgesqueeze.timing.microbench_run import measure_latency

GENERIC = {
    "x86_64": "x86-64",
    "amd64": "x86-64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "riscv64": "riscv64",
}
"""Machine as the kernel calls it -> what stands for a core that profiles do not know; else ``arm``."""
UNKNOWN_CLOCK_MHZ = 1000.0


class Calibration(NamedTuple):
    """A profile that was made.

    Attributes:
        target: the profile.
        path: path of its file.
    """

    target: Target
    path: Path


def calibrate(
    session: Session,
    *,
    name: str = "",
    folder: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Measure a device with microbenchmarks and write its profile; a file of that name is replaced.

    Args:
        session: a session on the device.
        name: name of the target; by default what the board calls itself.
        folder: where the file goes; by default the user's folder, where targets are looked for by name.
        progress: is told what goes on.

    Raises:
        UsageError: the name cannot be a target's, or an argument is of the wrong kind.
        DeviceError: the device lacks a runtime, or measured too little.
        OutputError: the file cannot be written.
    """
    expect(session, Session, "a Session", "open one with edgesqueeze.open_session or open_local")
    name = name or default_name(session.device)
    check_name(name)
    place = calibrated_folder() if folder is None else path_of(folder, "a folder for the profile")
    write_files(place, {})  # rather fails now than after minutes
    latency = measure_latency(session, progress=progress)
    text = profile_text(session.device, latency)
    target = parse_target(text, name)
    write_files(place, {f"{name}.toml": text})
    return Calibration(target, place / f"{name}.toml")


def check_name(name: str) -> None:
    """Refuse what cannot be a target's name, before minutes are spent.

    Raises:
        UsageError: it cannot.
    """
    if not is_target_name(name):
        raise UsageError(
            "that cannot be the name of a target",
            expected=NAME_RULE,
            got=repr(name[:MAX_NAME]),
            hint="for example --name kitchen-pi",
        )


def default_name(device: Device) -> str:
    """A target's name from what the board calls itself: ``raspberry-pi-4-model-b-rev-1-4``."""
    words = re.sub(r"[^a-z0-9]+", "-", (device.board or device.core_kinds[0].name).lower()).strip("-")
    return words[:MAX_NAME].strip("-") or "device"


def profile_text(device: Device, latency: OperatorLatency, measured: str = "microbenchmarks") -> str:
    """The profile as TOML; ``measured`` says what its costs follow from."""
    import tomli_w

    core = core_of(device)
    clocks = [clock.max_mhz for clock in device.clocks if clock.max_mhz]
    ram = device.memory_bytes or 2**30
    tables: dict[str, Any] = {
        "target": {"title": _title(device), "class": "linux"},
        "cpu": {
            "core": core,
            "architecture": CORES[core].architecture,
            "cores": device.cores,
            "clock_mhz": max(clocks, default=UNKNOWN_CLOCK_MHZ),
            "fpu": "double",
            "dsp": False,
        },
        "memory": {
            "ram_bytes": ram,
            "contiguous_ram_bytes": ram,
            "usable_ram_bytes": ram // 2,
            "note": "As Linux reports it. Half of it is taken to be free for one process.",
        },
        "runtime": {"name": latency.runtime, "operators": "litert"},
        "preferences": {"quantization": "int8", "io": "float32", "threads": 1},
        "latency": latency.model_dump(mode="json", exclude_defaults=True, exclude_none=True),
        "sources": [_source(device, bool(clocks), measured)],
        "assumptions": _assumptions(bool(clocks)),
    }
    return tomli_w.dumps(tables)


def core_of(device: Device) -> str:
    """The name of the device's fastest kind of core in profiles, or one that stands for its architecture."""
    names = [kind.name.lower().replace(" ", "-") for kind in device.core_kinds]
    known = [name for name in names if name in CORES]
    # Profiles list newer cores later.
    order = list(CORES)
    return max(known, key=order.index) if known else GENERIC.get(device.architecture.lower(), "arm")


def _title(device: Device) -> str:
    kinds = ", ".join(f"{kind.count} x {kind.name}" for kind in device.core_kinds)
    return f"{device.board or 'Linux device'} ({kinds}), calibrated"


def _source(device: Device, clock_known: bool, measured: str) -> dict[str, Any]:
    cpu = ["core", "architecture", "cores", "fpu", "dsp", *(["clock_mhz"] if clock_known else [])]
    return {
        "fields": [
            *(f"cpu.{name}" for name in cpu),
            "memory.ram_bytes",
            "memory.contiguous_ram_bytes",
            "latency",
        ],
        "document": f"the device itself, on {datetime.date.today().isoformat()}",
        "where": f"/proc, /sys and {measured}; {device.os or 'Linux'}, kernel {device.kernel}, "
        f"{device.architecture}, Python {device.python_version} ({device.bits}-bit)",
    }


def _assumptions(clock_known: bool) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"fields": ["memory.usable_ram_bytes"], "reason": "Other programs need some of the memory: a half."},
        {
            "fields": ["runtime"],
            "reason": "What was installed there; its operators are taken to be LiteRT's.",
        },
        {
            "fields": ["preferences"],
            "reason": "int8 has the fastest kernels on most processors and a quarter of the bytes; float32 "
            "at the border keeps application code simple.",
        },
    ]
    if not clock_known:
        made.append(
            {
                "fields": ["cpu.clock_mhz"],
                "reason": "The system does not say how fast the clock is; this figure only stands in. "
                "Latencies do not depend on it: they were measured.",
            }
        )
    return made
