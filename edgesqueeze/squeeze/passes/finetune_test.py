from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import RecipeError, UnsupportedModelError
from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.layers.streams import with_batch
from edgesqueeze.squeeze.passes.finetune import (
    CHECKED_EVERY,
    CLOSING,
    RATES,
    STEERED_FROM,
    USUAL_RATE,
    Training,
    freeze_batch_norms,
    lesson,
    steps_per_epoch,
    trainer,
)
from edgesqueeze.squeeze.passes.losses import output_kind
from edgesqueeze.squeeze.passes.rounds import FIRST_STEPS
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


def finetune(student, teacher, source, progress=None, steps=60, most=0, **options):
    """Train a student for so many steps; with a rate of 0.02 unless something else is said."""
    chosen = Finetune(**{"batch_size": 16, "learning_rate": 0.02, **options})
    return Training(student, lesson(teacher, source, chosen, 0), progress).run(steps, most)


def _lesson(teacher, known=None, **options):
    source = source_of(teacher, X, labels=known)
    return lesson(teacher, source, Finetune(**{"batch_size": 16, "learning_rate": 0.02, **options}), 0)


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
    finetune(student, teacher, source_of(teacher, X))
    for now, then in zip(_difference(student, teacher), damage, strict=True):
        assert now < 0.5 * then
    for one, other in zip(before, weights_of(teacher), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loss_that_is_reported_falls():
    teacher = _model("linear")
    student = _damaged(teacher)
    source = source_of(teacher, X)
    first = finetune(student, teacher, source, steps=2, learning_rate=1e-6)
    assert finetune(student, teacher, source).loss < 0.5 * first.loss


def test_a_large_unit_of_an_output_does_not_decide_the_loss():
    teacher = _model("linear")
    kernel, bias = teacher.get_layer("out0").get_weights()
    teacher.get_layer("out0").set_weights([kernel * 1e4, bias])
    student = rewrite(teacher)
    student.get_layer("out0").set_weights([kernel * 0.9e4, bias])
    trained = finetune(student, teacher, source_of(teacher, X), steps=1, learning_rate=1e-6)
    assert 1e-3 < trained.loss < 0.1


def test_a_named_loss_learns_the_labels():
    teacher = _model("softmax")
    # Labels that the teacher does not know: the student can only get better by learning them.
    labels = (X[:, 0] > 0).astype(np.int64)
    student = rewrite(teacher)
    source = source_of(teacher, X, labels=[labels])
    finetune(student, teacher, source, steps=120, loss="sparse_categorical_crossentropy", learning_rate=0.05)
    right = [np.mean(np.asarray(model(X)).argmax(1) == labels) for model in (teacher, student)]
    assert right[1] > max(right[0], 0.9)


def test_a_named_loss_needs_labels():
    teacher = _model("softmax")
    with pytest.raises(RecipeError, match="needs labels"):
        finetune(rewrite(teacher), teacher, source_of(teacher, X), loss="mse")


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
        finetune(rewrite(teacher), teacher, source_of(teacher, X), loss=wrong)


@pytest.mark.parametrize("name", ["deserialize", "get", "serialize", "Loss", "Reduction"])
def test_helpers_of_the_losses_module_are_no_losses(name):
    teacher = _model("softmax")
    source = source_of(teacher, X, labels=[np.zeros(64, np.int64)])
    with pytest.raises(RecipeError, match="there is no loss"):
        finetune(rewrite(teacher), teacher, source, loss=name, steps=1)


def test_a_loss_that_is_no_number_stops_the_training():
    teacher = _model("linear")
    student = rewrite(teacher)
    kernel, bias = student.get_layer("out0").get_weights()
    student.get_layer("out0").set_weights([kernel * np.float32(1e30), bias])
    done = []
    with pytest.raises(UnsupportedModelError, match="the training diverged") as caught:
        finetune(student, teacher, source_of(teacher, X), done.append)
    assert not done
    assert "learning_rate" in caught.value.hint


def test_batch_norms_that_stay_are_frozen():
    teacher = _model("softmax", norm=True)
    student = _damaged(teacher)
    before = weights_of(student.get_layer("norm"))
    hidden = weights_of(student.get_layer("hidden"))
    finetune(student, teacher, source_of(teacher, X), steps=20)
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
    finetune(_damaged(teacher), teacher, source_of(teacher, X), done.append, steps=CHECKED_EVERY + 5)
    assert done == [CHECKED_EVERY, CHECKED_EVERY + 5]


def test_no_steps_do_nothing():
    teacher = _model("softmax")
    student = _damaged(teacher)
    before = weights_of(student)
    assert trainer(_lesson(teacher), 100, None)(student, 0) is None
    for one, other in zip(before, weights_of(student), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_seed_gives_the_same_weights():
    teacher = _model("softmax")
    results = []
    for _ in range(2):
        student = _damaged(teacher)
        finetune(student, teacher, source_of(teacher, X), steps=8)
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


def test_the_state_that_is_kept_is_the_best_that_was_seen(monkeypatch):
    teacher = _model("softmax")
    student = _damaged(teacher)
    losses, states = iter([0.3, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), []

    def measure():
        states.append(weights_of(student))
        return next(losses)

    training = Training(student, _lesson(teacher))
    monkeypatch.setattr(training, "_measure", measure)
    trained = training.run(32, 32)
    assert trained.held_out == 0.1
    assert len(states) > 2
    for one, other in zip(states[1], weights_of(student), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_state_is_kept_of_before_the_student_is_what_was_asked_for(monkeypatch):
    student = _damaged(teacher := _model("softmax"))
    training, done = Training(student, _lesson(teacher)), []
    monkeypatch.setattr(training, "_measure", lambda: done.append(int(training._optimizer.iterations)) or 0.5)
    training.run(40, 40, whole_from=36)
    assert min(done) == 36
    assert max(done) == 40


def test_a_training_goes_on_while_the_held_out_loss_falls(monkeypatch):
    student = _damaged(teacher := _model("softmax"))
    training = Training(student, _lesson(teacher))
    falling = iter(0.8**number for number in range(1000))
    monkeypatch.setattr(training, "_measure", lambda: next(falling))
    trained = training.run(20, 150)
    assert trained.steps == 20 + 40 + 80
    assert trained.falling


def test_a_training_ends_when_the_held_out_loss_does_not_fall(monkeypatch):
    student = _damaged(teacher := _model("softmax"))
    training = Training(student, _lesson(teacher))
    monkeypatch.setattr(training, "_measure", lambda: 0.5)
    trained = training.run(20, 1000)
    assert trained.steps == 20 + 40
    assert not trained.falling


def test_a_pass_has_its_steps_over_all_its_trainings():
    teacher = _model("softmax")
    student = _damaged(teacher)
    told = []
    train = trainer(_lesson(teacher), 16, lambda done, total: told.append((done, total)))
    assert train(student, 4, last=False).steps == 4
    assert train(student, 12).steps == 12
    assert told == [(4, 16), (16, 16)]


def test_a_learning_rate_is_chosen_and_the_trial_leaves_no_trace():
    teacher = _model("linear")
    student = _damaged(teacher)
    training = Training(student, _lesson(teacher, learning_rate=None))
    before = weights_of(student)
    hastened = []
    rate = training._find_rate(FIRST_STEPS, lambda: hastened.append(True))
    # The student is far off, and nothing stands in the way of a high rate.
    assert rate == max(RATES)
    assert hastened
    for one, other in zip(before, weights_of(student), strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(not np.any(one.numpy()) for one in training._optimizer.variables())


def test_a_rate_that_ruins_the_student_is_not_chosen():
    teacher = _model("softmax")
    student = rewrite(teacher)
    for layer in student.layers:
        layer.set_weights([value * np.float32(1.001) for value in layer.get_weights()])
    training = Training(student, _lesson(teacher, learning_rate=None))
    assert training._find_rate(FIRST_STEPS, None) == min(RATES)


def test_few_steps_try_no_rates():
    teacher = _model("softmax")
    trained = Training(_damaged(teacher), _lesson(teacher, learning_rate=None)).run(8, 8)
    assert trained.rate == USUAL_RATE


@pytest.mark.parametrize(("steps", "looked"), [(STEERED_FROM - 1, False), (STEERED_FROM, True)])
def test_a_short_training_is_not_steered(steps, looked):
    teacher = _model("softmax")
    trained = finetune(_damaged(teacher), teacher, source_of(teacher, X), steps=steps)
    assert (trained.held_out is not None) == looked


@pytest.mark.parametrize("known", [[np.arange(64) % 3], [np.eye(3, dtype=np.float32)[np.arange(64) % 3]]])
def test_labels_are_mixed_in(known):
    teacher = _model("softmax")
    losses = [
        Training(rewrite(teacher), _lesson(teacher, known, **options)).run(1, 1).loss
        for options in ({}, {"labels": 1.0}, {"labels": 0.25})
    ]
    assert losses[0] < losses[1]
    np.testing.assert_allclose(losses[2], 0.75 * losses[0] + 0.25 * losses[1], rtol=1e-3)


def _sure():
    """A teacher that has no doubts."""
    teacher = _model("softmax")
    teacher.get_layer("out0").set_weights([value * 300 for value in teacher.get_layer("out0").get_weights()])
    return teacher


def test_samples_are_widened_only_where_a_sure_teacher_says_what_is_right():
    known, sure = [np.arange(64) % 3], _sure()
    changed = {
        name: not np.array_equal(X, _lesson(teacher, known, **options).augment((X,), np.array((0, 1)))[0])
        for name, teacher, options in (
            ("default", sure, {}),
            ("unsure", _model("softmax"), {}),
            ("asked for none", sure, {"augment": ()}),
            ("labels", sure, {"labels": 0.5}),
            ("loss", sure, {"loss": "sparse_categorical_crossentropy"}),
        )
    }
    assert [name for name, one in changed.items() if one] == ["default"]


def test_the_last_part_of_every_round_has_samples_as_they_are():
    teacher, changed = _sure(), tf.Variable(0)

    def change(inputs, seed):
        changed.assign_add(1)
        return tuple(one + 0.0 for one in inputs)

    taught = lesson(teacher, source_of(teacher, X), Finetune(batch_size=16, learning_rate=0.02), 0)
    assert taught.closing == CLOSING
    Training(_damaged(teacher), replace(taught, augment=change)).run(50, 0)
    assert int(changed) == 30
    Training(_damaged(teacher), replace(taught, augment=change, closing=0.0)).run(50, 0)
    assert int(changed) == 80


def test_of_a_sure_teacher_the_values_inside_are_learned_too():
    teacher, distances = _sure(), []
    for inside in (True, False):
        student = _damaged(teacher)
        kernel, bias = student.get_layer("hidden").get_weights()
        student.get_layer("hidden").set_weights([kernel * 0.5, bias])
        taught = lesson(
            teacher, source_of(teacher, X), Finetune(batch_size=16, learning_rate=0.02), 0, inside=inside
        )
        Training(student, taught).run(60, 0)
        given = [model.get_layer("hidden")(X) for model in (student, teacher)]
        distances.append(float(np.abs(given[0] - given[1]).mean()))
    assert distances[0] < 0.5 * distances[1]


def test_labels_that_are_mixed_in_must_be_there():
    with pytest.raises(RecipeError, match=r"finetune.labels = 0.5 needs labels"):
        _lesson(_model("softmax"), labels=0.5)


def _remembering(seed=0):
    x = tf_keras.Input((3, 2), batch_size=1, name="x")
    return randomize(tf_keras.Model(x, layers.Dense(1)(layers.LSTM(5, stateful=True)(x))), seed)


def test_a_student_that_remembers_learns_from_a_teacher_that_does():
    teacher, student = with_batch(_remembering(), 4), with_batch(_remembering(1), 4)
    rng = np.random.default_rng(0)
    source = source_of(teacher, rng.normal(size=(80, 3, 2)).astype(np.float32))
    pieces = [rng.normal(size=(4, 3, 2)).astype(np.float32) for _ in range(20)]

    def distance():
        teacher.reset_states()
        student.reset_states()
        return float(np.mean([np.abs(teacher(one) - student(one)) for one in pieces]))

    before = distance()
    finetune(student, teacher, source, steps=200, batch_size=4)
    assert distance() < before / 2
    assert with_batch(student, 1).inputs[0].shape[0] == 1


def test_a_state_leaks_neither_into_the_next_pass_nor_out_of_a_look_at_held_out_samples():
    teacher, student = with_batch(_remembering(), 2), with_batch(_remembering(), 2)
    source = source_of(teacher, np.random.default_rng(0).normal(size=(44, 3, 2)).astype(np.float32))
    # Equal weights: equal states, and no loss, whatever came before and in between.
    teacher.layers[1].states[0].assign(tf.ones((2, 5)))
    done = finetune(student, teacher, source, steps=50, batch_size=2, learning_rate=1e-9)
    assert done.loss < 1e-10
    assert done.held_out < 1e-10
