import numpy as np
import pytest

from edgesqueeze.checks.agreement import classes_of, fidelity, task_of
from edgesqueeze.errors import DataError
from edgesqueeze.runners.samples import EvalData

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(20, 4)).astype(np.float32)
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)


def test_labels_as_ids_and_one_hot_give_the_same():
    ids = SCORES.argmax(1)
    ids[:5] = (ids[:5] + 1) % 4
    for labels in (ids, ids[:, None], ids.astype(np.float32), np.eye(4, dtype=np.float32)[ids]):
        (output,) = fidelity([SCORES], [SCORES], labels).outputs
        assert output.task == "classes"
        assert output.accuracy.original == output.accuracy.compressed == 0.75
        assert output.top1_agreement == 1.0
        assert output.normalized_error == 0.0


def test_agreement_counts_classes_that_moved():
    changed = SCORES.copy()
    changed[:4] = -changed[:4]
    (output,) = fidelity([SCORES], [changed]).outputs
    assert output.top1_agreement == 0.8
    assert output.max_error == pytest.approx(2 * np.abs(SCORES[:4]).max())


def test_without_original_only_labels_count():
    (output,) = fidelity(None, [PROBABILITIES], SCORES.argmax(1)).outputs
    assert (output.top1_agreement, output.normalized_error, output.max_error) == (None, None, None)
    assert output.accuracy.original is None
    assert output.accuracy.compressed == 1.0


@pytest.mark.parametrize("scores", [[0.2, 0.9, 0.4, 0.6], [-3.0, 2.0, -0.1, 0.4]])
def test_one_score_is_binary(scores):
    values = np.float32(scores)[:, None]
    (output,) = fidelity([values], [values], np.array([0, 1, 1, 1])).outputs
    assert output.task == "binary"
    assert output.accuracy.compressed == 0.75


def test_real_targets_give_a_mean_absolute_error():
    truth = RNG.normal(size=(20, 1))
    (output,) = fidelity([truth + 0.5], [truth - 0.25], truth).outputs
    assert output.task == "values"
    assert output.top1_agreement is None
    assert output.accuracy.metric == "mean_absolute_error"
    assert output.accuracy.original == pytest.approx(0.5)
    assert output.accuracy.compressed == pytest.approx(0.25)
    assert output.normalized_error == pytest.approx(0.75 / truth.std())


def test_a_constant_original_has_no_normalized_error():
    (output,) = fidelity([np.full((5, 1), 7.0)], [np.full((5, 1), 6.0)]).outputs
    assert output.normalized_error is None
    assert output.max_error == 1.0


def test_every_output_is_compared():
    value = RNG.normal(size=(20, 1))
    result = fidelity([SCORES, value], [SCORES, value], (SCORES.argmax(1), None))
    assert [output.task for output in result.outputs] == ["classes", "values"]
    assert [output.accuracy is None for output in result.outputs] == [False, True]
    assert result.samples == 20


def test_segmentation_labels_are_per_place():
    maps = RNG.normal(size=(3, 5, 5, 2))
    (output,) = fidelity([maps], [maps], maps.argmax(-1)).outputs
    assert output.accuracy.compressed == 1.0


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


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (np.full(20, 4), "classes that the model does not have"),
        (np.zeros(19, int), "as many labels as samples"),
        (RNG.normal(size=20), "fit neither classes nor values"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, problem):
    with pytest.raises(DataError, match=problem):
        fidelity([SCORES], [SCORES], labels)


def test_other_outputs_are_refused():
    with pytest.raises(DataError, match="same outputs"):
        fidelity([SCORES], [SCORES[:, :3]])


def test_pick_spreads_over_all_samples():
    data = EvalData((np.arange(100)[:, None],), np.arange(100)).pick(5)
    np.testing.assert_array_equal(data.labels[0], [0, 25, 50, 74, 99])
    np.testing.assert_array_equal(data.inputs[0][:, 0], data.labels[0])
