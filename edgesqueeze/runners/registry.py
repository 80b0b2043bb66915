"""Every runtime that EdgeSqueeze can run a .tflite on, in one table."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from edgesqueeze.errors import MissingToolError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners import litert, tflite_runtime

Samples = Sequence[Sequence[npt.NDArray[Any]]]
Outputs = list[list[npt.NDArray[Any]]]


@dataclass(frozen=True)
class Runner:
    """One runtime.

    Attributes:
        name: what the command line and reports call it.
        title: the same for a person.
        available: None, or why it cannot run here and what to install.
        run: see ``edgesqueeze.runners`` for what goes in and comes out. It raises UnsupportedModelError
            for a model that the runtime cannot load or run.
        exact: whether it promises the reference's very bits.
        by_default: whether ``verify`` takes it when no runtime is named.
    """

    name: str
    title: str
    available: Callable[[], str | None]
    run: Callable[[TfliteModel, Samples], Outputs]
    exact: bool = False
    by_default: bool = True


def _always() -> str | None:
    return None


def _tflm_available() -> str | None:
    if importlib.util.find_spec("tflite_micro"):
        return None
    return "the tflite-micro package is missing (x86-64 Linux only); pip install tflite-micro"


def _run_tflm(model: TfliteModel, samples: Samples) -> Outputs:
    from edgesqueeze.runners import tflm

    return tflm.run(model, samples)


def _host_c_available() -> str | None:
    from edgesqueeze.runners import host_c

    return host_c.available()


def _run_host_c(model: TfliteModel, samples: Samples) -> Outputs:
    from edgesqueeze.runners import host_c

    return host_c.run(model, samples)


def _qemu_available() -> str | None:
    from edgesqueeze.runners import qemu

    return qemu.available()


def _run_qemu(model: TfliteModel, samples: Samples) -> Outputs:
    from edgesqueeze.runners import qemu

    return qemu.run(model, samples)


RUNNERS: Mapping[str, Runner] = MappingProxyType(
    {
        runner.name: runner
        for runner in (
            Runner("tflm", "TFLite Micro", _tflm_available, _run_tflm),
            Runner("litert-reference", "LiteRT, reference kernels", _always, litert.run_reference),
            Runner("litert-builtin", "LiteRT without XNNPACK", _always, litert.run_builtin),
            Runner("litert", "LiteRT with XNNPACK", _always, litert.run),
            Runner("tflite-runtime", "tflite-runtime 2.14", tflite_runtime.available, tflite_runtime.run),
            Runner("c", "native C", _host_c_available, _run_host_c, exact=True),
            Runner(
                "qemu",
                "native C on an emulated Cortex-M4",
                _qemu_available,
                _run_qemu,
                exact=True,
                by_default=False,
            ),
        )
    }
)
"""The table, in the order that reports list them. The first that works for a model is the reference."""


def find_runner(name: str) -> Runner:
    """The runner of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in RUNNERS:
        raise UsageError(f"there is no runtime {name!r}", expected=", ".join(RUNNERS), got=name)
    return RUNNERS[name]


def require_runner(name: str) -> Runner:
    """The runner of that name, ready to run.

    Raises:
        UsageError: there is none of that name.
        MissingToolError: something must be installed first.
    """
    runner = find_runner(name)
    reason = runner.available()
    if reason:
        raise MissingToolError(f"{runner.title} cannot run here: {reason}")
    return runner
