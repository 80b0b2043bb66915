import importlib.util

import numpy as np
import pytest

from edgesqueeze.checks.earned import contradiction
from edgesqueeze.checks.parity import choose_reference, compare_runtimes
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import RUNNERS, Runner
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn

needs_tflm = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is published for x86-64 Linux only"
)


def case(content):
    model = parse_tflite(content)
    return model, data_samples(model, random_data(model, 8))


def sum_and_gelu():
    """An int8 SUM, which LiteRT's reference kernel computes wrongly, and a GELU, which TFLM does not have."""
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 3), "int8", 0.1, 0)
    y = graph.tensor((1, 3), "int8", 0.2, 0)
    graph.op("SUM", [x, graph.constant(np.array([1, 2], np.int32))], [y], keepDims=False)
    return graph.build([graph.unary("GELU", y)])


def runner(name, change=None, kind="DEPTHWISE_CONV_2D"):
    """LiteRT under another name; ``change`` is made to the outputs of one kind of operator."""

    def run(model, samples, *, carry_state=None):
        rows = litert.run_builtin(model, samples)
        makers = {i: one.opcode for one in model.main.operators for i in one.outputs}
        wrong = [makers.get(index) == kind for index in model.main.outputs]
        last = len(model.main.outputs) == 1
        return [
            [
                change(value) if change and (bad or last) else value
                for value, bad in zip(row, wrong, strict=True)
            ]
            for row in rows
        ]

    return Runner(name, name.title(), lambda: None, run)


def shifted(value):
    return (value.astype(int) // 2 - 20).astype(value.dtype)


def test_litert_reference_is_not_believed_about_sums():
    model, samples = case(sum_and_gelu())
    reference = choose_reference(model, samples)
    assert reference.runner.name == "litert-builtin"
    row = next(row for row in reference.passed_over if row.runtime == "litert-reference")
    assert (row.status, row.ok) == ("broken", False)
    assert row.reason.startswith(
        "SUM (operator 0) is wrong: exact arithmetic gives what LiteRT without XNNPACK"
    )
    parity = compare_runtimes(model, samples, [RUNNERS["litert"]], reference=reference)
    rows = {row.runtime: row for row in parity.runtimes}
    assert parity.ok
    assert rows["litert"].status in ("identical", "rounding")
    # It was not asked for, so it is no failure; but it is said.
    assert rows["litert-reference"].status == "broken"
    every = compare_runtimes(model, samples, [RUNNERS["litert-reference"]], reference=reference)
    assert every.ok
    named = compare_runtimes(
        model, samples, [RUNNERS["litert-reference"]], reference=reference, required=True
    )
    assert not named.ok


@needs_tflm
def test_kernels_that_no_device_runs_are_no_fault_of_the_model():
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 3), "int8", 0.1, 0)
    y = graph.tensor((1, 3), "int8", 0.2, 0)
    graph.op("SUM", [x, graph.constant(np.array([1, 2], np.int32))], [y], keepDims=False)
    model, samples = case(graph.build([y]))
    runners = [RUNNERS["litert-reference"], RUNNERS["litert"]]
    parity = compare_runtimes(model, samples, runners)
    wrong = next(row for row in parity.runtimes if row.runtime == "litert-reference")
    assert (parity.reference, parity.ok, wrong.status, wrong.ok) == ("tflm", True, "broken", True)
    assert "exact arithmetic gives what TFLite Micro gives" in wrong.reason
    assert "no device runs these kernels" in wrong.reason
    assert not compare_runtimes(model, samples, runners, required=True).ok


def test_runtimes_that_agree_earn_it():
    model, samples = case(tiny_cnn())
    first, second = runner("tflm"), runner("litert-builtin")
    assert contradiction(model, samples, first, first.run(model, samples), [first, second]) is None
    assert choose_reference(model, samples, [first, second]).runner is first


def test_two_against_one():
    model, samples = case(tiny_cnn())
    wrong, right, third = runner("tflm", shifted), runner("litert-builtin"), runner("tflite-runtime")
    outputs = wrong.run(model, samples)
    found = contradiction(model, samples, wrong, outputs, [wrong, right, third])
    assert found is not None
    assert found.right is right
    assert found.reason == (
        "DEPTHWISE_CONV_2D (operator 1) is wrong: Litert-Builtin and Tflite-Runtime agree on something else"
    )
    assert choose_reference(model, samples, [wrong, right, third]).runner is right


def test_a_witness_that_stands_alone_is_not_believed():
    model, samples = case(tiny_cnn())
    right, wrong, third = runner("tflm"), runner("litert-builtin", shifted), runner("tflite-runtime")
    outputs = right.run(model, samples)
    assert contradiction(model, samples, right, outputs, [right, wrong, third]) is None


def test_one_word_against_another_leaves_the_first():
    model, samples = case(tiny_cnn())
    first, second = runner("tflm"), runner("litert-builtin", shifted)
    assert contradiction(model, samples, first, first.run(model, samples), [first, second]) is None


@pytest.mark.parametrize("missing", [True, False])
def test_a_witness_that_cannot_run_is_passed(missing):
    model, samples = case(tiny_cnn())

    def refuse(model, samples, *, carry_state=None):
        raise UnsupportedModelError("no such operator")

    gone = Runner("litert-builtin", "Gone", lambda: "install it" if missing else None, refuse)
    wrong, right, third = runner("tflm", shifted), runner("tflite-runtime"), runner("litert")
    found = contradiction(model, samples, wrong, wrong.run(model, samples), [wrong, gone, right, third])
    assert found is not None
    assert found.right is right
