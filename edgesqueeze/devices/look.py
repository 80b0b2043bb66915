"""What a device is, from what the agent read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict

from edgesqueeze.base.records import Record
from edgesqueeze.devices.cores import core_name
from edgesqueeze.devices.faults import TRY_AGAIN, clean
from edgesqueeze.errors import DeviceError


class _Seen(Record):
    # What a board says may hold anything.
    model_config = ConfigDict(allow_inf_nan=False)


class CoreKind(_Seen):
    """Cores of one kind.

    Attributes:
        name: ``Cortex-A72``, the model name of an x86 processor, or the numbers that Linux shows.
        count: how many Linux sees; with simultaneous multithreading more than there are cores.
    """

    name: str
    count: int


class Clock(_Seen):
    """Cores that share a clock.

    Attributes:
        cpus: numbers of the cores, as Linux lists them.
        governor: what chooses the clock: ``performance``, ``ondemand``, ...
        current_mhz: clock when we looked, in megahertz.
        max_mhz: highest clock of the hardware, in megahertz.
        limit_mhz: highest clock that the system allows now, in megahertz.
    """

    cpus: str
    governor: str | None
    current_mhz: float | None
    max_mhz: float | None
    limit_mhz: float | None


class Cache(_Seen):
    """Caches of one kind.

    Attributes:
        level: level of the cache; 1 is nearest to the core.
        kind: what is kept in it: ``Data``, ``Instruction`` or ``Unified``.
        size_bytes: size of one of these caches, in bytes.
        count: number of caches of this kind.
    """

    level: int | None
    kind: str | None
    size_bytes: int
    count: int


class Throttling(_Seen):
    """What a Raspberry Pi's firmware says about power and temperature (``vcgencmd get_throttled``).

    Attributes:
        now: what holds now: ``under-voltage``, ``clock capped``, ``throttled``, ``temperature limit``.
        since_boot: what has held at some time since it was switched on.
    """

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


class Device(_Seen):
    """A computer that runs a .tflite. None, or an empty list, is what could not be read.

    Attributes:
        board: model of the board, from the device tree or the firmware.
        soc: name of the chip: the device tree's most general one, ``brcm,bcm2711``.
        core_kinds: kinds of cores, with the number of each.
        cores: number of processors that Linux sees.
        usable_cores: number of processors that a process of ours may use.
        physical_cores: number of processors without simultaneous multithreading.
        features: instruction set extensions, as /proc/cpuinfo lists them.
        clocks: clocks of each group of cores that share one.
        caches: caches of all kinds.
        memory_bytes: size of the RAM, in bytes.
        memory_available_bytes: RAM that programs can have now, in bytes.
        swap_bytes: size of the swap space, in bytes.
        temperature_c: temperature of the processor, in degrees Celsius.
        throttling: what the firmware says about power and temperature; None where it does not say.
        load: average number of running processes over the last minute, ours included.
        busy_cores: number of cores that were busy with something else when we looked, over a tenth of a
            second.
        os: name and version of the operating system.
        kernel: version of the Linux kernel.
        architecture: architecture of the kernel: ``aarch64``, ``armv7l``, ``x86_64``.
        bits: width of a pointer in Python, in bits; 32 is possible with a 64-bit kernel.
        libc: name and version of the C library.
        python_version: version of the Python that runs models.
        python_path: path of the Python that runs models.
        numpy: version of NumPy in that Python.
        runtimes: versions of ``ai-edge-litert``, ``tflite-runtime`` and ``tensorflow`` by name, those that
            are there.
        free_disk_bytes: free space where models are kept, in bytes.
        browser: name and version of the browser that runs models; None outside of one.
    """

    board: str | None
    soc: str | None
    core_kinds: tuple[CoreKind, ...]
    cores: int
    usable_cores: int
    physical_cores: int | None
    features: tuple[str, ...]
    clocks: tuple[Clock, ...]
    caches: tuple[Cache, ...]
    memory_bytes: int | None
    memory_available_bytes: int | None
    swap_bytes: int | None
    temperature_c: float | None
    throttling: Throttling | None
    load: float | None
    busy_cores: float | None
    os: str | None
    kernel: str
    architecture: str
    bits: int
    libc: str | None
    python_version: str
    python_path: str
    numpy: str | None
    runtimes: dict[str, str]
    free_disk_bytes: int | None
    browser: str | None = None


MOST_CORES = 8192
"""As many as Linux can have."""
_FLAGS = ("under-voltage", "clock capped", "throttled", "temperature limit")
"""Bits 0 to 3 for now and 16 to 19 since boot (Raspberry Pi documentation, "vcgencmd", get_throttled)."""


def device_of(told: Any) -> Device:
    """The record for what the agent's ``look`` answered.

    Raises:
        DeviceError: the answer makes no sense.
    """
    try:
        return _device(told)
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise DeviceError(
            "the device described itself in a way that makes no sense",
            expected="figures of the processor, the memory and the runtimes",
            got=clean(f"{type(error).__name__}: {error}"),
            hint=TRY_AGAIN,
        ) from error


def decode_throttled(bits: int) -> Throttling:
    """The firmware's bits in words."""
    return Throttling(
        now=tuple(name for i, name in enumerate(_FLAGS) if bits >> i & 1),
        since_boot=tuple(name for i, name in enumerate(_FLAGS) if bits >> (16 + i) & 1),
    )


