"""Layers that run by turns, for reports."""

from __future__ import annotations

from edgesqueeze.base.records import Record


class LayerChain(Record):
    """Layers that run by turns, so that of the tensors between them only some rows are in memory.

    Attributes:
        first: number of the first of these layers.
        last: number of the last one.
        rows: rows of the last one's output that a turn makes.
    """

    first: int
    last: int
    rows: int
