import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.int16_roots import with_int16_roots
from edgesqueeze.graph.ranges import ranges_in
from edgesqueeze.graph.repack import pack
from edgesqueeze.runners import litert

SHAPE = (1, 6)
NUMERATOR = np.float32([[-3, 1, 2, -1, 0.5, 2]])
WIDE = np.float32([[0.1, 0.4, 1, 7, 30, 100]])


def calibrated(kind, low, high, shape=SHAPE):
    """A float file with an operator of ``x``, which spans what is given, for DIV of a constant by it."""
    graph = GraphBuilder(seed=1)
    x, y = graph.input(shape, "float32", name="x"), graph.tensor(SHAPE, "float32", name="y")
    options = {"fusedActivationFunction": "NONE"} if kind == "DIV" else {}
    graph.op(kind, [graph.constant(NUMERATOR), x] if kind == "DIV" else [x], [y], **options)
    content = graph.build([y])
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = next(one for one in model.subgraphs[0].tensors if one.name == b"x")
    found.quantization = schema.QuantizationParametersT()
    found.quantization.min, found.quantization.max = np.float32([low]), np.float32([high])
    return pack(model, len(content))


def kinds(content):
    return [one.opcode for one in parse_tflite(content).main.operators]


SPLIT = ["MAXIMUM", "MINIMUM", "MUL", "RSQRT", "RSQRT", "MUL"]


@pytest.mark.parametrize(
    ("kind", "low", "made"),
    [
        ("RSQRT", 0.1, SPLIT),
        ("SQRT", 0.0, [*SPLIT, "MUL"]),
        ("SQRT", 50, ["RSQRT", "MUL"]),
        ("DIV", 0.1, [*SPLIT, "MUL", "MUL"]),
        ("DIV", 50, ["RSQRT", "MUL", "MUL"]),
    ],
)
def test_roots_and_quotients_are_products_of_inverse_roots(kind, low, made):
    content = calibrated(kind, low, 100)
    found = with_int16_roots(content)
    assert kinds(found) == made
    wanted, have = (litert.run(parse_tflite(one), [[WIDE]])[0][0] for one in (content, found))
    np.testing.assert_allclose(have, wanted, rtol=1e-5)


def test_each_factor_spans_its_own_part():
    content = calibrated("RSQRT", 0.25, 100)
    spans = ranges_in(with_int16_roots(content))
    found = np.array([one for name, one in spans.items() if name != "x"])
    np.testing.assert_allclose(found, [(5, 100), (0.25, 5), (0.05, 1), (0.1, 5**-0.5), (1, 20**0.5)])


def test_one_quotient_for_all_of_a_row():
    content = calibrated("DIV", 1.0, 3.0, shape=(1, 1))
    found = parse_tflite(with_int16_roots(content))
    assert [one.shape for one in found.main.tensors if ";" in one.name] == [(1, 1), (1, 6)]
    np.testing.assert_allclose(litert.run(found, [[np.float32([[2]])]])[0][0], NUMERATOR / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "low"), [("RSQRT", 20.0), ("RSQRT", -1.0), ("DIV", 0.0), ("DIV", -4.0), ("TANH", 0.5)]
)
def test_what_one_table_holds_or_none_stays_as_it_is(kind, low):
    content = calibrated(kind, low, 100)
    assert with_int16_roots(content) is content
