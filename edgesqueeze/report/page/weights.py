"""What the weights of a .tflite hold: how often each value occurs in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.names import name_of
from edgesqueeze.graph.small_integers import PACKED_BITS, small_integers
from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.graph.weights import weight_uses

BINS = 48
"""Bars of a histogram, about, where there are more different values."""
MOST = 60
"""Histograms on a page: those of the largest tensors."""


class Bin(NamedTuple):
    """One bar.

    Attributes:
        low: where it begins.
        high: where it ends.
        amount: elements in it.
        zero: whether they stand for zero.
        said: the values in words.
    """

    low: float
    high: float
    amount: int
    zero: bool
    said: str


class Histogram(NamedTuple):
    """The values of one tensor.

    Attributes:
        name: name of the tensor.
        shape: shape of the tensor.
        dtype: element type as stored.
        elements: number of elements.
        zeros: share of the elements that stand for zero, 0 to 1.
        levels: number of different stored values.
        unit: what the values are: integers as stored, or real numbers.
        low: where the picture begins.
        high: where it ends.
        bins: the bars, in order.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    zeros: float
    levels: int
    unit: str
    low: float
    high: float
    bins: tuple[Bin, ...]


def histograms(model: TfliteModel) -> tuple[Histogram, ...]:
    """The largest weight tensors, in the order of their first use."""
    tensors = {
        name_of(model.graphs[use.subgraph], use): use.tensor
        for number, graph in enumerate(model.graphs)
        for use in weight_uses(graph, number)
        if use.role == "weights"
    }
    found = [one for one in weight_stats(model) if one.role == "weights" and one.name in tensors]
    largest = sorted(found, key=lambda one: -one.elements)[:MOST]
    made = []
    for one in found:
        values = _values(tensors[one.name])
        if one not in largest or values is None or not values.size:
            continue
        whole = bool(np.issubdtype(values.dtype, np.integer))
        bins = tuple(_of_integers(values, tensors[one.name]) if whole else _of_reals(values))
        if not bins:
            continue
        made.append(
            Histogram(
                name=one.name,
                shape=one.shape,
                dtype=one.dtype,
                elements=one.elements,
                zeros=one.sparsity,
                levels=one.distinct_values,
                unit="integers as stored" if whole else "real numbers",
                low=min(bins[0].low, 0.0),
                high=max(bins[-1].high, 0.0),
                bins=bins,
            )
        )
    return tuple(made)


def _values(tensor: Tensor) -> Array | None:
    """Elements as numbers; None for types that NumPy lacks."""
    if tensor.data is None or tensor.sparse:
        return None
    if tensor.dtype in PACKED_BITS:
        return small_integers(tensor.data, tensor.dtype)[: tensor.elements]
    return tensor.data.reshape(-1) if tensor.data.dtype.name == tensor.dtype else None


def _of_integers(values: Array, tensor: Tensor) -> Iterator[Bin]:
    """A bar for each value where they are few, else for as many neighbours as that takes; zero is alone."""
    points = tensor.quantization.zero_points if tensor.quantization is not None else np.zeros(1)
    zero = int(points[0]) if len(set(points.tolist())) == 1 else None
    levels, counts = np.unique(values.astype(np.int64), return_counts=True)
    largest, spread = int(levels[-1]), int(levels[-1] - levels[0]) + 1
    width = 1 if len(levels) <= BINS else max(1, spread // BINS)
    if zero is not None and (at := np.flatnonzero(levels == zero)).size:
        bars = [(zero, 1, int(counts[at[0]]), True)]
        levels, counts = np.delete(levels, at), np.delete(counts, at)
    else:
        bars = []
    places = levels // width
    for place in np.unique(places):
        bars.append((int(place) * width, width, int(counts[places == place].sum()), False))
    thick = max(width, spread / 100)
    for low, wide, count, is_zero in sorted(bars):
        last = min(low + wide - 1, largest)
        said = f"{low}" if wide == 1 else f"{low} to {last}"
        middle = low + (wide - 1) / 2
        half = (thick if is_zero or wide == 1 else wide) / 2
        yield Bin(middle - half, middle + half, count, is_zero, f"{said}{', zero' if is_zero else ''}")


def _of_reals(values: Array) -> Iterator[Bin]:
    finite = values[np.isfinite(values)].astype(np.float64)
    zeros = int(np.sum(finite == 0))
    counts, edges = np.histogram(finite[finite != 0], BINS)
    half = float(edges[-1] - edges[0]) / 200
    bars = [
        Bin(float(low), float(high), int(count), False, f"{low:.3g} to {high:.3g}")
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
        if count
    ]
    if zeros:
        bars.append(Bin(-half, half, zeros, True, "0"))
    return iter(sorted(bars))
