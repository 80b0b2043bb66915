"""A board and a device's costs, made up, for tests."""

from __future__ import annotations

from edgesqueeze.devices.look import Cache, Clock, CoreKind, Device
from edgesqueeze.target.latency import ArithmeticLatency, Interval, MemoryCost, OperatorCost, OperatorLatency

BOARD = Device(
    board="Raspberry Pi 4 Model B Rev 1.4",
    soc="brcm,bcm2711",
    core_kinds=(CoreKind(name="Cortex-A72", count=4),),
    cores=4,
    usable_cores=4,
    physical_cores=4,
    features=("asimd",),
    clocks=(Clock(cpus="0-3", governor="ondemand", current_mhz=600.0, max_mhz=1800.0, limit_mhz=1800.0),),
    caches=(Cache(level=2, kind="Unified", size_bytes=1 << 20, count=1),),
    memory_bytes=3_900_000_000,
    memory_available_bytes=3_000_000_000,
    swap_bytes=0,
    temperature_c=45.0,
    throttling=None,
    load=0.1,
    busy_cores=0.0,
    os="Debian GNU/Linux 12",
    kernel="6.1.0",
    architecture="aarch64",
    bits=64,
    libc="glibc 2.36",
    python_version="3.11.2",
    python_path="/usr/bin/python3",
    numpy="1.26.4",
    runtimes={"ai-edge-litert": "2.1.0"},
    free_disk_bytes=10**9,
)

_SLOW = OperatorCost(output_ps=900, call_ns=200)
_SECTION = ArithmeticLatency(
    operators={
        "conv": OperatorCost(mac_ps=80, output_ps=200, call_ns=500, tile_rows=4, tile_columns=(8,)),
        "conv_1x1": OperatorCost(mac_ps=60, output_ps=150, call_ns=400, tile_rows=4, tile_columns=(8,)),
        "gemv": OperatorCost(mac_ps=150, call_ns=300),
        "depthwise": OperatorCost(mac_ps=200, output_ps=100, call_ns=300),
        "HARD_SWISH": OperatorCost(output_ps=9000, call_ns=200),
        "other": _SLOW,
    }
)
COSTS = OperatorLatency(
    runtime="litert",
    version="made up",
    invoke_us=4.0,
    speedup=(1.0, 1.8),
    memory=(MemoryCost(weights_bytes=524288, byte_ps=0), MemoryCost(weights_bytes=8_000_000, byte_ps=60)),
    float32=_SECTION,
    int8=_SECTION,
    interval=Interval(low=1, high=1),
    basis="made up",
)
