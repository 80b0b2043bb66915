"""How long a model takes on a target before there is a device: emulated if it can be, else predicted.

On a device that is there, ``edgesqueeze.devices.measure`` measures it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgesqueeze.errors import UsageError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target

if TYPE_CHECKING:
    from edgesqueeze.emit.native.packing.choose import Optimize
    from edgesqueeze.latency.builds import Build
    from edgesqueeze.latency.prediction import Prediction
    from edgesqueeze.timing.emulation import Emulation

EMULATED = "c"


def bench(
    model: str | Path | TfliteModel,
    target: str | Path | Target,
    *,
    runtime: str = "",
    build: Build | None = None,
    optimize: Optimize | None = None,
    threads: int = 1,
) -> Emulation | Prediction:
    """Emulate a microcontroller with native C, or predict the latency of another runtime or device.

    Args:
        model: any .tflite, or its path.
        target: a profile, its name or its path.
        runtime: ``c`` for native C, or what the profile's section ``[latency]`` is for; by default native C
            on microcontrollers, else the latter.
        build: how the code of a microcontroller is compiled, ``O3`` by default; ``O2`` is for native C only.
        optimize: what native C is made for: ``time``, ``size``, ``ram`` or, by default, ``balance``.
        threads: number of threads of the runtime; native C has one.

    Raises:
        EdgeSqueezeError: see ``timing.emulate.emulate`` and ``latency.predict.predict``.
        UsageError: an option that does not go with the runtime.
    """
    model, target = as_model(model), as_target(target)
    runtime = runtime or (EMULATED if target.is_mcu else "")
    if runtime != EMULATED:
        from edgesqueeze.latency.predict import predict

        if optimize:
            raise UsageError(
                "only native C is made for time or size",
                expected=f"the runtime {EMULATED}",
                got=f"{runtime or 'a prediction'} with {optimize}",
                hint="leave that out, or take the runtime c",
            )
        return predict(model, target, runtime=runtime, threads=threads, build=build)
    from edgesqueeze.timing.emulate import emulate

    if threads != 1:
        raise UsageError(
            "native C runs one thread", expected="1", got=str(threads), hint="leave out the number of threads"
        )
    return emulate(model, target, build=build or "O3", optimize=optimize or "balance")
