"""Which runtime is meant: a target names its own first, and C without one runs anywhere."""

from __future__ import annotations

from edgesqueeze.errors import TargetError
from edgesqueeze.target.records import Target

NATIVE = "c"
"""The runtime that is generated with the model; its generator says what it has: ``ModelNeeds.answer``."""


def runtimes_of(target: Target) -> tuple[str, ...]:
    """What may run on a target, its own choice first; C without a runtime may anywhere."""
    return tuple(dict.fromkeys((target.runtime.name, *target.runtime.also, NATIVE)))


def runtime_of(target: Target, runtime: str | None) -> str:
    """The runtime that is meant: the target's own where none is named.

    Raises:
        TargetError: the target does not have it.
    """
    offered = (target.runtime.name, *target.runtime.also)
    if runtime and runtime not in runtimes_of(target):
        raise TargetError(
            f"target {target.name} does not run {runtime!r}",
            expected=f"one of {', '.join(offered)}",
            got=runtime,
            hint="name another runtime, or add it to runtime.also in a profile of your own",
        )
    return runtime or target.runtime.name


def with_runtime(target: Target, runtime: str | None) -> Target:
    """The target with another of its runtimes in the first place; the target itself where none is named.

    Raises:
        TargetError: the target does not have it.
    """
    chosen = runtime_of(target, runtime)
    if chosen == target.runtime.name:
        return target
    others = tuple(one for one in (target.runtime.name, *target.runtime.also) if one != chosen)
    changed = target.runtime.model_copy(update={"name": chosen, "also": others})
    return target.model_copy(update={"runtime": changed})
