"""Signs of trouble in a .tflite that runs on real data: each is looked for, and named.

They are what a conversion that went wrong looks like from outside: an output that no longer depends on
the input, activations that are stuck or cut off, data in another unit than the model was calibrated with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.checks.tasks import classes_of, labels_as_choices, task_of
from edgesqueeze.checks.unclipped import unclipped
from edgesqueeze.graph import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.affine import is_quantized, quantized_twin, real_range
from edgesqueeze.runners.samples import per_output

MIN_SAMPLES = 8
"""With fewer samples, nothing is said: a handful may well agree by chance."""
COLLAPSED_SHARE = 0.95
"""An output that chooses one class on so many of the samples has collapsed ..."""
SPREAD_SHARE = 0.8
"""... if the original, or the labels, give no class more than this."""
SATURATED_SHARE = 0.05
"""Share of an activation's values at one end of its range. Calibration on min and max leaves about none
there, except where a ReLU or ReLU6 puts that end."""
DEAD_CHANNELS_SHARE = 0.5
"""Share of channels that never change. A few are normal after ReLU."""
CLIPPED_SHARE = 0.1
"""Share of input values outside of what the input's scale can express."""
USED_SHARE = 1 / 16
"""Share of the input's range that the data span: below it, at most 16 of 256 levels are used."""

