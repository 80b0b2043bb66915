"""Whether a device's outputs are right: compared with LiteRT on this computer, on the same input.

Right kernels differ: XNNPACK rounds differently on Arm and on x86, and both differ from the portable
kernels. A deep network carries single steps (LSB) on, up to dozens at its output, so that no limit on the
output separates rounding from a fault. Therefore in three steps, each only if the one before does not settle
it: the very same outputs; outputs within what a single operator may be off; and last, every operator run
alone on the device, on the values that this computer's LiteRT gave it, each within that limit (``parity``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.agreement import difference_of
from edgesqueeze.devices.records import OutputCheck
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import Graph, TfliteModel
from edgesqueeze.graph.affine import quantized_twin

Outputs = Sequence[Array]
RunOnDevice = Callable[[TfliteModel, Sequence[Sequence[Array]], int], list[list[Array]]]

ONE_OPERATOR_LSB = 2.0
"""One rounding differs by 1, operators of several steps by more; the same limit as in ``parity``."""
INT16_FACTOR = 16
"""A 16-bit output's steps are 256 times finer; they may be off by so many times more of them."""
FLOAT_RELATIVE = 1e-3
"""Float sums depend on their order; a wrong kernel is off by a large part of the range."""

# Silencing LiteRT redirects this process's stderr, which two threads must not do at once.
_host = threading.Lock()


class _Distance(NamedTuple):
    max_lsb: float | None
    mean_lsb: float | None
    max_relative: float | None
    share: float
    within: bool


def check_outputs(
    model: TfliteModel, sample: Sequence[Array], found: Mapping[int, Outputs], run: RunOnDevice
) -> OutputCheck:
    """Compare a device's outputs with this computer's.

    Args:
        model: the .tflite.
        sample: its inputs, one array per graph input.
        found: by number of threads, the device's outputs.
        run: runs any model on the device with so many threads; asked only if the outputs alone settle
            nothing.
    """
    checks: dict[tuple[bytes, ...], OutputCheck] = {}
    with _host:
        judge = _Judge(model, sample, run)
        for threads, outputs in found.items():
            key = tuple(np.asarray(value).tobytes() for value in outputs)
            if key not in checks:
                checks[key] = judge.check(threads, outputs)
    # The worst stands for all.
    return min(checks.values(), key=lambda check: (check.ok, bool(check.exact), -_badness(check)))


class _Judge:
    """The host's outputs, computed when they are needed."""

    def __init__(self, model: TfliteModel, sample: Sequence[Array], run: RunOnDevice) -> None:
        self.model, self.sample, self.run = model, sample, run
        self.expected: dict[str, list[Array] | str] = {}

    def check(self, threads: int, outputs: Outputs) -> OutputCheck:
        litert = self.outputs_of("litert")
        if isinstance(litert, str):
            return OutputCheck(ok=True, compared=False, reason=f"not compared: {litert}")
        graph = self.model.main
        if [(one.size, one.dtype) for one in litert] != [(one.size, one.dtype) for one in outputs]:
            reason = "the device's outputs have other shapes or types than LiteRT's on this computer"
            return OutputCheck(ok=False, compared=True, exact=False, reference="litert", reason=reason)
        distance = _distance(graph, litert, outputs)
        if distance.share == 0:
            return _checked(distance, "litert", "the very outputs of LiteRT on this computer")
        nearest, name = distance, "litert"
        reference = self.outputs_of("litert-reference") if not distance.within else ""
        if not isinstance(reference, str):
            other = _distance(graph, reference, outputs)
            if _size(other) < _size(distance):
                nearest, name = other, "litert-reference"
        if nearest.within:
            return _checked(nearest, name, "within rounding of LiteRT on this computer")
        return self.by_operator(threads, outputs, name, nearest)

    def by_operator(self, threads: int, outputs: Outputs, name: str, distance: _Distance) -> OutputCheck:
        from edgesqueeze.checks.parity import Reference, compare_runtimes
        from edgesqueeze.runners.registry import RUNNERS, Runner

        def run(model: TfliteModel, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
            if model is self.model:
                return [list(outputs)]
            return self.run(model, samples, threads)

        device = Runner("device", "the device", lambda: None, run)
        expected = self.outputs_of(name)
        assert not isinstance(expected, str)
        reference = Reference(RUNNERS[name], [expected], ())
        row = compare_runtimes(
            self.model, [list(self.sample)], [device], tolerance_lsb=ONE_OPERATOR_LSB, reference=reference
        ).runtimes[-1]
        check = _checked(distance, name, row.reason)
        ok = row.ok and all(np.isfinite(value).all() for value in outputs if value.dtype.kind == "f")
        return check.model_copy(update={"ok": ok, "worst_layer": row.worst_layer})

    def outputs_of(self, name: str) -> list[Array] | str:
        """This computer's outputs, or why there are none."""
        if name not in self.expected:
            self.expected[name] = self._run(name)
        return self.expected[name]

    def _run(self, name: str) -> list[Array] | str:
        try:
            from edgesqueeze.runners.registry import RUNNERS

            return RUNNERS[name].run(self.model, [list(self.sample)])[0]
        except ImportError:
            return "ai-edge-litert is not installed on this computer"
        except EdgeSqueezeError as error:
            return error.problem


def _checked(distance: _Distance, name: str, reason: str) -> OutputCheck:
    return OutputCheck.model_validate(
        {
            "ok": True,
            "compared": True,
            "exact": distance.share == 0,
            "reference": name,
            "max_lsb": distance.max_lsb,
            "mean_lsb": distance.mean_lsb,
            "max_relative": distance.max_relative,
            "differing_share": distance.share,
            "reason": reason,
        }
    )


def _distance(graph: Graph, want: Outputs, have: Outputs) -> _Distance:
    steps: list[Array] = []
    relative: list[Array] = []
    within = True
    for tensor, expected, actual in zip(graph.output_tensors, want, have, strict=True):
        twin = quantized_twin(graph, tensor)
        shaped = np.asarray(actual).reshape(expected.shape)
        difference, is_lsb = difference_of(twin, expected.reshape(-1), shaped.reshape(-1))
        if not difference.size:
            continue
        limit = (
            ONE_OPERATOR_LSB * (INT16_FACTOR if twin.dtype == "int16" else 1) if is_lsb else FLOAT_RELATIVE
        )
        within = within and bool(difference.max() <= limit)
        (steps if is_lsb else relative).append(difference)
    every = np.concatenate([*steps, *relative]) if steps or relative else np.zeros(1)
    return _Distance(
        max_lsb=float(max(part.max() for part in steps)) if steps else None,
        mean_lsb=float(np.concatenate(steps).mean()) if steps else None,
        max_relative=float(max(part.max() for part in relative)) if relative else None,
        share=float(np.mean(every > 0)),
        within=within,
    )


def _size(distance: _Distance) -> tuple[float, float, float]:
    return distance.max_lsb or 0.0, distance.max_relative or 0.0, distance.mean_lsb or 0.0


def _badness(check: OutputCheck) -> float:
    return (check.max_lsb or 0.0) + (check.max_relative or 0.0)
