"""Tasks in this process, one after the other: the crew of one."""

from __future__ import annotations

from collections.abc import Sequence

from edgesqueeze.explore.tasks import Answer, Facts, Order, Task


class Here:
    """This process.

    Attributes:
        size: 1.
        facts: what it found when it opened the model.

    Args:
        order: what to work on.

    Raises:
        EdgeSqueezeError: see ``workshop.Workshop``.
    """

    size = 1
    facts: Facts

    def __init__(self, order: Order) -> None:
        # TensorFlow takes seconds to start, and a driver of other processes does without it.
        from edgesqueeze.explore.workshop import Workshop

        self._workshop = Workshop(order)
        self._waiting: list[tuple[int, Task]] = []
        self.facts = self._workshop.facts

    def start(self, key: int, task: Task) -> None:
        """Keep a task for ``wait``."""
        self._waiting.append((key, task))

    def wait(self) -> Sequence[tuple[int, Answer]]:
        """Do what was started."""
        done = [(key, self._workshop.do(task)) for key, task in self._waiting]
        self._waiting.clear()
        return done

    def close(self) -> None:
        """Nothing was started that would have to be ended."""
