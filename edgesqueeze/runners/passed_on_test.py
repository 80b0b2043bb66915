"""Inputs that a model gives back as they are, in native C."""

import numpy as np
import pytest

from edgesqueeze.emit.native.for_target import native_needs, try_for
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners.outputs import run
from edgesqueeze.target.load import load_target
from runtime_tests.support.tools import require_tool


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("computed", [False, True])
def test_native_c_gives_back_what_it_was_given(dtype, computed):
    require_tool("gcc", "gcc")
    graph = GraphBuilder()
    x = graph.input((1, 6), dtype=dtype)
    inner = graph.quantize(x) if dtype == "float32" else x
    outputs = [x, graph.fully_connected(inner, 3)] if computed else [x]
    model = parse_tflite(graph.build(outputs))
    values = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    given, expected = (run(model, values, runtime=name) for name in ("c", "litert-reference"))
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_computes_nothing_takes_no_less_than_no_flash():
    graph = GraphBuilder()
    model = parse_tflite(graph.build([graph.input((1, 6))]))
    target = load_target("nucleo-l4r5zi")
    assert native_needs(model, try_for(model, target), target).code_bytes == 0
