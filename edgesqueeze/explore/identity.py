"""What a search is about, in hashes: a study of something else is not gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.base.versions import own_version
from edgesqueeze.explore.tasks import Order
from edgesqueeze.explore.wish import Wish

CHUNK_BYTES = 1 << 20


def identity_of(order: Order, wish: Wish, sampler: str) -> dict[str, str]:
    """What decides how a search goes, by name: text that is the same for the same search.

    Args:
        order: what the search works on.
        wish: what it is for.
        sampler: what draws the trials.
    """
    return {
        "model": sha256_of(order.model),
        "data": sha256_of(order.data),
        "target": order.target.model_dump_json(),
        "recipe": order.recipe.model_dump_json(),
        "objectives": ", ".join(wish.objectives),
        "limits": wish.limits.model_dump_json(),
        "metric": str(getattr(order.metric, "__qualname__", order.metric)),
        "labels": sha256_of(order.labels),
        "sampler": sampler,
        "version": own_version(),
    }


def sha256_of(value: Any) -> str:
    """SHA-256 of what a user gives as a model or as data, in hexadecimal digits.

    Of a file its bytes, of a folder the names and bytes of its files, of a model object its weights, of
    arrays their values; of anything else its text.
    """
    made = hashlib.sha256()
    for part in _parts(value):
        made.update(part)
    return made.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, str | Path):
        path = Path(value)
        if path.is_dir():
            for one in sorted(path.rglob("*")):
                if one.is_file():
                    yield one.relative_to(path).as_posix().encode()
                    yield from _content(one)
        elif path.is_file():
            yield from _content(path)
        else:
            yield str(value).encode()
    elif hasattr(value, "get_weights"):
        yield from _parts(value.get_weights())
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)
    else:
        yield repr(value).encode()


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
