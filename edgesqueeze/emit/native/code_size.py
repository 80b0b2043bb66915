"""An estimate of the flash that native C takes besides the constant data of its layers."""

from __future__ import annotations

from pathlib import PurePosixPath

from edgesqueeze.emit.native.code_table import code_table, file_bytes
from edgesqueeze.emit.native.packing.cost import machine_of
from edgesqueeze.emit.native.packing.encoding import Machine
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.target.code_size import CodeSize


def linked_bytes(source: NativeSource, machine: Machine) -> int:
    """Code of all kernels that a model links, in bytes."""
    return sum(file_bytes(PurePosixPath(name).stem, machine) for name in source.sources)


def estimate_native_code(source: NativeSource, core: str) -> CodeSize:
    """Flash that native C takes without the layers' constant data: code, and parameters of layers.

    Args:
        source: the generated C.
        core: as in ``target.records.CORES``.
    """
    machine = machine_of(source.kernel_set, core)
    line = code_table().lines[machine]
    # The base is that of a fit: less than nothing where there are no kernels.
    estimate = max(0, linked_bytes(source, machine) + line.base + len(source.layers) * line.layer)
    method = (
        f"estimated from its kernels, by GCC 12.2 at -O3, {line.error:,} bytes more taken as possible; "
        "edgesqueeze bench compiles it"
    )
    return CodeSize(estimate, estimate + line.error, method)
