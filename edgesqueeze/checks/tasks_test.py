import numpy as np
import pytest

from edgesqueeze.checks.tasks import classes_of, task_of

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(20, 4)).astype(np.float32)
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)


def test_tasks_without_labels():
    assert task_of(PROBABILITIES) == "classes"
    assert task_of(SCORES) == "classes"
    assert task_of(SCORES, input_shapes=[(4,)]) == "values"
    assert task_of(RNG.uniform(size=(9, 1))) == "binary"
    assert task_of(RNG.normal(size=(9, 1))) == "values"
    assert task_of(RNG.normal(size=(9, 8, 8, 3))) == "values"


def test_classes_of_logits_and_of_probabilities():
    np.testing.assert_array_equal(classes_of(np.array([[0.4], [0.6]]), "binary"), [0, 1])
    np.testing.assert_array_equal(classes_of(np.array([[-0.4], [0.4]]), "binary"), [0, 1])


def _rows(*row, places=()):
    """Samples that all have the same scores, in each of the places."""
    return np.broadcast_to(np.array(row, float), (6, *places, len(row)))


@pytest.mark.parametrize(
    ("scores", "task"),
    [
        (np.array([0.0, 0.3, 1.0]), "binary"),
        (np.array([0.0, 0.3, 0.4]), "values"),
        (np.array([0.6, 0.9]), "values"),
        (np.array([[0.0], [1.0]]), "binary"),
        (np.array([[-0.01], [1.0]]), "values"),
        (np.array([[0.0], [1.01]]), "values"),
        (_rows(0.2, 0.8, places=(3, 5)), "pixels"),
        (_rows(0.0, 1.0, places=(3,)), "classes"),
        (_rows(0.4, 0.62, places=(3,)), "classes"),
        (_rows(0.4, 0.58, places=(3,)), "classes"),
        (_rows(0.4, 0.64, places=(3,)), "values"),
        (_rows(0.4, 0.56, places=(3,)), "values"),
        (_rows(-0.5, 1.5, places=(3,)), "values"),
        (_rows(0.9, 1.1, places=(3,)), "values"),
        (_rows(1.0, places=(5,)), "values"),
        (_rows(-3.0, 8.0), "classes"),
    ],
)
def test_tasks_of_values_alone(scores, task):
    assert task_of(scores) == task


def test_probabilities_of_some_places_are_not_those_of_all():
    scores = _rows(0.2, 0.8, places=(3,)).copy()
    scores[2, 1] = [0.5, 0.1]
    assert task_of(scores) == "values"


def test_one_score_that_has_the_inputs_shape_is_no_reconstruction():
    scores = np.array([[0.2], [0.9]])
    assert task_of(scores, input_shapes=[(1,)]) == "binary"
    assert task_of(scores, np.array([0, 1]), [(1,)]) == "binary"
    assert task_of(scores, np.array([0, 2])) == "values"


@pytest.mark.parametrize(
    ("scores", "classes"),
    [
        ([0.0, 0.5, 0.51, 1.0], [0, 0, 1, 1]),
        ([0.0, 0.4, 1.01], [0, 1, 1]),
        ([-0.01, 0.0, 0.01, 1.0], [0, 0, 1, 1]),
    ],
)
def test_thresholds_of_one_score(scores, classes):
    np.testing.assert_array_equal(classes_of(np.array(scores)[:, None], "binary"), classes)


def test_classes_are_chosen_in_the_last_dimension():
    scores = np.zeros((2, 3, 4))
    scores[:, 1, 2] = 1
    np.testing.assert_array_equal(classes_of(scores, "classes"), [[0, 2, 0]] * 2)


MULTI_HOT = RNG.integers(0, 2, (20, 4))
MULTI_HOT[0] = [1, 1, 0, 0]
SIGMOIDS = np.clip(MULTI_HOT + RNG.normal(0, 0.03, (20, 4)), 0, 1)
MAPS = RNG.normal(size=(3, 5, 5, 2))


@pytest.mark.parametrize(
    ("scores", "labels", "task"),
    [
        (SCORES, np.arange(20) % 4, "classes"),
        (SIGMOIDS, np.arange(20) % 4, "classes"),
        (SCORES, MULTI_HOT, "labels"),
        (SIGMOIDS, None, "labels"),
        (SIGMOIDS * 0.5 + 0.25, None, "values"),
        (MAPS, MAPS.argmax(-1), "pixels"),
        (MAPS, None, "values"),
        (MAPS[:, :1], MAPS[:, :1].argmax(-1), "classes"),
        (MAPS[..., :1], MAPS[..., :1] > 0, "mask"),
        (MAPS[..., :1], MAPS[..., :1], "values"),
        ((MAPS[..., :1] > 0) * 1.0, None, "mask"),
        (np.arange(20), None, "ids"),
        (np.arange(20) > 3, np.arange(20) > 4, "ids"),
        (MAPS.argmax(-1), None, "pixels"),
        (MAPS.argmax(-1), MAPS.argmax(-1), "pixels"),
    ],
)
def test_how_an_output_is_read(scores, labels, task):
    assert task_of(scores, labels) == task


def test_a_map_in_the_shape_of_the_input_is_a_mask_only_with_labels():
    image = (MAPS[..., :1] > 0) * 1.0
    assert task_of(image, input_shapes=[(5, 5, 1)]) == "values"
    assert task_of(image, image.astype(int), [(5, 5, 1)]) == "mask"


def test_many_classes_of_int8_probabilities_are_still_classes():
    fine = RNG.dirichlet(np.full(1000, 0.1), 16)
    assert task_of(np.round(fine * 256) / 256) == "classes"


def test_the_threshold_of_the_original_counts_for_both():
    logits = np.array([[0.4, 0.2]])
    np.testing.assert_array_equal(classes_of(logits, "labels"), [[0, 0]])
    np.testing.assert_array_equal(classes_of(logits, "labels", 0.0), [[1, 1]])
