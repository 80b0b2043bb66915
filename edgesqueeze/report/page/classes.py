"""Which classes are chosen, before and after: confusion matrices, and samples whose class changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from edgesqueeze.base.plain import plain
from edgesqueeze.checks.choices import Choice, OutputChoices

MOST_CLASSES = 40
"""With more classes than this a matrix cannot be read; then the most frequent confusions are listed."""
MOST_CONFUSIONS = 12


class Cell(NamedTuple):
    """One cell of a confusion matrix.

    Attributes:
        row: class that is right, or that the original chooses.
        column: class that is chosen.
        samples: how many samples.
        share: the same as a share of the row's samples, 0 to 1.
    """

    row: str
    column: str
    samples: int
    share: float


class Matrix(NamedTuple):
    """A confusion matrix.

    Attributes:
        title: whose choices they are.
        rows: what the rows are.
        columns: what the columns are.
        names: names of the classes, in order.
        cells: cells that are not empty.
    """

    title: str
    rows: str
    columns: str
    names: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def confusions(self) -> list[Cell]:
        """Cells off the diagonal, the most frequent first, some of them."""
        off = [one for one in self.cells if one.row != one.column]
        return sorted(off, key=lambda one: -one.samples)[:MOST_CONFUSIONS]

    @property
    def is_small(self) -> bool:
        """Whether it can be read as a picture."""
        return len(self.names) <= MOST_CLASSES


def matrices(found: OutputChoices) -> Iterator[Matrix]:
    """Both models against the labels; without labels, the .tflite against the original."""
    names = names_of(found)
    if all(one.label is not None for one in found.counts):
        yield _matrix("before", "label", "original", names, found, lambda one: (one.label or 0, one.original))
        yield _matrix("after", "label", ".tflite", names, found, lambda one: (one.label or 0, one.compressed))
    else:
        title = "both models"
        yield _matrix(title, "original", ".tflite", names, found, lambda one: (one.original, one.compressed))


def names_of(found: OutputChoices) -> tuple[str, ...]:
    """Names of the classes, numbers where there are none."""
    return tuple(map(plain, found.names)) or tuple(map(str, range(found.classes)))


def _matrix(
    title: str,
    rows: str,
    columns: str,
    names: tuple[str, ...],
    found: OutputChoices,
    pair: Callable[[Choice], tuple[int, int]],
) -> Matrix:
    counts: Counter[tuple[int, int]] = Counter()
    for one in found.counts:
        counts[pair(one)] += one.samples
    whole: Counter[int] = Counter()
    for (row, _), samples in counts.items():
        whole[row] += samples
    cells = tuple(
        Cell(names[row], names[column], samples, samples / whole[row])
        for (row, column), samples in sorted(counts.items())
    )
    return Matrix(title, rows, columns, names, cells)
