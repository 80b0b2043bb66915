"""Operators of one input: equal to TFLite Micro byte for byte, for all 256 inputs."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, Placement, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from runtime_tests.support.native_calls import run_graph

CASES = 60
# A failing example is of use as it is; shrinking it takes minutes.
PHASES = (Phase.explicit, Phase.generate)
EVERY_INT8 = np.arange(-128, 128).astype(np.int8).reshape(1, 4, 64)

zero_points = st.sampled_from([-128, -128, 0, 127]) | st.integers(-128, 127)

OPCODES = [
    "ABS",
    "ELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "SOFTMAX",
    "TANH",
]


def powers_of_two(low, high):
    """2^low to 2^high, with all bits of a float32 in use."""
    numbers = st.integers(low << 20, high << 20)
    return numbers.map(lambda n: float(np.float32(2.0 ** (n / (1 << 20)))))


scales = powers_of_two(-12, 1)
ratios = st.sampled_from([1.0, 1.0, 0.5, 2.0]) | powers_of_two(-6, 6)


@dataclass(frozen=True)
class Unary:
    """A function of one value."""

    opcode: str
    scale: float
    zero_point: int
    output_scale: float
    output_zero_point: int
    alpha: float = 0.0

    def add(self, graph):
        x = graph.input(EVERY_INT8.shape, "int8", self.scale, self.zero_point)
        y = graph.tensor(EVERY_INT8.shape, "int8", self.output_scale, self.output_zero_point)
        graph.op(self.opcode, [x], [y], **({"alpha": self.alpha} if self.opcode == "LEAKY_RELU" else {}))
        return y


@st.composite
def unaries(draw):
    opcode = draw(st.sampled_from(sorted({*OPCODES} - {"SOFTMAX"})))
    scale = draw(scales)
    ratio = draw(ratios)
    if opcode == "HARD_SWISH":
        ratio = max(ratio, 2.0**-6)
    output_zero_point = -128 if opcode == "LOGISTIC" else draw(zero_points)
    alpha = draw(st.sampled_from([0.1, 0.2, 0.3, 1.5, 0.0, -0.5]))
    return Unary(opcode, scale, draw(zero_points), scale * ratio, output_zero_point, alpha)


def assert_equal_to_tflm(cases, seed=0):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build([case.add(graph) for case in cases]))
    rng = np.random.default_rng(seed)
    sample = [
        EVERY_INT8
        if tensor.shape == EVERY_INT8.shape
        else rng.integers(*rng.choice([(-128, 128), (90, 128), (-3, 3)]), tensor.shape).astype(np.int8)
        for tensor in model.main.input_tensors
    ]
    (expected,) = tflm.run(model, [sample])
    got, _ = run_graph(model.main, LOWERINGS, sample)
    for case, one, other in zip(cases, got, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=repr(case))


@settings(derandomize=True, deadline=None, max_examples=12, phases=PHASES)
@given(st.lists(unaries(), min_size=CASES, max_size=CASES))
def test_functions_of_one_value_equal_tflm(cases):
    assert_equal_to_tflm(cases)


@dataclass(frozen=True)
class Softmax:
    """A softmax over the last dimension."""

    shape: tuple[int, ...]
    scale: float
    beta: float

    def add(self, graph):
        x = graph.input(self.shape, "int8", self.scale, 3)
        y = graph.tensor(self.shape, "int8", 1 / 256, -128)
        graph.op("SOFTMAX", [x], [y], beta=self.beta)
        return y


softmaxes = st.builds(
    Softmax,
    st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 40))
    | st.tuples(st.just(1), st.integers(1, 300))
    | st.tuples(st.integers(60, 80), st.integers(4, 9)),
    powers_of_two(-10, 3),
    st.sampled_from([1.0, 1.0, 0.3, 2.5]),
)


@settings(derandomize=True, deadline=None, max_examples=12, phases=PHASES)
@given(st.lists(softmaxes, min_size=CASES, max_size=CASES), st.integers(0, 99))
def test_softmax_equals_tflm(cases, seed):
    assert_equal_to_tflm(cases, seed)


def test_exponentials_of_many_values_stand_in_a_table():
    (few,), (many,) = lower(Softmax((1, 255), 0.1, 1.0)), lower(Softmax((16, 16), 0.1, 1.0))
    assert (few.function, many.function) == ("es_softmax_s8", "es_softmax_table_s8")
    (table,) = many.constants
    distance = np.arange(len(table.array)) * 0.1
    np.testing.assert_allclose(table.array / 2.0**31, np.exp(-distance), atol=1e-6)


def lower(case):
    graph = GraphBuilder()
    main = parse_tflite(graph.build([case.add(graph)])).main
    return LOWERINGS[main.operators[0].opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("opcode", ["QUANTIZE", "RELU", "RELU6"])
def test_what_changes_nothing_takes_no_call(opcode):
    assert lower(Unary(opcode, 6 / 256, -128, 6 / 256, -128)) == (Placement(1, 0, 0),)


def test_relu_between_equal_scales_takes_no_table():
    (call,) = lower(Unary("RELU", 0.1, 5, 0.1, 5))
    assert (call.function, call.overlap) == ("es_clamp_s8", {0: 0})
    assert call.parameters.members["low"] == 5


def test_softmax_of_another_output_scale_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    y = graph.tensor((1, 4), "int8", 1 / 128, -128)
    graph.op("SOFTMAX", [x], [y], beta=1.0)
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError, match="1/256"):
        LOWERINGS["SOFTMAX"](Operation(main, main.operators[0], "reference"))


def test_scale_that_hard_swish_cannot_reach_is_refused():
    with pytest.raises(UnsupportedOperationError, match="less than 1/128"):
        lower(Unary("HARD_SWISH", 1.0, 0, 0.001, 0))


def lower_between(opcode, shape, output_shape, **input_options):
    """A function of one value, or SOFTMAX, between tensors of any shapes."""
    graph = GraphBuilder()
    x = graph.tensor(shape, "int8", 6 / 256, -128, **input_options)
    y = graph.tensor(output_shape, "int8", 1 / 256, -128)
    options = {"SOFTMAX": {"beta": 1.0}, "LEAKY_RELU": {"alpha": 0.1}}.get(opcode, {})
    graph.op(opcode, [x], [y], **options)
    main = parse_tflite(graph.build([y])).main
    return LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("opcode", OPCODES)
@pytest.mark.parametrize(("size", "output_size"), [(4, 400), (400, 4)])
def test_another_number_of_elements_is_refused(opcode, size, output_size):
    with pytest.raises(UnsupportedOperationError, match=f"has {output_size} elements, expected {size} "):
        lower_between(opcode, (1, size), (1, output_size))


def test_softmax_of_another_shape_is_refused():
    with pytest.raises(UnsupportedOperationError, match=r"\[4, 2\], expected \[2, 4\]"):
        lower_between("SOFTMAX", (2, 4), (4, 2))


@pytest.mark.parametrize("opcode", OPCODES)
def test_a_constant_input_is_refused(opcode):
    with pytest.raises(UnsupportedOperationError, match="the input is a constant"):
        lower_between(opcode, (1, 4), (1, 4), data=np.zeros((1, 4), np.int8))
