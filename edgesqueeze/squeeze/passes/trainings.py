"""The trainings of one recipe: how many steps each pass has, and what there is to say about them after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.recipe.passes import Pass, share_steps
from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.passes.finetune import Lesson, lesson, steps_per_epoch, trainer
from edgesqueeze.squeeze.passes.rounds import FIRST_STEPS, open_steps
from edgesqueeze.squeeze.passes.state import Trained, Trainer
from edgesqueeze.squeeze.passes.work import sample_macs


def steps_of(teacher: Any, source: Source, options: Finetune) -> tuple[int, int]:
    """Training steps of all passes together: those to begin with, and the most.

    Args:
        teacher: the model before compression.
        source: training samples.
        options: epochs and batch size.
    """
    if options.epochs is None:
        return open_steps(options.batch_size * sample_macs(teacher))
    steps = options.epochs * steps_per_epoch(source, options.batch_size)
    return steps, steps


class Trainings:
    """The training service of each pass that a recipe asks for.

    Args:
        teacher: the model before compression.
        source: training samples.
        options: epochs, batch size and loss.
        passes: the passes that take place, in order.
        seed: seed of the shuffling.
        steps: training steps of all passes together, in place of those that the options say; None: those.

    Raises:
        RecipeError: an unknown loss, or one that needs labels without any.
    """

    def __init__(
        self,
        teacher: Any,
        source: Source,
        options: Finetune,
        passes: Sequence[Pass],
        seed: int,
        steps: int | None = None,
    ) -> None:
        self._open = options.epochs is None and steps is None
        self._epoch = steps_per_epoch(source, options.batch_size)
        first, most = (steps, steps) if steps is not None else steps_of(teacher, source, options)
        self.steps, self._most = share_steps(first, passes), share_steps(most, passes)
        self._taught: Lesson | None = None
        if any(self.steps.values()):
            # Divided by factors, channels inside are no longer the teacher's.
            alike = all(row.name != "equalize" for row in passes)
            self._taught = lesson(teacher, source, options, seed, inside=alike)

    def trainer(self, name: str, progress: Callable[[int, int], None] | None) -> Trainer:
        """The training service of one pass."""
        if self._taught is None:
            return untrained
        return trainer(self._taught, self._most[name], progress)

    def findings(self, trained: Mapping[str, Trained]) -> Iterator[Finding]:
        """What a person should know about how long it was trained.

        Args:
            trained: what each pass trained, by its name.
        """
        total = sum(one.steps for one in trained.values())
        if not self._open:
            if 0 < total < FIRST_STEPS:
                message = (
                    f"{total:,} training steps in {total / self._epoch:.3g} epochs are few: where epochs is "
                    f"left out, training begins with {FIRST_STEPS} and goes on while it helps"
                )
                yield Finding(code="training-short", subject="finetune", message=message)
            return
        stopped = {name: one for name, one in trained.items() if not one.falling}
        unfinished = [name for name, one in trained.items() if one.falling]
        epochs = f"{total:,} steps in all, {total / self._epoch:,.3g} epochs"
        if stopped:
            parts = [
                f"{name} after {one.steps:,} of {self._most[name]:,} steps" for name, one in stopped.items()
            ]
            message = f"training stopped when the held-out loss did: {', '.join(parts)} ({epochs})"
            yield Finding(code="training-stopped", subject="finetune", message=message)
        if unfinished:
            message = (
                f"the held-out loss was still falling in {' and '.join(unfinished)}: more epochs may help "
                f"({epochs})"
            )
            yield Finding(code="training-unfinished", subject="finetune", message=message)


def untrained(student: Any, steps: int, **how: Any) -> None:
    """The training service where there are no steps: it leaves the student as it is."""
