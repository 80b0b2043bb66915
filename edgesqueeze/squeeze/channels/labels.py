"""Labels of channels: those with the same label can only stay or go together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FIXED = -1
"""The unit of a channel that has to stay."""


class Labels:
    """Sets of channels that are merged while a graph is walked, some of them held: they have to stay."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._held: dict[int, str] = {}

    def fresh(self, count: int, held: str = "") -> Ints:
        """Labels of ``count`` channels that nothing is known about yet.

        Args:
            count: how many.
            held: why they have to stay; empty: they need not.
        """
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        labels = np.arange(first, first + count)
        if held:
            self.hold(labels, held)
        return labels

    def same(self, one: Ints, other: Ints) -> None:
        """Merge the labels of two tensors channel by channel; both have the same number."""
        for first, second in zip(one.tolist(), other.tolist(), strict=True):
            self._merge(self._root(first), self._root(second))

    def hold(self, labels: Ints, reason: str, *, above_all: bool = False) -> None:
        """Note that these channels have to stay; of several reasons the first one is kept.

        Args:
            labels: the channels.
            reason: why.
            above_all: whether this reason takes the place of others.
        """
        for label in labels.tolist():
            root = self._root(label)
            if above_all or root not in self._held:
                self._held[root] = reason

    def reason(self, labels: Ints) -> str:
        """Why some of these channels have to stay; empty if none has to."""
        roots = (self._root(label) for label in labels.tolist())
        return next((self._held[root] for root in roots if root in self._held), "")

    def units(self) -> Ints:
        """The unit of each label: channels of one unit go together; ``FIXED`` for those that are held."""
        roots = [self._root(label) for label in range(len(self._parent))]
        free = sorted({root for root in roots if root not in self._held})
        numbers = {root: number for number, root in enumerate(free)}
        return np.array([numbers.get(root, FIXED) for root in roots], np.int64)

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = label = self._parent[self._parent[label]]
        return label

    def _merge(self, one: int, other: int) -> None:
        if one == other:
            return
        kept, gone = min(one, other), max(one, other)
        self._parent[gone] = kept
        if gone in self._held:
            self._held.setdefault(kept, self._held.pop(gone))
