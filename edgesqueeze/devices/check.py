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
from typing import Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.distance import Figures, distance_of
from edgesqueeze.devices.records import OutputCheck
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners import registry

Outputs = Sequence[Array]
RunOnDevice = Callable[[TfliteModel, Sequence[Sequence[Array]], int], list[list[Array]]]
Runtime = Literal["litert", "litert-reference"]
"""What runs on this computer: LiteRT with XNNPACK, or with its portable kernels."""

# Silencing LiteRT redirects this process's stderr, which two threads must not do at once.
_host = threading.Lock()


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
        """Compare the outputs that the device gave with so many threads."""
        litert = self.outputs_of("litert")
        if isinstance(litert, str):
            return OutputCheck(ok=True, compared=False, reason=f"not compared: {litert}")
        graph = self.model.main
        if [(one.size, one.dtype) for one in litert] != [(one.size, one.dtype) for one in outputs]:
            reason = "the device's outputs have other shapes or types than LiteRT's on this computer"
            return OutputCheck(ok=False, compared=True, exact=False, reference="litert", reason=reason)
        nearest = distance_of(graph, [litert], [outputs])
        name: Runtime = "litert"
        if not nearest.per_sample.any():
            return _checked(nearest.figures, name, "the very outputs of LiteRT on this computer")
        reference = self.outputs_of("litert-reference") if not nearest.is_one_rounding else ""
        if not isinstance(reference, str):
            other = distance_of(graph, [reference], [outputs])
            if other.figures.size < nearest.figures.size:
                nearest, name = other, "litert-reference"
        if nearest.is_one_rounding:
            return _checked(nearest.figures, name, "within rounding of LiteRT on this computer")
        return self.by_operator(threads, outputs, name, nearest.figures)

    def by_operator(self, threads: int, outputs: Outputs, name: Runtime, figures: Figures) -> OutputCheck:
        """Run every operator alone on the device, since the outputs alone settle nothing."""
        from edgesqueeze.checks.parity import Reference, compare_runtimes

        def run(
            model: TfliteModel, samples: Sequence[Sequence[Array]], *, carry_state: bool | None = None
        ) -> list[list[Array]]:
            # One sample: nothing to carry.
            if model is self.model:
                return [list(outputs)]
            return self.run(model, samples, threads)

        device = registry.Runner("device", "the device", lambda: None, run)
        expected = self.outputs_of(name)
        assert not isinstance(expected, str)
        reference = Reference(registry.RUNNERS[name], [expected], ())
        row = compare_runtimes(self.model, [list(self.sample)], [device], reference=reference).runtimes[-1]
        check = _checked(figures, name, row.reason)
        ok = row.ok and all(np.isfinite(value).all() for value in outputs if value.dtype.kind == "f")
        return check.model_copy(update={"ok": ok, "worst_layer": row.worst_layer})

    def outputs_of(self, name: Runtime) -> list[Array] | str:
        """This computer's outputs, or why there are none."""
        if name not in self.expected:
            self.expected[name] = self._run(name)
        return self.expected[name]

    def _run(self, name: Runtime) -> list[Array] | str:
        try:
            return registry.RUNNERS[name].run(self.model, [list(self.sample)])[0]
        except ImportError:
            return "ai-edge-litert is not installed on this computer"
        except EdgeSqueezeError as error:
            return error.problem


def _checked(figures: Figures, name: Runtime, reason: str) -> OutputCheck:
    return OutputCheck(
        ok=True,
        compared=True,
        exact=figures.differing_share == 0,
        reference=name,
        reason=reason,
        **figures._asdict(),
    )


def _badness(check: OutputCheck) -> float:
    return (check.max_lsb or 0.0) + (check.max_relative or 0.0)
