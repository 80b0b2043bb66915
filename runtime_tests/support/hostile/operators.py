"""Operators and functions of TensorFlow that do more than compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime_tests.support.hostile.attack import Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import layers_of, with_config
from runtime_tests.support.hostile.honest import GRAPHS, Honest

ATTACKS = Attacks("operators")
UNSAFE = "UnsafeModelError"
PRINT_TO = "output_stream"

FUNCTIONS = (
    "io.write_file",
    "io.read_file",
    "io.matching_files",
    "compat.v1.write_file",
    "compat.v1.gfile.Open",
    "raw_ops.WriteFile",
    "raw_ops.DebugIdentityV2",
    "py_function",
    "numpy_function",
    "compat.v1.py_func",
    "print",
    "load_op_library",
    "load_library",
    "saved_model.load",
    "data.TFRecordDataset",
    "keras.utils.get_file",
    "keras.models.load_model",
    "keras.backend.function",
    "keras.backend.eval",
    "keras.backend.print_tensor",
    "debugging.experimental.enable_dump_debug_info",
    "distribute.cluster_resolver.TPUClusterResolver",
    "map_fn",
    "while_loop",
    "image.decode_jpeg",
    "math.reduce_mean\n",
    "reduce_mean; print",
)


def _replaced(change: Callable[[Any, Canaries], None]) -> Make:
    """A model whose operation is another one; it stands behind the input."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return with_config(
            honest.operations, folder / "m.h5", lambda config: change(layers_of(config)[1], canaries)
        )

    return make


def _function(symbol: str) -> Make:
    return _replaced(lambda layer, canaries: layer["config"].update(function=symbol))


def node(op: str, canaries: Canaries) -> dict[str, Any]:
    """An operator as a TensorFlowOpLayer stores it."""
    attributes: dict[str, Any] = {"T": {"type": "DT_FLOAT"}}
    if op.startswith("DebugIdentity"):
        attributes["debug_urls"] = {"list": {"s": [_text(f"file://{canaries.written}")]}}
        attributes["tfdbg_run_id"] = {"s": _text("x")}
    if op == "PrintV2":
        attributes = {PRINT_TO: {"s": _text(f"file://{canaries.written}")}}
    return {"name": "evil", "op": op, "input": ["image"], "attr": attributes}


def _text(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def operator_layer(op: str) -> Make:
    """A model with an operator of that name behind its input."""

    def change(layer: Any, canaries: Canaries) -> None:
        layer["class_name"] = "TensorFlowOpLayer"
        name = layer["name"]
        layer["config"] = {"name": name, "trainable": True, "dtype": "float32", "constants": {}}
        layer["config"]["node_def"] = node(op, canaries)
        layer["inbound_nodes"] = [[[*layer["inbound_nodes"][0][:3], {}]]]

    return _replaced(change)


def _stored_as_bytes(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """As old versions write it: the message itself. Name, operator, input."""
    message = "\n\x04evil\x12\tWriteFile\x1a\x05image"

    def change(layer: Any, canaries: Canaries) -> None:
        layer["class_name"] = "TensorFlowOpLayer"
        layer["config"] = {"name": layer["name"], "node_def": message, "constants": {}}

    return _replaced(change)(folder, honest, canaries)


def _graph(what: str) -> Make:
    return lambda folder, honest, canaries: honest.graph(what)


def _called(what: str) -> Make:
    return lambda folder, honest, canaries: honest.called(what)


for _symbol in FUNCTIONS:
    ATTACKS.add(f"the function {_symbol.strip()}", _function(_symbol), UNSAFE, "calls TensorFlow's")
for _op in (
    "DebugIdentityV2",
    "DebugIdentityV3",
    "PrintV2",
    "WriteFile",
    "ReadFile",
    "EagerPyFunc",
    "NoSuchThing",
    "PartitionedCall",
):
    ATTACKS.add(f"the operator {_op}", operator_layer(_op), UNSAFE, f"operator {_op}")
ATTACKS.add("an operator stored as bytes", _stored_as_bytes, UNSAFE, "operator WriteFile")
ATTACKS.add(
    "an operation without an operator",
    _replaced(lambda layer, canaries: layer["config"].update(function=["print"])),
    UNSAFE,
    "calls TensorFlow's",
)
for _what in GRAPHS:
    ATTACKS.add(
        f"a SavedModel that {_what} when it is loaded", _graph(_what), UNSAFE, "operators that may do more"
    )
    ATTACKS.add(
        f"a function that {_what} when it is called", _called(_what), UNSAFE, "operators that may do more"
    )
ATTACKS.add(
    "a function that keeps a state", _called("keeps"), "UnsupportedModelError", "more than compute outputs"
)
