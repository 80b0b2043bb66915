"""The one integer scale of an input of many features: when it is too coarse, and lifting what would need it.

A quantized input has one scale for all its features. Where one runs to 50,000 and another to 1, the other is
the same integer for every sample, and a normalization inside the model comes too late. Lifted, it is applied
to the data before they are quantized; firmware is given its constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.checks.evaluate import Originals
from edgesqueeze.checks.records import InputScaling
from edgesqueeze.recipe.sections import DataOptions, QuantizeMode
from edgesqueeze.squeeze.data.load import Data
from edgesqueeze.squeeze.data.source import InputSpec, Source
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order, rewrite

LIFTED = (tf_keras.layers.Normalization, tf_keras.layers.Rescaling)
FAR = 1e6
"""Where the slope of an affine layer is measured: far out, so that float32 has it to seven digits."""
FEW_LEVELS = 8
"""A feature that spans fewer levels of the input's integers is as good as lost."""
LOOKED_AT = 500
BATCH = 64
STEPS = {"int8": 255, "int16x8": 65_535}


@dataclass(frozen=True, eq=False)
class Lifted:
    """A model without the affine layers that stood first.

    Attributes:
        model: the rest, a flat tf_keras model.
        affine: per input of the model, the scale and the offset that were lifted, ``[features]`` or ``[1]``
            each; None where nothing was.
    """

    model: Any
    affine: tuple[tuple[Array, Array] | None, ...]

    def inputs(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Arrays, or tensors, as the rest takes them."""
        return tuple(
            value if affine is None else value * affine[0] + affine[1]
            for value, affine in zip(values, self.affine, strict=True)
        )

    def data(self, data: Data) -> Data:
        """Samples as the rest takes them."""
        return replace(data, train=self._source(data.train), test=self._source(data.test))

    def originals(self, originals: Originals) -> Originals:
        """What the original says, beside the inputs that the rest takes."""
        first = replace(originals.first, inputs=self.inputs(originals.first.inputs))
        return replace(originals, first=first)

    def scalings(self, options: DataOptions) -> tuple[InputScaling, ...]:
        """What firmware does with raw data, the data's own scale and offset included."""
        found = []
        raw_scale, raw_offset = np.asarray(options.scale), np.asarray(options.offset)
        for name, affine in zip(self.model.input_names, self.affine, strict=True):
            if affine is not None:
                scale, offset = affine[0] * raw_scale, affine[0] * raw_offset + affine[1]
                found.append(InputScaling(input=name, scale=_numbers(scale), offset=_numbers(offset)))
        return tuple(found)

    def _source(self, source: Source) -> Source:
        def stream(batch_size: int, seed: int | None) -> Any:
            return source.stream(batch_size, seed).map(lambda inputs, labels: (self.inputs(inputs), labels))

        return replace(source, stream=stream, part=lambda kept: self._source(source.part(kept)))


def lift(model: Any) -> tuple[Lifted | None, tuple[Finding, ...]]:
    """Take a normalization that stands first in a model out of it.

    Args:
        model: a flat tf_keras model; it is not changed.

    Returns:
        The rest, or None where no input goes through such a layer alone; and a finding for each layer.
    """
    layers = [_first_layer(model, tensor) for tensor in model.inputs]
    affine = tuple(
        None if layer is None else _affine(layer, tensor)
        for layer, tensor in zip(layers, model.inputs, strict=True)
    )
    gone = {layer.name for layer, values in zip(layers, affine, strict=True) if layer is not None and values}
    if not gone:
        message = "no normalization or rescaling stands first in the model: nothing was lifted"
        found = Finding(code="nothing-to-lift", subject=model.name, message=message, severity="warning")
        return None, (found,)
    rest = rewrite(model, lambda layer: [] if layer.name in gone else None)
    message = (
        "lifted out of the model: the .tflite takes raw * scale + offset for each feature; the constants "
        "are `scaling` in report.json"
    )
    return Lifted(rest, affine), tuple(
        Finding(code="normalization-lifted", subject=name, message=message) for name in sorted(gone)
    )


def _first_layer(model: Any, tensor: Any) -> Any | None:
    """The affine layer that alone takes an input, and takes nothing else; or None."""
    nodes = list(nodes_in_order(model))
    takes = [node for node in nodes if any(one is tensor for one in tf.nest.flatten(node.keras_inputs))]
    if len(takes) != 1 or not isinstance(takes[0].layer, LIFTED):
        return None
    layer = takes[0].layer
    return layer if sum(node.layer is layer for node in nodes) == 1 else None


def _affine(layer: Any, tensor: Any) -> tuple[Array, Array] | None:
    """Scale and offset along the last axis; None where the layer has others than these."""
    shape = (1, *tensor.shape[1:])
    low, zero, high = (np.asarray(layer(tf.fill(shape, x)), np.float64) for x in (-FAR, 0.0, FAR))
    scale, offset = (high - low) / (2 * FAR), zero
    flat = [values.reshape(-1, shape[-1]) for values in (scale, offset)]
    if any(not np.array_equal(values, np.broadcast_to(values[:1], values.shape)) for values in flat):
        return None
    return flat[0][0].astype(np.float32), flat[1][0].astype(np.float32)


def _numbers(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in np.atleast_1d(values))


def coarse_features(
    source: Source, specs: Sequence[InputSpec], mode: QuantizeMode, model: Any
) -> tuple[Finding, ...]:
    """A finding for each input with features that its one integer scale is too coarse for.

    Args:
        source: samples as the model takes them.
        specs: the model's inputs.
        mode: what the .tflite holds.
        model: the flat tf_keras model, to say what can be done.
    """
    if mode not in STEPS:
        return ()
    found = []
    for place, spec in enumerate(specs):
        if not np.issubdtype(np.dtype(spec.dtype), np.floating) or len(spec.shape) < 1 or spec.shape[-1] < 2:
            continue
        low, high = _ranges(source, place)
        step = (max(high.max(), 0.0) - min(low.min(), 0.0)) / STEPS[mode]
        levels = (high - low) / step if step else np.zeros(len(low))
        lost = [i for i in range(len(levels)) if high[i] > low[i] and levels[i] < FEW_LEVELS]
        if lost:
            found.append(_coarse(spec, levels, lost, _first_layer(model, model.inputs[place]) is not None))
    return tuple(found)


def _ranges(source: Source, place: int) -> tuple[Array, Array]:
    """Least and largest value of each feature of an input, on some of the samples."""
    ends = []
    for inputs, _ in source.stream(BATCH, None).take(-(-LOOKED_AT // BATCH)).as_numpy_iterator():
        rows = inputs[place].reshape(-1, inputs[place].shape[-1])
        ends.append((rows.min(axis=0), rows.max(axis=0)))
    lows, highs = zip(*ends, strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _coarse(spec: InputSpec, levels: Array, lost: Sequence[int], liftable: bool) -> Finding:
    named = ", ".join(f"{i} ({levels[i]:.2g} levels)" for i in lost[:6]) + (", ..." if len(lost) > 6 else "")
    advice = (
        "its normalization can be lifted in front of it: --lift-normalization"
        if liftable
        else "scale each feature to the same range before training, or use --quantize float16 or dynamic"
    )
    return Finding(
        code="input-scale-coarse",
        subject=spec.name,
        message=f"one integer scale for all {len(levels)} features is too coarse for the features {named}; "
        f"{advice}",
        severity="warning",
    )
