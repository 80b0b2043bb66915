"""What travels from pass to pass, what a pass may use, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.ranges import Range
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.passes.macs import MacsCut
from edgesqueeze.squeeze.passes.precision import Precision


@dataclass(frozen=True)
class Promise:
    """What the final file must show of a kernel; later passes keep it, and ``check_promises`` looks it up.

    Attributes:
        zeros: share of the kernel's weights that are zero, 0 to 1; None: nothing was promised.
        block: outputs and inputs of the blocks that are zero as a whole or not at all; None: single weights.
        levels: most distinct values that the whole kernel has, zero included; None: any number.
        bits: width of its stored integers in bits; None: whatever conversion chooses.
        settled: whether its integers are final: only scales and biases may be trained from here on.
    """

    zeros: float | None = None
    block: tuple[int, int] | None = None
    levels: int | None = None
    bits: int | None = None
    settled: bool = False


NO_PROMISES: Mapping[KernelKey, Promise] = MappingProxyType({})
NO_RANGES: Mapping[str, Range] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class State:
    """A model on its way through the passes.

    Attributes:
        model: a flat tf_keras model. Between ``cluster`` and ``settle`` it holds TFMOT's wrappers.
        promises: what must be kept, by kernel.
        cut: what was promised of its multiply-accumulates; None: nothing.
        reference: the model before its weights were rounded without any training after; None: the weights are
            not rounded, or were trained as they are.
        ranges: what activations span in the file, by the names of ``convert.calibrated``, in place of what
            calibration finds.
    """

    model: Any
    promises: Mapping[KernelKey, Promise] = field(default_factory=lambda: NO_PROMISES)
    cut: MacsCut | None = None
    reference: Any = None
    ranges: Mapping[str, Range] = field(default_factory=lambda: NO_RANGES)

    def promise(self, key: KernelKey) -> Promise:
        """What was promised of a kernel."""
        return self.promises.get(key, Promise())

    @property
    def sparse(self) -> frozenset[KernelKey]:
        """Kernels whose zeros were promised."""
        return frozenset(key for key, promise in self.promises.items() if promise.zeros is not None)

    @property
    def settled(self) -> frozenset[KernelKey]:
        """Kernels whose integers are final."""
        return frozenset(key for key, promise in self.promises.items() if promise.settled)

    def before_rounding(self, trained: Trained | None) -> Any:
        """The reference after a pass that rounds weights.

        Args:
            trained: the training in it.
        """
        return None if trained else self.reference or self.model

    def promising(self, keys: frozenset[KernelKey], **changes: Any) -> Mapping[KernelKey, Promise]:
        """The promises with some fields changed for some kernels."""
        changed = {key: replace(self.promise(key), **changes) for key in sorted(keys)}
        return MappingProxyType({**self.promises, **changed})


@dataclass(frozen=True)
class Trained:
    """What a training did.

    Attributes:
        steps: optimizer steps.
        loss: mean loss over the last tenth of them, or of those of its last round.
        held_out: loss on held-out samples of the state that was kept; None where nobody looked.
        rate: highest learning rate.
        falling: whether the held-out loss was still falling when there were no more steps.
    """

    steps: int
    loss: float
    held_out: float | None = None
    rate: float = 0.0
    falling: bool = False


class Cost(Protocol):
    """Says what a model takes of the target."""

    def __call__(self, model: Any, names: Collection[str]) -> Mapping[str, float]:
        """Convert a model and look; milliseconds and KiB by the name of the budget."""


class Trainer(Protocol):
    """The training service: trains a student in place to do what the teacher does."""

    def __call__(
        self,
        student: Any,
        steps: int,
        *,
        whole_from: int = 0,
        hasten: Callable[[], None] | None = None,
        last: bool = True,
    ) -> Trained | None:
        """Train; None where there are no steps to train.

        Args:
            student: what is trained, and left in the best state that was seen.
            steps: steps to plan with. Where the recipe leaves the number of epochs open, the last training
                of a pass goes on behind them for as long as it pays.
            whole_from: steps after which the student is what was asked for; no state before is kept.
            hasten: makes the student at once what it is after ``whole_from``, to try learning rates on;
                it is made undone.
            last: whether it is the last training of the pass.
        """


@dataclass(frozen=True, eq=False)
class Setting:
    """What a pass may use.

    Attributes:
        teacher: the folded model before every pass, which the student imitates.
        samples: training samples, which also serve to calibrate.
        precision: how conversion will store each kernel.
        seed: seed of everything random in a pass.
        steps: training steps that are the pass's own.
        train: the training service.
        calibration_samples: how many samples show the range of every activation.
        cost: what a model takes of the target, by the names of budgets that are asked for; None: the target
            is not known.
        convert: what the file would be for a state, with all that was promised.
    """

    teacher: Any
    samples: Source
    precision: Precision
    seed: int
    steps: int
    train: Trainer
    calibration_samples: int = 200
    cost: Cost | None = None
    convert: Callable[[State], TfliteModel] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a pass gives back.

    Attributes:
        state: the model and the promises after it.
        findings: what it left out, changed or noticed.
        trained: the training in it; None when there was none.
    """

    state: State
    findings: tuple[Finding, ...] = ()
    trained: Trained | None = None
