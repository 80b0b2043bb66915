"""Quantize a tf_keras model and convert it to a .tflite."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.base.quiet import quiet
from edgesqueeze.errors import DataError, FloatOperatorError, UnsupportedModelError
from edgesqueeze.graph import Operator, Tensor, TfliteModel, parse_tflite
from edgesqueeze.graph.ranges import Range
from edgesqueeze.graph.repack import share_vectors
from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.recipe.sections import IoType, QuantizeMode
from edgesqueeze.runners.samples import safe_name
from edgesqueeze.squeeze.data.check import unknown_id
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.layers.unroll import unrolled
from edgesqueeze.squeeze.passes.converter import ConverterError, convert_graph

MIN_CALIBRATION = 10
"""Fewer samples do not show the range of an activation: each range is the extremes over all samples."""

FLOAT_TYPES = ("float16", "float32", "float64", "bfloat16")
INTEGER_MODES = ("int8", "int16x8")
LOOP = "TensorList"
"""What the loop of a recurrent layer is made of."""
LOOP_HINT = (
    "a recurrent layer makes a loop: give the Keras model, whose layers can be written out, or export it "
    "with unroll=True"
)
SPECTRAL = ("RFFT2D", "REAL", "IMAG", "COMPLEX_ABS")
"""What TFLite has of Fourier transforms."""
BORDER_OPERATORS = ("QUANTIZE", "DEQUANTIZE")


def convert(
    model: Any,
    mode: QuantizeMode,
    io: IoType,
    calibration: Source,
    samples: int,
    seed: int,
    ranges: Mapping[str, Range] | None = None,
) -> tuple[TfliteModel, tuple[Finding, ...]]:
    """Convert a model, with batch 1 and fixed shapes.

    Args:
        model: a flat tf_keras model of plain layers.
        mode: ``int8`` (full integer, int8 activations), ``int16x8`` (int16 activations, int8 weights),
            ``float16`` weights, ``dynamic`` (int8 weights, float activations), or ``none``.
        io: type of the inputs and outputs for the integer modes.
        calibration: samples that show the range of every activation.
        samples: how many of them to use.
        seed: which of them.
        ranges: what activations span, by their names in what ``calibrated`` gives, in place of what the
            samples show; for ``int8``.

    Returns:
        The model, and findings about the calibration.

    Raises:
        DataError: too few samples to calibrate on.
        FloatOperatorError: full-integer was asked for, and an operator remains float.
        UnsupportedModelError: the converter cannot convert the model.
    """
    findings: tuple[Finding, ...] = ()
    given = None
    if mode in INTEGER_MODES:
        findings = _check_calibration(calibration, samples)
        given = _calibration(model, calibration, samples, seed)
        # With 16-bit activations the converter has no operator for any recurrent layer.
        model = unrolled(model, operators=mode == "int8")
    with _without_notes():
        concrete = _batch_one(model)
        converted = parse_tflite(
            share_vectors(_run(model, concrete, mode, io, given, ranges=ranges)), name=model.name
        )
    if mode in INTEGER_MODES:
        _check_integer(converted, [layer.name for layer in model.layers])
    return converted, (*findings, *_unquantized(converted, mode))


def convert_float(model: Any) -> TfliteModel:
    """Convert a model as it is, with float32 weights, batch 1 and fixed shapes.

    Args:
        model: a flat tf_keras model of plain layers.

    Raises:
        UnsupportedModelError: the converter cannot convert the model.
    """
    with _without_notes():
        return parse_tflite(_run(model, _batch_one(model), "none", "float32", None), name=model.name)


def calibrated(model: Any, calibration: Source, samples: int, seed: int) -> TfliteModel:
    """The float .tflite that int8 quantization begins with: ``graph.ranges`` reads what its tensors span.

    Args:
        model: a flat tf_keras model of plain layers.
        calibration: samples that show the range of every activation.
        samples: how many of them to use.
        seed: which of them.

    Raises:
        DataError: too few samples to calibrate on.
        UnsupportedModelError: the converter cannot convert the model.
    """
    _check_calibration(calibration, samples)
    given = _calibration(model, calibration, samples, seed)
    model = unrolled(model, operators=True)
    with _without_notes():
        content = _run(model, _batch_one(model), "int8", "int8", given, only_calibrate=True)
    return parse_tflite(content, name=model.name)


def _unquantized(model: TfliteModel, mode: QuantizeMode) -> tuple[Finding, ...]:
    """A finding when dynamic-range quantization was asked for, and no weights are in integers."""
    kernels = [one for one in weight_stats(model) if one.role == "weights"]
    if mode != "dynamic" or not kernels or any(one.dtype == "int8" for one in kernels):
        return ()
    message = (
        f"all weights are {kernels[0].dtype} still: TensorFlow leaves constants of fewer than 1,024 values "
        "as they are, and this model has no larger ones"
    )
    return (Finding(code="weights-not-quantized", subject="quantize", message=message, severity="warning"),)


def _batch_one(model: Any) -> Any:
    """The model as a function of fixed shapes; a dynamic batch would leave SHAPE and PACK in the graph."""
    specs = [
        tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=safe_name(name))
        for tensor, name in zip(model.inputs, model.input_names, strict=True)
    ]

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def run(*inputs: Any) -> Any:
        outputs = model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return tf.nest.flatten(outputs)

    return run.get_concrete_function()


def _check_calibration(source: Source, samples: int) -> tuple[Finding, ...]:
    if source.count < MIN_CALIBRATION:
        raise DataError(
            f"{source.count} samples are too few to calibrate on",
            expected=f"at least {MIN_CALIBRATION}, better 100 to 500: the integer range of every activation "
            "is taken from the extremes that these samples show",
            got=str(source.count),
            hint="give more samples",
        )
    if source.count < samples:
        return (
            Finding(
                code="calibration-small",
                subject="quantize",
                message=f"{source.count} of the {samples} calibration samples that were asked for are there",
                severity="warning",
            ),
        )
    return ()


def _calibration(model: Any, source: Source, samples: int, seed: int) -> dict[str, Sequence[Array]]:
    """Per input one array a sample, with a batch of 1."""
    names = [safe_name(name) for name in model.input_names]
    # What remembers from sample to sample sees them in their order.
    batches = source.stream(1, None if is_stateful(model) else seed).take(samples)
    rows = [list(inputs) for inputs, _ in batches.as_numpy_iterator()]
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _run(
    model: Any,
    concrete: Any,
    mode: QuantizeMode,
    io: IoType,
    calibration: dict[str, Sequence[Array]] | None,
    **options: Any,
) -> bytes:
    dtype = "int16" if mode == "int16x8" and io == "int8" else io
    try:
        return convert_graph(model, concrete, mode, dtype, calibration, **options)
    except ConverterError as error:
        text = str(error)
        if "gather index out of bounds" in text:
            raise unknown_id(text) from error
        names = sorted(
            {first or second for first, second in re.findall(r"\btf\.([A-Z]\w+)|\bop: '(\w+)'", text)}
        )
        first = text.strip().splitlines()[0] if text.strip() else "it gave no reason"
        reason = re.sub(r"^.*?: error: ", "", first)[:300]
        raise UnsupportedModelError(
            f"TensorFlow's converter cannot convert the model ({mode}): {reason}",
            expected="operators that TFLite has",
            got=", ".join(names),
            hint=_hint(text, names),
        ) from error


def _check_integer(model: TfliteModel, layers: Sequence[str]) -> None:
    floats = _float_operators(model)
    spectral = [one for one in floats if one.kind in SPECTRAL]
    if spectral:
        names = {one for operator in spectral for one in _layers_of(model, operator, layers)}
        raise _no_integer_spectrum(sorted(names), sorted({one.kind for one in spectral}))
    left = [f"{one.kind} ({_floats(model, one)[-1].name})" for one in floats]
    if left:
        raise FloatOperatorError(
            f"{len(left)} operators remain float in the quantized model",
            expected="integer operators only, as full-integer quantization was asked for",
            got="; ".join(left[:8]) + ("; ..." if len(left) > 8 else ""),
            hint="replace the layers that make them, or use --quantize dynamic or float16",
        )


def _layers_of(model: TfliteModel, operator: Operator, layers: Sequence[str]) -> list[str]:
    """The layers whose name stands in that of an operator's tensors."""
    parts = {part for tensor in _floats(model, operator) for part in tensor.name.split("/")}
    return [name for name in layers if name in parts]


