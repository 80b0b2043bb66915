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


def with_spans(content, more=None):
    """The file with the ranges of what stands before the softmax."""
    spans = {"scores": (-3.0, 5.0), "sum": (-1e9, 5.0), "moved": (-1e9, 5.0), **(more or {})}
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for tensor in model.subgraphs[0].tensors:
        if (span := spans.get(tensor.name.decode())) is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.min, tensor.quantization.max = (np.float32([one]) for one in span)
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


TRUTH = {"truth": (0.0, 1.0)}


def computed(spans=TRUTH, both=False, kind="ADD", factor=-1e9, first=True):
    """Scores, and 0 or 1 times -1e9 that is added to them before a softmax, or 1e9 that is subtracted."""
    graph = GraphBuilder(seed=1)
    scores, truth = (graph.input(SHAPE, "float32", name=name) for name in ("scores", "truth"))
    masks, total = (graph.tensor(SHAPE, "float32", name=name) for name in ("masks", "sum"))
    graph.op("MUL", [truth, graph.constant(np.float32(factor))], [masks])
    moved = graph.reshape(masks, SHAPE, name="moved")
    graph.op(kind, [scores, moved] if first else [moved, scores], [total])
    content = graph.build([graph.unary("SOFTMAX", total), *([masks] if both else [])])
    ends = (min(factor, 0.0), max(factor, 0.0))
    return with_spans(content, {**spans, "masks": ends, "moved": ends})


@pytest.mark.parametrize(("kind", "factor"), [("ADD", -1e9), ("ADD", -1e4), ("SUB", 1e9)])
def test_a_mask_that_is_computed_lies_below_the_least_score(kind, factor):
    found, sign = with_limited_masks(computed(kind=kind, factor=factor)), int(np.sign(factor))
    graph = parse_tflite(found).main
    limited = next(graph.tensors[one.inputs[1]].data for one in graph.operators if one.opcode == "MUL")
    assert limited == sign * 16
    spans = ranges_in(found)
    mask = Range(min(sign * 16, 0), max(sign * 16, 0))
    assert (spans["masks"], spans["moved"], spans["sum"]) == (mask, mask, Range(-11, 5))


@pytest.mark.parametrize(
    "other",
    [
        {"spans": {**TRUTH, "truth": (0.0, 2.0)}},
        {"both": True},
        {"kind": "ADD", "factor": 1e9},
        {"kind": "SUB", "factor": -1e9},
        {"kind": "SUB", "factor": 1e9, "first": False},
    ],
    ids=str,
)
def test_what_is_computed_and_no_mask_stays_as_it_is(other):
    content = computed(**other)
    assert with_limited_masks(content) is content


@pytest.mark.parametrize("kind", ["SOFTMAX", "TANH"])
def test_a_mask_that_is_selected_lies_below_the_least_score(kind):
    graph = GraphBuilder(seed=1)
    scores, chosen = graph.input(SHAPE, "float32", name="scores"), graph.input(SHAPE, "bool")
    total = graph.tensor(SHAPE, "float32", name="sum")
    graph.op("SELECT_V2", [chosen, scores, graph.constant(np.float32(-1e9))], [total])
    content = with_spans(graph.build([graph.unary(kind, total)]))
    found = with_limited_masks(content)
    if kind == "TANH":
        assert found is content
        return
    tensors = parse_tflite(found).main
    assert tensors.tensors[tensors.operators[0].inputs[2]].data == -11
    assert ranges_in(found)["sum"] == Range(-11, 5)
