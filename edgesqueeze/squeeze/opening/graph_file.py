"""A SavedModel without Keras layers as one function: a clean graph of what a signature computes.

Only protocol buffers are read here, and nothing runs. From the stranger's graph go over: the functions that
the signature reaches, under names of our own, with operators of a list and without the notes that TensorFlow
reads on the side.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

from edgesqueeze.base.files import read_file
from edgesqueeze.base.plain import plain
from edgesqueeze.errors import UnsafeModelError, UnsupportedModelError
from edgesqueeze.squeeze.opening.allowed_tensorflow import GRAPH_OPERATORS, RUN_OPERATORS
from edgesqueeze.squeeze.opening.faults import damaged
from edgesqueeze.squeeze.opening.saved_model import (
    GRAPH_FILE,
    MOST_FILE_BYTES,
    NUMBERS,
    Variables,
    read_variables,
)

DEFAULT_SIGNATURE = "serving_default"
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
CALL, INPUT, VARIABLE, CONSTANT = "call", "input", "variable", "constant"
CALL_SETTINGS = frozenset({"Tin", "Tout", "f"})
OWN_FUNCTION = re.compile(r"f[0-9]{1,6}")


@dataclass(frozen=True)
class Port:
    """An input or an output of a signature.

    Attributes:
        name: its name, as data are given by it.
        dtype: element type.
        shape: sizes; None where any goes.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Function:
    """What a signature computes.

    Attributes:
        signature: its name.
        others: names of the signatures that were not taken.
        inputs: nodes ``input_0`` and so on of the graph.
        outputs: outputs 0 and so on of the node ``call``.
        variables: values of the nodes ``variable_0`` and so on, which take a resource each.
        graph: serialized ``GraphDef``.
    """

    signature: str
    others: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    variables: tuple[Any, ...]
    graph: bytes


def read_function(folder: Path, most_bytes: int) -> Function:
    """The function of a SavedModel's signature ``serving_default``, or of its only one.

    Args:
        folder: of a SavedModel.
        most_bytes: what its variables may have together.

    Raises:
        ModelFileError: it is damaged.
        UnsafeModelError: it has an operator that is on no list.
        UnsupportedModelError: no signature, several without a default, or one that keeps a state.
    """
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(read_file(folder / GRAPH_FILE, MOST_FILE_BYTES))
    except (DecodeError, OSError) as error:
        raise damaged(f"{folder / GRAPH_FILE}", error) from error
    try:
        meta = next((one for one in saved.meta_graphs if "serve" in one.meta_info_def.tags), None)
        return _function(meta or saved.meta_graphs[0], folder, most_bytes)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise damaged(str(folder), f"its signature leads nowhere ({type(error).__name__})") from error


def _function(meta: Any, folder: Path, most_bytes: int) -> Function:
    name, others = _chosen(meta, folder)
    signature = meta.signature_def[name]
    call, places = _called(meta, signature, folder)
    keys = {info.name.partition(":")[0]: key for key, info in signature.inputs.items()}
    fed = [one for one in call.input if not one.startswith("^")]
    bound = list(meta.object_graph_def.concrete_functions[call.attr["f"].func.name].bound_inputs)
    own = fed[: len(fed) - len(bound)]
    inputs = [_port(keys[one], signature.inputs[keys[one]]) for one in own]
    ordered = sorted(signature.outputs, key=_natural)
    outputs = [_port(key, signature.outputs[key], given=False) for key in ordered]
    captured = list(_captured(meta, bound, folder, most_bytes))
    variables = [value for kind, value in captured if kind == VARIABLE]
    graph = _clean(meta.graph_def, call, inputs, captured, [places[key] for key in ordered])
    check_graph(graph, str(folder))
    return Function(name, others, tuple(inputs), tuple(outputs), tuple(variables), graph.SerializeToString())


def _chosen(meta: Any, folder: Path) -> tuple[str, tuple[str, ...]]:
    """The signature that is taken, and the others."""
    names = sorted(name for name in meta.signature_def if not name.startswith("__"))
    if DEFAULT_SIGNATURE in names or len(names) == 1:
        name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in names else names[0]
        return name, tuple(plain(one)[:80] for one in names if one != name)
    if not names:
        raise UnsupportedModelError(
            f"the SavedModel '{folder}' has no signature",
            expected="a function that it says is to be called",
            hint="save it with one: tf.saved_model.save(model, path, signatures=FUNCTION)",
        )
    raise UnsupportedModelError(
        f"the SavedModel '{folder}' has {len(names)} signatures, and none is called {DEFAULT_SIGNATURE}",
        expected=f"one signature, or one called {DEFAULT_SIGNATURE}",
        got=plain(", ".join(names[:8])),
        hint="save the one that you mean: model = tf.saved_model.load(path); tf.saved_model.save(model, "
        "new_path, signatures=model.signatures['NAME'])",
    )