def _no_integer_spectrum(layers: Sequence[str], kinds: Sequence[str]) -> FloatOperatorError:
    """The error for a Fourier transform inside the model, which TFLite has in float only."""
    where = f"the layer {layers[0]!r}" if layers else "the model"
    behind = f"model.get_layer({layers[0]!r}).output" if layers else "SPECTRUM"
    return FloatOperatorError(
        f"{where} computes a Fourier transform, which has no integer form",
        expected="integer operators only, as full-integer quantization was asked for",
        got=", ".join(kinds),
        hint="compute the spectrum in front of the model, in firmware, and compress the rest, "
        f"keras.Model({behind}, model.output), on such data; or use --quantize dynamic or float16",
    )


def _hint(text: str, names: Sequence[str]) -> str:
    """What to do about what the converter said."""
    if LOOP in text:
        return LOOP_HINT
    instead = "try --quantize dynamic, float16 or none"
    return f"replace the layer that makes them, or {instead}" if names else instead


def _float_operators(model: TfliteModel) -> list[Operator]:
    """Operators that compute in float, other than at the model's inputs and outputs."""
    graph = model.main
    borders = (*graph.inputs, *graph.outputs)
    return [
        operator
        for operator in graph.operators
        if (floats := _floats(model, operator)) and not _at_the_border(operator.opcode, floats, borders)
    ]


def _floats(model: TfliteModel, operator: Operator) -> list[Tensor]:
    """The float tensors of an operator."""
    computed = [model.main.tensor(index) for index in (*operator.inputs, *operator.outputs)]
    return [tensor for tensor in computed if tensor is not None and tensor.dtype in FLOAT_TYPES]


def _at_the_border(opcode: str, floats: Sequence[Any], borders: Sequence[int]) -> bool:
    return opcode in BORDER_OPERATORS and all(tensor.index in borders for tensor in floats)


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Keep the converter's notes, from Python and from native code, off the terminal."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        logger.setLevel(level)
