"""Operators of two inputs: equal to TFLite Micro byte for byte, for all pairs of inputs and all shapes."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.lower import add as lower_add
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from runtime_tests.support.native_calls import run_graph

OPTIONS = {"ADD": {"potScaleInt16": False}, "SUB": {"potScaleInt16": False}, "MUL": {}}
ALL_PAIRS = (256, 256)
# A failing example is of use as it is; shrinking it takes minutes.
PHASES = (Phase.explicit, Phase.generate)

zero_points = st.sampled_from([-128, 0, 127]) | st.integers(-128, 127)
# From 2^-8 to 2^-2, with all bits of a float32 in use.
scales = st.integers(0, 6 << 20).map(lambda n: float(np.float32(2.0 ** (n / (1 << 20) - 8))))
activations = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])


@dataclass(frozen=True)
class Pair:
    """An operator of two inputs; a constant is the position of the input that is one."""

    opcode: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    activation: str = "NONE"
    constant: int | None = None

    def add(self, graph):
        scales, zero_points = self.scales, self.zero_points
        if self.opcode in ("MINIMUM", "MAXIMUM"):
            scales, zero_points = scales[:1] * 3, zero_points[:1] * 3
        inputs = [
            graph.tensor(
                shape, "int8", scale, zero, data=graph.rng.integers(-128, 128, shape).astype(np.int8)
            )
            if position == self.constant
            else graph.input(shape, "int8", scale, zero)
            for position, (shape, scale, zero) in enumerate(
                zip(self.shapes, scales[:2], zero_points[:2], strict=True)
            )
        ]
        y = graph.tensor(np.broadcast_shapes(*self.shapes), "int8", scales[2], zero_points[2])
        options = OPTIONS.get(self.opcode)
        fused = {} if options is None else {"fusedActivationFunction": self.activation, **options}
        graph.op(self.opcode, inputs, [y], **fused)
        return y


@st.composite
def pairs_of_one_shape(draw):
    opcode = draw(st.sampled_from(["ADD", "ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM"]))
    triple = draw(st.tuples(scales, scales, scales))
    if opcode == "MUL":
        # What a product of two full-range inputs needs, or less.
        triple = (*triple[:2], float(np.float32(triple[0] * triple[1] * 2 ** draw(st.floats(-3, 8)))))
    points = draw(st.tuples(zero_points, zero_points, zero_points))
    return Pair(opcode, (ALL_PAIRS, ALL_PAIRS), triple, points, draw(activations))


@st.composite
def pairs_of_any_shapes(draw):
    opcode = draw(st.sampled_from(["ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "PRELU"]))
    full = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    shapes = []
    for _ in range(2):
        kept = [size if draw(st.booleans()) else 1 for size in full]
        shapes.append(
            tuple(kept[draw(st.integers(0, len(kept) - 1)) :]) if draw(st.booleans()) else tuple(kept)
        )
    constant = draw(st.sampled_from([None, None, 0, 1]))
    if opcode == "PRELU":
        # The slopes are repeated, never the values.
        shapes[0] = tuple(full)
        constant = draw(st.sampled_from([None, 1]))
    return Pair(
        opcode,
        (shapes[0], shapes[1]),
        draw(st.tuples(scales, scales, scales)),
        draw(st.tuples(zero_points, zero_points, zero_points)),
        draw(activations),
        constant,
    )


def assert_equal_to_tflm(cases, seed=0):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build([case.add(graph) for case in cases]))
    rng = np.random.default_rng(seed)
    every = np.arange(-128, 128).astype(np.int8)
    grids = [np.repeat(every, 256).reshape(ALL_PAIRS), np.tile(every, 256).reshape(ALL_PAIRS)]
    sample = [
        grids[position % 2]
        if tensor.shape == ALL_PAIRS
        else rng.integers(-128, 128, tensor.shape).astype(np.int8)
        for position, tensor in enumerate(model.main.input_tensors)
    ]
    (expected,) = tflm.run(model, [sample])
    got, calls = run_graph(model.main, LOWERINGS, sample)
    for case, one, other in zip(cases, got, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=repr(case))
    return calls


@settings(derandomize=True, deadline=None, max_examples=6, phases=PHASES)
@given(st.lists(pairs_of_one_shape(), min_size=12, max_size=12))
def test_all_pairs_of_values_equal_tflm(cases):
    assert_equal_to_tflm(cases)


@settings(derandomize=True, deadline=None, max_examples=12, phases=PHASES)
@given(st.lists(pairs_of_any_shapes(), min_size=40, max_size=40), st.integers(0, 99))
def test_broadcasting_equals_tflm(cases, seed):
    assert_equal_to_tflm(cases, seed)


@pytest.mark.parametrize("opcode", ["ADD", "SUB"])
def test_long_form_of_sums_equals_tflm(opcode, monkeypatch):
    monkeypatch.setattr(lower_add, "short_sum", lambda total: None)
    shapes = (ALL_PAIRS, ALL_PAIRS)
    calls = assert_equal_to_tflm(
        [
            Pair(opcode, shapes, (0.03, 0.08, 0.05), (-128, 20, -128), "RELU"),
            Pair(opcode, shapes, (0.5, 0.0001, 0.02), (-1, 127, 3)),
            Pair(opcode, shapes, (0.05, 0.05, 0.05), (0, 0, 0)),
        ]
    )
    assert {call.function for call in calls} == {"es_add_broadcast_s8"}


def test_short_form_of_sums_is_found_nearly_always():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        output = np.float32(rng.uniform(0.01, 0.2))
        inputs = [float(np.float32(output * 2 ** rng.uniform(-3, 1))) for _ in range(2)]
        case = Pair("ADD", ((4,), (4,)), (*inputs, float(output)), tuple(rng.integers(-128, 128, 3).tolist()))
        found += lower(case)[0].function == "es_add_s8"
    assert found >= 39


def lower(case):
    graph = GraphBuilder()
    main = parse_tflite(graph.build([case.add(graph)])).main
    return LOWERINGS[main.operators[0].opcode](Operation(main, main.operators[0], "reference"))


ORDINARY = ((0.05, 0.04, 0.06), (3, -4, 5))


@pytest.mark.parametrize("opcode", ["ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "PRELU"])
def test_a_constant_of_one_value_makes_a_table(opcode):
    (call,) = lower(Pair(opcode, ((1, 7, 3), (1,)), *ORDINARY, constant=1))
    assert (call.function, call.parameters.members["count"]) == ("es_lookup_s8", 21)


def test_sums_run_in_place_of_either_input():
    (call,) = lower(Pair("ADD", ((1, 8, 8, 4), (1, 8, 8, 4)), *ORDINARY))
    assert call.overlap == {0: 0, 1: 0}


def test_repeated_inputs_keep_their_memory():
    (call,) = lower(Pair("MUL", ((1, 8, 8, 4), (4,)), *ORDINARY))
    assert call.overlap == {0: 0}
    loops = call.parameters.members["loops"].members
    assert (loops["count"], loops["stride2"]) == ((1, 1, 64, 4), (0, 0, 0, 1))


def test_a_narrow_activation_is_a_pass_of_its_own():
    add, clamp = lower(Pair("ADD", ((4,), (4,)), *ORDINARY, "RELU"))
    assert (clamp.function, clamp.inputs, clamp.outputs) == ("es_clamp_s8", add.outputs, add.outputs)
    assert (clamp.parameters.members["low"], clamp.parameters.members["high"]) == (5, 127)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Pair("MUL", ((2, 1, 2, 1, 2), (2, 2, 2, 2, 1)), *ORDINARY), "nested loops"),
        (Pair("MUL", ((4,), (4,)), (1.0, 1.0, 1e-9), (0, 0, 0)), "too small"),
        (Pair("ADD", ((4,), (4,)), (1.0, 1.0, 1e-9), (0, 0, 0)), "too small"),
        (Pair("ADD", ((4,), (4,)), *ORDINARY, "TANH"), "TANH"),
    ],
)
def test_what_cannot_be_expressed_is_refused(case, reason):
    with pytest.raises(UnsupportedOperationError, match=reason):
        lower(case)


def test_different_quantization_of_minimum_is_refused():
    graph = GraphBuilder()
    x, y = graph.input((4,), "int8", 0.1), graph.input((4,), "int8", 0.2)
    z = graph.tensor((4,), "int8", 0.1, 0)
    graph.op("MINIMUM", [x, y], [z])
    main = parse_tflite(graph.build([z])).main
    with pytest.raises(UnsupportedOperationError, match="quantized differently"):
        LOWERINGS["MINIMUM"](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("opcode", ["ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "PRELU"])
@pytest.mark.parametrize(
    ("shapes", "output_shape", "reason"),
    [
        (((1, 8), (8, 1)), (1, 8), r"\[1, 8\], expected \[8, 8\]"),
        (((1, 8), (1, 8)), (1, 4), r"\[1, 4\], expected \[1, 8\]"),
        (((1, 8), (1, 1)), (1, 80), r"\[1, 80\], expected \[1, 8\]"),
        (((2, 4), (2, 4)), (4, 2), r"\[4, 2\], expected \[2, 4\]"),
        (((1, 8), (1, 3)), (1, 8), r"\[1, 8\] and \[1, 3\], expected shapes to broadcast"),
    ],
)
@pytest.mark.parametrize("constant", [None, 1])
def test_shapes_that_do_not_broadcast_to_the_output_are_refused(
    opcode, shapes, output_shape, reason, constant
):
    graph = GraphBuilder()
    data = {constant: np.zeros(shapes[1], np.int8)}
    inputs = [graph.tensor(shape, "int8", 0.1, 0, data=data.get(i)) for i, shape in enumerate(shapes)]
    z = graph.tensor(output_shape, "int8", 0.1, 0)
    fused = {"fusedActivationFunction": "NONE"} if opcode in OPTIONS else {}
    graph.op(opcode, inputs, [z], **fused, **OPTIONS.get(opcode, {}))
    main = parse_tflite(graph.build([z])).main
    with pytest.raises(UnsupportedOperationError, match=reason):
        LOWERINGS[opcode](Operation(main, main.operators[0], "reference"))
