"""Take what Keras stores out of an HDF5 file that a stranger made.

Only plain things pass: groups and datasets that are linked once and lie in the file, with numbers in them.
Every size is compared with what the file has before anything is read.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from edgesqueeze.errors import ModelFileError, UnsafeModelError
from edgesqueeze.squeeze.opening.faults import damaged
from edgesqueeze.squeeze.opening.shelf import Shelf

MAGIC = b"\x89HDF\r\n\x1a\n"
UNDEFINED = (1 << 64) - 1
MOST_DEPTH = 64
LEAST_OBJECT_BYTES = 40
"""No group or dataset takes less of the file."""
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
BFLOAT16 = "bfloat16"
LISTS = ("layer_names", "weight_names")
TEXTS = ("backend", "dtype", "keras_version", "name")
FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises on damaged files."""


Found = tuple[tuple[str, ...], Any]
"""Names of the groups that something lies in, with its own, and itself."""


@dataclass
class Budget:
    """What may still be read from a file.

    Attributes:
        objects: groups and datasets.
        bytes: of numbers, unpacked.
        seen: places in the file of the objects that were read.
    """

    objects: int
    bytes: int
    seen: set[int] = field(default_factory=set)


@contextlib.contextmanager
def opened(image: bytes, name: str) -> Iterator[h5py.File]:
    """An HDF5 file in memory, whose outside has been looked at.

    Args:
        image: the whole file.
        name: what to call it in messages.

    Raises:
        ModelFileError: it is damaged, or has something before or behind it.
    """
    _check_outside(image, name)
    try:
        file = h5py.File(h5py.h5f.open_file_image(image))
    except FAULTS as error:
        raise damaged(name, error) from error
    with file:
        yield file


def attribute(owner: Any, key: str, most_bytes: int, name: str) -> str | None:
    """A text among the attributes of a group; None if there is none.

    Raises:
        ModelFileError: it is no text, is too long, or is damaged.
    """
    try:
        if key not in owner.attrs:
            return None
        stored = owner.attrs.get_id(key)
        if stored.shape not in ((), (1,)) or stored.dtype.itemsize > most_bytes:
            raise ModelFileError(f"'{name}' is damaged: its {key} is no text")
        value = np.asarray(owner.attrs[key]).reshape(-1)[0]
        text = value.decode() if isinstance(value, bytes) else value
    except FAULTS as error:
        raise damaged(name, error) from error
    if not isinstance(text, str) or len(text) > most_bytes:
        raise ModelFileError(f"'{name}' is damaged: its {key} is no text, or too long")
    return text


def take_group(group: Any, shelf: Shelf, budget: Budget, name: str, leave_out: Collection[str] = ()) -> None:
    """Take a group with everything in it, numbers in the order in which they lie in the file.

    Keras reads them in that order too, from archives in which going back means to begin again.

    Args:
        group: of a file that a stranger made.
        shelf: takes what is found.
        budget: is used up.
        name: what to call the file in messages.
        leave_out: names in the group that are looked at only.

    Raises:
        ModelFileError: it is damaged, or promises more than it can have.
        UnsafeModelError: it takes data from other files, or what is in it is linked in an unusual way.
    """
    try:
        groups, datasets = _walk(group, (), budget, name)
        for path, found in groups:
            if not path or path[0] not in leave_out:
                shelf.put(path, _attributes(found, name))
        for path, found in sorted(datasets, key=lambda one: one[1].id.get_offset() or 0):
            _check_inside(found, name)
            if path[0] not in leave_out:
                shelf.put(path, _attributes(found, name), _values(found, budget, name))
    except FAULTS as error:
        raise damaged(name, error) from error


def _walk(group: Any, path: tuple[str, ...], budget: Budget, name: str) -> tuple[list[Found], list[Found]]:
    """All groups and all datasets in a group, itself first."""
    if len(path) > MOST_DEPTH:
        raise ModelFileError(f"'{name}' is damaged: its groups are nested more than {MOST_DEPTH} deep")
    groups: list[Found] = [(path, group)]
    datasets: list[Found] = []
    for key in group:
        member = _member(group, key, budget, name)
        if isinstance(member, h5py.Group):
            below = _walk(member, (*path, key), budget, name)
            groups += below[0]
            datasets += below[1]
        else:
            datasets.append(((*path, key), member))
    return groups, datasets


