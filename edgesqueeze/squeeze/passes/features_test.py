import numpy as np
import tf_keras

from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.passes.features import feature_loss, watched
from runtime_tests.support.tiny_keras import randomize

layers = tf_keras.layers
X = np.random.default_rng(0).normal(0, 1, (16, 6)).astype(np.float32)


def _model(width=8):
    image = tf_keras.Input((6,), name="image")
    x = layers.Dense(5, name="first")(image)
    x = layers.Dense(width, name="hidden")(layers.ReLU()(x))
    return randomize(tf_keras.Model(image, [layers.Dense(3, name="out")(x), layers.Dense(2, name="two")(x)]))


def _losses(teacher, student):
    wanted, given = (model(X)[2:] for model in watched(teacher, student))
    return len(wanted), float(feature_loss(wanted, given))


def test_layers_with_weights_are_watched_and_outputs_only_once():
    teacher = _model()
    student = rewrite(teacher)
    assert _losses(teacher, student) == (2, 0.0)
    kernel, bias = student.get_layer("hidden").get_weights()
    student.get_layer("hidden").set_weights([kernel * 0, bias * 0])
    count, loss = _losses(teacher, student)
    assert count == 2
    # Of one of two layers all is lost: its mean square as a part of its variance.
    given = np.asarray(teacher.get_layer("hidden")(np.maximum(teacher.get_layer("first")(X), 0)))
    np.testing.assert_allclose(loss, np.mean(given**2) / given.var() / 2, rtol=1e-4)


def test_outputs_come_first_and_as_before():
    teacher = _model()
    model, _ = watched(teacher, rewrite(teacher))
    for one, other in zip(model(X)[:2], teacher(X), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_of_another_width_is_not_watched():
    assert _losses(_model(), _model(width=4))[0] == 1


def test_a_layer_that_gives_several_tensors_or_is_applied_twice_is_not_watched():
    steps = tf_keras.Input((4, 2), name="steps")
    x, *_ = layers.LSTM(3, return_sequences=True, return_state=True)(steps)
    twice = layers.Dense(3)
    x = layers.LSTM(5, name="seen")(twice(twice(x)))
    teacher = tf_keras.Model(steps, layers.Dense(2)(x))
    wanted, given = watched(teacher, rewrite(teacher))
    assert [one.shape[-1] for one in wanted.outputs] == [one.shape[-1] for one in given.outputs] == [2, 5]


def test_a_layer_that_gives_a_constant_has_a_loss():
    zeros = np.zeros((4, 3), np.float32)
    assert np.isfinite(float(feature_loss([zeros], [zeros + 1e-3])))
