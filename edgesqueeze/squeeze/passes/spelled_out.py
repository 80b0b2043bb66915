"""Operators that the converter makes of steps that integers do not hold, written in others.

Softplus and SELU are made of ``exp(x)`` by the converter, whose range where ``x`` is above zero leaves
nothing to the rest: they become ``relu(x) - log(sigmoid(|x|))`` and a sum of ELU below zero and ReLU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

UNROUNDABLE = ("Softplus", "Selu")
"""The operators of TensorFlow."""

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
PORTS = {
    **dict.fromkeys(("AddV2", "Minimum", "Mul", "Sub"), "z"),
    **dict.fromkeys(("Abs", "Log", "Sigmoid"), "y"),
    **dict.fromkeys(("Elu", "Relu", "Selu", "Softplus"), "activations"),
    "Const": "output",
}
"""What operators of TensorFlow call their output."""


def rewrite_saved_model(folder: Path) -> None:
    """Rewrite the graph and the functions of a SavedModel of ours, in place.

    Args:
        folder: the SavedModel.
    """
    path = folder / "saved_model.pb"
    content = path.read_bytes()
    if not any(one.encode() in content for one in UNROUNDABLE):
        return
    saved = saved_model_pb2.SavedModel.FromString(content)
    for meta in saved.meta_graphs:
        _spell_out(meta.graph_def.node, inner=False)
        for function in meta.graph_def.library.function:
            _rewrite_function(function)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _rewrite_function(function: Any) -> None:
    """In a function outputs have names: ``activations`` of Softplus becomes ``z`` of Sub."""
    renamed = _spell_out(function.node_def, inner=True)
    for node in function.node_def:
        for index, source in enumerate(node.input):
            node.input[index] = renamed.get(source, source)
    for key, source in function.ret.items():
        function.ret[key] = renamed.get(source, source)


def _spell_out(nodes: Any, *, inner: bool) -> dict[str, str]:
    """Write the operators that become several ones.

    Args:
        nodes: those of a graph or a function.
        inner: whether it is a function, where outputs have names.

    Returns:
        What the outputs of changed nodes are called, by what they were called.
    """
    renamed = {}
    for node in list(nodes):
        if node.op not in UNROUNDABLE or node.attr["T"].type != tf.float32.as_datatype_enum:
            continue
        steps = _Steps(nodes, node, inner=inner)
        before = steps.output(node)
        if node.op == "Softplus":
            size = steps.add("Log", steps.add("Sigmoid", steps.add("Abs", node.input[0])))
            steps.become("Sub", steps.add("Relu", node.input[0]), size)
        else:
            # Behind a minimum with zero, ELU has all integers for what is below.
            below = steps.add("Minimum", steps.add("Elu", node.input[0]), steps.constant(0.0))
            above = steps.add("Relu", node.input[0])
            scaled = steps.add("Mul", below, steps.constant(SELU_SCALE * SELU_ALPHA))
            steps.become("AddV2", scaled, steps.add("Mul", above, steps.constant(SELU_SCALE)))
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
