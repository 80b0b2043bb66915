"""Models whose weights can be packed in flash, and encodings that are forced on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgesqueeze.emit.native.packing import code, stage
from edgesqueeze.emit.native.packing.skipping import SKIPPING, Skipping
from edgesqueeze.emit.native.packing.sparse import SPARSE
from edgesqueeze.emit.native.packing.table import ENCODINGS
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.target.processor import Processor
from runtime_tests.support.native_figures import PROCESSORS

Weights = npt.NDArray[np.int8]

FACTORED_MACHINES = MappingProxyType({"m0plus": "small", "m3": "portable"})
"""Core whose kernels add up the inputs of a value -> what its instructions are counted for."""
FACTORED_BOARDS = MappingProxyType(
    {name: PROCESSORS[name] for name in FACTORED_MACHINES}
    | {"m33": Processor("cortex-m33", "none", dsp=False, mve="none")}
)
"""The same cores and one more that runs these kernels -> processor."""

DENSE_ENCODINGS = frozenset({"palette", "small-palette"})
"""Encodings that gain nothing by zeros."""

MOST_VALUES: Mapping[str, int] = MappingProxyType({"small-palette": 8})
"""Encoding -> values that it holds; others: 16."""


def clustered(
    rng: np.random.Generator, shape: Sequence[int], *, values: int = 16, zeros: float = 0.0
) -> Weights:
    """Weights of so many values, zero included where a part of them is zero."""
    nonzero = np.setdiff1d(np.arange(-127, 128), [0])
    palette = rng.choice(nonzero, values - (zeros > 0), replace=False)
    weights = rng.choice(palette, tuple(shape)).astype(np.int8)
    weights[rng.random(tuple(shape)) < zeros] = 0
    return weights


def in_blocks(
    rng: np.random.Generator,
    shape: Sequence[int],
    block: tuple[int, int],
    *,
    values: int = 16,
    zeros: float = 0.0,
) -> Weights:
    """Weights of so many values, a part of whose blocks is zero."""
    weights = clustered(rng, shape, values=values)
    numbers = block_numbers(shape, block)
    weights[(rng.random(numbers.max() + 1) < zeros)[numbers]] = 0
    return weights


def force(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the generator know these encodings only, and take them where they save a byte.

    The kernels that skip zeros are then taken in the portable set too.
    """
    rows = {name: ENCODINGS[name] for name in names if name in ENCODINGS}
    sparse = {
        kind: tuple(
            replace(
                row,
                costs=MappingProxyType(dict.fromkeys(("small", "portable", "dsp"), row.costs["dsp"])),
                cores=frozenset(),
            )
            for row in rows
            if row.name in names
        )
        for kind, rows in SPARSE.items()
    }
    skipping = {
        kind: tuple(_free(row) for row in rows if row.name in names) for kind, rows in SKIPPING.items()
    }
    monkeypatch.setattr(stage, "SKIPPING", MappingProxyType(skipping))
    monkeypatch.setattr(stage, "SPARSE", MappingProxyType(sparse))
    monkeypatch.setattr(stage, "ENCODINGS", MappingProxyType(rows))
    monkeypatch.setattr(code, "file_bytes", lambda name, machine: 0)
    monkeypatch.setattr(code, "ALONE_BYTES", MappingProxyType({}))


def _free(row: Any) -> Skipping:
    """A kernel whose code counts nothing, for the portable set on any core too."""
    free: Skipping = replace(row, costs=_everywhere(row.costs), cores=frozenset())
    return free


def _everywhere(costs: Mapping[str, object]) -> Mapping[str, object]:
    """The costs of a set for the portable set too."""
    one = next(iter(costs.values()))
    return MappingProxyType({"small": one, "portable": one, **costs})


def all_kinds(*, values: int = 16, zeros: float = 0.0, seed: int = 0) -> bytes:
    """A layer of every kind that can be packed, with odd sizes among them."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> Weights:
        return clustered(rng, shape, values=values, zeros=zeros)

    graph = GraphBuilder(seed, name="kinds")
    x = graph.input((1, 7, 6, 24))
    x = graph.conv2d(x, 36, kernel=1, weights=weights(36, 1, 1, 24))
    x = graph.conv2d(x, 25, kernel=3, weights=weights(25, 3, 3, 36))
    x = graph.depthwise_conv2d(x, weights=weights(1, 3, 3, 25))
    x = graph.depthwise_conv2d(x, kernel=(5, 3), weights=weights(1, 5, 3, 25))
    x = graph.conv2d(x, 20, kernel=(3, 1), stride=2, weights=weights(20, 3, 1, 25))
    x = graph.fully_connected(graph.reshape(x, (1, 4 * 3 * 20)), 37, weights=weights(37, 240))
    return graph.build([x])


def small_images(*, values: int = 16, zeros: float = 0.0, seed: int = 0) -> bytes:
    """Layers that have more than enough memory to be unpacked as a whole."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> Weights:
        return clustered(rng, shape, values=values, zeros=zeros)

    graph = GraphBuilder(seed, name="images")
    x = graph.average_pool(graph.input((1, 32, 32, 16)), 16)
    x = graph.conv2d(x, 64, kernel=1, weights=weights(64, 1, 1, 16))
    x = graph.conv2d(x, 64, kernel=1, weights=weights(64, 1, 1, 64))
    x = graph.depthwise_conv2d(x, weights=weights(1, 3, 3, 64))
    x = graph.fully_connected(graph.reshape(x, (1, 256)), 64, weights=weights(64, 256))
    return graph.build([x])
