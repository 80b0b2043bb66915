"""Training and test data from an .npz file, by the key names that people use. NumPy only.

Understood are, for one input::

    x_train, y_train, x_test, y_test                       Keras data sets
    train_images, train_labels, val_*, test_*              MedMNIST
    x (and y)                                              everything in one

and for several inputs the input's name behind the key (``x_train/image``, ``x_test/meta``), or arrays that
are simply called like the inputs. Labels of several outputs are named in the same way (``y_train/age``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.npy import read_arrays
from edgesqueeze.errors import DataError

# (inputs, labels) of each split, in the order in which they are looked for.
TRAIN_KEYS = (("x_train", "y_train"), ("train_images", "train_labels"), ("x", "y"), ("X", "y"))
TEST_KEYS = (
    ("x_test", "y_test"),
    ("test_images", "test_labels"),
    ("val_images", "val_labels"),
    ("x_val", "y_val"),
)
EXPECTED = "x_train/y_train/x_test/y_test, train_images/train_labels/test_images/test_labels, or x"


@dataclass(frozen=True, eq=False)
class Split:
    """Samples for training or for testing.

    Attributes:
        inputs: one array ``[n, ...]`` per input, in the order of the names asked for.
        labels: per output, an array whose first dimension is n, or None; None without any labels.
        named: by name, labels of which none is called as an output that was asked for.
    """

    inputs: tuple[Array, ...]
    labels: tuple[Array | None, ...] | None = None
    named: Mapping[str, Array] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.inputs[0])


@dataclass(frozen=True, eq=False)
class NpzData:
    """What an .npz file holds; ``test`` is None when it has only one split."""

    train: Split
    test: Split | None


def load_npz(path: Path, inputs: Sequence[str] = ("",), outputs: Sequence[str] = ("",)) -> NpzData:
    """Read the splits of an .npz file.

    Args:
        path: the file.
        inputs: names of the model's inputs, in order. One name matches whatever the file calls it.
        outputs: names of the model's outputs, in order.

    Raises:
        DataError: the file cannot be read, holds pickled objects, or has none of the known keys; a part is
            empty; or parts of a split differ in length.
    """
    arrays = _read(path)
    train = _split(arrays, TRAIN_KEYS, inputs, outputs, path) or _by_input_name(arrays, inputs, outputs, path)
    test = _split(arrays, TEST_KEYS, inputs, outputs, path)
    if train is None and test is None:
        wanted = EXPECTED if len(inputs) == 1 else "x_train/NAME for each input: " + ", ".join(inputs)
        raise DataError(
            f"{path.name} has no key that is known",
            expected=wanted,
            got=", ".join(sorted(arrays)) or "no arrays",
        )
    if train is None:
        assert test is not None
        return NpzData(test, None)
    return NpzData(train, test)


def _read(path: Path) -> dict[str, Array]:
    try:
        return read_arrays(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", hint="check the path") from None
    except (OSError, ValueError, MemoryError) as error:
        raise DataError(
            f"cannot read {path.name}: {str(error) or 'it needs more memory than there is'}",
            expected="an .npz file of plain numeric arrays (numpy.savez)",
            hint="arrays of Python objects are refused, because loading them would run code from the file"
            if "object" in str(error)
            else "save the arrays with numpy.savez, as x_train and so on, or copy the file again",
        ) from None


def _split(
    arrays: Mapping[str, Array],
    keys: Sequence[tuple[str, str]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
) -> Split | None:
    for x_key, y_key in keys:
        columns = [_named(arrays, x_key, name, len(inputs)) for name in inputs]
        if all(column is None for column in columns):
            continue
        missing = [name for name, column in zip(inputs, columns, strict=True) if column is None]
        if missing:
            raise DataError(
                f"{path.name} lacks data for the input {missing[0]!r}",
                expected=", ".join(f"{x_key}/{name}" for name in inputs),
                got=", ".join(sorted(arrays)),
            )
        labels = tuple(_named(arrays, y_key, name, len(outputs)) for name in outputs)
        found = _checked(path, x_key, [column for column in columns if column is not None], labels)
        return found if found.labels else replace(found, named=_under(arrays, y_key, found.count))
    return None


def _under(arrays: Mapping[str, Array], key: str, count: int) -> Mapping[str, Array]:
    """Arrays of so many samples by what follows the key."""
    start = f"{key}/"
    named = {name[len(start) :]: one for name, one in arrays.items() if name.startswith(start)}
    return MappingProxyType({name: one for name, one in named.items() if one.ndim and len(one) == count})


def _named(arrays: Mapping[str, Array], key: str, name: str, of: int) -> Array | None:
    found = arrays.get(f"{key}/{name}")
    return arrays.get(key) if found is None and of == 1 else found


def _by_input_name(
    arrays: Mapping[str, Array], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> Split | None:
    if not all(name and name in arrays for name in inputs):
        return None
    labels = tuple(_named(arrays, "y", name, len(outputs)) for name in outputs)
    return _checked(path, inputs[0], [arrays[name] for name in inputs], labels)


def _checked(path: Path, key: str, columns: list[Array], labels: tuple[Array | None, ...]) -> Split:
    counts = {len(array) if array.ndim else 0 for array in (*columns, *(y for y in labels if y is not None))}
    if 0 in counts:
        raise DataError(
            f"{path.name} is empty: {key} or its labels hold no samples", expected="at least one sample"
        )
    if len(counts) > 1:
        raise DataError(
            f"{path.name}: {key} and what belongs to it differ in length",
            expected="the same first dimension in inputs and labels",
            got=", ".join(str(count) for count in sorted(counts)),
        )
    return Split(tuple(columns), labels if any(y is not None for y in labels) else None)
