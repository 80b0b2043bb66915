"""Biases that make up for the mean error of integers, layer by layer (Nagel et al., 2019, arXiv:1906.04721).

The mean output of a layer, before its activation, is what its kernel makes of the mean of its inputs. So the
means of all tensors on samples say by how much integers move it: the model's own in float, and those of the
.tflite, as LiteRT computes them. The biases of the .tflite are corrected from its inputs to its outputs, each
with all before it corrected, and those of the model with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import Operator, Tensor, TfliteModel
from edgesqueeze.graph.constants import with_constants
from edgesqueeze.graph.int4 import wide
from edgesqueeze.graph.records import NO_TENSOR
from edgesqueeze.recipe.sections import Bias
from edgesqueeze.runners.litert import run_inside
from edgesqueeze.runners.samples import EvalData, data_samples
from edgesqueeze.squeeze.layers.kernels import KERNELS, keras_layout, kernel_of
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order, replay, rewrite
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.layers.weights import kernel_layers, kernels_of
from edgesqueeze.squeeze.passes.affine import with_bias
from edgesqueeze.squeeze.passes.looks import samples_of
from edgesqueeze.squeeze.passes.promises import find_parts, real_values
from edgesqueeze.squeeze.passes.selection import left_out
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

Doubles = npt.NDArray[np.float64]

SAMPLES = 128
"""Training samples that the means are of, at most."""
MOST_BYTES = 256 << 20
"""What the tensors of all samples may take, by the largest of them."""


@dataclass(frozen=True, eq=False)
class _Site:
    """Where a layer is in the .tflite.

    Attributes:
        layer: the layer.
        read: the tensor that its operator reads.
        weights: its kernel.
        bias: its bias.
    """

    layer: Any
    read: Tensor
    weights: Tensor
    bias: Tensor


SLOTS: Mapping[str, tuple[int, int, int]] = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
"""Operator -> the slots of what it reads, of its weights and of its bias."""


def run(state: State, options: Bias, setting: Setting) -> Outcome:
    """Correct the biases by what integers do to the means.

    Raises:
        RecipeError: a pattern that matches no layer.
        UnsupportedModelError: the model cannot be converted.
    """
    assert setting.convert is not None
    named_out = left_out(state.model, options)
    reasons = {
        layer.name: named_out.get(layer.name) or _reason(state, layer) for layer in kernel_layers(state.model)
    }
    tflite = setting.convert(state) if not all(reasons.values()) else None
    sites: dict[str, _Site] = {}
    for layer in kernel_layers(state.model):
        if tflite is not None and not reasons[layer.name]:
            site = _site(tflite, layer)
            reasons[layer.name] = "" if site else "the .tflite computes it in another form"
            sites |= {layer.name: site} if site else {}
    added = _corrections(tflite, sites, state, setting) if tflite is not None and sites else {}
    model = rewrite(state.model, lambda layer: _moved(layer, added.get(layer.name)))
    findings = tuple(
        Finding(code="bias-skipped", subject=name, message=reason)
        for name, reason in reasons.items()
        if reason
    )
    return Outcome(replace(state, model=model), findings)


def _reason(state: State, layer: Any) -> str:
    """Why the bias of a layer cannot be corrected; empty if it can."""
    if is_stateful(state.model):
        return "the model keeps a state from sample to sample"
    if type(layer) not in KERNELS:
        return f"a {type(layer).__name__} has several biases, or none"
    if state.ranges and not layer.use_bias:
        # With one the converter calls its output by another name than the range has.
        return "it has no bias, and the ranges of activations were chosen without one"
    calls = Counter(node.layer.name for node in nodes_in_order(state.model))[layer.name]
    return f"the model applies it {calls} times" if calls > 1 else ""


def _site(tflite: TfliteModel, layer: Any) -> _Site | None:
    """Where a layer is, if exactly one operator has its kernel and reads what the layer reads."""
    (kernel,) = kernels_of(layer)
    parts = find_parts(tflite, kernel)
    if len(parts) != 1:
        return None
    weights = parts[0][1]
    operators = [one for one in tflite.main.operators if weights.index in one.inputs]
    if len(operators) != 1 or operators[0].kind not in SLOTS:
        return None
    read, kernel_slot, bias = SLOTS[operators[0].kind]
    operator = operators[0]
    if operator.inputs[kernel_slot] != weights.index or len(operator.inputs) <= bias:
        return None
    return _checked(tflite, layer, operator, weights, (read, bias))


def _checked(
    tflite: TfliteModel, layer: Any, operator: Operator, weights: Tensor, slots: tuple[int, int]
) -> _Site | None:
    readers = sum(one.inputs.count(operator.inputs[slots[1]]) for one in tflite.main.operators)
    if operator.inputs[slots[1]] == NO_TENSOR or readers > 1:
        return None
    read, bias = (tflite.main.tensors[operator.inputs[one]] for one in slots)
    wanted = int(np.prod(layer.input_shape[1:]))
    if read.quantization is None or bias.data is None or read.elements != wanted:
        return None
    return _Site(layer, read, weights, bias) if _is_own(layer, weights) else None


def _is_own(layer: Any, weights: Tensor) -> bool:
    """Whether the .tflite has a layer's kernel as it is: what multiplies its outputs may have been put in.

    Weights at the ends of the range may have been cut off there, as four bits do.
    """
    stored = wide(weights)
    assert stored.data is not None
    steps = real_values(replace(stored, data=np.ones_like(stored.data)))
    levels = np.abs(stored.data.astype(np.int16))
    allowed = np.where(levels == levels.max(), np.inf, steps)
    off = np.abs(keras_layout(layer, real_values(weights)) - kernel_of(layer))
    return bool(np.all(off <= keras_layout(layer, allowed)))


def _corrections(
    tflite: TfliteModel, sites: Mapping[str, _Site], state: State, setting: Setting
) -> dict[str, Doubles]:
    """What is to be added to the bias of each layer, ``[outputs]``."""
    inputs = samples_of(state.model, setting.samples, SAMPLES, MOST_BYTES, setting.seed)
    before = dict(_means(state.reference or state.model, inputs))
    names = tuple(state.model.input_names)
    samples = data_samples(tflite, EvalData(tuple(one.numpy() for one in inputs), names=names))
    originals = {layer.name: layer for layer in kernel_layers(state.reference or state.model)}
    added: dict[str, Doubles] = {}
    for node in nodes_in_order(state.model):
        site = sites.get(node.layer.name)
        if site is None:
            continue
        original = originals[node.layer.name]
        wanted = _output(original, kernel_of(original), before[node.layer.name]) + _bias(original)
        rows = [one[0] for one in run_inside(tflite, samples, [site.read.index])]
        missing = wanted - _integer_output(site, np.mean(rows, axis=0, dtype=np.float64))
        added[node.layer.name] = missing
        tflite = with_constants(tflite, {site.bias.index: _with(site, missing)})
    return added


def _means(model: Any, inputs: Any) -> Iterator[tuple[str, Doubles]]:
    """The mean of what each layer with a kernel reads, over samples, by its name."""
    found: list[tuple[str, Doubles]] = []

    def apply(layer: Any, args: Any, kwargs: Any) -> Any:
        if type(layer) in KERNELS:
            found.append((layer.name, np.mean(args[0].numpy(), axis=0, dtype=np.float64)))
        return layer(*args, **kwargs)

    replay(model, list(inputs), apply)
    yield from found


def _output(layer: Any, kernel: Any, mean: Doubles) -> Doubles:
    """The mean of a layer's outputs without bias and activation, over all places, ``[outputs]``."""
    config = {**layer.get_config(), "use_bias": False, "activation": "linear"}
    plain = type(layer).from_config(config)
    values = tf.constant(mean[np.newaxis], tf.float32)
    plain.build(values.shape)
    plain.set_weights([np.asarray(kernel, np.float32)])
    made = plain(values).numpy().astype(np.float64)
    found: Doubles = made.reshape(-1, made.shape[-1]).mean(axis=0)
    return found


