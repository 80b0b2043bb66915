"""Samples for a .tflite from what compress takes, stored by another process."""

import numpy as np
import pytest

from edgesqueeze.base.npz import load_npz
from edgesqueeze.base.worker import call_worker
from edgesqueeze.errors import DataError
from edgesqueeze.squeeze.data import worker as data_worker
from runtime_tests.support.tflite_builder import tiny_cnn

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


def images(folder, shape, classes):
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 256, shape, np.uint8)
            (folder / name / f"{i}.png").write_bytes(tf.io.encode_png(pixels).numpy())


def test_images_are_stored_with_their_classes(tmp_path, model):
    tensor = data_worker._interface(model).inputs[0]
    images(tmp_path / "photos", (9, 7, tensor.shape[-1]), ["cat", "dog"])
    out = tmp_path / "out.npz"
    assert data_worker.main([str(tmp_path / "photos"), str(model), str(out), "10"]) == 0
    names = data_worker._interface(model)
    loaded = load_npz(out, names.input_names, names.output_names)
    assert loaded.train.inputs[0].shape[1:] == tuple(tensor.shape[1:])
    assert set(np.unique(loaded.train.labels[0])) <= {0, 1}


def test_its_errors_come_through(tmp_path, model):
    with pytest.raises(DataError, match="there are no data"):
        call_worker(
            "edgesqueeze.squeeze.data.worker", ["nowhere", str(model), str(tmp_path / "o.npz"), "5"], "x"
        )