def _device(told: Mapping[str, Any]) -> Device:
    processors, memory, bits, load = told["processors"], told["memory"], told["throttled"], told["load"]
    compatible, whole = told["compatible"], processors["whole"]
    if not 1 <= told["usable_cores"] <= MOST_CORES:
        raise ValueError(f"expected 1 to {MOST_CORES} usable cores, got {told['usable_cores']}")
    return Device(
        board=_text(told["board"] or whole.get("Model") or whole.get("Hardware")),
        soc=_text(compatible[-1]) if compatible else _text(whole.get("Hardware")),
        core_kinds=tuple(
            CoreKind(name=core_name(kind["names"]), count=kind["count"]) for kind in processors["kinds"]
        ),
        cores=told["cores"],
        usable_cores=told["usable_cores"],
        physical_cores=processors["physical"],
        features=tuple(map(clean, (whole.get("Features") or whole.get("flags") or "").split())),
        clocks=tuple(_clock(clock) for clock in told["clocks"]) or _cpuinfo_clock(whole),
        caches=tuple(
            Cache.model_validate({**cache, "kind": _text(cache["kind"])}) for cache in told["caches"]
        ),
        memory_bytes=memory["MemTotal"],
        memory_available_bytes=memory["MemAvailable"],
        swap_bytes=memory["SwapTotal"],
        temperature_c=told["temperature_c"],
        throttling=None if bits is None else decode_throttled(bits),
        load=load[0] if load else None,
        busy_cores=told["busy_cores"],
        os=_text(told["os"]),
        kernel=clean(told["kernel"]),
        architecture=clean(told["machine"]),
        bits=told["bits"],
        libc=_text(told["libc"]),
        python_version=clean(told["python"]),
        python_path=clean(told["python_path"]),
        numpy=_text(told["numpy"]),
        runtimes={clean(name): clean(version) for name, version in told["runtimes"].items()},
        free_disk_bytes=told["free_bytes"],
    )


def _clock(told: Mapping[str, Any]) -> Clock:
    return Clock(
        cpus=clean(told["cpus"]),
        governor=_text(told["governor"]),
        current_mhz=_mhz(told["current_khz"]),
        max_mhz=_mhz(told["max_khz"]),
        limit_mhz=_mhz(told["limit_khz"]),
    )


def _cpuinfo_clock(whole: Mapping[str, str]) -> tuple[Clock, ...]:
    """What an x86 processor runs at, where Linux does not control the clock: in virtual machines."""
    try:
        mhz = float(whole["cpu MHz"])
    except (KeyError, ValueError):
        return ()
    return (Clock(cpus="", governor=None, current_mhz=mhz, max_mhz=mhz, limit_mhz=None),)


def _mhz(khz: float | None) -> float | None:
    return None if khz is None else khz / 1000


def _text(text: str | None) -> str | None:
    return clean(text) if text else None


def condition(device: Device) -> str:
    """What a device runs and how it is just now, in one line: system, Python, memory, clock, temperature."""
    gibibytes = 1 << 30
    memory, available = device.memory_bytes, device.memory_available_bytes
    free = f", {available / gibibytes:.1f} available" if available is not None else ""
    clocks = {_at(clock) for clock in device.clocks if clock.current_mhz}
    held = device.throttling.now if device.throttling else ()
    parts = (
        device.soc,
        device.os,
        device.browser or f"{device.bits}-bit Python {device.python_version}",
        f"{memory / gibibytes:.1f} GiB of memory{free}" if memory else None,
        "at " + " and ".join(sorted(clocks)) if clocks else None,
        None if device.temperature_c is None else f"{device.temperature_c:.1f} C",
        None if device.throttling is None else ", ".join(held) or "not throttled",
    )
    return "; ".join(part for part in parts if part)


def _at(clock: Clock) -> str:
    return f"{clock.current_mhz:.0f} MHz" + (f" ({clock.governor})" if clock.governor else "")


def describe(device: Device) -> str:
    """A device in one line: board, cores, clock."""
    kinds: Sequence[str] = [f"{kind.count}x {kind.name}" for kind in device.core_kinds]
    tops = [clock.max_mhz for clock in device.clocks if clock.max_mhz]
    parts = (device.board, " + ".join(kinds), f"{max(tops):.0f} MHz" if tops else None, device.architecture)
    return ", ".join(part for part in parts if part)
