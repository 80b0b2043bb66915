import numpy as np
import pytest

from edgesqueeze.checks import data as module
from edgesqueeze.checks.data import as_data, scaled, unused_labels
from edgesqueeze.errors import DataError, RecipeError, UsageError
from edgesqueeze.graph import parse_tflite, read_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.metadata import Metadata, PortMetadata
from edgesqueeze.graph.metadata_write import with_metadata
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


def _two_outputs(*names):
    graph = GraphBuilder()
    x = graph.input((1, 4), name="serving_default_x:0")
    heads = [graph.fully_connected(x, 1 + place, name=f"call:{1 - place}") for place in range(2)]
    outputs = tuple(PortMetadata(name=name) for name in names)
    model = parse_tflite(graph.build(heads))
    return (
        with_metadata(model, Metadata(inputs=(PortMetadata(name="x"),), outputs=outputs)) if names else model
    )


@pytest.mark.parametrize(
    ("names", "labels", "found"),
    [
        (("amount", "kind"), ("kind", "amount"), ("amount", "kind")),
        (("amount", "kind"), ("kind",), (None, "kind")),
        (("amount", "kind"), ("kind", "other"), None),
        ((), ("kind",), None),
    ],
)
def test_labels_are_found_by_what_the_files_metadata_call_its_outputs(tmp_path, names, labels, found):
    columns = {name: np.full(6, place) for place, name in enumerate(("kind", "amount", "other"))}
    given = {f"y_test/{name}": columns[name] for name in labels}
    np.savez(tmp_path / "data.npz", x_test=np.ones((6, 4)), **given)
    model = _two_outputs(*names)
    data = as_data(tmp_path / "data.npz", model, 6)
    if found is None:
        assert data.labels is None and set(data.named) == set(labels)
        (one,) = unused_labels(model, data, "do this")
        assert one.code == "labels-not-used" and f"labels named {', '.join(labels)}" in one.message
        return
    assert unused_labels(model, data, "") == ()
    for name, values in zip(found, data.labels, strict=True):
        assert values is None if name is None else (values == columns[name]).all()
