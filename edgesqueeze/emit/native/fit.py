"""Whether generated C fits a target, as far as it can be known before it is compiled."""

from __future__ import annotations

from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import FitError
from edgesqueeze.target import Target


def check_fit(target: Target, source: NativeSource, *, other_flash: int = 0, other_ram: int = 0) -> None:
    """Compare with the target's memory.

    Args:
        target: the device.
        source: the generated model.
        other_flash: code and parameters in bytes, once it is compiled.
        other_ram: variables in bytes, once it is compiled.

    Raises:
        FitError: it does not fit.
    """
    limits = (
        ("flash", source.weights_bytes + other_flash, target.memory.usable_flash_bytes),
        ("RAM", source.arena_bytes + other_ram, target.memory.usable_ram_bytes),
    )
    over = [
        f"{what}: {needed:,} bytes of {usable:,} usable"
        for what, needed, usable in limits
        if usable is not None and needed > usable
    ]
    if over:
        raise FitError(
            f"{source.name} does not fit {target.name}",
            expected="weights and code within the flash, activations within the RAM",
            got="; ".join(over),
            hint="shrink the model, or choose a larger target",
        )
