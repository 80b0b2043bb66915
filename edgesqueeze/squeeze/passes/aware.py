"""Quantization-aware training: weights and activations are rounded as in the file while they are trained.

Kernels are rounded to their int8 integers, activations to those of the tensors that the .tflite will have
(see ``placement.py``), with ranges that are trained too (see ``quantizers.py``); biases, which have 32 bits,
stay float. What was promised of a kernel stays: zeros are a mask, fifteen levels stay fifteen levels, and of
a kernel whose integers are settled only the scales are trained. The ranges travel with the model, and
conversion takes them in place of what calibration finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.ranges import Range, nudged, same_range, stored_range
from edgesqueeze.recipe.sections import Aware
from edgesqueeze.squeeze.layers.biases import with_biases
from edgesqueeze.squeeze.layers.kernels import KERNELS
from edgesqueeze.squeeze.layers.rewrite import clone_layer, rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, kernels_of
from edgesqueeze.squeeze.passes.bits import EvenKernel
from edgesqueeze.squeeze.passes.convert import calibrated, convert
from edgesqueeze.squeeze.passes.groups import Group
from edgesqueeze.squeeze.passes.placement import Placement, place
from edgesqueeze.squeeze.passes.quantizers import (
    HalvesAway,
    QuantizedActivation,
    QuantizedKernel,
    RoundedBias,
)
from edgesqueeze.squeeze.passes.scaled import Carrier, ScaledKernel, carried, copied
from edgesqueeze.squeeze.passes.state import NO_RANGES, Outcome, Setting, State

FUSED = ("linear", "relu", "relu6")
"""Activations that become part of the operator before them: nothing is rounded in between."""

LINEAR = "/linear"
"""Behind the name of a layer whose activation stands apart, under its old name."""
ROUNDED = "/rounded"
"""Behind the name of a layer that makes an output which is rounded."""


def run(state: State, options: Aware, setting: Setting) -> Outcome:
    """Train the model as the file will compute it, and give conversion the ranges that it learned.

    Raises:
        RecipeError: the model keeps a state from sample to sample.
        UnsupportedModelError: the model cannot be converted, or the training diverged.
    """
    check_stateless(state.model)
    state = replace(state, model=with_biases(state.model))
    apart = rewrite(state.model, stand_apart)
    placement = placed(state.model, apart, setting, state.ranges)
    quantizers = quantizers_of(placement, learned=options.learn_ranges)
    student = quantized_model(apart, state, setting, placement, quantizers)
    trained = setting.train(student, setting.steps)
    ranges = {
        name: quantizers[number].range()
        for number, group in enumerate(placement.groups)
        if group.learned and number in quantizers
        for name in group.names
    }
    model = with_biases(_plain(state.model, student))
    after = replace(state, model=model, ranges=MappingProxyType({**state.ranges, **ranges}), reference=None)
    return Outcome(after, tuple(_unseen(state.model, placement)), trained)


def check_stateless(model: Any) -> None:
    """Refuse a model whose state would have to be rounded from sample to sample.

    Raises:
        RecipeError: the model keeps a state.
    """
    stateful = [layer.name for layer in model.layers if getattr(layer, "stateful", False)]
    if stateful:
        raise RecipeError(
            "a model that keeps a state from sample to sample cannot be trained as it is quantized",
            expected="a model without stateful layers",
            got=", ".join(stateful),
            hint="leave [aware] out",
        )


def placed(model: Any, apart: Any, setting: Setting, given: Mapping[str, Range] = NO_RANGES) -> Placement:
    """Where quantizers stand, with the ranges that the converter takes as they are and those that it sets.

    Args:
        model: the model that will be converted.
        apart: the same with activations that TFLite computes by themselves as layers of their own.
        setting: the calibration samples.
        given: the ranges that training begins with in place of what these samples show, by tensors' names.
    """
    samples, count, seed = setting.samples, setting.calibration_samples, setting.seed
    placement = place(apart, calibrated(model, samples, count, seed), samples, given)
    wanted = {
        name: nudged(group.first) for group in placement.groups if group.learned for name in group.names
    }
    tflite, _ = convert(model, "int8", "int8", samples, count, seed, wanted)

    def checked(group: Group) -> Group:
        stored = stored_range(tflite, group.names[0])
        if stored is None or (group.learned and same_range(stored, wanted[group.names[0]])):
            return group
        return group._replace(first=stored, learned=False)

    return replace(placement, groups=tuple(map(checked, placement.groups)))


def quantizers_of(placement: Placement, *, learned: bool = True) -> dict[int, QuantizedActivation]:
    """A quantizer for every range that some layer's output is rounded to, by the number of its group."""
    numbers = sorted({number for chain in placement.of_layer.values() for number in chain})
    groups = placement.groups
    return {
        number: QuantizedActivation(
            groups[number].first, f"range_{number}", learned=learned and groups[number].learned
        )
        for number in numbers
    }


