"""HDF5 files that lead elsewhere, never end, or promise what they do not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from runtime_tests.support.hostile.attack import Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import with_hdf5
from runtime_tests.support.hostile.honest import Honest

ATTACKS = Attacks("weights")
UNSAFE, DAMAGED = "UnsafeModelError", "ModelFileError"
Change = Callable[[Any, str, Canaries], None]
KERNEL = {
    "keras3": ("layers/conv2d/vars", "0"),
    "tf_keras_h5": ("model_weights/conv/conv", "kernel:0"),
}
"""Where the numbers of the convolution are, by file."""


def _changed(file: str, change: Change) -> Make:
    group, name = KERNEL[file]

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)

        def edit(place: Any) -> None:
            change(place, name, canaries)

        return with_hdf5(source, folder / f"m{source.suffix}", edit, group)

    return make


def _external_link(group: Any, name: str, canaries: Canaries) -> None:
    del group[name]
    group[name] = h5py.ExternalLink(str(canaries.secret), "/")


def _soft_link(group: Any, name: str, canaries: Canaries) -> None:
    del group[name]
    group[name] = h5py.SoftLink("/elsewhere")


def _external_numbers(group: Any, name: str, canaries: Canaries) -> None:
    """CVE-2026-1669: the numbers lie in another file."""
    old = group[name]
    shape = old.shape
    del group[name]
    group.create_dataset(name, shape, "f4", external=[(str(canaries.secret), 0, h5py.h5f.UNLIMITED)])


def _virtual_numbers(group: Any, name: str, canaries: Canaries) -> None:
    shape = group[name].shape
    del group[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(canaries.secret), "x", shape=shape)
    group.create_virtual_dataset(name, layout)


def _hard_links(group: Any, name: str, canaries: Canaries) -> None:
    """Sixty groups, each twice in the one above: 2^60 ways to the last."""
    below = group
    for _ in range(60):
        made = below.create_group("a")
        below["b"] = made
        below = made


def _circle(group: Any, name: str, canaries: Canaries) -> None:
    inner = group.create_group("inner")
    inner["outer"] = group


def _deep(group: Any, name: str, canaries: Canaries) -> None:
    for _ in range(300):
        group = group.create_group("g")


def _same_numbers_twice(group: Any, name: str, canaries: Canaries) -> None:
    group["again"] = group[name]


def _terabytes_in_chunks(group: Any, name: str, canaries: Canaries) -> None:
    """CVE-2026-0897: a shape of terabytes, of which nothing is stored."""
    del group[name]
    group.create_dataset(name, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024), compression="gzip")


def _terabytes_unstored(group: Any, name: str, canaries: Canaries) -> None:
    del group[name]
    group.create_dataset(name, (1 << 20, 1 << 20), "f8")


def _one_large_chunk(group: Any, name: str, canaries: Canaries) -> None:
    del group[name]
    group.create_dataset(
        name, (3, 3), "f4", maxshape=(None, None), chunks=(1 << 14, 1 << 14), compression="gzip"
    )


def _bomb(group: Any, name: str, canaries: Canaries) -> None:
    """100 million zeros in 100 kB."""
    del group[name]
    group.create_dataset(
        name, data=np.zeros((100, 1 << 20), "u1"), chunks=(1, 1 << 20), compression="gzip", compression_opts=9
    )


def _lzf(group: Any, name: str, canaries: Canaries) -> None:
    values = group[name][()]
    del group[name]
    group.create_dataset(name, data=values, chunks=values.shape, compression="lzf")


def _as_type(dtype: Any) -> Change:
    def change(group: Any, name: str, canaries: Canaries) -> None:
        shape = group[name].shape
        del group[name]
        group.create_dataset(name, shape, dtype)

    return change


def _named_type(group: Any, name: str, canaries: Canaries) -> None:
    del group[name]
    group[name] = np.dtype("f4")


def _long_attribute(group: Any, name: str, canaries: Canaries) -> None:
    group.attrs["name"] = "x" * 60000
    group.attrs.create("weight_names", np.zeros((4, 4), "S8"))


def _numbers_as_text(group: Any, name: str, canaries: Canaries) -> None:
    group.attrs["name"] = np.arange(5)


def _many_objects(group: Any, name: str, canaries: Canaries) -> None:
    for number in range(3000):
        group.create_group(f"g{number}")


LINKS: tuple[tuple[str, Change, str], ...] = (
    ("a link to another file", _external_link, "other files or places"),
    ("a link to another place", _soft_link, "other files or places"),
    ("CVE-2026-1669: numbers in another file", _external_numbers, "other files or places"),
    ("numbers that are a view of another file", _virtual_numbers, "other files or places"),
    ("groups that are linked 2^60 times", _hard_links, "under several names"),
    ("a circle of groups", _circle, "under several names"),
    ("numbers under two names", _same_numbers_twice, "under several names"),
)
PROMISES: tuple[tuple[str, Change, str], ...] = (
    ("300 groups in one another", _deep, "nested"),
    ("CVE-2026-0897: terabytes in chunks", _terabytes_in_chunks, "promises more"),
    ("terabytes, of which none is stored", _terabytes_unstored, "promises more"),
    ("one chunk of a gigabyte", _one_large_chunk, "promises more"),
    ("zeros, packed a thousand times", _bomb, "promises more"),
    ("a packing that Keras does not use", _lzf, "filter"),
    ("texts in the place of numbers", _as_type(h5py.string_dtype()), "no numbers"),
    ("references in the place of numbers", _as_type(h5py.ref_dtype), "no numbers"),
    ("records in the place of numbers", _as_type(np.dtype([("a", "i4")])), "no numbers"),
    ("elements of a megabyte", _as_type("S1000000"), "no numbers"),
    ("a type in the place of numbers", _named_type, "neither a group nor a dataset"),
    ("a table in the place of a list of names", _long_attribute, "list of names"),
    ("numbers in the place of a name", _numbers_as_text, "no text"),
)
for _file in KERNEL:
    for _name, _change, _words in LINKS:
        ATTACKS.add(f"{_name}, {_file}", _changed(_file, _change), UNSAFE, _words)
    for _name, _change, _words in PROMISES:
        ATTACKS.add(f"{_name}, {_file}", _changed(_file, _change), DAMAGED, _words)
ATTACKS.add("thousands of groups", _changed("keras3", _many_objects), DAMAGED, "")
