"""Operators that the converter leaves float, written in ones that it quantizes: ``-x`` as ``x * -1``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

REWRITTEN = ("NEG",)
"""Operators of TFLite that ``rewrite_saved_model`` takes away."""

FACTOR = "edgesqueeze_minus_one"


def rewrite_saved_model(folder: Path) -> None:
    """Rewrite the graph and the functions of a SavedModel of ours, in place."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
        if _rewrite_nodes(meta.graph_def.node, FACTOR):
            _add_factor(meta.graph_def.node)
        for function in meta.graph_def.library.function:
            _rewrite_function(function)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _rewrite_function(function: Any) -> None:
    """In a function the outputs of an operator have names: ``y`` of Neg becomes ``z`` of Mul."""
    changed = _rewrite_nodes(function.node_def, f"{FACTOR}:output:0")
    if not changed:
        return
    _add_factor(function.node_def)
    renamed = {f"{name}:y:0": f"{name}:z:0" for name in changed}
    for node in function.node_def:
        for index, source in enumerate(node.input):
            node.input[index] = renamed.get(source, source)
    for key, source in function.ret.items():
        function.ret[key] = renamed.get(source, source)


def _rewrite_nodes(nodes: Iterable[Any], factor: str) -> list[str]:
    """Make a product of every negation; the names of those nodes."""
    changed = []
    for node in nodes:
        if node.op == "Neg" and node.attr["T"].type == tf.float32.as_datatype_enum:
            node.op = "Mul"
            node.input.insert(1, factor)
            changed.append(node.name)
    return changed


def _add_factor(nodes: Any) -> None:
    node = nodes.add(name=FACTOR, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(-1.0, tf.float32))
