import numpy as np
import pytest
import tf_keras

from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.passes.held_out import MOST, TOO_FEW, HeldOut, part_samples, sample_bytes
from edgesqueeze.squeeze.passes.losses import batch_loss
from runtime_tests.support.tiny_keras import randomize, source_of

layers = tf_keras.layers


def _model(activation="softmax"):
    image = tf_keras.Input((2,), name="image")
    return randomize(tf_keras.Model(image, layers.Dense(3, activation=activation, name="out")(image)))


def _rows(source):
    batches = source.stream(16, None).as_numpy_iterator()
    return [float(value) for inputs, _ in batches for value in inputs[0][:, 0]]


def _numbered(count):
    return np.stack([np.arange(count), np.zeros(count)], axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [TOO_FEW, 1000])
def test_a_tenth_is_held_out_and_not_learned_from(count):
    learned, held = part_samples(source_of(_model(), _numbered(count)), 8, seed=3)
    assert len(_rows(held)) == held.count == count // 10
    assert sorted(_rows(learned) + _rows(held)) == list(range(count))
    assert learned.count == count - count // 10
    # Spread over the data, which may be sorted by class.
    assert max(_rows(held)) - min(_rows(held)) > count / 2


def test_the_same_seed_holds_the_same_samples_out():
    source = source_of(_model(), _numbered(500))
    rows = [_rows(part_samples(source, 8, seed)[1]) for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_of_few_samples_none_is_held_out():
    source = source_of(_model(), _numbered(TOO_FEW - 1))
    learned, held = part_samples(source, 8, seed=0)
    assert learned.count == held.count == TOO_FEW - 1


def test_held_out_samples_are_bounded_in_number_and_in_memory():
    source = source_of(_model(), _numbered(20_000))
    assert part_samples(source, 8, seed=0)[1].count == MOST
    assert part_samples(source, 10 << 20, seed=0)[1].count == 6
    assert part_samples(source, 1 << 40, seed=0)[1].count == 1


def test_a_sample_takes_what_all_inputs_take():
    inputs = [tf_keras.Input((4, 5)), tf_keras.Input((2,))]
    model = tf_keras.Model(
        inputs, layers.Dense(2)(layers.Concatenate()([layers.Flatten()(inputs[0]), inputs[1]]))
    )
    assert sample_bytes(model) == 4 * 22


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_a_student_that_does_what_the_teacher_does_loses_nothing(activation):
    teacher, options = _model(activation), Finetune(batch_size=16)
    x = np.random.default_rng(0).normal(0, 1, (70, 2)).astype(np.float32)
    source = source_of(teacher, x)
    held_out = HeldOut(teacher, source, options, batch_loss(teacher, source, options))
    student = rewrite(teacher)
    measure = held_out.measure(student)
    assert measure() == pytest.approx(0, abs=1e-5)
    student.get_layer("out").set_weights([-value for value in student.get_layer("out").get_weights()])
    changed = measure()
    assert changed > 0.01
    # The mean over samples, not over batches of different sizes.
    whole = HeldOut(teacher, source, Finetune(batch_size=70), batch_loss(teacher, source, options))
    assert whole.measure(student)() == pytest.approx(changed, rel=1e-4)