def _called(meta: Any, signature: Any, folder: Path) -> tuple[Any, dict[str, int]]:
    """The node that calls the signature's function, and which of its outputs is which of the signature's."""
    nodes = {node.name: node for node in meta.graph_def.node}
    places = {key: info.name.partition(":")[::2] for key, info in signature.outputs.items()}
    makers = {maker for maker, _ in places.values()}
    call = nodes.get(next(iter(makers), ""))
    if len(makers) != 1 or call is None or call.op not in CALLS:
        raise UnsupportedModelError(
            f"the SavedModel '{folder}' has no functions: TensorFlow 1 wrote it",
            expected="what TensorFlow 2 writes",
            hint="rewrite it: model = tf.saved_model.load(path); tf.saved_model.save(model, new_path, "
            "signatures=model.signatures['serving_default'])",
        )
    return call, {key: int(index or 0) for key, (_, index) in places.items()}


def _port(name: str, info: Any, *, given: bool = True) -> Port:
    """An input or output; the shape of an output is not given where it is of any rank."""
    if given and info.tensor_shape.unknown_rank:
        raise UnsupportedModelError(
            f"'{plain(name)}' of the SavedModel has any number of dimensions",
            expected="fixed sizes everywhere but in the batch",
            hint="save it with an input_signature that has full shapes",
        )
    sizes = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return Port(port_name(name), tf.as_dtype(info.dtype).name, sizes)


def port_name(name: str) -> str:
    """A name that may stand in a graph."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", name)[:80] or "_"


def _natural(name: str) -> list[Any]:
    """Sorts ``output_2`` before ``output_10``, as the outputs were in the model."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _captured(meta: Any, bound: Sequence[int], folder: Path, most_bytes: int) -> Iterator[tuple[str, Any]]:
    """What a function takes beside its inputs: variables and constants, with their values."""
    objects = meta.object_graph_def.nodes
    constants = {node.name: node for node in meta.graph_def.node if node.op == "Const"}
    stored: dict[int, Any] | None = None
    for number in bound:
        kind = objects[number].WhichOneof("kind")
        if kind == "constant":
            yield CONSTANT, constants[objects[number].constant.operation].attr["value"].tensor
        elif kind == "variable":
            if stored is None:
                stored = _values(objects, read_variables(folder, most_bytes))
            value = stored.get(number)
            if value is None or value.dtype.kind not in NUMBERS:
                name = plain(objects[number].variable.name)[:80]
                raise damaged(str(folder), f"it has no numbers for the variable '{name}'")
            yield VARIABLE, value
        else:
            raise UnsupportedModelError(
                f"the SavedModel '{folder}' looks things up in a table or a file ({kind})",
                expected="a function of numbers and variables",
                hint="do this step outside the model and save the model without it",
            )


def _values(objects: Sequence[Any], variables: Variables) -> dict[int, Any]:
    """Values of the variables by their number in the graph of objects: both are walked by the same names."""
    found: dict[int, Any] = {}
    waiting, reached = [(0, 0)], {(0, 0)}
    while waiting:
        number, stored = waiting.pop()
        if stored in variables.values:
            found[number] = variables.values[stored]
        known = variables.children[stored]
        for child in objects[number].children:
            pair = (child.node_id, known.get(child.local_name, -1))
            if pair[1] >= 0 and pair not in reached:
                reached.add(pair)
                waiting.append(pair)
    return found


def _clean(
    graph: Any, call: Any, inputs: Sequence[Port], captured: Sequence[tuple[str, Any]], places: Sequence[int]
) -> Any:
    """The graph that calls the function, with inputs and variables to be put in."""
    functions = {one.signature.name: one for one in graph.library.function}
    names = _reached(functions, call.attr["f"].func.name)
    clean = graph_pb2.GraphDef(versions=graph.versions)
    counts = {VARIABLE: 0, CONSTANT: 0}
    fed = []
    for index, port in enumerate(inputs):
        node = clean.node.add(name=f"{INPUT}_{index}", op="Placeholder")
        node.attr["dtype"].type = tf.as_dtype(port.dtype).as_datatype_enum
        fed.append(node.name)
    for kind, value in captured:
        node = clean.node.add(
            name=f"{kind}_{counts[kind]}", op="Placeholder" if kind == VARIABLE else "Const"
        )
        counts[kind] += 1
        node.attr["dtype"].type = tf.resource.as_datatype_enum if kind == VARIABLE else value.dtype
        if kind == CONSTANT:
            node.attr["value"].tensor.CopyFrom(value)
        fed.append(node.name)
    made = clean.node.add(name=CALL, op=call.op, input=fed)
    _copy_settings(call, made, names)
    for index, place in enumerate(places):
        node = clean.node.add(name=f"output_{index}", op="Identity", input=[f"{CALL}:{place}"])
        node.attr["T"].type = call.attr["Tout"].list.type[place]
    for name in names:
        _copy_function(functions[name], clean.library.function.add(), names)
    return clean


