"""What a search has done for it, in this process or in another: plain records that travel.

A task is a pure function of the prepared model, the recipe and the number of steps: whoever does it, and
however often, the answer is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.front import AccuracyBasis, Takes
from edgesqueeze.target.records import Target


@dataclass(frozen=True)
class Order:
    """What a search works on.

    Attributes:
        model: path of a model file, or a model object.
        data: as for ``compress``.
        target: the device.
        recipe: what holds for every recipe: how the data are read, and the seed.
        latency: whether the time of an inference is asked for.
        metric: as for ``compress``.
        labels: names of the classes, as for ``compress``; None: those of the data.
        custom_objects: the model's own classes by name.
        unsafe: whether a model file may run code that it holds.
        closer: whether finalists are looked at as closely as a page shows them.
    """

    model: Any
    data: Any
    target: Target
    recipe: Recipe
    latency: bool
    metric: Any = None
    labels: Any = None
    custom_objects: Mapping[str, Any] | None = None
    unsafe: bool = False
    closer: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of the model and the data once they are open.

    Attributes:
        model: name of the model's file, or the model's own.
        data: description of the data.
        accuracy: what accuracy means.
        most_steps: training steps that a full training has at most.
        layers: names of the layers that have kernels, those with the most weights first.
        environment: versions of what takes part.
    """

    model: str
    data: str
    accuracy: AccuracyBasis
    most_steps: int
    layers: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes:
        kind: ``look``: what the model takes of the target, untrained; ``train``: what it loses after so many
            training steps, on the samples for trials; ``finish``: the whole work of ``compress``.
        recipe: what to do.
        steps: training steps, for ``train``.
    """

    kind: Literal["look", "train", "finish"]
    recipe: Recipe
    steps: int = 0


@dataclass(frozen=True)
class Answer:
    """What came of a task.

    Attributes:
        takes: the figures that were found.
        error: why there are none; None where there are.
        problems: why a finished model does not do its job, other than by figures.
        files: content of what ``compress`` writes, by name; of ``finish`` only.
        seconds: time that it took, in seconds.
    """

    takes: Takes = field(default_factory=Takes)
    error: EdgeSqueezeError | None = None
    problems: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0


class Crew(Protocol):
    """Who does the tasks: this process, several processes, or a cluster.

    Attributes:
        size: tasks that it does at a time.
        facts: what it found when it opened the model.
    """

    size: int
    facts: Facts

    def start(self, key: int, task: Task) -> None:
        """Begin a task; no more than ``size`` at a time."""

    def wait(self) -> Sequence[tuple[int, Answer]]:
        """Tasks that are done, by the keys they were started with; waits for one at least."""

    def close(self) -> None:
        """End all that was started."""
