"""Kernels of a .tflite called after their layers, where the converter calls them otherwise.

It names a constant after the operator that reads it; one that several read, as a kernel which every step of a
recurrent layer takes, is ``arith.constant7``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgesqueeze.graph import TfliteModel, parse_tflite
from edgesqueeze.graph.names import is_generic
from edgesqueeze.graph.repack import renamed
from edgesqueeze.graph.weights import weight_uses
from edgesqueeze.squeeze.layers.kernels import KERNELS
from edgesqueeze.squeeze.layers.weights import model_kernels
from edgesqueeze.squeeze.passes.promises import find_parts


def named(model: Any, tflite: TfliteModel) -> TfliteModel:
    """The .tflite with its kernels' names, as ``lstm/recurrent_kernel/forget`` or ``dense/kernel``.

    Args:
        model: the tf_keras model that it was converted from.
        tflite: what it was converted to.
    """
    names = dict(_names(model, tflite))
    if not names:
        return tflite
    return parse_tflite(renamed(tflite.content, names), name=tflite.name)


def _names(model: Any, tflite: TfliteModel) -> Iterator[tuple[tuple[int, int], str]]:
    """Graph and tensor -> name, for kernels whose name does not tell whose they are."""
    weights = [use.tensor for graph in tflite.graphs for use in weight_uses(graph) if use.role == "weights"]
    places = {id(tensor): number for number, graph in enumerate(tflite.graphs) for tensor in graph.tensors}
    generic = any(is_generic(tensor.name) for tensor in weights)
    for kernel in model_kernels(model):
        whole = type(kernel.owner) in KERNELS and "/" not in kernel.key.variable
        if whole and not generic:
            continue
        for part, tensor in find_parts(tflite, kernel):
            if not whole or is_generic(tensor.name):
                called = (*kernel.key, part.name) if part.name else kernel.key
                yield (places[id(tensor)], tensor.index), "/".join(called)