def quantized_model(
    apart: Any,
    state: State,
    setting: Setting,
    placement: Placement,
    quantizers: Mapping[int, QuantizedActivation],
) -> Any:
    """A copy of a model that computes what the file will.

    Outputs of the model with a range that never changes, those of a softmax, are not rounded: their 256
    values are too coarse to learn from, and there is nothing to be trained behind them.

    Args:
        apart: the model, with activations that TFLite computes by themselves as layers of their own.
        state: what was promised of its kernels.
        setting: how conversion will store each kernel.
        placement: where quantizers stand.
        quantizers: the quantizers, by the number of their range.
    """
    read = {id(one) for layer in apart.layers for one in _inputs(layer)}
    makers = {one._keras_history.layer.name for one in apart.outputs}
    ends = {one._keras_history.layer.name for one in apart.outputs if id(one) not in read}

    def behind(layer: Any) -> list[Any]:
        chain = placement.of_layer.get(layer.name, ())
        coarse = layer.name in ends and not all(placement.groups[one].learned for one in chain)
        # An input that is an output as well is no layer's to be rounded.
        given = layer.name in makers and isinstance(layer, tf_keras.layers.InputLayer)
        if coarse or given or not chain:
            return []
        found = [quantizers[one] for one in chain]
        halves = [HalvesAway(found[0], f"{layer.name}/halves")] if layer.name in placement.means else []
        return [*halves, *found]

    def quantized(layer: Any) -> Any:
        own = None
        if kernels_of(layer):
            own = carried(layer, lambda kernel: _maker(kernel, state, setting))
            before = placement.inputs.get(layer.name)
            if before is not None and before in quantizers and type(layer) in KERNELS and layer.use_bias:
                own = RoundedBias(own.inner, own.makers, quantizers[before])
        chain = behind(layer)
        if not chain:
            return own
        own = own or _copy(layer)
        if layer.name in makers:
            # What is behind it takes its name, as the model's output has it.
            own._name += ROUNDED
        return [own, *chain]

    return rewrite(apart, quantized, entry=behind)


def _maker(kernel: Kernel, state: State, setting: Setting) -> ScaledKernel:
    """What gives a kernel to its layer while it is trained."""
    key = kernel.key._replace(layer=kernel.key.layer.removesuffix(LINEAR))
    promise, stored = state.promise(key), setting.precision.stored(kernel)
    mask = promise.zeros is not None
    if promise.bits == 4:
        one = isinstance(kernel.owner, tf_keras.layers.Dense)
        return EvenKernel(kernel.value, stored.with_one_scale() if one else stored, mask=mask)
    if promise.settled and promise.levels is not None:
        ones = np.ones(stored.grid.scales, np.float32)
        return ScaledKernel(kernel.value, stored, ones, train_kernel=False)
    return QuantizedKernel(kernel.value, stored, mask=mask)


def stand_apart(layer: Any) -> Any:
    """A layer without the activation that TFLite computes by itself, and that activation."""
    if type(layer) not in KERNELS or layer.activation.__name__ in FUSED:
        return None
    plain = clone_layer(layer, activation="linear", name=layer.name + LINEAR)
    plain.build(layer._build_input_shape)
    plain.set_weights(layer.get_weights())
    return [plain, tf_keras.layers.Activation(layer.activation, name=layer.name)]


def _plain(model: Any, student: Any) -> Any:
    """The model with what the student learned."""

    trained = {layer.name: layer for layer in student.layers}

    def learned(layer: Any) -> Any:
        found = next(
            trained[layer.name + one] for one in (LINEAR, ROUNDED, "") if layer.name + one in trained
        )
        if isinstance(found, Carrier):
            found = found.bare(lambda _, maker: maker.value())
        if not found.weights:
            return None
        plain = copied(layer)
        plain.set_weights(found.get_weights())
        return plain

    return rewrite(model, learned)


def _copy(layer: Any) -> Any:
    """A copy of a layer, built where it has weights."""
    return copied(layer) if layer.weights else clone_layer(layer)


def _inputs(layer: Any) -> Sequence[Any]:
    return [one for node in layer._inbound_nodes for one in node.keras_inputs]


def _unseen(model: Any, placement: Placement) -> Iterator[Finding]:
    """The layers inside of which something is rounded in the file that training does not round."""
    for layer in model.layers:
        hidden = [name for name in placement.unseen if layer.name in name.replace(";", "/").split("/")]
        if hidden:
            message = (
                f"{len(hidden)} of the tensors inside of it are not rounded while it is trained: they have "
                "the ranges of the calibration samples"
            )
            yield Finding(code="aware-skipped", subject=layer.name, message=message)
