"""Operators that the converter leaves float, written in ones that it quantizes.

``-x`` becomes ``x * -1``, ``x ** 2`` becomes ``x * x``, and so does the square that the converter makes of a
squared difference in five dimensions, as group normalization has it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

REWRITTEN = ("NEG", "SQUARE")
"""Operators of TFLite that ``rewrite_saved_model`` takes away."""

FACTOR = "edgesqueeze_minus_one"


def rewrite_saved_model(folder: Path, kinds: Collection[str]) -> None:
    """Rewrite the graph and the functions of a SavedModel of ours, in place.

    Args:
        folder: the SavedModel.
        kinds: which of ``REWRITTEN`` to take away.
    """
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
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
    if "SQUARE" in kinds:
        _multiply_differences(function.node_def, ":z:0")
        changed += _multiply_squares(function.node_def)
    negated = _rewrite_nodes(function.node_def, f"{FACTOR}:output:0") if "NEG" in kinds else []
    if negated:
        _add_factor(function.node_def)
    renamed = {f"{name}:y:0": f"{name}:z:0" for name in (*changed, *negated)}
    for node in function.node_def:
        for index, source in enumerate(node.input):
            node.input[index] = renamed.get(source, source)
    for key, source in function.ret.items():
        function.ret[key] = renamed.get(source, source)


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
