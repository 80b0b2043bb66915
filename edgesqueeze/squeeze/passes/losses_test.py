import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.passes.losses import SAYS_LITTLE, SOFTNESS, batch_loss, says_little
from runtime_tests.support.tiny_keras import source_of

layers = tf_keras.layers


def _teacher(*activations):
    """A model that applies activations to its input."""
    logits = tf_keras.Input((3,), name="logits")
    outputs = [layers.Activation(activation)(logits) for activation in activations]
    return tf_keras.Model(logits, outputs if len(outputs) > 1 else outputs[0])


def _logits(size):
    return (size * np.eye(3, dtype=np.float32))[np.arange(60) % 3]


@pytest.mark.parametrize(
    ("activations", "little"),
    [
        (("softmax",), True),
        (("sigmoid",), False),
        (("linear",), False),
        (("softmax", "linear"), False),
    ],
)
def test_a_teacher_that_is_sure_says_little_unless_it_says_something_else_too(activations, little):
    teacher = _teacher(*activations)
    # Zeros are undecided for a sigmoid, and nothing but a rank for a softmax.
    assert says_little(teacher, source_of(teacher, _logits(9.0))) == little
    assert not says_little(teacher, source_of(teacher, _logits(3.0)))


def test_a_sigmoid_that_is_sure_of_both_says_little():
    teacher = _teacher("sigmoid")
    assert says_little(teacher, source_of(teacher, _logits(20.0) - 10))
    assert SAYS_LITTLE < 0.1


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_soft_outputs_tell_apart_what_sure_ones_do_not(activation):
    teacher = _teacher(activation)
    source = source_of(teacher, _logits(9.0) - 3)
    want = tf.constant([[6.0, -4.0, -6.0]])
    taught = [teacher(want)]
    slopes = {}
    for soft in (False, True):
        loss = batch_loss(teacher, source, Finetune(), soft=soft)
        for name, logits in (("same", want), ("swapped", tf.constant([[6.0, -6.0, -4.0]]))):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                found = loss(taught, [], [teacher(logits)])
            slopes[soft, name] = float(tf.norm(tape.gradient(found, logits)))
    # At the same logits there is nothing to learn, and at others much more.
    assert slopes[True, "same"] < 1e-4
    assert slopes[True, "swapped"] > 10 * slopes[False, "swapped"] > 0
    assert SOFTNESS > 1
