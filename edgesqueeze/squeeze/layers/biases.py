"""Biases that the converter does not see, and leaves out of its names of tensors.

It takes a bias away that is zero throughout, makes a single number of one whose values are all the same, and
one of equal biases of several layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgesqueeze.squeeze.layers.rewrite import rewrite

NEXT_TO_NOTHING = 1e-30
"""A bias that is zero in integers, and none that can be taken away."""


def with_biases(model: Any) -> Any:
    """A model whose tensors have the same names in a .tflite whatever its biases become.

    Where ranges are kept by the names that a conversion gave them, training must not change them.

    Args:
        model: a flat tf_keras model. It is given back itself if all its biases have several values; in a copy
            the others have a first value that is the next number to what it was.
    """
    if not any(map(_even, model.layers)):
        return model
    copy = rewrite(model)
    for number, layer in enumerate(copy.layers, 1):
        for bias in _even(layer):
            value = bias.numpy()
            # Equal ones of several layers would be made one.
            value[value == 0] = number * NEXT_TO_NOTHING
            value.flat[0] = np.nextafter(value.flat[0], np.inf, dtype=value.dtype)
            bias.assign(value)
    return copy


def _even(layer: Any) -> list[Any]:
    """The biases of a layer that are the same number throughout; of a single value, only zero."""
    biases = [one for one in layer.weights if one.name.split("/")[-1].split(":")[0] == "bias"]
    values = [(one, one.numpy()) for one in biases]
    return [one for one, value in values if not np.any(value) or (value.size > 1 and np.ptp(value) == 0)]
