"""Ranges by their error: outliers do not decide, the file has what was chosen, and what cannot be is said."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.ranges import stored_range
from edgesqueeze.pipeline import prepare, squeeze
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, real_outputs
from edgesqueeze.squeeze.passes import calibrate
from edgesqueeze.squeeze.passes.aware_test import joined
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences
from runtime_tests.support.tiny_keras import conv2d, images, passed, randomize

layers = tf_keras.layers
X = images(60, seed=4)


def by(method, **more):
    return {"quantize": {"calibration": method, **more}}


def off(made, model, data):
    """By how much the file's outputs are off, as a share of their spread."""
    rows = litert.run(made.tflite, data_samples(made.tflite, EvalData((data,))))
    (found,), wanted = real_outputs(made.tflite, rows), model(data).numpy()
    return float(np.square(found - wanted).mean() / np.square(wanted - wanted.mean(axis=0)).mean())


def said(made, code="calibration-chosen"):
    return {one.subject: one.message for one in made.findings if one.code == code}


def mapped():
    """Convolutions and a dense layer whose outputs are values, which say more than those of a softmax."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(12, 3, activation="relu", name="first")(image)
    x = layers.Conv2D(12, 3, activation="relu", name="middle")(x)
    x = layers.Dense(5, name="last")(layers.Flatten()(x))
    return randomize(tf_keras.Model(image, x, name="mapped"), seed=3)


def spoilt():
    """Samples with one value of a thousandfold size, in one sample of three hundred."""
    data = images(300, seed=4)
    data[7, 4, 4, 1] = 4000.0
    return data


def test_one_outlier_of_a_thousandfold_spoils_the_extremes():
    model = mapped()
    assert off(passed(model, {}, inputs=X), model, X) < 0.01
    assert off(passed(model, by("minmax", calibration_samples=300), inputs=spoilt()), model, X) > 1


@pytest.mark.parametrize("method", ["percentile", "mse", "entropy", "best"])
def test_one_outlier_of_a_thousandfold_is_cut_off(method):
    model = mapped()
    made = passed(model, by(method, percentile=0.995, calibration_samples=300), inputs=spoilt())
    assert off(made, model, X) < 0.05
    assert "range-missed" not in {one.code for one in made.findings}
    assert set(said(made)) == {method} or method == "best"


def test_best_is_never_worse_on_the_outputs_than_the_extremes():
    made = passed(randomize(conv2d(), seed=1), by("best", calibration_samples=40), inputs=X)
    ((winner, message),) = said(made, "calibration-judged").items()
    assert "on 20 samples that no range was found from" in message
    errors = {one.split()[0]: float(one.split()[1]) for one in message.split("; ")[1].split(", ")}
    errors["best"] = float(message.split(": ")[1].split()[0])
    assert errors[winner] == min(errors.values()) <= errors["minmax"]


def test_where_no_other_samples_are_left_a_fifth_of_them_judge():
    made = passed(randomize(conv2d(), seed=1), by("best"), inputs=X)
    assert "on 12 samples" in next(iter(said(made, "calibration-judged").values()))


def test_tensors_that_share_a_scale_have_one_range_and_a_softmax_keeps_its_own():
    made = passed(randomize(joined(), seed=3), by("mse"), inputs=X)
    assert "range-missed" not in {one.code for one in made.findings}
    main = made.tflite.main
    for operator in main.operators:
        if operator.opcode in ("MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION", "PAD"):
            scales = {
                main.tensors[one].quantization.scale
                for one in (*operator.inputs, *operator.outputs)
                if main.tensors[one].quantization is not None
            }
            assert len(scales) == 1
    (output,) = main.output_tensors
    assert output.quantization.scale == 1 / 256
    plain = passed(randomize(joined(), seed=3), {}, inputs=X)
    assert len({*main.input_tensors}) == 1
    assert main.input_tensors[0].quantization.scale < plain.tflite.main.input_tensors[0].quantization.scale


def test_a_convolution_without_a_bias_gets_none_that_would_rename_its_output():
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, use_bias=False, name="first")(image)
    x = layers.Conv2D(6, 3, use_bias=False, activation="relu", name="middle")(x)
    x = layers.Dense(4, use_bias=False, name="last")(layers.GlobalAveragePooling2D()(x))
    made = passed(randomize(tf_keras.Model(image, x)), {**by("mse"), "bias": {}}, inputs=X)
    assert "range-missed" not in {one.code for one in made.findings}
    assert set(said(made, "bias-skipped")) == {"first", "middle", "last"}


def test_training_begins_with_the_ranges_that_were_found():
    model = randomize(conv2d(), seed=1)
    plain, made = (
        passed(model, {**by(one, calibration_samples=300), "aware": {"learn_ranges": False}}, inputs=spoilt())
        for one in ("minmax", "mse")
    )
    name = plain.tflite.main.input_tensors[0].name
    assert stored_range(plain.tflite, name).high > 1000
    assert stored_range(made.tflite, name).high < 10
    assert "range-missed" not in {one.code for one in made.findings}


def test_what_an_lstm_gives_keeps_its_range():
    samples = tf_keras.Input((6, 5), name="samples")
    x = layers.Dense(6, activation="relu", name="first")(samples)
    model = tf_keras.Model(samples, layers.Dense(3, name="last")(layers.LSTM(4, name="steps")(x)))
    made = passed(randomize(model, seed=1), by("mse"))
    assert "range-missed" not in {one.code for one in made.findings}
    assert "steps" not in said(made)["mse"]
    kinds = [one.opcode for one in made.tflite.main.operators]
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in kinds


def test_steps_of_a_recurrent_layer_have_ranges_of_their_own():
    samples = tf_keras.Input((4, 5), name="samples")
    model = tf_keras.Model(samples, layers.Dense(3, name="last")(layers.GRU(4, name="steps")(samples)))
    made = passed(randomize(model, seed=1), by("mse"))
    assert "range-missed" not in {one.code for one in made.findings}
    assert "steps" in said(made)["mse"]


class Whole(tf_keras.Model):
    """A model whose layers cannot be seen."""

    def __init__(self):
        super().__init__(name="whole")
        self.first = layers.Conv2D(4, 3, activation="relu")
        self.last = layers.Dense(3)

    def call(self, inputs):
        return self.last(layers.Flatten()(self.first(inputs)))


def test_a_model_whose_layers_cannot_be_seen_is_calibrated_too():
    model = Whole()
    model(X[:1])
    prepared = prepare(model, data=X)
    recipe = fill_preferences(parse_recipe(by("mse")), load_target("rpi4"))
    made = squeeze(prepared, recipe)
    assert set(said(made)) == {"mse"}
    assert "range-missed" not in {one.code for one in made.findings}


def test_a_model_with_a_state_is_refused():
    samples = tf_keras.Input((1, 3), batch_size=1, name="samples")
    model = tf_keras.Model(samples, layers.Dense(2)(layers.LSTM(4, stateful=True)(samples)))
    with pytest.raises(RecipeError, match="state"):
        passed(randomize(model), by("mse"))


def test_what_the_converter_gives_another_range_stays_as_it_was(monkeypatch):
    monkeypatch.setattr(calibrate, "same_range", lambda stored, wanted: False)
    model = randomize(conv2d(), seed=1)
    made = passed(model, by("mse"), inputs=X)
    assert set(said(made)) == {"minmax"}
    assert made.tflite.content == passed(model, {}, inputs=X).tflite.content
