"""Every runtime that EdgeSqueeze can run a .tflite on, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from edgesqueeze.base.lazy import Lazy
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import MissingToolError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners.samples import Outputs, Samples


class Run(Protocol):
    """How a runner is called; ``edgesqueeze.runners`` says what goes in and comes out."""

    def __call__(self, model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
        """Run one inference for each sample."""


@dataclass(frozen=True)
class Runner:
    """One runtime.

    Attributes:
        name: what the command line and reports call it.
        title: what a person calls it.
        available: None, or why the runtime cannot run here and what to install.
        run: runs inferences; ``edgesqueeze.runners`` says what goes in and comes out. It raises
            UnsupportedModelError for a model that the runtime cannot load or run.
        exact: whether the runtime promises the reference's very bits.
        by_default: whether ``verify`` takes the runtime when none is named.
    """

    name: str
    title: str
    available: Callable[[], str | None]
    run: Run
    exact: bool = False
    by_default: bool = True


def _always() -> None:
    """LiteRT is a dependency of this package, so it is there."""


_ROWS = (
    Runner(
        "tflm",
        "TFLite Micro",
        Lazy("edgesqueeze.runners.tflm:available"),
        Lazy("edgesqueeze.runners.tflm:run"),
    ),
    Runner(
        "litert-reference",
        "LiteRT, reference kernels",
        _always,
        Lazy("edgesqueeze.runners.litert:run_reference"),
    ),
    Runner(
        "litert-builtin",
        "LiteRT without XNNPACK",
        _always,
        Lazy("edgesqueeze.runners.litert:run_builtin"),
    ),
    Runner(
        "litert",
        "LiteRT with XNNPACK",
        _always,
        Lazy("edgesqueeze.runners.litert:run"),
    ),
    Runner(
        "tflite-runtime",
        "tflite-runtime 2.14",
        Lazy("edgesqueeze.runners.tflite_runtime:available"),
        Lazy("edgesqueeze.runners.tflite_runtime:run"),
    ),
    Runner(
        "c",
        "native C",
        Lazy("edgesqueeze.runners.host_c:available"),
        Lazy("edgesqueeze.runners.host_c:run"),
        exact=True,
    ),
    Runner(
        "qemu",
        "native C on an emulated Cortex-M4",
        Lazy("edgesqueeze.runners.qemu:available"),
        Lazy("edgesqueeze.runners.qemu:run"),
        exact=True,
        by_default=False,
    ),
)

RUNNERS: Mapping[str, Runner] = MappingProxyType({row.name: row for row in _ROWS})
"""The table, in the order that reports list them. The first that works for a model is the reference."""


def find_runner(name: str) -> Runner:
    """The runner of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in RUNNERS:
        raise UsageError(
            f"there is no runtime {name!r}{nearest(name, RUNNERS)}",
            expected=", ".join(RUNNERS),
            got=name,
            hint="leave the runtime out to take all that can run here",
        )
    return RUNNERS[name]


def with_state(runner: Runner, carry_state: bool | None) -> Runner:
    """The runner, told whether a model's state goes on from sample to sample; None leaves it to the model."""
    if carry_state is None:
        return runner
    return replace(runner, run=partial(runner.run, carry_state=carry_state))


def require_runner(name: str) -> Runner:
    """The runner of that name, ready to run.

    Raises:
        UsageError: there is none of that name.
        MissingToolError: something must be installed first.
    """
    runner = find_runner(name)
    reason = runner.available()
    if reason:
        raise MissingToolError(
            f"{runner.title} cannot run here: {reason}",
            hint="`edgesqueeze doctor` shows what is missing and how to install it",
        )
    return runner
