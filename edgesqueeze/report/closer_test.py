import base64
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from edgesqueeze.base.generated import LIST
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.pipeline import compress, run
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.closer import _tried
from edgesqueeze.report.made import read_report
from edgesqueeze.report.page.page import write_page

FAST = {"finetune": {"epochs": 0}, "quantize": {"calibration_samples": 16}}
RECIPE = {"prune": {"sparsity": 0.9, "first_and_last": "include"}, **FAST}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A classifier of small pictures that pruning harms, with its page."""
    folder = tmp_path_factory.mktemp("closer")
    keras.utils.set_random_seed(2)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, activation="relu", name="first"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax", name="last"),
    ]
    model = keras.Sequential(layers)
    x = np.random.default_rng(2).normal(size=(64, 8, 8, 1)).astype(np.float32)
    y = model.predict(x, verbose=0).argmax(axis=-1)
    data = {"train": (x[:32], y[:32]), "test": (x[32:], y[32:])}
    arrays = (data["train"], data["test"])
    out = folder / "out"
    compress(model, target="pico", data=arrays, out=out, recipe=parse_recipe(RECIPE), html=True)
    return model, arrays, out


def test_what_the_passes_gain_is_held_against_the_plain_model(made):
    report = read_report(made[2])
    plain = report.details.plain
    assert plain.tflite_bytes == pytest.approx(report.sizes.tflite_bytes, rel=0.2)
    assert plain.flash_bytes > plain.tflite_bytes / 2
    assert plain.ram_bytes == report.fit.ram.needed_bytes
    assert plain.latency_method == "predicted" and plain.latency_ms.low < plain.latency_ms.high
    assert plain.macs == 6 * 6 * 4 * 9 + 144 * 3


def test_every_layer_is_compared_with_the_float_model(made):
    errors = read_report(made[2]).details.layer_errors
    assert len(errors) >= 3
    assert all(0 <= one.error < 0.3 for one in errors)
    assert any(one.error > 0 for one in errors)


def test_changed_samples_have_their_pictures(made):
    (output,) = read_report(made[2]).choices
    assert sum(one.samples for one in output.counts) == 32
    assert output.changed
    for one in output.changed:
        assert one.original != one.compressed
        assert tf.io.decode_png(base64.b64decode(one.picture)).shape == (8, 8, 1)
    page = (made[2] / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(output.changed)


def test_the_page_is_one_of_the_files_and_goes_with_them(made, tmp_path):
    model, data, out = made
    shutil.copytree(out, tmp_path / "out")
    again = tmp_path / "out"
    assert "report.html" in read_report(again).files
    assert "report.html" in (again / LIST).read_text()
    compress(model, target="pico", data=data, out=again, recipe=parse_recipe(FAST))
    report = read_report(again)
    assert not (again / "report.html").exists()
    assert report.details is None and not any(one.picture for one in report.choices[0].changed)
    # A page that was made later is no file of the user's own either.
    write_page(again)
    compress(model, target="pico", data=data, out=again, recipe=parse_recipe(FAST))
    assert not (again / "report.html").exists()


def test_a_look_that_fails_is_named_and_loses_nothing():
    left_out = []

    def refused():
        raise UnsupportedModelError("it cannot be converted")

    assert _tried(refused, (), "errors", left_out) == ()
    assert _tried(lambda: 1, 0, "more", left_out) == 1
    assert _tried(lambda: 1 // 0, 2, "times", left_out) == 2
    assert left_out == [
        "errors: it cannot be converted",
        "times: internal error: ZeroDivisionError: integer division or modulo by zero",
    ]


def test_a_page_that_cannot_be_drawn_does_not_lose_the_model(made, tmp_path, monkeypatch):
    model, data, _ = made
    monkeypatch.setattr(run, "page", lambda made, target: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        compress(model, target="pico", data=data, out=tmp_path, recipe=parse_recipe(FAST), html=True)
    assert not (tmp_path / "report.html").exists()
    assert read_report(tmp_path).files and (tmp_path / "model.tflite").is_file()
