"""Samples that come as Python objects, one by one or in batches, as the arrays that an .npz would hold.

Understood are arrays, pairs of them with labels, and anything that can be iterated over: a generator, a
``keras.utils.PyDataset``, a ``representative_dataset``, a list of pairs.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.npz import Split
from edgesqueeze.base.users_code import users_code
from edgesqueeze.errors import DataError
from edgesqueeze.graph.affine import without_ones
from edgesqueeze.squeeze.data.source import InputSpec

MAX_BYTES = 4 << 30
"""What is iterated over is kept in memory; more than this is refused, and so is what never ends."""
MAX_ITEMS = 1_000_000

Kind = Literal["sample", "batch"]


class Item(NamedTuple):
    """Some samples, as arrays with the batch first.

    Attributes:
        inputs: an array for each input of the model.
        labels: an array for each output; None without labels.
        weighted: whether there was a weight for each sample, which nothing here uses.
    """

    inputs: tuple[Array, ...]
    labels: tuple[Array, ...] | None
    weighted: bool


@dataclass(frozen=True)
class Reader:
    """What a model takes, to tell what a user's objects are.

    Attributes:
        specs: the model's inputs.
        outputs: names of the model's outputs.
        name: what to call the data in messages.
    """

    specs: Sequence[InputSpec]
    outputs: Sequence[str]
    name: str

    def kind_of(self, x: Any) -> Kind | None:
        """Whether an object is one sample or several; None if it is neither."""
        columns = self.columns_of(x)
        if columns is None:
            return None
        kinds = {_kind(column, spec) for column, spec in zip(columns, self.specs, strict=True)}
        return kinds.pop() if len(kinds) == 1 else None

    def columns_of(self, x: Any) -> tuple[Array, ...] | None:
        """An array for each input, or None if the object is not one for each."""
        if isinstance(x, Mapping):
            self._check_names(x)
            return tuple(np.asarray(x[spec.name]) for spec in self.specs)
        parts: Any = (x,)
        listed = isinstance(x, tuple | list) and all(hasattr(one, "shape") for one in x)
        if listed and len(x) == len(self.specs):
            parts = x
        if len(parts) != len(self.specs):
            return None
        try:
            columns = tuple(np.asarray(part) for part in parts)
        except ValueError:  # of several shapes
            return None
        return None if any(column.dtype == object for column in columns) else columns

    def item(self, given: Any) -> Item:
        """What an iteration gives: ``x``, ``(x, y)`` or ``(x, y, weights)``, one sample or a batch.

        Raises:
            DataError: it does not fit the model.
        """
        x, y, weighted = given, None, False
        nested = isinstance(given, tuple | list) and self.kind_of(given) is None
        if nested and len(given) in (2, 3) and self.kind_of(given[0]) is not None:
            x, y, weighted = given[0], given[1], len(given) == 3
        elif nested and len(given) == 1:
            x = given[0]
        kind, columns = self.checked(x)
        shaped = [c.reshape(-1, *spec.shape) for c, spec in zip(columns, self.specs, strict=True)]
        labels = None if y is None else self.labels_of(y)
        if labels is not None and kind == "sample":
            labels = tuple(one[None] for one in labels)
        return Item(tuple(shaped), labels, weighted)

    def checked(self, x: Any) -> tuple[Kind, tuple[Array, ...]]:
        """Whether an object is one sample or several, and an array for each input.

        Raises:
            DataError: it is neither.
        """
        kind, columns = self.kind_of(x), self.columns_of(x)
        if kind is None or columns is None:
            raise self.misfit(x if columns is None else list(columns))
        return kind, columns

    def labels_of(self, y: Any) -> tuple[Array, ...]:
        """Labels as one array for each output: given so, by name, or as one array.

        Raises:
            DataError: an output's name is missing.
        """
        if isinstance(y, Mapping):
            missing = [name for name in self.outputs if name not in y]
            if missing:
                raise DataError(
                    f"{self.name} lacks labels for the output {missing[0]!r}",
                    expected=", ".join(self.outputs),
                    got=", ".join(map(str, y)),
                    hint="name the labels as the model names its outputs",
                )
            return tuple(np.asarray(y[name]) for name in self.outputs)
        several = isinstance(y, tuple | list) and all(hasattr(one, "shape") for one in y)
        if several and (len(self.outputs) > 1 or (len(y) == 1 and np.ndim(y[0]) > 0)):
            return tuple(np.asarray(one) for one in y)
        return (np.asarray(y),)

    def read(self, items: Iterable[Any]) -> tuple[Split, bool]:
        """Everything that can be iterated over, and whether it had weights.

        Raises:
            DataError: nothing is there, or too much; or something does not fit the model.
        """
        read: list[Item] = []
        size = 0
        for number, given in enumerate(self._given(items)):
            item = self.item(given)
            read.append(item)
            size += sum(array.nbytes for array in item.inputs)
            if size > MAX_BYTES or number >= MAX_ITEMS:
                raise DataError(
                    f"{self.name} gives more than can be kept in memory, or never ends",
                    expected=f"at most {MAX_BYTES >> 30} GiB and {MAX_ITEMS:,} items",
                    got=f"{size:,} bytes after {number + 1:,} items",
                    hint="stop after one pass over the samples, or give a tf.data.Dataset, which streams",
                )
        if not read:
            raise DataError(f"{self.name} gives no samples", expected="at least one sample")
        return self._joined(read), any(item.weighted for item in read)

    def _given(self, items: Iterable[Any]) -> Iterator[Any]:
        """One pass over what the user's own code gives."""
        ends = object()
        expected = "one pass over the samples"
        with users_code(self.name, expected, DataError):
            found = _once(items)
        while True:
            with users_code(self.name, expected, DataError):
                given = next(found, ends)
            if given is ends:
                return
            yield given

    def _joined(self, read: Sequence[Item]) -> Split:
        inputs = tuple(np.concatenate(parts) for parts in zip(*(item.inputs for item in read), strict=True))
        labels = [item.labels for item in read if item.labels is not None]
        if not labels:
            return Split(inputs)
        if len(labels) != len(read) or len({len(one) for one in labels}) != 1:
            raise DataError(
                f"{self.name} has labels for some of its samples only",
                expected="labels with every sample, or with none",
                got=f"{len(labels)} of {len(read)} items with labels",
            )
        return Split(inputs, tuple(np.concatenate(parts) for parts in zip(*labels, strict=True)))

    def _check_names(self, given: Mapping[str, Any]) -> None:
        missing = [spec.name for spec in self.specs if spec.name not in given]
        if missing:
            raise DataError(
                f"{self.name} lacks data for the input {missing[0]!r}",
                expected=", ".join(spec.name for spec in self.specs),
                got=", ".join(map(str, given)),
            )

    def misfit(self, x: Any) -> DataError:
        """The error for something that the model does not take."""
        shown = x if isinstance(x, tuple | list) else [x]
        got = ", ".join(
            str(list(one.shape)) if hasattr(one, "shape") else type(one).__name__ for one in shown[:4]
        )
        return DataError(
            f"{self.name} does not give what the model takes",
            expected="one sample or a batch of "
            + ", ".join(f"{spec.name} {list(spec.shape)}" for spec in self.specs),
            got=got or "nothing",
            hint="give arrays, or pairs (x, y) of them, in the model's shape",
        )


def is_iterable(value: Any) -> bool:
    """Whether an object gives items one after the other, and is no array, text or dictionary."""
    if isinstance(value, str | bytes | Mapping) or hasattr(value, "shape"):
        return False
    return isinstance(value, Iterable) or _is_indexed(value)


def _is_indexed(value: Any) -> bool:
    return hasattr(value, "__getitem__") and hasattr(value, "__len__")


def _once(items: Any) -> Iterator[Any]:
    """One pass; what has a length ends there, though an index beyond it may work, as in a PyDataset."""
    if _is_indexed(items) and not isinstance(items, collections.abc.Sequence):
        return (items[i] for i in range(len(items)))
    return iter(items)


def _kind(column: Array, spec: InputSpec) -> Kind | None:
    """Axes of one may be missing or added, as that of the channels."""
    if column.shape == spec.shape:
        return "sample"
    if column.ndim and without_ones(tuple(column.shape[1:])) == without_ones(spec.shape):
        return "batch"
    return "sample" if without_ones(tuple(column.shape)) == without_ones(spec.shape) else None
