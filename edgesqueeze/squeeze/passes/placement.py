"""Where the converter puts quantizers: which outputs of layers are int8 tensors of the .tflite.

The converter fuses layers, folds constants and copies ranges from one tensor to the next by rules of its own.
Nothing of that is imitated here. The model is converted once, and outputs of layers are found again among the
file's tensors by their values on a few samples: what a layer gives that is no tensor of the file (a
convolution before its activation, say) is not rounded there. A second conversion with the ranges that
training is to begin with shows which of them the converter takes as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from edgesqueeze.graph import Graph, TfliteModel
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.ranges import Range
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.rewrite import is_symbol, nodes_in_order
from edgesqueeze.squeeze.passes.groups import SAME_RANGE, Group, grouped, is_own, makers_of, spanning

Values = npt.NDArray[np.float32]

LOOKED_AT = 4
"""Samples by whose values a layer's output and a tensor are known to be the same."""
SAME = 1e-3
"""How far the values of two ways to compute the same tensor may be apart, where the largest is 1."""

NEW_VALUES = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
"""Those of ``SAME_RANGE`` that give other values than they were given."""


@dataclass(frozen=True)
class Placement:
    """Where quantizers stand in a Keras model.

    Attributes:
        groups: the ranges.
        of_layer: for a layer by its name the ranges that its output is rounded to, one after the other:
            numbers into ``groups``. Inputs of the model go by the names of their layers.
        inputs: for a layer that has one input, which range that input has in the file.
        means: names of layers whose outputs are means of a few of their inputs.
        unseen: tensors of the file that are no output of a layer, inside layers made of several operators.
    """

    groups: tuple[Group, ...]
    of_layer: Mapping[str, tuple[int, ...]]
    inputs: Mapping[str, int]
    means: frozenset[str]
    unseen: tuple[str, ...]


def place(
    model: Any, tflite: TfliteModel, samples: Source, given: Mapping[str, Range] | None = None
) -> Placement:
    """Find the outputs of layers that are tensors of the file, and what they span.

    Args:
        model: a flat tf_keras model of plain layers.
        tflite: what ``convert.calibrated`` made of a model that computes the same.
        samples: samples for the model.
        given: what tensors are to span in place of what the samples show, by name.
    """
    graph = tflite.main
    found = dict(_matches(model, tflite, spanning(tflite), samples))
    makers = makers_of(graph)
    groups, group_of = grouped(tflite, given or {}, found.values())
    seen = {index for matched in found.values() for index in matched}
    of_layer = {name: _chain(graph, one[0], seen, makers, group_of) for name, one in found.items()}
    means = [name for name, one in found.items() if one[0] in makers and makers[one[0]].opcode in NEW_VALUES]
    known = {number for chain in of_layer.values() for number in chain}
    return Placement(
        groups=groups,
        of_layer=of_layer,
        inputs={name: group_of[found[one][0]] for name, one in _sources(model) if one in found},
        means=frozenset(means),
        unseen=tuple(graph.tensors[one].name for one, number in group_of.items() if number not in known),
    )


def _matches(
    model: Any, tflite: TfliteModel, tensors: Sequence[int], samples: Source
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """For the layers of a model the tensors that hold their outputs, one for each time a layer is applied."""
    inputs = next(iter(samples.stream(min(LOOKED_AT, samples.count), None)))[0]
    data = EvalData(tuple(one.numpy() for one in inputs), names=tuple(model.input_names))
    graph = tflite.main
    rows = data_samples(tflite, data)
    computed = [index for index in tensors if index not in graph.inputs]
    outputs = litert.run_builtin(with_outputs(tflite, computed), rows) if computed else []
    known = {index: _joined(rows, place) for place, index in enumerate(graph.inputs) if index in tensors}
    known |= {index: _joined(outputs, place) for place, index in enumerate(computed)}
    symbols = _symbols(model)
    flat = [symbol for _, symbol in symbols]
    values = tf.nest.flatten(tf_keras.Model(model.inputs, flat)(list(inputs), training=False))
    taken: set[int] = set()
    matched: dict[str, list[int | None]] = {}
    for (name, _), value in zip(symbols, values, strict=True):
        one = _same(np.asarray(value, np.float32).reshape(len(rows), -1), known, taken)
        taken.add(-1 if one is None else one)
        matched.setdefault(name, []).append(one)
    for name, places in matched.items():
        # A layer that is rounded behind one of its calls only cannot be rounded at all.
        whole = [one for one in places if one is not None]
        if len(whole) == len(places):
            yield name, tuple(whole)


def _joined(rows: Sequence[Sequence[Any]], place: int) -> Values:
    return np.stack([np.asarray(row[place], np.float32).reshape(-1) for row in rows])


def _symbols(model: Any) -> list[tuple[str, Any]]:
    """What layers give, with the layer's name: of those that give one float tensor at a time."""
    inputs = [(one._keras_history.layer.name, one) for one in model.inputs]
    outputs = [(node.layer.name, node.outputs) for node in nodes_in_order(model) if is_symbol(node.outputs)]
    return [(name, one) for name, one in (*inputs, *outputs) if one.dtype.is_floating]


def _sources(model: Any) -> Iterator[tuple[str, str]]:
    """The layers that have one input at one place, each with the layer that gives it."""
    for layer in model.layers:
        nodes = layer._inbound_nodes
        if len(nodes) == 1 and len(nodes[0].keras_inputs) == 1:
            yield layer.name, nodes[0].keras_inputs[0]._keras_history.layer.name


def _same(values: Values, known: Mapping[int, Values], taken: set[int]) -> int | None:
    """The tensor that has these values, best one that nobody has taken; None: there is none."""
    limit = SAME * float(np.abs(values).max(initial=0.0))
    near = {
        index: float(np.abs(values - other).max(initial=0.0))
        for index, other in known.items()
        if other.shape == values.shape
    }
    equal = [index for index, distance in near.items() if distance <= limit]
    return min(equal, key=lambda one: (one in taken, near[one])) if equal else None


def _chain(
    graph: Graph, tensor: int, seen: set[int], makers: Mapping[int, Any], group_of: Mapping[int, int]
) -> tuple[int, ...]:
    """The ranges that a layer's output is rounded to; none where its values are rounded already."""
    maker = makers.get(tensor)
    if maker is not None and maker.opcode in SAME_RANGE - NEW_VALUES:
        sources = [one for one in maker.inputs if one in makers or one in graph.inputs]
        if all(one in seen and group_of.get(one) == group_of[tensor] for one in sources):
            return ()
    readers = [one for one in graph.operators if tensor in one.inputs]
    others = {group_of[one.outputs[0]] for one in readers if one.outputs[0] in group_of}
    if is_own(tensor, makers) and len(others) == 1 and all(one.opcode in SAME_RANGE for one in readers):
        # The converter brings it to the range of those that read it.
        return (group_of[tensor], *others)
    return (group_of[tensor],)
