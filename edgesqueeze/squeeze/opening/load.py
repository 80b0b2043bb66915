"""Open any Keras model as one flat tf_keras model, checked against the original."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.worker import from_told
from edgesqueeze.errors import DataError, UsageError
from edgesqueeze.squeeze.opening import sameness as compare
from edgesqueeze.squeeze.opening.archive import bytes_of
from edgesqueeze.squeeze.opening.bridge import bridge, functional
from edgesqueeze.squeeze.opening.bridge_layers import REDUCED_PRECISION
from edgesqueeze.squeeze.opening.config import Rules, checked
from edgesqueeze.squeeze.opening.faults import damaged
from edgesqueeze.squeeze.opening.flatten import flatten, refuse_unbuilt
from edgesqueeze.squeeze.opening.graph_model import graph_findings
from edgesqueeze.squeeze.opening.inputs import check_inputs
from edgesqueeze.squeeze.opening.opener import ask
from edgesqueeze.squeeze.opening.rebuild import open_clean
from edgesqueeze.squeeze.opening.shelf import Content, read_shelf, write_fresh
from edgesqueeze.squeeze.opening.subclassed import as_functional
from edgesqueeze.squeeze.opening.whole_layer import whole_layers

BATCH = 32


@dataclass(frozen=True)
class LoadedModel:
    """A model, as it came and as EdgeSqueeze works on it.

    Attributes:
        model: flat tf_keras Functional model.
        original: the Keras 3 or tf_keras model itself, never changed.
        family: the library of the original, in which a compressed model is given back.
        source: where it came from, in words.
        path: its file or folder, None for a model given as an object.
        sha256: of the file, or of the folder's files; empty for a model given as an object.
        findings: what was dropped or kept in an unusual way.
        bridge_error: largest difference between outputs of the two on random inputs, relative to the output's
            largest value.
    """

    model: Any
    original: Any
    family: Literal["keras3", "tf_keras"]
    source: str
    path: Path | None
    sha256: str
    findings: tuple[Finding, ...]
    bridge_error: float


def load_model(
    path: Path, *, custom_objects: Mapping[str, Any] | None = None, unsafe: bool = False
) -> LoadedModel:
    """Open a model file and rebuild it as one flat tf_keras model.

    Args:
        path: a ``.keras`` or ``.h5`` file of Keras 3 or tf_keras, or a SavedModel folder.
        custom_objects: the user's own classes and functions by name.
        unsafe: open the file even if that runs code stored in it (Lambda layers).

    Raises:
        ModelFileError: the file is missing, damaged, or of another kind.
        UnsafeModelError: it has stored code, and ``unsafe`` is False.
        CustomLayerError: it needs a class that was not given.
        UnsupportedModelError: it has something that EdgeSqueeze cannot handle.
        UsageError: a weight is NaN or infinite.
        BridgeError: the rebuilt model computes something else.
    """
    path = Path(path)
    rules = Rules(str(path), frozenset(custom_objects or {}), unsafe)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as folder:
        content = _sift(path, Path(folder), rules)
        fresh = write_fresh(content, Path(folder))
        # The user's own code is not confined, nor that in a file that the user trusts.
        if not (rules.custom or unsafe):
            answer = ask("rehearse", asdict(content.archive), str(fresh), rules.name, bytes_of(path))
            _raise(answer)
        original = open_clean(content, fresh, rules.name, custom_objects or {}, unsafe)
    archive = content.archive
    found = graph_findings(content)
    return _adopt(original, source=archive.source, path=path, sha256=archive.sha256, found=found)


def _sift(path: Path, folder: Path, rules: Rules) -> Content:
    """What is allowed of a stranger's file; read in a process of its own, and checked again."""
    shelf = folder / "shelf"
    shelf.touch()
    answer = ask("sift", rules.name, str(shelf), sorted(rules.custom), rules.unsafe)
    _raise(answer)
    try:
        content = read_shelf(shelf.read_bytes(), int(answer["index"]))
        # That of a graph is checked where the graph is made of it.
        graph = content.archive.container == "graph"
        same = graph or json.dumps(checked(content.config, rules)) == json.dumps(content.config)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(rules.name, error) from error
    if not same:
        raise damaged(rules.name, "what was read from it is not what was checked")
    shelf.unlink()
    return content


