"""Conversions at the graph's border: equal to TFLite Micro, next to every boundary too."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower import border as lower_border
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from edgesqueeze.runners.host_c import host_program
from runtime_tests.support.tools import require_tool

PHASES = (Phase.explicit, Phase.generate)
CASES = 12
VALUES = 4000
RANGES = {"int8": (-128, 127), "uint8": (0, 255)}

# From 2^-16 to 2^8, with all bits of a float32 in use.
scales = st.sampled_from([1.0, 0.5]) | st.integers(-16 << 20, 8 << 20).map(
    lambda n: float(np.float32(2.0 ** (n / (1 << 20))))
)
signed = st.sampled_from([-128, 0]) | st.integers(-128, 127)


def neighbours(values):
    """The next smaller float32, the values themselves, and the next larger ones."""
    down, up = (np.nextafter(values, np.float32(direction)) for direction in (-np.inf, np.inf))
    return [down, values, up]


@dataclass(frozen=True)
class Conversion:
    """QUANTIZE or DEQUANTIZE from one type to another."""

    source: str
    output: str
    scale: float
    zero_point: int
    output_scale: float = 1.0
    output_zero_point: int = 0

    def add(self, graph):
        size = self.values(np.random.default_rng(0)).size
        if self.source == "float32":
            x = graph.input((1, size), "float32")
            y = graph.tensor((1, size), "int8", self.scale, self.zero_point)
        else:
            x = graph.input((1, size), self.source, self.scale, self.zero_point)
            quantization = (
                (None,) if self.output == "float32" else (self.output_scale, self.output_zero_point)
            )
            y = graph.tensor((1, size), self.output, *quantization)
        graph.op("DEQUANTIZE" if self.output == "float32" else "QUANTIZE", [x], [y])
        return y

    def values(self, rng):
        """All integers, or float32: close to the boundaries between integers, anywhere, tiny and large."""
        if self.source != "float32":
            low, high = RANGES[self.source]
            return np.arange(low, high + 1).astype(self.source).reshape(1, -1)
        scale = np.float32(self.scale)
        boundary = (np.arange(-300, 300) + np.float32(0.5)) * scale
        near = [value for first in neighbours(boundary) for value in neighbours(first)]
        odd = np.array([0.0, -0.0, 1e-40, -1e-40, 1e-30], np.float32)
        far = np.array([-1e9, -1e4, -512, 511.5, 512, 1e4, 1e9], np.float32) * scale
        spread = rng.uniform(-300, 300, VALUES).astype(np.float32) * scale
        return np.concatenate([*near, odd, far, spread]).astype(np.float32).reshape(1, -1)


from_float = st.builds(Conversion, st.just("float32"), st.just("int8"), scales, signed)
to_float = st.builds(Conversion, st.just("int8"), st.just("float32"), scales, signed)


@st.composite
def between_bytes(draw):
    source = draw(st.sampled_from(["int8", "uint8"]))
    output = "uint8" if source == "int8" else "int8"
    scale = draw(scales)
    zero_points = draw(signed), draw(signed)
    if draw(st.booleans()):
        zero_points = zero_points[:1] * 2
    shifts = [128 * (dtype == "uint8") for dtype in (source, output)]
    return Conversion(
        source,
        output,
        scale,
        zero_points[0] + shifts[0],
        float(np.float32(scale * draw(st.sampled_from([1.0, 1.0, 0.37, 2.0])))),
        zero_points[1] + shifts[1],
    )


def model_of(cases):
    graph = GraphBuilder()
    return parse_tflite(graph.build([case.add(graph) for case in cases]))


def converted(model, sample):
    require_tool("gcc", "gcc")
    return host_program(emit_native(model, core=None), sanitize=True).run([sample])[0]


@settings(derandomize=True, deadline=None, max_examples=5, phases=PHASES)
@given(st.lists(from_float | to_float | between_bytes(), min_size=CASES, max_size=CASES))
def test_conversions_equal_tflm(cases):
    model = model_of(cases)
    rng = np.random.default_rng(len(cases))
    sample = [case.values(rng) for case in cases]
    (expected,) = tflm.run(model, [sample])
    for case, one, other in zip(cases, converted(model, sample), expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=repr(case))


def test_values_beyond_int8_saturate_and_nan_is_the_zero_point():
    graph = GraphBuilder()
    x = graph.input((1, 8), "float32")
    y = graph.tensor((1, 8), "int8", 0.1, 5)
    graph.op("QUANTIZE", [x], [y])
    values = np.array([[np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, -1e-45]], np.float32)
    (result,) = converted(parse_tflite(graph.build([y])), [values])
    assert result.tolist() == [[5, 5, 127, -128, 127, -128, 5, 5]]


def fused_multiply_add(value, high, low):
    """``fma(value, high, value * low)`` in exact arithmetic."""
    small = np.float32(value) * np.float32(low)
    exact = Fraction(float(value)) * Fraction(float(high)) + Fraction(float(small))
    return min(
        neighbours(np.float32(float(exact))),
        key=lambda one: (abs(Fraction(float(one)) - exact), one.view(np.int32) & 1),
    )


@settings(derandomize=True, deadline=None, max_examples=20, phases=PHASES)
@given(scales, signed)
def test_two_part_inverse_quantizes_as_division_does(scale, zero_point):
    scale = np.float32(scale)
    high, low = lower_border.inverse_parts(scale, zero_point)
    assert high > 0 and low > 0
    rng = np.random.default_rng(0)
    halves = rng.integers(-128 - zero_point, 127 - zero_point, 40) + np.float32(0.5)
    for value in (halves * scale).astype(np.float32):
        for near in (
            np.nextafter(value, np.float32(-np.inf)),
            value,
            np.nextafter(value, np.float32(np.inf)),
        ):
            quotient, product = near / scale, fused_multiply_add(near, high, low)
            assert np.floor(abs(quotient) + np.float64(0.5)) == np.floor(abs(product) + np.float64(0.5))


def lower(case, function):
    main = model_of([case]).main
    return function(Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize(
    ("case", "kernel"),
    [
        (Conversion("uint8", "int8", 0.1, 128, 0.1, 0), "es_flip_sign_s8"),
        (Conversion("uint8", "int8", 0.1, 128, 0.2, 0), "es_lookup_s8"),
    ],
)
def test_bytes_need_no_table_if_only_the_zero_point_moves(case, kernel):
    (call,) = lower(case, lower_border.lower_quantize_input)
    assert call.function == kernel


@pytest.mark.parametrize(
    ("case", "function", "reason"),
    [
        (Conversion("float32", "int8", 1e-30, 0), lower_border.lower_quantize_input, "the scale"),
        (Conversion("int8", "int16", 0.1, 0), lower_border.lower_dequantize_output, "the output is int16"),
        (Conversion("int8", "int8", 0.1, 0), lower_border.lower_quantize_input, "the input is int8"),
    ],
)
def test_what_cannot_be_expressed_is_refused(case, function, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower(case, function)


INT8 = ("int8", 0.1, 0)
UINT8 = ("uint8", 0.1, 128)
COARSE_UINT8 = ("uint8", 0.2, 128)
FLOAT32 = ("float32",)
CONVERSIONS = [
    ("QUANTIZE", FLOAT32, INT8, lower_border.lower_quantize_input),
    ("QUANTIZE", UINT8, INT8, lower_border.lower_quantize_input),
    ("QUANTIZE", COARSE_UINT8, INT8, lower_border.lower_quantize_input),
    ("QUANTIZE", INT8, UINT8, lower_border.lower_dequantize_output),
    ("DEQUANTIZE", INT8, FLOAT32, lower_border.lower_dequantize_output),
]


def lower_between(opcode, source, output, function, sizes, **input_options):
    graph = GraphBuilder()
    x = graph.tensor((1, sizes[0]), *source, **input_options)
    y = graph.tensor((1, sizes[1]), *output)
    graph.op(opcode, [x], [y])
    main = parse_tflite(graph.build([y])).main
    return function(Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("conversion", CONVERSIONS)
@pytest.mark.parametrize("sizes", [(800, 8), (8, 800)])
def test_another_number_of_elements_is_refused(conversion, sizes):
    with pytest.raises(UnsupportedOperationError, match=f"has {sizes[1]} elements, expected {sizes[0]} "):
        lower_between(*conversion, sizes)


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_a_constant_input_is_refused(conversion):
    data = np.zeros((1, 8), conversion[1][0])
    with pytest.raises(UnsupportedOperationError, match="the input is a constant"):
        lower_between(*conversion, (8, 8), data=data)
