"""A SavedModel of tf_keras as configuration and variables. Its graph is looked at and never run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

from edgesqueeze.base.files import read_file
from edgesqueeze.base.plain import plain
from edgesqueeze.errors import ModelFileError, UnsafeModelError
from edgesqueeze.squeeze.opening.allowed_tensorflow import GRAPH_OPERATORS
from edgesqueeze.squeeze.opening.faults import EXPECTED, damaged

GRAPH_FILE, METADATA_FILE, VARIABLES = "saved_model.pb", "keras_metadata.pb", "variables"
SUBCLASSED = "_tf_keras_model"
"""What the metadata call a model whose layers are called in Python code."""
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"
MOST_FILE_BYTES = 1 << 31
MOST_FILES = 10_000
NUMBERS = "biuf"
FAULTS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    tf.errors.OpError,
    MemoryError,
    RecursionError,
)

Children = Mapping[str, int]


@dataclass(frozen=True)
class Variables:
    """What a checkpoint has, by the objects that it belongs to.

    Attributes:
        children: for each object, the numbers of those that hang on it, by name; the first is the model.
        values: numbers of a variable, by the number of its object.
    """

    children: tuple[Children, ...]
    values: Mapping[int, Any]


def files_of(folder: Path) -> list[Path]:
    """All files in the folder of a SavedModel, in order.

    Raises:
        ModelFileError: it has a link or something else that is no file, or too much.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ModelFileError(
                    f"the folder '{folder}' has something that is no file: '{path.relative_to(folder)}'",
                    expected="a SavedModel folder without links",
                    hint="copy it with its links resolved: cp -rL",
                )
        found += [Path(place, name) for name in names]
        if len(found) > MOST_FILES:
            raise ModelFileError(f"the folder '{folder}' has more than {MOST_FILES} files", expected=EXPECTED)
    return sorted(found)


def read_config(folder: Path) -> str:
    """The configuration of a model of Keras layers, as JSON; empty for another model.

    Raises:
        ModelFileError: the folder is something else or damaged.
        UnsafeModelError: its graph has an operator that does more than compute.
    """
    if not (folder / GRAPH_FILE).is_file():
        raise ModelFileError(
            f"the folder '{folder}' is not a SavedModel: it has no {GRAPH_FILE}", expected=EXPECTED
        )
    _check_operators(folder)
    if not (folder / METADATA_FILE).is_file():
        return ""
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString(read_file(folder / METADATA_FILE, MOST_FILE_BYTES))
    except (DecodeError, OSError) as error:
        raise damaged(f"{folder / METADATA_FILE}", error) from error
    for node in metadata.nodes:
        if node.node_path == "root" or node.node_id == 0:
            return "" if node.identifier == SUBCLASSED else str(node.metadata)
    raise damaged(f"{folder / METADATA_FILE}", "it does not describe the model itself")


def read_variables(folder: Path, most_bytes: int) -> Variables:
    """The variables of the model.

    Args:
        folder: of a SavedModel.
        most_bytes: what they may have together.

    Raises:
        ModelFileError: they are damaged, or promise more than there is.
    """
    prefix = folder / VARIABLES / "variables"
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        if OBJECT_GRAPH not in shapes:
            raise damaged(str(folder), "its variables do not say what they belong to")
        stored = sum(path.stat().st_size for path in prefix.parent.glob("variables.data-*"))
        _check_sizes(shapes, dtypes, min(stored, most_bytes), folder)
        graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(reader.get_tensor(OBJECT_GRAPH))
        children = tuple({child.local_name: child.node_id for child in node.children} for node in graph.nodes)
        values = {
            number: np.asarray(reader.get_tensor(attribute.checkpoint_key))
            for number, node in enumerate(graph.nodes)
            for attribute in node.attributes
            if attribute.name == VALUE and np.dtype(_numpy(dtypes, attribute.checkpoint_key)).kind in NUMBERS
        }
    except (*FAULTS, DecodeError) as error:
        raise damaged(str(folder), error) from error
    if not children or any(number >= len(children) for node in children for number in node.values()):
        raise damaged(str(folder), "its variables belong to objects that are not there")
    return Variables(children, values)


def restore(model: Any, variables: Variables, name: str) -> None:
    """Give the weights of a rebuilt model their values.

    Raises:
        ModelFileError: a weight has no value, or one of another shape.
    """
    view = tf.train.TrackableView(model)
    waiting: list[tuple[Any, int]] = [(model, 0)]
    reached: set[tuple[int, int]] = set()
    given: set[int] = set()
    while waiting:
        owner, number = waiting.pop()
        if (id(owner), number) in reached:
            continue
        reached.add((id(owner), number))
        if isinstance(owner, tf.Variable) and number in variables.values:
            _assign(owner, variables.values[number], name)
            given.add(id(owner))
        known = variables.children[number]
        waiting += [(child, known[key]) for key, child in view.children(owner).items() if key in known]
    missing = [weight.name for weight in model.weights if id(weight) not in given]
    if missing:
        raise damaged(name, f"it has no values for {', '.join(missing[:3])}")


def _assign(variable: Any, value: Any, name: str) -> None:
    if tuple(variable.shape) != value.shape:
        raise damaged(
            name, f"it has values of shape {value.shape} for {variable.name} of {tuple(variable.shape)}"
        )
    variable.assign(value)


def _check_sizes(
    shapes: Mapping[str, Iterable[int]], dtypes: Mapping[str, Any], most_bytes: int, folder: Path
) -> None:
    promised = sum(
        int(np.prod([max(0, size) for size in shape], dtype=object)) * (dtypes[key].size or 0)
        for key, shape in shapes.items()
    )
    if promised > most_bytes:
        raise ModelFileError(
            f"the variables of '{folder}' promise more numbers than there are",
            expected=f"at most {most_bytes:,} bytes",
            got=f"{promised:,} bytes",
        )


def _numpy(dtypes: Mapping[str, Any], key: str) -> Any:
    return dtypes[key].as_numpy_dtype


def _check_operators(folder: Path) -> None:
    """Refuse a graph that does more than compute, and save and restore its own variables."""
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(read_file(folder / GRAPH_FILE, MOST_FILE_BYTES))
    except (DecodeError, OSError) as error:
        raise damaged(f"{folder / GRAPH_FILE}", error) from error
    found: set[str] = set()
    for meta in saved.meta_graphs:
        found |= {node.op for node in meta.graph_def.node}
        own = {function.signature.name for function in meta.graph_def.library.function}
        found |= {node.op for function in meta.graph_def.library.function for node in function.node_def} - own
    unknown = sorted(found - GRAPH_OPERATORS)
    if unknown:
        told = ", ".join(one[:80] for one in unknown[:5])
        raise UnsafeModelError(
            f"the SavedModel '{folder}' has operators that may do more than compute: {plain(told)}",
            expected="a model of Keras layers",
            hint="save the model with model.save('model.keras')",
        )