def _check_outside(image: bytes, name: str) -> None:
    """See that the file starts with its first byte and ends with its last."""
    try:
        version = image[8]
        if version < 2:
            offsets, base = image[13], 24 if version == 0 else 28
            start, _, end, driver = struct.unpack_from("<4Q", image, base)
        else:
            offsets, driver = image[9], UNDEFINED
            start, _, end = struct.unpack_from("<3Q", image, 12)
    except (IndexError, struct.error) as error:
        raise damaged(name, "it is cut off") from error
    if not image.startswith(MAGIC) or version > 3 or offsets != 8 or driver != UNDEFINED:
        raise damaged(name, "its head is not that of a file that Keras writes")
    if start != 0 or end > len(image):
        raise damaged(name, "it is cut off, or does not start where it says")
    if end < len(image) or _ends_as_zip(image):
        raise UnsafeModelError(
            f"'{name}' has something behind its end, which another program may take for the model",
            expected="an HDF5 file and nothing else",
            hint="open it with the program that wrote it, and save it again",
        )


def _ends_as_zip(image: bytes) -> bool:
    place = image.rfind(b"PK\x05\x06", max(0, len(image) - 65557))
    if place < 0 or place + 22 > len(image):
        return False
    (comment,) = struct.unpack_from("<H", image, place + 20)
    return bool(place + 22 + comment == len(image))


def _member(group: Any, key: str, budget: Budget, name: str) -> Any:
    """What a group has under a name, after a look at how it is linked."""
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _elsewhere(name, key)
    place = h5py.h5o.get_info(group.id, key.encode("utf-8", "surrogateescape")).addr
    budget.objects -= 1
    if place in budget.seen or budget.objects < 0:
        raise UnsafeModelError(
            f"'{name}' has the same data under several names ('{key}' is one)",
            expected="a file as Keras writes it, in which everything is linked once",
        )
    budget.seen.add(place)
    member = group.get(key)
    if not isinstance(member, (h5py.Group, h5py.Dataset)):
        raise ModelFileError(f"'{name}' is damaged: '{key}' is neither a group nor a dataset")
    return member


def _check_inside(dataset: Any, name: str) -> None:
    """Refuse a dataset whose numbers lie in other files."""
    if dataset.external or dataset.is_virtual:
        raise _elsewhere(name, dataset.name)


def _values(dataset: Any, budget: Budget, name: str) -> Any:
    """A dataset's numbers, after a look at how much it promises."""
    dtype, shape = dataset.dtype, dataset.shape
    raw16 = dtype.kind == "V" and dtype.itemsize == 2 and attribute(dataset, "dtype", 64, name) == BFLOAT16
    if shape is None or dtype.hasobject or not (dtype.kind in "biuf" or raw16):
        raise ModelFileError(f"'{name}' is damaged: '{dataset.name}' has no numbers in it, but {dtype}")
    settings = dataset.id.get_create_plist()
    filters = {settings.get_filter(number)[0] for number in range(settings.get_nfilters())}
    if filters - FILTERS:
        raise ModelFileError(f"'{name}' is packed by a filter that is not understood: {filters - FILTERS}")
    promised = math.prod(shape) * dtype.itemsize
    stored = dataset.id.get_storage_size()
    chunk = math.prod(dataset.chunks or (0,)) * dtype.itemsize
    budget.bytes -= max(promised, chunk)
    if budget.bytes < 0 or (not filters and promised > stored):
        raise ModelFileError(
            f"'{name}' promises more numbers than it has: '{dataset.name}' of shape {shape}",
            expected="weights that are in the file",
            got=f"{promised:,} bytes, of which {stored:,} are there",
        )
    return dataset[()]


def _attributes(owner: Any, name: str) -> dict[str, Any]:
    """The texts and lists of names that Keras reads; all else stays behind."""
    found: dict[str, Any] = {}
    for key in owner.attrs:
        if key in TEXTS:
            found[key] = attribute(owner, key, 1 << 16, name)
        elif key.rstrip("0123456789") in LISTS:
            found[key] = _list_of_names(owner.attrs, key, name)
    return found


def _list_of_names(attributes: Any, key: str, name: str) -> list[str]:
    stored = attributes.get_id(key)
    if len(stored.shape) != 1 or stored.dtype.itemsize > 1 << 16 or stored.shape[0] > 1 << 20:
        raise damaged(name, f"its {key} is no list of names")
    texts = [value.decode() if isinstance(value, bytes) else value for value in attributes[key].tolist()]
    if not all(isinstance(text, str) for text in texts):
        raise damaged(name, f"its {key} is no list of names")
    return texts


def _elsewhere(name: str, key: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"'{name}' takes data from other files or places: '{key}'",
        expected="a file that holds all of its weights",
    )
