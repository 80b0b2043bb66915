"""Operators that the converter leaves float, as products, which it quantizes: ``-x`` and ``x * x``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

REWRITTEN = ("NEG", "SQUARE")
"""Operators of TFLite that ``rewrite_saved_model`` takes away."""

FACTOR = "edgesqueeze_minus_one"


def rewrite_saved_model(folder: Path) -> None:
    """Rewrite the graph and the functions of a SavedModel of ours, in place."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
        _rewrite_nodes(meta.graph_def.node, FACTOR)
        for function in meta.graph_def.library.function:
            _rewrite_function(function)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _rewrite_function(function: Any) -> None:
    """In a function the outputs of an operator have names: ``y`` becomes ``z`` of Mul."""
    changed = _rewrite_nodes(function.node_def, f"{FACTOR}:output:0")
    renamed = {f"{name}:y:0": f"{name}:z:0" for name in changed}
    for node in function.node_def:
        for index, source in enumerate(node.input):
            node.input[index] = renamed.get(source, source)
    for key, source in function.ret.items():
        function.ret[key] = renamed.get(source, source)


def _rewrite_nodes(nodes: Any, factor: str) -> list[str]:
    """Make a product of every negation and every square; the names of those nodes."""
    changed = []
    negated = False
    for node in nodes:
        if node.op in ("Neg", "Square") and node.attr["T"].type == tf.float32.as_datatype_enum:
            negated |= node.op == "Neg"
            node.input.insert(1, factor if node.op == "Neg" else node.input[0])
            node.op = "Mul"
            changed.append(node.name)
    if negated:
        _add_factor(nodes)
    return changed


def _add_factor(nodes: Any) -> None:
    node = nodes.add(name=FACTOR, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(-1.0, tf.float32))
