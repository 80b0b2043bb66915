import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import RecipeError, UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.passes.finetune import (
    CHECKED_EVERY,
    Training,
    finetune,
    freeze_batch_norms,
    output_kind,
    steps_per_epoch,
)
from runtime_tests.support.tiny_keras import randomize, source_of, weights_of

layers = tf_keras.layers
X = np.random.default_rng(0).normal(0, 1, (64, 6)).astype(np.float32)


def _model(*activations, norm=False):
    """A small model with one output per activation."""
    image = tf_keras.Input((6,), name="image")
    x = layers.Dense(8, activation="tanh", name="hidden")(image)
    x = layers.BatchNormalization(name="norm")(layers.ReLU()(x)) if norm else x
    made = [
        layers.Dense(3, activation=activation, name=f"out{place}")(x)
        for place, activation in enumerate(activations)
    ]
    return randomize(tf_keras.Model(image, made if len(made) > 1 else made[0]))


def _damaged(teacher):
    """A copy with other weights in the last layers."""
    student = rewrite(teacher)
    for layer in student.layers:
        if layer.name.startswith("out"):
            rng = np.random.default_rng(5)
            layer.set_weights([value + rng.normal(0, 1, value.shape) for value in layer.get_weights()])
    return student


def _training(steps=60, loss="distill", rate=0.02):
    return Training(steps=steps, batch_size=16, learning_rate=rate, loss=loss, seed=0)


def _difference(one, other):
    pairs = zip(tf.nest.flatten(one(X)), tf.nest.flatten(other(X)), strict=True)
    return [float(np.abs(np.asarray(a) - np.asarray(b)).mean()) for a, b in pairs]


@pytest.mark.parametrize(
    "activations",
    [("softmax",), ("sigmoid",), ("linear",), ("softmax", "sigmoid", "linear")],
    ids="-".join,
)
def test_a_damaged_student_learns_its_teachers_outputs_without_labels(activations):
    teacher = _model(*activations)
    student, before = _damaged(teacher), weights_of(teacher)
    damage = _difference(student, teacher)
    finetune(student, teacher, source_of(teacher, X), _training())
    for now, then in zip(_difference(student, teacher), damage, strict=True):
        assert now < 0.5 * then
    for one, other in zip(before, weights_of(teacher), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loss_that_is_reported_falls():
    teacher = _model("linear")
    student = _damaged(teacher)
    source = source_of(teacher, X)
    first = finetune(student, teacher, source, _training(steps=2, rate=1e-6))
    assert finetune(student, teacher, source, _training()) < 0.5 * first


def test_a_large_unit_of_an_output_does_not_decide_the_loss():
    teacher = _model("linear")
    kernel, bias = teacher.get_layer("out0").get_weights()
    teacher.get_layer("out0").set_weights([kernel * 1e4, bias])
    student = rewrite(teacher)
    student.get_layer("out0").set_weights([kernel * 0.9e4, bias])
    loss = finetune(student, teacher, source_of(teacher, X), _training(steps=1, rate=1e-6))
    assert 1e-3 < loss < 0.1


def test_a_named_loss_learns_the_labels():
    teacher = _model("softmax")
    # Labels that the teacher does not know: the student can only get better by learning them.
    labels = (X[:, 0] > 0).astype(np.int64)
    student = rewrite(teacher)
    source = source_of(teacher, X, labels=[labels])
    finetune(
        student, teacher, source, _training(steps=120, loss="sparse_categorical_crossentropy", rate=0.05)
    )
    right = [np.mean(np.asarray(model(X)).argmax(1) == labels) for model in (teacher, student)]
    assert right[1] > max(right[0], 0.9)


def test_a_named_loss_needs_labels():
    teacher = _model("softmax")
    with pytest.raises(RecipeError, match="needs labels"):
        finetune(rewrite(teacher), teacher, source_of(teacher, X), _training(loss="mse"))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("sparse_categorical_crossentrpy", "sparse_categorical_crossentropy"),
        ("mean_squared_eror", "mean_squared_error"),
        ("destill", "distill"),
    ],
)
def test_an_unknown_loss_is_answered_with_the_nearest(wrong, right):
    teacher = _model("softmax")
    with pytest.raises(RecipeError, match=f"there is no loss '{wrong}'; did you mean '{right}'"):
        finetune(rewrite(teacher), teacher, source_of(teacher, X), _training(loss=wrong))


@pytest.mark.parametrize("name", ["deserialize", "get", "serialize", "Loss", "Reduction"])
def test_helpers_of_the_losses_module_are_no_losses(name):
    teacher = _model("softmax")
    source = source_of(teacher, X, labels=[np.zeros(64, np.int64)])
    with pytest.raises(RecipeError, match="there is no loss"):
        finetune(rewrite(teacher), teacher, source, _training(loss=name, steps=1))


def test_a_loss_that_is_no_number_stops_the_training():
    teacher = _model("linear")
    student = rewrite(teacher)
    kernel, bias = student.get_layer("out0").get_weights()
    student.get_layer("out0").set_weights([kernel * np.float32(1e30), bias])
    done = []
    with pytest.raises(UnsupportedModelError, match="the training diverged") as caught:
        finetune(student, teacher, source_of(teacher, X), _training(), progress=done.append)
    assert not done
    assert "learning_rate" in caught.value.hint


def test_batch_norms_that_stay_are_frozen():
    teacher = _model("softmax", norm=True)
    student = _damaged(teacher)
    before = weights_of(student.get_layer("norm"))
    hidden = weights_of(student.get_layer("hidden"))
    finetune(student, teacher, source_of(teacher, X), _training(steps=20))
    for one, other in zip(before, weights_of(student.get_layer("norm")), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(hidden[0], weights_of(student.get_layer("hidden"))[0])


def test_freezing_leaves_everything_else_trainable():
    model = _model("softmax", norm=True)
    freeze_batch_norms(model)
    assert {weight.name.split("/")[0] for weight in model.trainable_weights} == {"hidden", "out0"}


def test_progress_counts_up_to_the_last_step():
    teacher = _model("softmax")
    done = []
    finetune(
        _damaged(teacher),
        teacher,
        source_of(teacher, X),
        _training(steps=CHECKED_EVERY + 5),
        progress=done.append,
    )
    assert done == [CHECKED_EVERY, CHECKED_EVERY + 5]


def test_no_steps_do_nothing():
    teacher = _model("softmax")
    student = _damaged(teacher)
    before = weights_of(student)
    assert finetune(student, teacher, source_of(teacher, X), _training(steps=0)) == 0.0
    for one, other in zip(before, weights_of(student), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_seed_gives_the_same_weights():
    teacher = _model("softmax")
    results = []
    for _ in range(2):
        student = _damaged(teacher)
        finetune(student, teacher, source_of(teacher, X), _training(steps=8))
        results.append(weights_of(student))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("count", "batch", "steps"), [(64, 64, 1), (65, 64, 2), (3, 64, 1), (64, 1, 64)])
def test_an_epoch_sees_every_sample(count, batch, steps):
    model = _model("softmax")
    assert steps_per_epoch(source_of(model, np.zeros((count, 6), np.float32)), batch) == steps


def test_kinds_of_outputs():
    image = tf_keras.Input((6,), name="image")
    x = layers.Dense(3)(image)
    outputs = [
        layers.Softmax()(x),
        layers.Activation("softmax")(x),
        layers.Dense(1, activation="sigmoid")(x),
        layers.ReLU()(x),
        x,
    ]
    found = [output_kind(tensor) for tensor in tf_keras.Model(image, outputs).outputs]
    assert found == ["softmax", "softmax", "sigmoid", "values", "values"]