def _reached(functions: Mapping[str, Any], first: str) -> dict[str, str]:
    """The functions that one function needs, itself included, and the names that they get."""
    names = {first: "f0"}
    waiting = [first]
    while waiting:
        for node in functions[waiting.pop()].node_def:
            for name in (node.op, *_named(node)):
                if name in functions and name not in names:
                    names[name] = f"f{len(names)}"
                    waiting.append(name)
    return names


def _named(node: Any) -> Iterator[str]:
    """Functions that an operator names in its settings."""
    for value in node.attr.values():
        if value.WhichOneof("value") == "func":
            yield value.func.name
        for one in value.list.func:
            yield one.name


def _copy_function(given: Any, clean: Any, names: Mapping[str, str]) -> None:
    clean.signature.name = names[given.signature.name]
    for kind in ("input_arg", "output_arg"):
        for one in getattr(given.signature, kind):
            arg = getattr(clean.signature, kind).add(name=one.name)
            arg.type = one.type
    for key, value in given.ret.items():
        clean.ret[key] = value
    for node in given.node_def:
        op = names.get(node.op, node.op)
        _copy_settings(node, clean.node_def.add(name=node.name, op=op, input=node.input), names)


def _copy_settings(given: Any, clean: Any, names: Mapping[str, str]) -> None:
    """The settings of an operator, without notes on the side such as devices, sessions and gradients."""
    for key, value in given.attr.items():
        if key.startswith("_") or (given.op in CALLS and key not in CALL_SETTINGS):
            continue
        clean.attr[key].CopyFrom(value)
        kept = clean.attr[key]
        for one in [kept.func] if kept.WhichOneof("value") == "func" else [*kept.list.func]:
            one.name = names[one.name]
            one.attr.clear()


def with_own_names(graph: Any) -> Any:
    """A clean graph whose functions have names of their own: TensorFlow keeps one list for all graphs."""
    prefix = f"edgesqueeze_{hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest()[:24]}_"
    names = {one.signature.name: prefix + one.signature.name for one in graph.library.function}
    renamed = graph_pb2.GraphDef(versions=graph.versions)
    for node in graph.node:
        made = renamed.node.add(name=node.name, op=names.get(node.op, node.op), input=node.input)
        _copy_settings(node, made, names)
    for one in graph.library.function:
        _copy_function(one, renamed.library.function.add(), names)
    return renamed


def check_graph(graph: Any, name: str) -> None:
    """Refuse a clean graph that does more than compute.

    Args:
        graph: ``GraphDef`` as ``read_function`` makes it.
        name: of the file, for messages.

    Raises:
        UnsafeModelError: it has an operator that is on no list.
        UnsupportedModelError: it writes variables.
        ModelFileError: it is not what ``read_function`` makes.
    """
    functions = {one.signature.name for one in graph.library.function}
    if not all(OWN_FUNCTION.fullmatch(one) for one in functions) or graph.library.gradient:
        raise damaged(name, "its graph is not what was made of it")
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    used = {node.op for node in nodes} - functions
    unknown = sorted(used - GRAPH_OPERATORS)
    if unknown:
        raise UnsafeModelError(
            f"the SavedModel '{name}' has operators that may do more than compute: "
            + plain(", ".join(one[:80] for one in unknown[:5])),
            expected="a function that computes its outputs from its inputs",
            hint="take these steps out of the model and save it again",
        )
    if used - RUN_OPERATORS:
        raise UnsupportedModelError(
            f"the SavedModel '{name}' does more than compute outputs from its inputs",
            expected="a function without a state of its own, for inference",
            got=", ".join(sorted(used - RUN_OPERATORS)[:5]),
            hint="make the state an input and an output of the function, and save it again",
        )
    noted = any(node.device or any(key.startswith("_") for key in node.attr) for node in nodes)
    if noted or any(one not in functions for node in nodes for one in _named(node)):
        raise damaged(name, "its graph is not what was made of it")
