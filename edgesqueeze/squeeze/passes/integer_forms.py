"""Operators that the converter leaves float, or makes of steps that integers do not hold, written in others.

``-x`` becomes ``x * -1``, ``x ** 2`` becomes ``x * x``, and so does the square that the converter makes of a
squared difference in five dimensions, as group normalization has it. What is true or false becomes 1 or 0 by
a selection. Softplus and SELU are made of ``exp(x)`` by the converter, whose range where ``x`` is above zero
leaves nothing to the rest: they become ``relu(x) - log(sigmoid(|x|))`` and a sum of ELU below zero and ReLU.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

REWRITTEN = ("NEG", "SQUARE", "CAST")
"""Operators of TFLite that ``rewrite_saved_model`` takes away."""
UNROUNDABLE = ("Softplus", "Selu")
"""Operators of TensorFlow that it takes away for int8, always."""

FACTOR = "edgesqueeze_minus_one"
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
PORTS = {
    **dict.fromkeys(("AddV2", "Minimum", "Mul", "Sub"), "z"),
    **dict.fromkeys(("Abs", "Cast", "Log", "Sigmoid"), "y"),
    **dict.fromkeys(("Elu", "Relu", "Selu", "Softplus"), "activations"),
    **dict.fromkeys(("Const", "SelectV2"), "output"),
}
"""What operators of TensorFlow call their output."""


def rewrite_saved_model(folder: Path, kinds: Collection[str]) -> None:
    """Rewrite the graph and the functions of a SavedModel of ours, in place.

    Args:
        folder: the SavedModel.
        kinds: which of ``REWRITTEN`` and ``UNROUNDABLE`` to take away.
    """
    path = folder / "saved_model.pb"
    content = path.read_bytes()
    if not {*kinds}.difference(UNROUNDABLE) and not any(one.encode() in content for one in kinds):
        return
    saved = saved_model_pb2.SavedModel.FromString(content)
    for meta in saved.meta_graphs:
        _spell_out(meta.graph_def.node, kinds, inner=False)
        if "SQUARE" in kinds:
            _multiply_differences(meta.graph_def.node, "")
            _multiply_squares(meta.graph_def.node)
        if "NEG" in kinds and _rewrite_nodes(meta.graph_def.node, FACTOR):
            _add_factor(meta.graph_def.node)
        for function in meta.graph_def.library.function:
            _rewrite_function(function, kinds)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _rewrite_function(function: Any, kinds: Collection[str]) -> None:
    """In a function the outputs of an operator have names: ``y`` of Neg becomes ``z`` of Mul."""
    changed: list[str] = []
    spelled = _spell_out(function.node_def, kinds, inner=True)
    if "SQUARE" in kinds:
        _multiply_differences(function.node_def, ":z:0")
        changed += _multiply_squares(function.node_def)
    negated = _rewrite_nodes(function.node_def, f"{FACTOR}:output:0") if "NEG" in kinds else []
    if negated:
        _add_factor(function.node_def)
    renamed = {**spelled, **{f"{name}:y:0": f"{name}:z:0" for name in (*changed, *negated)}}
    for node in function.node_def:
        for index, source in enumerate(node.input):
            node.input[index] = renamed.get(source, source)
    for key, source in function.ret.items():
        function.ret[key] = renamed.get(source, source)


def _spell_out(nodes: Any, kinds: Collection[str], *, inner: bool) -> dict[str, str]:
    """Write the operators that become several ones.

    Args:
        nodes: those of a graph or a function.
        kinds: which to write.
        inner: whether it is a function, where outputs have names.

    Returns:
        What the outputs of changed nodes are called, by what they were called.
    """
    renamed = {}
    for node in list(nodes):
        steps = _Steps(nodes, node, inner=inner)
        before = steps.output(node)
        if node.op == "Softplus" and node.op in kinds and _is_float(node):
            size = steps.add("Log", steps.add("Sigmoid", steps.add("Abs", node.input[0])))
            steps.become("Sub", steps.add("Relu", node.input[0]), size)
        elif node.op == "Selu" and node.op in kinds and _is_float(node):
            # Behind a minimum with zero, ELU has all integers for what is below.
            below = steps.add("Minimum", steps.add("Elu", node.input[0]), steps.constant(0.0))
            above = steps.add("Relu", node.input[0])
            scaled = steps.add("Mul", below, steps.constant(SELU_SCALE * SELU_ALPHA))
            steps.become("AddV2", scaled, steps.add("Mul", above, steps.constant(SELU_SCALE)))
        elif node.op == "Cast" and "CAST" in kinds and _tells(node):
            steps.become("SelectV2", node.input[0], steps.constant(1.0), steps.constant(0.0))
        renamed[before] = steps.output(node)
    return renamed


class _Steps:
    """Operators of float32 that take the place of one."""

    def __init__(self, nodes: Any, node: Any, *, inner: bool) -> None:
        self._nodes, self._node, self._inner, self._count = nodes, node, inner, 0

    def output(self, node: Any) -> str:
        """What others call a node's output."""
        return f"{node.name}:{PORTS.get(node.op)}:0" if self._inner else str(node.name)

    def _new(self, kind: str) -> Any:
        self._count += 1
        return self._nodes.add(name=f"{self._node.name}/{kind.lower()}_{self._count}", op=kind)

    def add(self, kind: str, *inputs: str) -> str:
        """An operator before the last; its output."""
        node = self._new(kind)
        node.input.extend(inputs)
        node.attr["T"].type = tf.float32.as_datatype_enum
        return self.output(node)

    def constant(self, value: float) -> str:
        """A single number; its output."""
        node = self._new("Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.float32))
        return self.output(node)

    def become(self, kind: str, *inputs: str) -> None:
        """Make the node itself the last of the operators."""
        self._node.op = kind
        del self._node.input[:]
        self._node.input.extend(inputs)
        self._node.attr["T"].type = tf.float32.as_datatype_enum


def _tells(node: Any) -> bool:
    """Whether a cast makes float32 of what is true or false."""
    types = (node.attr["SrcT"].type, node.attr["DstT"].type)
    return types == (tf.bool.as_datatype_enum, tf.float32.as_datatype_enum)


def _multiply_differences(nodes: Any, output: str) -> None:
    """Make a product of every squared difference, behind a subtraction of its own.

    Args:
        nodes: those of a graph or a function.
        output: what follows a node's name where its first output is meant.
    """
    for node in [one for one in nodes if one.op == "SquaredDifference" and _is_float(one)]:
        difference = nodes.add(name=f"{node.name}/difference", op="Sub")
        difference.input.extend(node.input)
        difference.attr["T"].CopyFrom(node.attr["T"])
        node.op = "Mul"
        # What must run before (after the data, with a caret) does so before the difference.
        del node.input[:]
        node.input.extend([f"{difference.name}{output}"] * 2)


def _multiply_squares(nodes: Any) -> list[str]:
    """Make a product of every square; the names of those nodes."""
    changed = [node for node in nodes if node.op == "Square" and _is_float(node)]
    for node in changed:
        node.op = "Mul"
        node.input.insert(1, node.input[0])
    return [node.name for node in changed]


def _rewrite_nodes(nodes: Any, factor: str) -> list[str]:
    """Make a product of every negation; the names of those nodes."""
    changed = []
    for node in nodes:
        if node.op == "Neg" and _is_float(node):
            node.op = "Mul"
            node.input.insert(1, factor)
            changed.append(node.name)
    return changed


def _is_float(node: Any) -> bool:
    return bool(node.attr["T"].type == tf.float32.as_datatype_enum)


def _add_factor(nodes: Any) -> None:
    node = nodes.add(name=FACTOR, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(-1.0, tf.float32))