def _raise(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        raise from_told(answer)


def adopt_model(model: Any) -> LoadedModel:
    """Rebuild a model object of either library as one flat tf_keras model.

    Args:
        model: a Keras 3 or tf_keras model; it is not changed.

    Raises:
        UsageError: it is neither, or a weight is NaN or infinite.
        UnsupportedModelError: it has something that EdgeSqueeze cannot handle.
        BridgeError: the rebuilt model computes something else.
    """
    if not isinstance(model, (keras.Model, tf_keras.Model)):
        raise UsageError(
            "the model is not a Keras model",
            expected="a keras.Model, a tf_keras.Model or the path of a model file",
            got=f"{type(model).__module__}.{type(model).__name__}",
            hint="save it with tf.saved_model.save(model, FOLDER, signatures=...), and give the folder",
        )
    library = "Keras 3" if isinstance(model, keras.Model) else "tf_keras"
    return _adopt(model, source=f"{library} model object", path=None, sha256="")


def predict(loaded: LoadedModel, inputs: Mapping[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Outputs of the original model.

    Args:
        loaded: the model.
        inputs: an array for each input, by the input's name in ``loaded.model``; batch first.

    Returns:
        An array for each output, in the order of ``loaded.model.outputs``.

    Raises:
        DataError: an input is missing or unknown, or the arrays differ in length.
    """
    names = [symbol._keras_history.layer.name for symbol in loaded.model.inputs]
    if set(names) != set(inputs):
        raise DataError(
            "the data do not fit the model's inputs",
            expected=", ".join(names),
            got=", ".join(sorted(inputs)) or "nothing",
        )
    lengths = {len(inputs[name]) for name in names}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(
            "the inputs differ in length", expected="one length, at least 1", got=str(sorted(lengths))
        )
    fixed = loaded.model.inputs[0].shape[0]
    size = fixed or BATCH
    batches = [
        compare.evaluate(loaded.original, [inputs[name][start : start + size] for name in names])
        for start in range(0, lengths.pop(), size)
    ]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _adopt(
    original: Any, *, source: str, path: Path | None, sha256: str, found: Iterable[Finding] = ()
) -> LoadedModel:
    is_keras3 = isinstance(original, keras.Model)
    original = as_functional(original)
    graph = functional(original) if is_keras3 else original
    if not is_keras3:
        refuse_unbuilt(original)
    check_inputs(graph.inputs)
    _check_weights(original)
    findings: list[Finding] = [*found, *_precision_findings(original)]
    trace: tuple[tuple[str, Any, Any], ...] = ()
    if is_keras3:
        bridged = bridge(original)
        model, trace = bridged.model, bridged.trace
        findings += bridged.findings
    else:
        model = flatten(original, findings)
    if (whole := whole_layers(model)) != []:
        findings.append(_no_keras_file(model, whole))
    values = compare.sample_inputs(model)

    def first_difference(tolerance: float) -> str:
        if not trace:
            return ""
        return compare.first_that_differs(graph._inputs, model.inputs, trace, values, tolerance)

    error = compare.require_same(
        original,
        model,
        values,
        tolerance=compare.LOOSE_TOLERANCE if _is_reduced(original) else compare.TOLERANCE,
        first_difference=first_difference,
    )
    return LoadedModel(
        model=model,
        original=original,
        family="keras3" if is_keras3 else "tf_keras",
        source=source,
        path=path,
        sha256=sha256,
        findings=tuple(findings),
        bridge_error=error,
    )


def _no_keras_file(model: Any, whole: Sequence[str]) -> Finding:
    """Say why there will be no float model as a file."""
    message = f"no model.keras is written: {', '.join(map(repr, whole))} cannot be stored as Keras layers"
    return Finding(code="no-keras-file", subject=model.name, message=message)


def _check_weights(model: Any) -> None:
    for weight in model.weights:
        values = np.asarray(weight.numpy() if hasattr(weight, "numpy") else weight)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = int(np.size(values) - np.isfinite(values).sum())
            raise UsageError(
                f"weight '{getattr(weight, 'path', weight.name)}' has NaN or infinite values",
                expected="finite weights",
                got=f"{bad} of {values.size} values are not finite",
                hint="the training diverged: take an earlier checkpoint",
            )


def _layers(model: Any) -> Iterable[Any]:
    return model._flatten_layers()  # type: ignore[no-any-return]


def _is_reduced(model: Any) -> bool:
    return any(_policy(layer) in REDUCED_PRECISION for layer in _layers(model))


def _policy(layer: Any) -> str:
    policy = getattr(layer, "dtype_policy", "")
    return str(getattr(policy, "name", policy))


def _precision_findings(model: Any) -> Iterable[Finding]:
    if _is_reduced(model):
        yield Finding(
            code="reduced-precision-to-float32",
            subject=model.name,
            message="The model computes in reduced precision; the rebuilt one computes in float32.",
        )
    if any(_policy(layer) == "float64" for layer in _layers(model)):
        yield Finding(
            code="double-precision-to-float32",
            subject=model.name,
            message="The model computes in float64; the rebuilt one computes in float32.",
        )
