"""What INT4 weights do to a latency that was predicted as if they were int8.

LiteRT's XNNPACK leaves convolutions with INT4 weights to LiteRT's own kernels: eight public models of fifteen
levels took 0.9 to 4.7 times as long as in int8 on an x86-64 machine (``scripts/bench tflite``), those with
convolutions 3.4 times in the median. On Arm nothing was measured, and of TensorFlow Lite Micro's kernels
for INT4 no times are published: there the bounds are widened, and the estimate stays that of int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.graph.int4 import WEIGHT_SLOTS
from edgesqueeze.graph.records import TfliteModel
from edgesqueeze.latency.records import Bounds, Estimate

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
FACTORS: Mapping[str, Mapping[str, Bounds]] = MappingProxyType(
    {
        "litert": MappingProxyType(
            {**dict.fromkeys(CONVOLUTIONS, Bounds(1, 3.4, 7)), "FULLY_CONNECTED": Bounds(1, 1, 2)}
        ),
        "tflm": MappingProxyType(dict.fromkeys(WEIGHT_SLOTS, Bounds(1, 1, 3))),
    }
)
"""Runtime -> operator -> what INT4 weights multiply low, estimate and high by."""
SAID = {
    "litert": "with INT4 weights LiteRT took up to 4.7 times as long as with int8 on x86-64, since XNNPACK "
    "leaves such convolutions alone",
    "tflm": "no times of TensorFlow Lite Micro with INT4 weights are known: those of int8 are shown",
}


def with_four_bits(model: TfliteModel, estimate: Estimate) -> Estimate:
    """An estimate that was made for int8 weights, for those of the model.

    Args:
        model: the model.
        estimate: one layer for each operator of its main graph.
    """
    runtime = "tflm" if estimate.runtime == "tflm" else "litert"
    factors = FACTORS[runtime]
    graph = model.main
    layers = []
    for operator, bounds in zip(graph.operators, estimate.layers, strict=True):
        slot = WEIGHT_SLOTS.get(operator.kind)
        tensor = graph.tensor(operator.inputs[slot]) if slot and slot < len(operator.inputs) else None
        packed = tensor is not None and tensor.dtype == "int4"
        layers.append(_times(bounds, factors[operator.kind]) if packed else bounds)
    if layers == list(estimate.layers):
        return estimate
    more = [
        Bounds(*(a - b for a, b in zip(new, old, strict=True)))
        for new, old in zip(layers, estimate.layers, strict=True)
    ]
    total = Bounds(*(sum(column) for column in zip(estimate.total, *more, strict=True)))
    basis = (*estimate.basis, f"{SAID[runtime]}; the upper bounds allow for more")
    return estimate._replace(total=total, layers=tuple(layers), basis=basis)


def _times(bounds: Bounds, factors: Bounds) -> Bounds:
    return Bounds(*(one * factor for one, factor in zip(bounds, factors, strict=True)))
