import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.recipe.filled import FilledQuantize
from edgesqueeze.squeeze.passes import possible
from runtime_tests.support.tiny_keras import conv2d, images, source_of

HOW = FilledQuantize(mode="int8", io="int8", calibration_samples=12)
layers = tf_keras.layers


@pytest.fixture
def converted(monkeypatch):
    """The models that were converted, which takes no time here."""
    found = []
    monkeypatch.setattr(possible, "convert", lambda model, *_: found.append(model))
    return found


def check(model, how=HOW):
    possible.check_possible(model, how, source_of(model, images(12)), 0)


def test_a_model_of_plain_layers_is_not_converted(converted):
    check(conv2d())
    assert not converted


def test_a_mask_makes_a_layer_not_plain(converted):
    words = tf_keras.Input((4,), dtype="int32", name="words")
    for masked in (False, True):
        x = layers.GRU(3)(layers.Embedding(5, 2, mask_zero=masked)(words))
        check(tf_keras.Model(words, x))
        assert len(converted) == masked


def test_any_other_is_converted_once_for_each_mode(converted):
    image = tf_keras.Input((8, 8, 3), name="image")
    model = tf_keras.Model(image, layers.Flatten()(layers.Lambda(tf.sin)(image)))
    for mode in ("int8", "int8", "float16"):
        check(model, HOW.model_copy(update={"mode": mode}))
    assert converted == [model, model]


def test_an_activation_that_nobody_knows_makes_a_layer_not_plain(converted):
    image = tf_keras.Input((8, 8, 3), name="image")
    check(tf_keras.Model(image, layers.Conv2D(2, 3, activation=tf.sin)(image)))
    assert len(converted) == 1
