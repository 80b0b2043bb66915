import numpy as np
import pytest

from edgesqueeze.checks import data as module
from edgesqueeze.checks.data import as_data, scaled
from edgesqueeze.errors import DataError, RecipeError, UsageError
from edgesqueeze.graph import parse_tflite, read_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.runners.samples import EvalData
from runtime_tests.support.tflite_builder import tiny_cnn

MODEL = parse_tflite(tiny_cnn())
IMAGES = np.zeros((6, 8, 8, 1), np.float32)


def test_samples_are_taken_as_they_are():
    given = EvalData((IMAGES,))
    assert as_data(given, MODEL, 2) is given


@pytest.mark.parametrize("keys", [("x_test", "y_test"), ("x", "y"), ("x_train", "y_train")])
def test_a_file(tmp_path, keys):
    np.savez(tmp_path / "d.npz", **{keys[0]: IMAGES, keys[1]: np.arange(6)})
    found = as_data(tmp_path / "d.npz", MODEL, 2)
    assert found.inputs[0].shape == IMAGES.shape
    np.testing.assert_array_equal(found.labels[0], np.arange(6))


def test_of_two_parts_the_one_for_testing(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=IMAGES, x_test=IMAGES[:2] + 1)
    found = as_data(str(tmp_path / "d.npz"), MODEL, 9)
    np.testing.assert_array_equal(found.inputs[0], IMAGES[:2] + 1)
    assert found.labels is None


@pytest.mark.parametrize("source", ["photos", "my_data:load"])
def test_anything_else_is_stored_by_a_process_that_has_tensorflow(monkeypatch, source):
    calls = []

    def call_worker(worker, arguments, about):
        data, tflite, out, limit = arguments
        calls.append((worker, data, read_tflite(tflite).sha256, limit, about))
        np.savez(out, **{"x_test/input_0": IMAGES})

    monkeypatch.setattr(module, "call_worker", call_worker)
    found = as_data(source, MODEL, 5)
    assert found.inputs[0].shape == IMAGES.shape
    assert calls == [
        ("edgesqueeze.squeeze.data.worker", source, MODEL.sha256, "5", f"{source} is no .npz file")
    ]


def test_what_is_no_data():
    with pytest.raises(UsageError) as caught:
        as_data(3, MODEL, 1)
    assert "EvalData" in caught.value.expected
    with pytest.raises(DataError, match="there is no file"):
        as_data("nowhere.npz", MODEL, 1)


def test_raw_data_are_scaled_as_the_recipe_says():
    model = parse_tflite(tiny_cnn())
    raw = np.random.default_rng(0).uniform(0, 255, (10, 8, 8, 1))
    found = scaled(EvalData((raw,)), model, DataOptions(scale=(0.5,), offset=-1.0))
    np.testing.assert_allclose(found.inputs[0], raw * 0.5 - 1, rtol=1e-5)
    assert scaled(EvalData((raw,)), model, DataOptions()).inputs[0] is raw
    with pytest.raises(RecipeError, match="do not fit the data"):
        scaled(EvalData((raw,)), model, DataOptions(offset=(0.0, 1.0)))


def test_ids_are_not_scaled():
    graph = GraphBuilder(0)
    ids, values = graph.input((1, 4), "int32", name="ids"), graph.input((1, 4), "float32", name="values")
    outputs = [graph.tensor((1, 4), "int32", name="a"), graph.tensor((1, 4), "float32", name="b")]
    for x, y in zip((ids, values), outputs, strict=True):
        graph.op("NEG", [x], [y])
    model = parse_tflite(graph.build(outputs))
    columns = (np.arange(8).reshape(2, 4), np.ones((2, 4)))
    found = scaled(EvalData(columns, names=("ids", "values")), model, DataOptions(scale=3.0))
    np.testing.assert_array_equal(found.inputs[0], columns[0])
    np.testing.assert_array_equal(found.inputs[1], 3 * columns[1])
