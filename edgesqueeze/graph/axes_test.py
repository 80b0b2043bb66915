import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgesqueeze.errors import TfliteError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.axes import misplaced_axes, with_valid_axes
from edgesqueeze.graph.repack import pack
from edgesqueeze.runners import litert, tflm
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_misplaced


def test_a_dimension_that_does_not_exist_is_read_as_the_only_one():
    model = parse_tflite(tiny_misplaced())
    names = misplaced_axes(model)
    assert len(names) == 3
    for tensor in model.main.tensors:
        found = tensor.quantization
        if found is not None and tensor.name in names:
            assert (found.axis, found.stored_axis) == (0, 3)


def test_a_valid_file_stays_as_it_is():
    model = parse_tflite(tiny_cnn())
    assert misplaced_axes(model) == ()
    assert with_valid_axes(model) is model


def test_only_the_dimension_is_written_anew():
    model = parse_tflite(tiny_misplaced())
    valid = with_valid_axes(model)
    different = [a for a, b in zip(model.content, valid.content, strict=True) if a != b]
    assert different == [3] * 3
    assert misplaced_axes(valid) == misplaced_axes(parse_tflite(valid.content)) == ()
    assert valid.sha256 == parse_tflite(valid.content).sha256


def test_litert_refuses_the_file_and_runs_it_here():
    model = parse_tflite(tiny_misplaced())
    with pytest.raises(ValueError, match="quantized_dimension"):
        Interpreter(model_content=model.content).allocate_tensors()
    samples = data_samples(model, random_data(model, 4))
    right = litert.run_builtin(parse_tflite(tiny_cnn()), samples)
    np.testing.assert_array_equal(litert.run_builtin(model, samples), right)


@pytest.mark.skipif(bool(tflm.available()), reason="no tflite-micro")
def test_tflm_runs_it_as_it_is():
    model = parse_tflite(tiny_misplaced())
    samples = data_samples(model, random_data(model, 4))
    right = tflm.run(parse_tflite(tiny_cnn()), samples)
    np.testing.assert_array_equal(tflm.run(model, samples), right)


def test_weights_with_a_dimension_that_does_not_exist_are_damaged():
    record = schema.ModelT.InitFromPackedBuf(tiny_cnn(), 0)
    for tensor in record.subgraphs[0].tensors:
        if len(tensor.shape) == 4 and tensor.quantization is not None and len(tensor.quantization.scale) > 1:
            tensor.quantization.quantizedDimension = 4
    with pytest.raises(TfliteError, match="axis 4"):
        parse_tflite(pack(record, 1 << 12))
