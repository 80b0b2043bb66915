import keras
import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RequirementError
from edgesqueeze.pipeline import compress
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.report.report import raise_if_not_ok
from edgesqueeze.runners.outputs import run
from edgesqueeze.squeeze.passes.lift import lift
from runtime_tests.support.tiny_keras import randomize

RNG = np.random.default_rng(0)
SENSORS = np.stack(
    [RNG.normal(1013, 8, 400), RNG.uniform(0, 50_000, 400), RNG.normal(21, 4, 400)], axis=1
).astype(np.float32)
"""Pressure in hPa, light in lux and temperature in degrees."""
TRUTH = 2.0 * (SENSORS[:, :1] - 1013) / 8 + SENSORS[:, 1:2] / 50_000 - (SENSORS[:, 2:] - 21) / 4


def _trained(library):
    library.utils.set_random_seed(0)
    normal = library.layers.Normalization(name="normal")
    normal.adapt(SENSORS)
    sensors = library.Input((3,), name="sensors")
    hidden = library.layers.Dense(16, activation="relu")(normal(sensors))
    model = library.Model(sensors, library.layers.Dense(1)(hidden), name="weather")
    model.compile("adam", "mse")
    model.optimizer.learning_rate = 0.02
    model.fit(SENSORS, TRUTH, epochs=40, verbose=0)
    return model


def _compressed(model, **data):
    raw = {"finetune": {"epochs": 0}, "limits": {"max_accuracy_drop": 0.02}, "data": data}
    return compress(model, target="rpi4", data=(SENSORS, TRUTH), recipe=parse_recipe(raw))


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_model_that_one_scale_ruins_is_whole_when_its_normalization_is_lifted(library):
    model = _trained(library)
    ruined = _compressed(model).report
    (finding,) = [one for one in ruined.findings if one.code == "input-scale-coarse"]
    assert "--lift-normalization" in finding.message
    assert "0 (" in finding.message and "2 (" in finding.message and "1 (" not in finding.message
    assert not ruined.ok
    with pytest.raises(RequirementError) as caught:
        raise_if_not_ok(ruined)
    assert "--lift-normalization" in caught.value.hint
    lifted = _compressed(model, lift_normalization=True)
    assert lifted.report.ok
    assert [one.code for one in lifted.report.findings if one.code.startswith("input-scale")] == []
    assert lifted.report.fidelity.outputs[0].normalized_error < 0.02
    # What the report tells firmware to do gives what the original gives.
    (scaling,) = lifted.report.scaling
    assert scaling.input == "sensors"
    taken = SENSORS * np.float32(scaling.scale) + np.float32(scaling.offset)
    np.testing.assert_allclose(taken.std(axis=0), 1, rtol=1e-2)
    (found,) = run(lifted.tflite, taken)
    expected = np.asarray(model(SENSORS))
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.02 * expected.std()


def _with_first(layer, *, also=False):
    x = tf_keras.Input((3,), name="x")
    y = tf_keras.layers.Dense(2)(layer(x))
    return randomize(tf_keras.Model(x, tf_keras.layers.Concatenate()([y, x]) if also else y))


def test_what_is_lifted_is_the_same_when_it_is_applied_to_the_data():
    model = _with_first(tf_keras.layers.Normalization(mean=[5.0, -900.0, 0.0], variance=[4.0, 9e4, 1e-4]))
    lifted, findings = lift(model)
    assert [one.code for one in findings] == ["normalization-lifted"]
    x = RNG.normal([5, -900, 0], [2, 300, 0.01], (20, 3)).astype(np.float32)
    found = np.asarray(lifted.model(lifted.inputs([x])[0]))
    np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-4, atol=1e-4)


def test_the_scale_of_the_data_is_part_of_what_firmware_does():
    lifted, _ = lift(_with_first(tf_keras.layers.Rescaling(2.0, offset=-1.0)))
    (scaling,) = lifted.scalings(DataOptions(scale=(1.0, 10.0, 100.0), offset=3.0))
    assert scaling.scale == pytest.approx((2, 20, 200))
    assert scaling.offset == pytest.approx((5, 5, 5))


def test_what_the_model_uses_elsewhere_stays_where_it_is():
    for model in (
        _with_first(tf_keras.layers.Rescaling(2.0), also=True),
        _with_first(tf_keras.layers.Dense(3)),
    ):
        lifted, findings = lift(model)
        assert lifted is None
        assert [(one.code, one.severity) for one in findings] == [("nothing-to-lift", "warning")]
