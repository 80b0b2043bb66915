"""Refusals in few words."""

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.table import OPERATORS
from edgesqueeze.emit.native.records import Refusal
from edgesqueeze.emit.native.refusals import INSTEAD, LACKING, by_kind, in_words
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder


def test_each_kind_is_named_once_with_how_many_there_are():
    refusals = [
        Refusal(LACKING, "TOPK_V2", 4),
        Refusal("input 'x' is float32", "", None),
        Refusal(LACKING, "TOPK_V2", 7),
        Refusal("input 'x' is float32", "", None),
        Refusal("a batch", "CONV_2D", 2),
    ]
    assert by_kind(refusals) == {
        "CONV_2D": "operator 2: a batch",
        "TOPK_V2": f"operator 4: {LACKING} (1 more of this kind), instead: {INSTEAD['TOPK_V2']}",
    }
    assert in_words(refusals).startswith("input 'x' is float32; CONV_2D: operator 2: a batch; TOPK_V2: ")
    assert in_words([]) == ""


def test_what_is_proposed_exists_and_what_is_replaced_is_lacking():
    custom = {"TFLite_Detection_PostProcess"}
    assert all(hasattr(schema.BuiltinOperator, kind) for kind in INSTEAD.keys() - custom)
    assert not INSTEAD.keys() & set(OPERATORS)
    named = {word for text in INSTEAD.values() for word in text.replace(",", " ").split() if "_" in word}
    assert named <= set(OPERATORS)


def test_float_values_inside_are_said_to_be_float():
    graph = GraphBuilder()
    x = graph.dequantize(graph.conv2d(graph.input((1, 4, 4, 2)), 3))
    x = graph.mean(x)
    model = parse_tflite(graph.build([x]))
    with pytest.raises(UnsupportedModelError) as caught:
        emit_native(model)
    assert "contradicts" not in caught.value.got
    assert "MEAN: operator 2: t4 is float32, expected int8" in caught.value.got