def _integer_output(site: _Site, mean: Doubles) -> Doubles:
    """The mean of a layer's outputs as the .tflite has them, before the activation.

    The bias is the layer's own: that of the file may hold what is added behind the layer as well, as the half
    of a hard sigmoid.
    """
    found = site.read.quantization
    assert found is not None
    real = (mean - found.zero_point) * found.scale
    shaped = real.reshape(site.layer.input_shape[1:])
    kernel = keras_layout(site.layer, real_values(site.weights))
    return _output(site.layer, kernel, shaped) + _bias(site.layer)


def _bias(layer: Any) -> Doubles:
    """A layer's bias; zero if it has none."""
    return np.asarray(layer.bias.numpy() if layer.use_bias else 0.0, np.float64)


def _steps(site: _Site) -> Doubles:
    """What the integers of a bias are multiples of: input times weights."""
    assert site.read.quantization is not None and site.weights.quantization is not None
    steps: Doubles = site.read.quantization.scale * site.weights.quantization.scales.astype(np.float64)
    return steps


def _with(site: _Site, added: Doubles) -> npt.NDArray[Any]:
    """A bias in integers with something added."""
    assert site.bias.data is not None
    moved: npt.NDArray[Any] = np.rint(site.bias.data + added / _steps(site)).astype(site.bias.data.dtype)
    return moved


def _moved(layer: Any, added: Doubles | None) -> Any:
    """A layer with something added to its bias."""
    if added is None:
        return None
    bias = layer.bias.numpy().astype(np.float64) if layer.use_bias else np.zeros(added.size)
    return with_bias(layer, kernel_of(layer), bias + added)
