import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.integer_forms import FORMS, with_integer_forms
from edgesqueeze.runners import litert

SHAPE = (1, 3, 4)
SLOPES = np.float32([[[0.1, -0.5, 2.0, 0.0]]])
CASES = {
    "NEG": ((), {}, {"MUL"}),
    "ELU": ((), {}, {"RELU", "SUB", "EXP", "ADD"}),
    "HARD_SWISH": ((), {}, {"ADD", "MUL"}),
    "L2_NORMALIZATION": ((), {"fusedActivationFunction": "NONE"}, {"MUL", "MEAN", "ADD", "RSQRT"}),
    "LOG_SOFTMAX": ((), {}, {"REDUCE_MAX", "SUB", "EXP", "MEAN", "MUL", "LOG"}),
    "POW": ((np.float32(3),), {}, {"MUL"}),
    "PRELU": ((SLOPES,), {}, {"MUL", "RELU", "ADD"}),
    "RELU_N1_TO_1": ((), {}, {"MAXIMUM", "MINIMUM"}),
    "SQUARE": ((), {}, {"MUL"}),
    "SQUARED_DIFFERENCE": ((SLOPES,), {}, {"SUB", "MUL"}),
    "SUM": ((np.int32([1]),), {"keepDims": True}, {"MEAN", "MUL"}),
}
VALUES = np.random.default_rng(0).normal(0, 3, SHAPE).astype(np.float32)


def build(kind, more=(), options=None, shape=SHAPE, computed=False):
    graph = GraphBuilder(seed=1)
    x = graph.input(SHAPE, "float32", name="x")
    others = [graph.input(one.shape, str(one.dtype)) if computed else graph.constant(one) for one in more]
    y = graph.tensor(shape, "float32", name="y")
    graph.op(kind, [x, *others], [y], **(options or {}))
    return graph.build([y])


def run(content):
    return litert.run(parse_tflite(content), [[VALUES]])[0][0]


def kinds(content):
    return {one.opcode for one in parse_tflite(content).main.operators}


def test_every_form_is_tried():
    assert {getattr(schema.BuiltinOperator, kind) for kind in (*CASES, "CAST")} == {*FORMS["int16x8"]}


@pytest.mark.parametrize("kind", CASES)
def test_what_int16_lacks_is_written_in_what_it_has(kind):
    more, options, made = CASES[kind]
    shape = (1, 1, 4) if kind == "SUM" else SHAPE
    content = build(kind, more, options, shape)
    found = with_integer_forms(content, "int16x8")
    assert kinds(found) == made
    np.testing.assert_allclose(run(found), run(content), rtol=2e-5, atol=2e-6)


def test_a_sum_may_leave_its_axes_out():
    content = build("SUM", (np.int32([-1]),), {"keepDims": False}, (1, 3))
    np.testing.assert_allclose(run(with_integer_forms(content, "int16x8")), run(content), rtol=1e-5)


def test_int8_has_most_of_them():
    found = {kind: kinds(with_integer_forms(build(kind), "int8")) for kind in ("NEG", "ELU", "PRELU")}
    assert found == {"NEG": {"MUL"}, "ELU": {"ELU"}, "PRELU": {"PRELU"}}


def test_what_is_true_becomes_a_selection():
    graph = GraphBuilder(seed=1)
    x, y = graph.input(SHAPE, "float32", name="x"), graph.tensor(SHAPE, "float32", name="y")
    above = graph.tensor(SHAPE, "bool", name="above")
    graph.op("GREATER", [x, graph.constant(np.float32(0))], [above])
    graph.op("CAST", [above], [y])
    found = with_integer_forms(graph.build([y]), "int8")
    assert kinds(found) == {"GREATER", "SELECT_V2"}
    np.testing.assert_array_equal(run(found), VALUES > 0)


@pytest.mark.parametrize(
    ("kind", "more", "options"),
    [
        ("TANH", (), {}),
        ("POW", (np.float32(0.5),), {}),
        ("POW", (np.float32(30),), {}),
        ("PRELU", (SLOPES,), {"computed": True}),
    ],
    ids=str,
)
def test_what_has_no_form_stays_as_it_is(kind, more, options):
    content = build(kind, more, **options)
    assert with_integer_forms(content, "int16x8") is content
