"""Whether a model can be converted at all, asked before it is trained for minutes."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import tf_keras

from edgesqueeze.recipe.filled import FilledQuantize
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.passes.convert import convert

SAMPLES = 16
"""Samples to calibrate on: of the file nobody looks at more than whether there is one."""

_PLAIN = """
Activation Add AveragePooling1D AveragePooling2D BatchNormalization Bidirectional Concatenate Conv1D
Conv2D Conv2DTranspose Dense DepthwiseConv1D DepthwiseConv2D Dropout Embedding Flatten GRU
GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D InputLayer LSTM
MaxPooling1D MaxPooling2D Multiply Permute ReLU Reshape SeparableConv1D SeparableConv2D SimpleRNN Softmax
Subtract UpSampling2D ZeroPadding1D ZeroPadding2D
"""
PLAIN = frozenset(_PLAIN.split())
"""Layers of tf_keras that are known to convert in every mode, with the activations below."""
ACTIVATIONS = frozenset(("linear", "relu", "relu6", "sigmoid", "softmax", "swish", "tanh"))

_known: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""The modes in which models were converted."""


def check_possible(model: Any, options: FilledQuantize, samples: Source, seed: int) -> None:
    """Convert a model that is not made of plain layers only, once for each mode, to see that it can be done.

    Args:
        model: the flat tf_keras model that training begins with.
        options: how it is to be converted.
        samples: what it is calibrated on.
        seed: which of them.

    Raises:
        FloatOperatorError: full-integer was asked for, and an operator remains float.
        UnsupportedModelError: the converter cannot convert the model.
    """
    known = _known.setdefault(model, set())
    if options.mode in known or is_stateful(model) or all(map(_is_plain, model.layers)):
        return
    shown = min(SAMPLES, options.calibration_samples)
    convert(model, options.mode, options.io, samples, shown, seed)
    known.add(options.mode)


def _is_plain(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    own = getattr(tf_keras.layers, type(layer).__name__, None) is type(layer)
    if activation is not None and getattr(activation, "__name__", "") not in ACTIVATIONS:
        return False
    # A mask is a comparison, which not every mode has.
    masks = getattr(layer, "mask_zero", False)
    return own and not masks and type(layer).__name__ in PLAIN
