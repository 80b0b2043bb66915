"""What the pipeline did, stage by stage, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Record

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done in it and the steps in all (0 where they are not counted)."""


class Stage(Record):
    """One step of the pipeline.

    Attributes:
        name: name of the stage: a step of the pipeline or a pass of the recipe.
        seconds: duration of the stage, in seconds.
        skipped: reason why nothing was done; empty when something was.
        steps: number of training steps.
        loss: mean training loss over the last tenth of the steps; null without training.
    """

    name: str
    seconds: float
    skipped: str = ""
    steps: int = 0
    loss: float | None = None


@dataclass
class Running:
    """A stage that runs: what it has to say of itself, filled in by whoever runs it.

    Attributes:
        skipped: reason why nothing was done; empty when something was.
        steps: number of training steps.
        loss: mean training loss over the last tenth of the steps; None without training.
    """

    skipped: str = ""
    steps: int = 0
    loss: float | None = None


@dataclass
class Log:
    """Stages and findings as they come.

    Attributes:
        progress: told about every stage when it starts, and about training steps; None: nobody listens.
        stages: those that are over, and those that were skipped, in order.
        findings: what was left out, changed or noticed, in order.
    """

    progress: Progress | None = None
    stages: list[Stage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Running]:
        """Time a stage."""
        if self.progress:
            self.progress(name, 0, 0)
        running = Running()
        start = time.perf_counter()
        yield running
        seconds = round(time.perf_counter() - start, 3)
        self.stages.append(Stage(name=name, seconds=seconds, **asdict(running)))

    def skip(self, name: str, reason: str) -> None:
        """Note a stage that has nothing to do, and why."""
        self.stages.append(Stage(name=name, seconds=0.0, skipped=reason))

    def found(self, findings: Iterable[Finding]) -> None:
        """Note findings."""
        self.findings += findings

    def steps(self, name: str) -> Callable[[int, int], None]:
        """A callback for the training steps of a stage: those done, and those in all."""
        return lambda done, total: self.progress(name, done, total) if self.progress else None
