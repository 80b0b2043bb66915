import importlib.util
import signal

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgesqueeze.errors import DataError, MissingToolError, RequirementError, UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.runners import tflm
from runtime_tests.support.graph_figures import computed_tensors
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_dense,
    tiny_hybrid,
    tiny_residual,
    tiny_two_heads,
)

needs_tflm = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is published for x86-64 Linux only"
)


def random_samples(model, count, seed=0):
    rng = np.random.default_rng(seed)

    def draw(tensor):
        if tensor.dtype == "float32":
            return rng.standard_normal(tensor.shape).astype(np.float32)
        info = np.iinfo(tensor.dtype)
        return rng.integers(info.min, info.max + 1, tensor.shape).astype(tensor.dtype)

    return [[draw(tensor) for tensor in model.main.input_tensors] for _ in range(count)]


def litert(model, samples):
    interpreter = Interpreter(
        model_content=model.content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    results = []
    for sample in samples:
        for detail, array in zip(interpreter.get_input_details(), sample, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        results.append(
            [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
        )
    return results


@needs_tflm
@pytest.mark.parametrize(
    "content",
    [
        tiny_cnn(),
        tiny_cnn(io="uint8"),
        tiny_cnn(io="float32"),
        tiny_residual(),
        tiny_two_heads(),
        tiny_dense(),
    ],
    ids=["cnn", "uint8", "float32", "residual", "two-heads", "dense"],
)
def test_agrees_with_litert_reference_kernels(content):
    model = parse_tflite(content)
    samples = random_samples(model, 5)
    results = tflm.run(model, samples)
    expected = litert(model, samples)
    assert len(results) == 5
    for ours, theirs in zip(results, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    assert any(np.any(results[0][0] != other[0]) for other in results[1:])


@needs_tflm
def test_intermediate_tensors_can_be_read():
    model = parse_tflite(tiny_residual())
    exposed = with_outputs(model, computed_tensors(model))
    samples = random_samples(model, 2)
    for ours, theirs in zip(tflm.run(exposed, samples), litert(exposed, samples), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_no_samples_give_no_results():
    assert tflm.run(parse_tflite(tiny_dense()), []) == []


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ([np.zeros((1, 16), np.float32)], "float32"),
        ([np.zeros((16,), np.int8)], r"\(16,\)"),
        ([np.zeros((2, 16), np.int8)], r"\(2, 16\)"),
        ([], "input_0 int8"),
    ],
)
def test_data_that_do_not_fit_are_refused(sample, words):
    with pytest.raises(DataError, match=words):
        tflm.run(parse_tflite(tiny_dense()), [sample])


def odd_operators():
    graph = GraphBuilder(name="odd")
    x = graph.input((1, 4))
    y = graph.activation((1, 4), "int8")
    graph.op("SEGMENT_SUM", [x], [y])
    z = graph.activation((1, 4), "int8")
    graph.op("CUSTOM", [y], [z], custom_name="MyOwnOp")
    return parse_tflite(graph.build([graph.unary("RELU", z)]))


def test_all_operators_that_tflm_lacks_are_named_at_once():
    model = odd_operators()
    with pytest.raises(UnsupportedModelError, match="MyOwnOp, SEGMENT_SUM"):
        tflm.run(model, random_samples(model, 1))


@needs_tflm
def test_an_operator_missing_from_the_installed_tflm_is_found_in_its_message(monkeypatch):
    monkeypatch.setattr(tflm, "check_tflm_operators", lambda model: None)
    model = odd_operators()
    with pytest.raises(UnsupportedModelError, match="SEGMENT_SUM"):
        tflm.run(model, random_samples(model, 1))


def hybrid():
    return parse_tflite(tiny_hybrid(), name="mixed")


@needs_tflm
def test_a_model_that_tflm_refuses_brings_its_message():
    model = hybrid()
    with pytest.raises(RequirementError, match="TFLite Micro cannot run mixed") as caught:
        tflm.run(model, random_samples(model, 1))
    assert "FLOAT32 with filter type: INT8 not supported" in caught.value.got
    assert "Traceback" not in str(caught.value)


def test_an_abort_says_which_signal_ended_the_process():
    error = tflm._failure(parse_tflite(tiny_dense()), "", -signal.SIGABRT)
    assert "signal 6" in str(error)


@needs_tflm
def test_nothing_reaches_the_users_stderr(capfd):
    with pytest.raises(RequirementError):
        tflm.run(hybrid(), random_samples(hybrid(), 1))
    assert capfd.readouterr() == ("", "")


@needs_tflm
def test_runs_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = parse_tflite(tiny_dense())
    assert len(tflm.run(model, random_samples(model, 1))) == 1
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = parse_tflite(tiny_dense())
    with pytest.raises(MissingToolError, match="tflite-micro"):
        tflm.run(model, random_samples(model, 1))


@needs_tflm
def test_the_arena_is_the_smallest_that_works():
    use = tflm.measure_arena(parse_tflite(tiny_cnn()))
    assert use.bytes % 16 == 0
    assert use.bytes >= use.head_bytes + use.tail_bytes - 16
    # The second layer reads 8x8x4 and writes 4x4x4.
    assert use.head_bytes >= 256 + 64


def test_an_input_type_that_numpy_lacks_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4), "int4")
    y = graph.activation((1, 4), "int8")
    graph.op("QUANTIZE", [x], [y])
    model = parse_tflite(graph.build([y]))
    with pytest.raises(UnsupportedModelError, match="int4"):
        tflm.measure_arena(model)
    with pytest.raises(DataError, match="int4"):
        tflm.run(model, [[np.zeros((1, 4), np.int8)]])


def test_arrays_of_the_other_byte_order_are_refused():
    with pytest.raises(DataError, match="byte-swapped int16"):
        tflm.run(parse_tflite(tiny_dense(dtype="int16")), [[np.zeros((1, 16), ">i2")]])
