import numpy as np
import pytest

from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.user_metric import UserMetric
from edgesqueeze.errors import DataError

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
    for labels in (maps.argmax(-1), np.eye(2)[maps.argmax(-1)]):
        (output,) = fidelity([maps], [maps], labels).outputs
        assert (output.task, output.accuracy.compressed) == ("pixels", 1.0)


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


def test_agreement_is_counted_in_every_place():
    maps = np.eye(2)[np.array([[0, 1, 0, 1]] * 3)]
    changed = maps.copy()
    changed[0, 0] = [0, 1]
    (output,) = fidelity([maps], [changed]).outputs
    assert output.top1_agreement == pytest.approx(11 / 12)


@pytest.mark.parametrize("hot", [[0.5, 0.5, 0, 0], [2, -1, 0, 0]])
def test_rows_that_are_not_one_hot_are_real_targets(hot):
    labels = np.tile(np.array(hot, float), (20, 1))
    (output,) = fidelity([SCORES], [SCORES], labels).outputs
    assert (output.task, output.accuracy.metric) == ("values", "mean_absolute_error")
    assert output.accuracy.compressed == pytest.approx(np.abs(SCORES - labels).mean())


def test_class_ids_reach_from_the_first_to_the_last_class():
    ids = np.resize([0, 3], 20)
    (output,) = fidelity(None, [np.eye(4)[ids]], ids).outputs
    assert output.accuracy.compressed == 1.0
    for wrong, got in ((np.resize([-1, 2], 20), "-1 to 2"), (np.resize([1, 4], 20), "1 to 4")):
        with pytest.raises(DataError) as caught:
            fidelity(None, [SCORES], wrong)
        assert (caught.value.expected, caught.value.got) == ("class ids from 0 to 3", got)


def test_class_ids_that_are_not_whole_numbers_are_no_ids():
    with pytest.raises(DataError, match="fit neither"):
        fidelity(None, [SCORES], np.full(20, 1.5))


def test_what_does_not_fit_is_told_with_its_shapes():
    with pytest.raises(DataError) as caught:
        fidelity(None, [SCORES], np.zeros((20, 3)))
    assert "[20, 4]" in caught.value.expected
    assert caught.value.got == "float64 in the shape [20, 3]"
    with pytest.raises(DataError) as caught:
        fidelity([SCORES], [SCORES[:, :3]])
    assert (caught.value.expected, caught.value.got) == ("[[20, 4]]", "[[20, 3]]")
    with pytest.raises(DataError) as caught:
        fidelity(None, [SCORES], np.zeros(21, int))
    assert (caught.value.expected, caught.value.got) == ("20", "21")


def test_an_original_in_another_shape_is_compared_by_its_values():
    values = RNG.normal(size=(20, 6))
    (output,) = fidelity([values], [values.reshape(20, 2, 3)]).outputs
    assert output.max_error == 0


def test_errors_are_those_of_real_numbers():
    original = np.array([[0.0], [2.0], [4.0], [6.0]])
    (output,) = fidelity([original], [original - [[1.0], [-1.0], [1.0], [-3.0]]]).outputs
    assert output.max_error == 3.0
    assert output.normalized_error == pytest.approx(np.sqrt(12 / 4) / np.sqrt(5))
    # The largest values of a type of few bits must not wrap around.
    narrow = np.array([[-100], [100]], np.int8)
    (output,) = fidelity([narrow], [-narrow]).outputs
    assert output.max_error == 200


def test_outputs_are_counted_from_zero_and_labels_belong_to_the_first():
    value = RNG.normal(size=(20, 1))
    result = fidelity(None, [SCORES, value, SCORES], SCORES.argmax(1))
    assert [output.output for output in result.outputs] == [0, 1, 2]
    assert [output.accuracy is None for output in result.outputs] == [False, True, True]
    assert result.outputs[1].task == "values"


def test_nothing_right_and_no_error_are_both_zero():
    (output,) = fidelity([SCORES], [SCORES], (SCORES.argmax(1) + 1) % 4).outputs
    assert (output.accuracy.original, output.accuracy.compressed) == (0.0, 0.0)
    truth = RNG.normal(size=(20, 1))
    (output,) = fidelity([truth], [truth], truth).outputs
    assert (output.accuracy.original, output.accuracy.compressed) == (0.0, 0.0)


def test_a_metric_of_the_users_own_needs_labels_for_every_output_and_decides_alone():
    metric = UserMetric("mine", lambda labels, outputs: float(np.mean(labels[1] - outputs[1])), False)
    outputs = [np.float32([[1.0], [2.0]]), np.float32([[3.0], [5.0]])]
    labels = [np.float32([[0.0], [0.0]]), np.float32([[4.0], [8.0]])]
    found = fidelity(None, outputs, labels, metric=metric)
    assert [one.metric for one in found.figures if one.decides] == ["mine"]
    assert found.figures[0].compressed == 2.0
    # The outputs go to the metric in the order of the original's.
    turned = fidelity(None, outputs[::-1], labels[::-1], metric=metric, places=(1, 0))
    assert turned.figures[0].compressed == 2.0
    for given, got in (([labels[0], None], "1 of 2"), (labels[:1], "1 of 2"), (None, "0 of 2")):
        with pytest.raises(DataError, match="needs labels") as caught:
            fidelity(None, outputs, given, metric=metric)
        assert caught.value.got == got
