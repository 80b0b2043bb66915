"""A crew for tests of a search: it knows at once what each recipe gives, by a formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.explore.tasks import Answer, Facts, Task
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.front import AccuracyBasis, Takes

FACTS = Facts(
    model="pretended.keras",
    data="pretended",
    accuracy=AccuracyBasis(
        metric="accuracy",
        title="accuracy",
        truth="labels",
        unit="share",
        original=0.9,
        trial_samples=100,
        test_samples=100,
    ),
    most_steps=900,
    layers=("one", "two", "three"),
    environment={"python": "3"},
)


class PretendCrew:
    """Answers without any work, and remembers what it was asked.

    Attributes:
        size: tasks at a time.
        facts: those of a model that is not there.
        asked: the tasks, in order.

    Args:
        size: tasks at a time.
        before: called before each answer; what it raises ends the search, as a lost driver does.
    """

    def __init__(self, size: int = 1, before: Callable[[Task], None] = lambda task: None) -> None:
        self.size, self.facts = size, FACTS
        self.asked: list[Task] = []
        self._before = before
        self._waiting: list[tuple[int, Task]] = []

    def start(self, key: int, task: Task) -> None:
        """Keep a task."""
        assert len(self._waiting) < self.size
        self._waiting.append((key, task))

    def wait(self) -> Sequence[tuple[int, Answer]]:
        """Answer the oldest task."""
        key, task = self._waiting.pop(0)
        self._before(task)
        self.asked.append(task)
        return [(key, answer(task))]

    def close(self) -> None:
        """Nothing to end."""


def answer(task: Task) -> Answer:
    """What a task gives: the more is done to the model, the smaller, faster and worse it is."""
    recipe = task.recipe
    if recipe.bits and recipe.cluster:
        return Answer(error=UnsupportedModelError("bits and clusters together are too much"))
    takes = _takes(recipe)
    if task.kind == "look":
        return Answer(takes, seconds=0.1)
    drop = _drop(recipe) * (1 + 300 / (task.steps or 1) if task.kind == "train" else 1)
    if task.kind == "train":
        return Answer(Takes(accuracy_drop=drop), seconds=task.steps / 100)
    files = {"model.tflite": recipe.model_dump_json().encode(), "edgesqueeze.sha256": b""}
    return Answer(takes.model_copy(update={"accuracy_drop": drop}), files=files, seconds=20.0)


def _takes(recipe: Recipe) -> Takes:
    share = recipe.channels.share or 0.0 if recipe.channels else 0.0
    sparsity = recipe.prune.sparsity if recipe.prune else 0.0
    width = 4 if recipe.bits or recipe.cluster else 8
    return Takes(
        latency_ms=100 * (1 - share) * (1 - 0.6 * sparsity),
        flash_kib=80 * (1 - share) * (1 - 0.5 * sparsity) * width / 8,
        ram_kib=20 * (1 - share / 2),
    )


def _drop(recipe: Recipe) -> float:
    share = recipe.channels.share or 0.0 if recipe.channels else 0.0
    sparsity = recipe.prune.sparsity if recipe.prune else 0.0
    clusters = recipe.cluster.clusters if recipe.cluster else 256
    spared = len(recipe.prune.exclude) if recipe.prune else 0
    return 0.03 * share**2 + 0.02 * sparsity**3 * 0.8**spared + 0.05 / clusters + 0.002 * bool(recipe.bits)
