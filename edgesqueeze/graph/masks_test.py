import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.masks import with_limited_masks
from edgesqueeze.graph.ranges import Range, ranges_in
from edgesqueeze.graph.repack import pack

SHAPE = (1, 4)
MASK = np.float32([[0, -1e9, -1e9, 0]])


def attention(mask=MASK, kind="ADD", steps=("SOFTMAX",), both=False):
    """A calibrated float file: scores from -3 to 5, a mask, and what reads the sum."""
    graph = GraphBuilder(seed=1)
    scores = graph.input(SHAPE, "float32", name="scores")
    total = graph.tensor(SHAPE, "float32", name="sum")
    graph.op(kind, [scores, graph.constant(mask, name="mask")], [total])
    last = total
    for step in steps:
        last = graph.reshape(last, SHAPE, name="moved") if step == "RESHAPE" else graph.unary(step, last)
    return with_spans(graph.build([last, total] if both else [last]))


def with_spans(content):
    """The file with the ranges of what stands before the softmax."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for tensor in model.subgraphs[0].tensors:
        name = tensor.name.decode()
        if name in ("scores", "sum", "moved"):
            low = -3.0 if name == "scores" else -1e9
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.min, tensor.quantization.max = np.float32([low]), np.float32([5.0])
    return pack(model, len(content))


def added(content):
    graph = parse_tflite(content).main
    operator = next(one for one in graph.operators if one.opcode in ("ADD", "SUB"))
    return graph.tensors[operator.inputs[1]].data


@pytest.mark.parametrize(("kind", "sign"), [("ADD", 1), ("SUB", -1)])
@pytest.mark.parametrize("steps", [("SOFTMAX",), ("RESHAPE", "SOFTMAX")])
def test_a_mask_lies_below_the_least_score(kind, sign, steps):
    found = with_limited_masks(attention(sign * MASK, kind, steps))
    # The greatest score with it is eight below the least without.
    np.testing.assert_array_equal(sign * added(found), [[0, -16, -16, 0]])
    ranges = ranges_in(found)
    assert ranges["scores"] == Range(-3, 5)
    assert ranges["sum"] == Range(-11, 5)
    assert ranges.get("moved", Range(-11, 5)) == Range(-11, 5)


@pytest.mark.parametrize(
    "other",
    [
        {"mask": np.float32([[0, -20, 3, 0]])},  # a bias
        {"mask": np.float32([[0, -1e9, 7, 0]])},
        {"steps": ("TANH",)},
        {"both": True},  # an output shows the sum
        {"kind": "SUB"},
    ],
    ids=str,
)
def test_what_is_no_mask_before_a_softmax_stays_as_it_is(other):
    content = attention(**other)
    assert with_limited_masks(content) is content


def test_a_mask_that_others_read_stays_for_them():
    graph = GraphBuilder(seed=1)
    mask, totals = graph.constant(MASK, name="mask"), []
    for name in ("scores", "others"):
        total = graph.tensor(SHAPE, "float32", name="sum" if name == "scores" else "total")
        graph.op("ADD", [graph.input(SHAPE, "float32", name=name), mask], [total])
        totals.append(total)
    content = with_spans(graph.build([graph.unary("SOFTMAX", totals[0]), totals[1]]))
    found = parse_tflite(with_limited_masks(content)).main
    values = [found.tensors[one.inputs[1]].data for one in found.operators if one.opcode == "ADD"]
    np.testing.assert_array_equal(values, [[[0, -16, -16, 0]], MASK])
