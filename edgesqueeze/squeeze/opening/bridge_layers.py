"""Layers of Keras 3 as layers of tf_keras, and back.

Most have the same class name and the same settings under both roofs; the tables below say where they differ.
Weights are copied by the caller once the new layer is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.opening import activations
from edgesqueeze.squeeze.opening.keras_layer import KerasLayer, copy_of, wrap

# Settings with another name in tf_keras.
RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}

# Settings that tf_keras lacks, with the values that mean what tf_keras does anyway; None: any value.
ONLY_KERAS: dict[str, tuple[Any, ...] | None] = {
    "activity_regularizer": (None,),
    "antialias": (False,),
    "autocast": None,
    "bounding_box_format": None,
    "data_format": ("channels_last", None),
    "factor": None,
    "fill_mode": None,
    "fill_value": None,
    "flash_attention": None,
    "gptq_unpacked_column_size": None,
    "lora_alpha": None,
    "lora_rank": (None,),
    "optional": None,
    "pad_to_aspect_ratio": (False,),
    "quantization_config": (None,),
    "rms_scaling": (False,),
    "seed": None,
    "sliding_window": (None,),
    "use_cudnn": None,
    "use_gate": (False,),
    "zero_output_for_mask": None,
}

# Settings that tf_keras takes and does not follow, with the values for which that does not matter.
NOT_FOLLOWED: dict[str, dict[str, tuple[Any, ...]]] = {"Conv3DTranspose": {"dilation_rate": ((1, 1, 1),)}}

# What tf_keras takes through **kwargs.
ONLY_TF_KERAS = {"zero_output_for_mask": ("LSTM", "GRU", "SimpleRNN", "RNN")}

# Random augmentation and the like: they do nothing at inference.
INERT = ("AugMix", "CutMix", "MixUp", "RandAugment", "StochasticDepth")

# Layers that no TFLite runtime could run.
OUTSIDE = (
    "FlaxLayer",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "JaxLayer",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
)

REGULARIZERS = ("L1", "L2", "L1L2", "OrthogonalRegularizer")
CONSTRAINTS = ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm")
REDUCED_PRECISION = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
OTHER_FLOATS = (*REDUCED_PRECISION, "float64")
"""Policies of what TensorFlow Lite computes in float32, or not at all."""

# Makes the counterpart of a layer that stands inside a wrapper such as TimeDistributed.
Inner = Callable[[Any], Any]


def is_inert(layer: Any) -> bool:
    """Whether the layer does nothing at inference and can be dropped."""
    name = type(layer).__name__
    module = type(layer).__module__.split(".")[0]
    return module in ("keras", "tf_keras") and (
        name in INERT or (name.startswith("Random") and name != "RandomCrop")
    )


def is_known(layer: Any) -> bool:
    """Whether it is a layer class of Keras 3 itself, not somebody else's with the same name."""
    return getattr(keras.layers, type(layer).__name__, None) is type(layer)


def to_tf_keras(layer: Any, name: str, inner: Inner) -> Any:
    """The unbuilt tf_keras layer that computes what the Keras 3 layer does.

    Args:
        layer: a built Keras 3 layer.
        name: name of the new layer.
        inner: makes the counterpart of a layer inside a wrapper.

    Returns:
        A layer of tf_keras, or a ``KerasLayer`` that holds the original where tf_keras has no counterpart.

    Raises:
        UnsupportedModelError: the layer cannot run on a device, or is quantized or channels_first.
    """
    kind = type(layer).__name__
    if kind in OUTSIDE and is_known(layer):
        raise UnsupportedModelError(
            f"layer '{layer.name}' is a {kind}, which no TFLite runtime can run",
            hint="do this step outside the model and save the model without it",
        )
    if not is_known(layer) or not hasattr(tf_keras.layers, kind) or kind == "Lambda":
        return wrap(layer, name)
    special = SPECIAL.get(kind)
    if special is not None:
        return special(tf_keras.layers, layer, name, inner)
    config = _config_for_tf_keras(layer, kind)
    if config is None:
        return wrap(layer, name)
    return getattr(tf_keras.layers, kind)(**{**config, "name": name})


def to_keras(layer: Any, inner: Inner) -> Any:
    """The unbuilt Keras 3 layer that computes what a layer of a bridged tf_keras model does.

    Raises:
        UnsupportedModelError: Keras 3 has no such layer.
    """
    kind = type(layer).__name__
    name = layer.name.replace("/", "_")
    if isinstance(layer, KerasLayer):
        return copy_of(layer.layer, name)
    special = SPECIAL.get(kind)
    if special is not None:
        return special(keras.layers, layer, name, inner)
    cls = getattr(keras.layers, kind, None)
    if cls is None or getattr(tf_keras.layers, kind, None) is not type(layer):
        raise UnsupportedModelError(
            f"layer '{layer.name}' ({kind}) cannot be written to a Keras 3 file",
            expected="a layer that Keras 3 has too",
            hint="replace the layer by one that Keras 3 has",
        )
    return cls.from_config({**_config_for_keras(layer, cls), "name": name})


