"""What a training keeps of students whose weights are masked or clustered while they are trained."""

import numpy as np
import pytest

from edgesqueeze.recipe.filled import FilledPrune
from edgesqueeze.recipe.sections import Cluster, Finetune
from edgesqueeze.squeeze.layers.weights import model_kernels
from edgesqueeze.squeeze.passes import finetune
from edgesqueeze.squeeze.passes.cluster import clusterable
from edgesqueeze.squeeze.passes.finetune import Training, lesson
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.prune import _hasten, prunable, ramp_steps
from runtime_tests.support.tiny_keras import dense, randomize, source_of

INT8 = Precision("int8")
PRUNE = FilledPrune(sparsity=0.75)
STEPS = 40


@pytest.fixture(scope="module")
def teacher():
    return fold(randomize(dense()))[0]


def _keys(model):
    return frozenset(kernel.key for kernel in model_kernels(model))


def _training(student, teacher):
    x = np.random.default_rng(0).normal(0, 1, (120, *teacher.inputs[0].shape[1:])).astype(np.float32)
    return Training(student, lesson(teacher, source_of(teacher, x), Finetune(batch_size=20), 0))


def _masks(student):
    return [np.asarray(one) for one in student.variables if "mask" in one.name]


def test_the_state_that_is_kept_of_a_pruned_student_has_all_its_zeros(teacher):
    student, _ = prunable(teacher, PRUNE, INT8, _keys(teacher), STEPS)
    training = _training(student, teacher)
    full = ramp_steps(PRUNE, STEPS)
    trained = training.run(STEPS, 3 * STEPS, whole_from=full)
    assert 0 < full < STEPS < trained.steps
    assert all(np.mean(mask == 0) == pytest.approx(0.75, abs=0.05) for mask in _masks(student))
    # What was measured is what is there.
    assert training._measure() == pytest.approx(trained.held_out, rel=1e-5)


def test_the_state_that_is_kept_of_a_clustered_student_is_the_one_that_was_measured(teacher):
    student, _ = clusterable(teacher, Cluster(clusters=4), INT8, _keys(teacher), frozenset())
    training = _training(student, teacher)
    trained = training.run(STEPS, STEPS)
    assert training._measure() == pytest.approx(trained.held_out, rel=1e-5)


def test_rates_are_tried_on_a_student_that_is_full_of_zeros_and_made_undone(teacher, monkeypatch):
    student, _ = prunable(teacher, PRUNE, INT8, _keys(teacher), STEPS)
    training, seen = _training(student, teacher), []
    measure = training._measure
    monkeypatch.setattr(training, "_measure", lambda: seen.append(_masks(student)) or measure())
    monkeypatch.setattr(finetune, "TRIAL_STEPS", (2, 2))
    before = [one.numpy() for one in training._variables]
    training._find_rate(STEPS, lambda: _hasten(student))
    assert len(seen) == len(finetune.RATES)
    assert all(np.mean(mask == 0) == pytest.approx(0.75, abs=0.05) for masks in seen for mask in masks)
    for variable, value in zip(training._variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert all(mask.all() for mask in _masks(student))
