"""The function of a SavedModel, which ``graph_file`` made clean, as a tf_keras model of one layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2
from tensorflow.python.eager import context

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import name_outputs
from edgesqueeze.squeeze.opening.faults import first_line
from edgesqueeze.squeeze.opening.graph_file import (
    INPUT,
    VARIABLE,
    Function,
    Port,
    check_graph,
    port_name,
    with_own_names,
)
from edgesqueeze.squeeze.opening.inputs import check_inputs
from edgesqueeze.squeeze.opening.shelf import Content, Shelf
from edgesqueeze.squeeze.opening.whole_layer import WholeLayer

GRAPH = "graph"
NAME = "graph"
TRIAL_BATCH = 2


def put_function(shelf: Shelf, function: Function) -> dict[str, Any]:
    """Put a function on a shelf; what is left for its index to say."""
    shelf.put([GRAPH], {}, np.frombuffer(function.graph, np.uint8))
    for index, value in enumerate(function.variables):
        shelf.put([f"{VARIABLE}_{index}"], {}, value)
    return {
        "signature": function.signature,
        "others": list(function.others),
        "inputs": [asdict(port) for port in function.inputs],
        "outputs": [asdict(port) for port in function.outputs],
    }


def graph_findings(content: Content) -> Iterator[Finding]:
    """Say of a SavedModel without Keras layers which function was taken, and what that means."""
    if content.archive.container != "graph":
        return
    taken, others = content.config["signature"], content.config["others"]
    rest = f", not {', '.join(map(repr, others))}" if others else ""
    yield Finding(
        code="kept-whole",
        subject=NAME,
        message=f"it is a TensorFlow graph without Keras layers: its signature {taken!r} is quantized as it "
        f"is{rest}; its weights are neither pruned nor clustered nor trained.",
    )


def taken_function(content: Content, name: str) -> Function:
    """The function that was handed over, checked once more.

    Raises:
        ValueError: it is none.
        UnsafeModelError: its graph has an operator that is on no list.
    """
    arrays = {entry.path[0]: array for entry, array in content.arrays() if entry.path and array is not None}
    return _function(content.config, arrays, name)


def read_fresh_function(fresh: Path, name: str) -> Function:
    """The function in the file that ``shelf.write_fresh`` wrote."""
    with h5py.File(fresh, "r") as file:
        return _function(
            json.loads(file.attrs["model_config"]), {key: np.asarray(file[key]) for key in file}, name
        )


def _function(config: Mapping[str, Any], arrays: Mapping[str, Any], name: str) -> Function:
    try:
        inputs, outputs = ([_port(one) for one in config[key]] for key in ("inputs", "outputs"))
        variables = [arrays[f"{VARIABLE}_{index}"] for index in range(len(arrays) - 1)]
        graph = graph_pb2.GraphDef.FromString(arrays[GRAPH].tobytes())
        signature, others = str(config["signature"]), tuple(map(str, config["others"]))
    except (KeyError, TypeError, AttributeError, DecodeError) as error:
        raise ValueError(f"the function is none ({type(error).__name__})") from error
    check_graph(graph, name)
    return Function(
        signature, others, tuple(inputs), tuple(outputs), tuple(variables), graph.SerializeToString()
    )


def _port(told: Mapping[str, Any]) -> Port:
    if port_name(told["name"]) != told["name"] or not all(
        size is None or (type(size) is int and size >= 0) for size in told["shape"]
    ):
        raise ValueError("an input or output is none")
    return Port(told["name"], tf.as_dtype(told["dtype"]).name, tuple(told["shape"]))


class GraphFunction:
    """A clean graph that can be called.

    Args:
        function: what it computes.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._graph = with_own_names(graph_pb2.GraphDef.FromString(function.graph))
        for one in self._graph.library.function:
            context.context().add_function_def(one)
        self._shapes: Sequence[Any] = [None for _ in function.outputs]
        self.variables = [tf.Variable(value, trainable=False) for value in function.variables]
        self._run = tf.function(self._imported, autograph=False)

    def __call__(self, inputs: Any) -> list[Any]:
        """Outputs, in order.

        Args:
            inputs: a tensor, or a list of as many as the function has inputs.
        """
        return list(self._run(*(inputs if isinstance(inputs, (list, tuple)) else [inputs])))

    def know_shapes(self, inputs: Sequence[Any], batch: int | None) -> None:
        """Learn the shapes of the outputs from a trial, since a graph need not tell them.

        Args:
            inputs: zeros, ``TRIAL_BATCH`` rows of them or as many as the batch has.
            batch: size of the batch; None where any goes.

        Raises:
            UnsupportedModelError: it fails, or an output does not have a row a sample.
        """
        try:
            outputs = tf.function(self._imported, autograph=False)(*inputs)
        except tf.errors.OpError as error:
            raise UnsupportedModelError(
                f"the SavedModel fails on zeros: {first_line(error)}",
                expected=f"a function that runs on {', '.join(str(one.shape) for one in inputs)}",
                hint="see that its signature runs on such inputs",
            ) from error
        for port, output in zip(self._function.outputs, outputs, strict=True):
            if output.shape.rank == 0 or output.shape[0] != len(inputs[0]):
                raise UnsupportedModelError(
                    f"output '{port.name}' of the SavedModel does not have one row a sample",
                    expected=f"[{len(inputs[0])}, ...] for {len(inputs[0])} samples",
                    got=str(output.shape),
                    hint="save a function whose outputs have the batch in front",
                )
        self._shapes = [(batch, *output.shape[1:]) for output in outputs]

    def _imported(self, *inputs: Any) -> list[Any]:
        graph = tf.compat.v1.get_default_graph()
        fed = {f"{INPUT}_{index}:0": value for index, value in enumerate(inputs)}
        fed |= {
            f"{VARIABLE}_{index}:0": graph.capture(variable.handle)
            for index, variable in enumerate(self.variables)
        }
        wanted = [f"output_{index}:0" for index in range(len(self._function.outputs))]
        outputs = tf.graph_util.import_graph_def(self._graph, fed, wanted, name="")
        for shape, output in zip(self._shapes, outputs, strict=True):
            output.set_shape(shape)
        return list(outputs)


def graph_model(function: Function) -> Any:
    """A flat tf_keras model of one layer, which is the function.

    Raises:
        UnsupportedModelError: sizes that are not fixed; it fails on zeros, or an output does not have a row a
            sample.
    """
    inputs = [_input(port) for port in function.inputs]
    check_inputs(inputs)
    whole = GraphFunction(function)
    batch = function.inputs[0].shape[0]
    rows = TRIAL_BATCH if batch is None else batch
    zeros = [tf.zeros((rows, *port.shape[1:]), port.dtype) for port in function.inputs]
    whole.know_shapes(zeros, batch)
    # Nothing of Python's is in it that TensorFlow would have to rewrite, for which it writes files.
    call = tf.autograph.experimental.do_not_convert(WholeLayer(whole, name=NAME))
    outputs = tf.nest.flatten(call(inputs))
    return tf_keras.Model(inputs, name_outputs(outputs, [port.name for port in function.outputs]), name=NAME)


def _input(port: Port) -> Any:
    if not port.shape:
        raise UnsupportedModelError(
            f"input '{port.name}' is a single number",
            expected="a batch of samples in front",
            hint="save a function that takes batches",
        )
    return tf_keras.Input(batch_size=port.shape[0], shape=port.shape[1:], dtype=port.dtype, name=port.name)