@cache
def parameters(cls: type) -> frozenset[str]:
    """Names that the constructor takes, its bases' included as far as it passes ``**kwargs`` on."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        found = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= {p.name for p in found}
        if all(p.kind is not p.VAR_KEYWORD for p in found):
            break
    return frozenset(names)


def plain_dtype(policy: Any, subject: str) -> str:
    """A dtype policy as the dtype to compute in: other real numbers become float32.

    Raises:
        UnsupportedModelError: the layer is quantized.
    """
    name = getattr(policy, "name", policy)
    if name in OTHER_FLOATS:
        return "float32"
    if "_from_" in name:
        raise UnsupportedModelError(
            f"layer '{subject}' is quantized already ({name})",
            expected="a float model",
            hint="save the model before quantizing it",
        )
    return str(name)


def refuse_channels_first(config: dict[str, Any], subject: str) -> None:
    """Raise UnsupportedModelError if a layer's configuration says channels_first."""
    if config.get("data_format") == "channels_first":
        raise UnsupportedModelError(
            f"layer '{subject}' is channels_first; TFLite has channels last only",
            expected="data_format='channels_last'",
            got="data_format='channels_first'",
            hint="rebuild the model with channels_last and transpose the input data",
        )


def _config_for_tf_keras(layer: Any, kind: str) -> dict[str, Any] | None:
    """Settings for the tf_keras class of the same name, None if one has no counterpart there."""
    given = layer.get_config()
    refuse_channels_first(given, layer.name)
    known = parameters(getattr(tf_keras.layers, kind))
    config: dict[str, Any] = {}
    for key, value in given.items():
        theirs = RENAMED.get(kind, {}).get(key, key)
        if value not in NOT_FOLLOWED.get(kind, {}).get(key, (value,)):
            return None
        if key == "dtype":
            config[key] = plain_dtype(layer.dtype_policy, layer.name)
        elif key.endswith("initializer"):
            config[key] = "zeros"
        elif key.endswith("activation"):
            function = _activation_of(layer, key, value)
            if function is None:
                return None
            config[key] = function
        elif key.endswith(("regularizer", "constraint")) and theirs in known:
            config[key] = _standard_object(value)
        elif theirs in known or kind in ONLY_TF_KERAS.get(key, ()):
            config[theirs] = value
        elif key not in ONLY_KERAS or not _means_nothing(value, ONLY_KERAS[key]):
            return None
    return config


def _means_nothing(value: Any, harmless: tuple[Any, ...] | None) -> bool:
    return harmless is None or value in harmless


def _activation_of(layer: Any, key: str, value: Any) -> Any:
    """The tf_keras function of an activation, None for one that somebody else wrote."""
    if value is None:
        return tf_keras.activations.linear
    if not isinstance(value, str):
        function = getattr(layer, key, None)
        name = getattr(function, "__name__", "")
        if getattr(keras.activations, name, None) is not function:
            return None
        value = name
    return activations.to_tf_keras(value)


def _standard_object(value: Any) -> Any:
    """A regularizer or constraint that both have; another one, which only training needs, is left out."""
    if isinstance(value, dict) and value.get("class_name") in REGULARIZERS + CONSTRAINTS:
        return {"class_name": value["class_name"], "config": value["config"]}
    return None


def _config_for_keras(layer: Any, cls: type) -> dict[str, Any]:
    kind = cls.__name__
    ours = {theirs: key for key, theirs in RENAMED.get(kind, {}).items()}
    known = parameters(cls)
    config: dict[str, Any] = {}
    for key, value in layer.get_config().items():
        name = ours.get(key, key)
        if name not in known or key.endswith("initializer"):
            continue
        if key.endswith("activation"):
            config[key] = _activation_name(layer, key)
        elif key.endswith(("regularizer", "constraint")):
            found = _standard_object(value)
            config[key] = found and {"module": None, "registered_name": None, **found}
            if found:
                config[key]["module"] = (
                    "keras.regularizers" if key.endswith("regularizer") else "keras.constraints"
                )
        elif key == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
            config[key] = value[0]  # tf_keras's normalizations make a list of it
        else:
            # A plain copy: tf_keras wraps lists in a class of its own.
            config[name] = list(value) if isinstance(value, list) else value
    return config


def _activation_name(layer: Any, key: str) -> str:
    name = activations.to_keras(getattr(layer, key))
    if name is None:
        raise UnsupportedModelError(
            f"layer '{layer.name}' has an activation that Keras 3 does not know: {getattr(layer, key)}",
            hint="replace the activation by one that Keras 3 has",
        )
    return name


# The functions below serve both ways: ``library`` is the ``layers`` module of the new layer's side.


def _bidirectional(library: Any, layer: Any, name: str, inner: Inner) -> Any:
    forward, backward = inner(layer.forward_layer), inner(layer.backward_layer)
    return library.Bidirectional(forward, merge_mode=layer.merge_mode, backward_layer=backward, name=name)


def _normalization(library: Any, layer: Any, name: str, inner: Inner) -> Any:
    kept = sorted(layer._keep_axis)
    shape = [layer._broadcast_shape[axis] for axis in kept]
    mean, variance = (np.asarray(v, np.float32).reshape(shape).tolist() for v in (layer.mean, layer.variance))
    return library.Normalization(
        kept or None, mean, variance, invert=layer.invert, name=name, dtype="float32"
    )


def _rnn(library: Any, layer: Any, name: str, inner: Inner) -> Any:
    keys = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
    settings = {key: getattr(layer, key) for key in keys}
    return library.RNN(inner(layer.cell), name=name, **settings)


def _stacked(library: Any, layer: Any, name: str, inner: Inner) -> Any:
    return library.StackedRNNCells([inner(cell) for cell in layer.cells], name=name)


def _time_distributed(library: Any, layer: Any, name: str, inner: Inner) -> Any:
    return library.TimeDistributed(inner(layer.layer), name=name)


# Layers that are not made from their configuration alone.
SPECIAL: dict[str, Callable[[Any, Any, str, Inner], Any]] = {
    "Bidirectional": _bidirectional,
    "Normalization": _normalization,
    "RNN": _rnn,
    "StackedRNNCells": _stacked,
    "TimeDistributed": _time_distributed,
}
