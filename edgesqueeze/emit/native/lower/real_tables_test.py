"""Functions of real numbers as tables: equal to LiteRT, and TensorFlow Lite Micro where it has them."""

import math

import numpy as np
import pytest

from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert, tflm
from runtime_tests.support.native_calls import run_graph

EVERY = np.arange(-128, 128).astype(np.int8)
COUNT = 24


def reach(opcode, scale, zero):
    """About the largest magnitude of the function over all inputs."""
    highest = scale * (127 - zero)
    return {
        "EXP": math.exp(min(highest, 30)),
        "LOG": max(abs(math.log(highest)), abs(math.log(scale))),
        "SQRT": math.sqrt(highest),
        "RSQRT": 1 / math.sqrt(scale),
        "GELU": highest,
    }[opcode]


def tables(opcode, seed, **options):
    """A model of many such operators with drawn scales and zero points, and inputs that all take."""
    graph, outputs, inputs = GraphBuilder(seed), [], []
    for _ in range(COUNT):
        scale = float(np.float32(10 ** graph.rng.uniform(-2.5, -0.7)))
        zero = int(graph.rng.integers(-128, 100))
        x = graph.input((256,), "int8", scale, zero)
        step = reach(opcode, scale, zero) / 255 * graph.rng.uniform(0.4, 2)
        y = graph.tensor((256,), "int8", float(np.float32(step)), int(graph.rng.integers(-128, 128)))
        graph.op(opcode, [x], [y], **options)
        outputs.append(y)
        inputs.append(EVERY if opcode in ("EXP", "GELU") else np.maximum(EVERY, zero))
    return parse_tflite(graph.build(outputs)), inputs


CASES = [
    ("EXP", {}, litert.run_reference),
    ("LOG", {}, litert.run_reference),
    ("SQRT", {}, litert.run_reference),
    ("RSQRT", {}, litert.run_reference),
    ("RSQRT", {}, tflm.run),
    ("GELU", {"approximate": False}, litert.run_reference),
    ("GELU", {"approximate": True}, litert.run_reference),
]


@pytest.mark.parametrize(("opcode", "options", "run"), CASES)
def test_tables_are_those_of_the_runtime(opcode, options, run):
    model, inputs = tables(opcode, 7, **options)
    (expected,) = run(model, [inputs])
    got, calls = run_graph(model.main, LOWERINGS, inputs)
    assert {call.function for call in calls} == {"es_lookup_s8"}
    for one, other, tensor in zip(got, expected, model.main.input_tensors, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=repr(tensor.quantization))


@pytest.mark.parametrize(("opcode", "result"), [("RSQRT", 127), ("SQRT", 0), ("LOG", -128)])
def test_what_has_no_real_result_has_that_of_zero(opcode, result):
    graph = GraphBuilder()
    x, y = graph.input((256,), "int8", 0.1, 0), graph.tensor((256,), "int8", 0.05, 0)
    graph.op(opcode, [x], [y])
    (got,), _ = run_graph(parse_tflite(graph.build([y])).main, LOWERINGS, [EVERY])
    assert (got[:129] == result).all()
    assert (got[130:] != result).any()