# Their outputs reach both ends of the range by design.
BOUNDED = ("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "HARD_SWISH", "RELU_N1_TO_1", "L2_NORMALIZATION")
# They only move or regroup values; what is wrong with those is said where they are computed.
MOVERS = frozenset(
    {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD"}
    | {"CONCATENATION", "PACK", "UNPACK", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE", "GATHER"}
    | {"MAX_POOL_2D"}
)
SELECTIONS = ("SELECT", "SELECT_V2")
# Ends of the range that an activation function puts there: ReLU6, and sigmoid or hard sigmoid.
NATURAL_TOPS = (6.0, 1.0)
# ReLU, GELU, swish, mish, hard swish, ELU and SELU.
NATURAL_BOTTOMS = (0.0, -0.17, -0.2785, -0.3088, -0.375, -1.0, -1.7581)
ENOUGH_FOR_AN_ERROR = 20
"""With fewer samples, a class that is chosen too often is worth a warning only: a few make the difference."""


def find_trouble(
    model: TfliteModel,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    activations: Mapping[int, Array],
    original: Sequence[Array] | None = None,
    labels: Array | Sequence[Array | None] | None = None,
    names: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Look for signs of trouble on real data.

    Args:
        model: what was run.
        inputs: per graph input, the data as real numbers ``[n, ...]``.
        outputs: per graph output, real numbers ``[n, ...]``.
        activations: by tensor index, raw values ``[m, *shape]`` of computed tensors, on some of the samples.
        original: the float original's outputs on the same samples, if at hand.
        labels: as for ``agreement.fidelity``; they tell how the classes are spread when there is no original.
        names: what the original calls the outputs, in the order of the graph's.
    """
    graph = model.main
    if len(outputs[0]) < MIN_SAMPLES:
        return ()
    found: list[Finding] = []
    if all(_is_constant(values) for values in inputs):
        said = f"all {len(inputs[0])} are the same: they show nothing of what the model does"
        found.append(Finding(code="same-samples", subject="samples", message=said, severity="error"))
    for tensor, values in zip(graph.input_tensors, inputs, strict=True):
        found += _input_scale(graph, tensor, values)
    truths = per_output(labels)
    for i, (tensor, values) in enumerate(zip(graph.output_tensors, outputs, strict=True)):
        reference = None if original is None else original[i]
        name = names[i] if i < len(names) else _output_name(tensor, i)
        found += _output(graph, name, values, reference, truths[i] if i < len(truths) else None)
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    for index, values in activations.items():
        tensor, maker = graph.tensors[index], makers.get(index)
        kind = "" if maker is None else maker.opcode
        if kind in MOVERS or len(values) < MIN_SAMPLES:
            continue
        if index not in graph.outputs:
            found += _dead(tensor, values)
        if is_quantized(tensor) and kind not in BOUNDED:
            exact = None if maker is None else unclipped(graph, maker, activations)
            masked = maker is not None and _is_masked(graph, maker)
            found += _saturated(tensor, values, exact, masked)
    return tuple(found)


def _is_masked(graph: Graph, maker: Operator) -> bool:
    """Whether an operator adds or selects a mask for a softmax: what is masked lies at the lowest end."""
    if not (maker.opcode in SELECTIONS or any(_may_mask(graph, one) for one in maker.inputs)):
        return False
    if maker.opcode not in ("ADD", "SUB", *SELECTIONS):
        return False
    index, readers = maker.outputs[0], [maker]
    while readers and readers[0].opcode != "SOFTMAX":
        readers = [one for one in graph.operators if index in one.inputs]
        if len(readers) != 1 or readers[0].opcode not in (*MOVERS, "SOFTMAX"):
            return False
        index = readers[0].outputs[0]
    return bool(readers)


def _may_mask(graph: Graph, index: int) -> bool:
    """Whether a tensor is a constant, or what a constant is multiplied by, as masks are."""
    maker = next((one for one in graph.operators if index in one.outputs), None)
    while maker is not None and maker.opcode in MOVERS:
        index = maker.inputs[0]
        maker = next((one for one in graph.operators if index in one.outputs), None)
    inputs = [index] if maker is None else list(maker.inputs) if maker.opcode == "MUL" else []
    return any(graph.tensors[one].is_constant for one in inputs)


def _input_scale(graph: Graph, tensor: Tensor, values: Array) -> Iterator[Finding]:
    tensor = quantized_twin(graph, tensor)
    if not is_quantized(tensor) or not values.size:
        return
    low, high = real_range(tensor)
    seen = (
        f"the data run from {values.min():.4g} to {values.max():.4g}, the input takes {low:.4g} to {high:.4g}"
    )
    half_step = (high - low) / 510
    clipped = float(np.mean((values < low - half_step) | (values > high + half_step)))
    if clipped >= CLIPPED_SHARE:
        yield _warning(
            "input-clipped",
            tensor.name,
            f"{seen}: {clipped:.0%} of the values are cut off. Were the data scaled as in training?",
        )
    used = float(values.max() - values.min()) / (high - low)
    if 0 < used < USED_SHARE:
        yield _warning(
            "input-range-unused",
            tensor.name,
            f"{seen}: they use {used:.1%} of the levels. Were the data scaled as in training?",
        )


def _output_name(tensor: Tensor, place: int) -> str:
    """The output's name, unless it is the converter's own, which tells nothing."""
    return f"output {place}" if tensor.name.startswith("StatefulPartitionedCall") else tensor.name


def _output(
    graph: Graph, name: str, values: Array, original: Array | None, labels: Array | None
) -> Iterator[Finding]:
    if _is_constant(values):
        yield _constant(name, values, original, labels)
        return
    shapes = [source.shape[1:] for source in graph.input_tensors]
    task = task_of(values if original is None else original, labels, shapes)
    if task in ("values", "labels"):
        return
    share = _largest_share(classes_of(values, task))
    if share < COLLAPSED_SHARE:
        return
    expected = None
    if original is not None:
        expected = _largest_share(classes_of(original, task))
    elif labels is not None:
        expected = _largest_share(labels_as_choices(labels, values, task))
    if expected is not None and expected <= SPREAD_SHARE:
        source = "the labels" if original is None else "the original"
        give = "give" if original is None else "gives"
        yield Finding(
            code="collapsed-output",
            subject=name,
            message=f"one class is chosen on {share:.0%} of the samples; {source} {give} none more than "
            f"{expected:.0%}",
            severity="error" if len(values) >= ENOUGH_FOR_AN_ERROR else "warning",
        )


def _is_constant(values: Array) -> bool:
    return bool(np.all(values == values[:1]))


def _constant(name: str, values: Array, original: Array | None, labels: Array | None) -> Finding:
    """An output that does not depend on the samples: an error, unless it should not depend on them either."""
    said = f"it is the same on all {len(values)} samples"
    for expected, source in ((original, "the original's is"), (labels, "the labels are")):
        if expected is not None and _is_constant(expected):
            return _warning("constant-output", name, f"{said}, as {source}: other samples would tell more")
    if original is None and labels is None and np.issubdtype(values.dtype, np.integer):
        # One class for a handful of samples may be right.
        return _warning(
            "constant-output", name, f"{said}: labels, or the original, tell whether it should be"
        )
    return Finding(code="constant-output", subject=name, message=said, severity="error")


def _largest_share(classes: Array) -> float:
    _, counts = np.unique(classes, return_counts=True)
    return float(counts.max() / counts.sum())


def _dead(tensor: Tensor, values: Array) -> Iterator[Finding]:
    if bool(np.all(values == values[:1])):
        yield _warning(
            "dead-activation", tensor.name, f"its values are the same on all {len(values)} samples"
        )
        return
    channels = values.shape[-1]
    if values.ndim < 2 or channels < 2:
        return
    rows = values.reshape(-1, channels)
    dead = int(np.sum(rows.min(axis=0) == rows.max(axis=0)))
    if dead / channels >= DEAD_CHANNELS_SHARE:
        yield _warning(
            "dead-channels",
            tensor.name,
            f"{dead} of {channels} channels never change on {len(values)} samples",
        )


def _saturated(tensor: Tensor, values: Array, exact: Array | None, masked: bool) -> Iterator[Finding]:
    """Whether many values are cut off; without the exact ones, whether many sit at an end of the range."""
    limits = np.iinfo(tensor.dtype)
    low, high = real_range(tensor)
    step = (high - low) / (int(limits.max) - int(limits.min))
    for end, bound, real, natural in (
        ("lowest", int(limits.min), low, masked or _is_one_of(low, NATURAL_BOTTOMS, step)),
        ("highest", int(limits.max), high, _is_one_of(high, NATURAL_TOPS, step)),
    ):
        share = float(np.mean(values == bound))
        if exact is not None:
            outside = exact < low - step if end == "lowest" else exact > high + step
            share = min(share, float(np.mean(outside)))
        if share >= SATURATED_SHARE and not natural:
            yield _warning(
                "saturated-activation",
                tensor.name,
                f"{share:.0%} of its values sit at the {end} value it can hold "
                f"({real:.4g}): calibrate on data like these",
            )


def _is_one_of(value: float, known: Sequence[float], step: float) -> bool:
    return any(abs(value - one) <= step for one in known)


def _warning(code: str, subject: str, message: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, severity="warning")
