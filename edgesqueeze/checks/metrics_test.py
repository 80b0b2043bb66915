import numpy as np
import pytest

from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.metrics import METRICS, correlation, drop_of, mean_iou, relative_error, worst
from edgesqueeze.checks.user_metric import as_metric
from edgesqueeze.errors import DataError, UsageError

RNG = np.random.default_rng(3)


def _figures(original, compressed, labels=None, **options):
    found = fidelity([original], [compressed], labels, **options).figures
    return {(one.metric, one.part, one.truth): one for one in found}


def test_a_drop_of_exactly_the_limit_keeps_it():
    assert 0.9205 - 0.9105 > 0.01
    assert drop_of(0.9205, 0.9105, higher_is_better=True) == 0.01
    assert drop_of(0.9105, 0.9205, higher_is_better=False) == 0.01
    assert drop_of(None, 0.5, higher_is_better=True) is None


def test_classes_against_labels_and_against_the_original():
    scores = np.eye(4)[np.arange(20) % 4]
    changed = scores.copy()
    changed[:2] = np.roll(scores[:2], 1, axis=1)
    labels = np.arange(20) % 4
    labels[10] = 0 if labels[10] else 1
    found = _figures(scores, changed, labels)
    assert set(found) == {("accuracy", None, "labels"), ("accuracy", None, "original")}
    known = found["accuracy", None, "labels"]
    assert (known.original, known.compressed) == (0.95, 0.85)
    assert known.drop == pytest.approx(0.1)
    assert known.decides
    agreed = found["accuracy", None, "original"]
    assert (agreed.original, agreed.compressed, agreed.decides) == (1.0, 0.9, False)
    assert _figures(scores, changed)["accuracy", None, "original"].decides


def test_numbers_of_which_the_same_is_always_highest_are_values():
    """Degrees beside hectopascals: that the pressure is higher in both models says nothing."""
    values = RNG.normal([20.0, 1013.0], [5.0, 10.0], (40, 2))
    ruined = np.tile(values.mean(axis=0), (40, 1))
    (found,) = fidelity([values], [ruined]).outputs
    assert (found.task, found.top1_agreement) == ("values", None)
    figures = _figures(values, ruined)
    assert [key[0] for key, one in figures.items() if one.decides] == ["normalized_error", "correlation"]
    (known,) = fidelity([values], [ruined], np.ones(40, int)).outputs
    assert known.task == "classes", "labels say what they are"
    wakes = np.tile([0.1, 0.9], (40, 1))
    assert fidelity([wakes], [wakes]).outputs[0].task == "classes", "so do probabilities"


def test_every_label_has_a_figure_and_the_worst_decides():
    labels = RNG.integers(0, 2, (40, 3))
    labels[0] = [1, 1, 0]
    scores = labels * 0.9 + 0.05
    changed = scores.copy()
    changed[:10, 2] = 1 - changed[:10, 2]
    found = _figures(scores, changed, labels)
    parts = [found["label_accuracy", part, "labels"].drop for part in (0, 1, 2)]
    assert parts == pytest.approx([0, 0, 0.25])
    assert found["label_accuracy", None, "labels"].drop == pytest.approx(10 / 120)
    assert worst(tuple(found.values())).part == 2


def test_logits_of_labels_are_cut_where_those_of_the_original_are():
    labels = np.array([[1, 1], [0, 1], [1, 1], [0, 0]])
    logits = np.where(labels, 3.0, -3.0)
    # Rounding has left no negative value: 0 is still the threshold.
    changed = np.where(labels, 0.9, 0.0)
    assert _figures(logits, changed, labels)["label_accuracy", None, "labels"].drop == 0


def test_segmentation_has_the_accuracy_of_pixels_and_the_mean_overlap():
    truth = np.zeros((1, 4, 4), int)
    truth[0, 0, 0] = 1
    scores = np.eye(2)[truth]
    changed = np.eye(2)[np.zeros_like(truth)]
    found = _figures(scores, changed, truth)
    assert found["pixel_accuracy", None, "labels"].drop == pytest.approx(1 / 16)
    overlap = found["mean_iou", None, "labels"]
    assert (overlap.original, overlap.compressed) == (1.0, pytest.approx((15 / 16 + 0) / 2))
    assert worst(tuple(found.values())).metric == "mean_iou"


def test_class_ids_are_compared_as_classes():
    ids = np.arange(20) % 10
    changed = ids.copy()
    changed[:4] = (changed[:4] + 5) % 10
    for labels in (None, ids):
        found = _figures(ids, changed, labels)
        figure = worst(tuple(found.values()))
        assert (figure.metric, figure.drop) == ("accuracy", pytest.approx(0.2))
    maps = ids.reshape(1, 4, 5)
    assert ("mean_iou", None, "original") in _figures(maps, maps)


def test_a_regression_is_judged_by_its_error_and_its_correlation():
    truth = RNG.normal(size=(200, 1))
    better, worse = truth + RNG.normal(0, 0.1, truth.shape), truth + RNG.normal(0, 0.5, truth.shape)
    found = _figures(better, worse, truth)
    error = found["normalized_error", None, "labels"]
    assert (error.original, error.compressed) == (pytest.approx(0.1, rel=0.2), pytest.approx(0.5, rel=0.2))
    assert error.drop == pytest.approx(error.compressed - error.original)
    linked = found["correlation", None, "labels"]
    assert linked.original == pytest.approx(np.corrcoef(truth.T, better.T)[0, 1])
    assert linked.drop > 0
    plain = found["mean_absolute_error", None, "labels"]
    assert (plain.unit, plain.decides) == ("own", False)
    alone = worst(tuple(_figures(better, worse).values()))
    assert (alone.metric, alone.truth) == ("normalized_error", "original")
    assert alone.drop == pytest.approx(relative_error(better, worse))


def test_every_output_is_judged_and_the_worst_decides():
    good, bad = RNG.normal(size=(20, 2)), RNG.normal(size=(20, 1))
    found = fidelity([good, bad], [good, bad + 1], names=("first", "second"))
    figure = worst(found.figures)
    assert (figure.output, figure.name) == (1, "second")
    assert {one.name for one in found.figures} == {"first", "second"}


def test_figures_at_the_edge():
    assert mean_iou(np.array([0, 0]), np.array([0, 0])) == 1.0
    assert mean_iou(np.array([0, 2]), np.array([2, 0])) == 0.0
    assert relative_error(np.full(4, 2.0), np.full(4, 1.0)) == 0.5
    assert relative_error(np.zeros(4), np.full(4, 0.25)) == 0.25
    assert correlation(np.ones(4), np.ones(4)) == 1.0
    assert correlation(np.arange(4), np.ones(4)) == 0.0
    assert correlation(np.arange(4), -np.arange(4)) == pytest.approx(-1)


def test_every_reading_has_a_metric_that_decides():
    readings = {"classes", "pixels", "binary", "mask", "labels", "ids", "values"}
    assert set().union(*(row.tasks for row in METRICS if row.decides)) == readings


def _errors(labels, outputs):
    return float(np.mean(outputs.argmax(1) != labels))


_errors.higher_is_better = False


def test_a_metric_of_the_users_own_decides_alone():
    scores = np.eye(4)[np.arange(20) % 4]
    found = fidelity([scores], [np.roll(scores, 1, axis=0)], np.arange(20) % 4, metric=as_metric(_errors))
    figure = worst(found.figures)
    assert (figure.metric, figure.original, figure.compressed, figure.drop) == ("_errors", 0.0, 1.0, 1.0)
    assert [one.metric for one in found.figures if one.decides] == ["_errors"]


def test_a_metric_of_several_outputs_has_them_in_the_originals_order():
    seen = []

    def metric(labels, outputs):
        seen.append([outputs[0].shape[1], labels[0].shape[1]])
        return 1.0

    wide, narrow = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 1))
    fidelity([wide, narrow], [wide, narrow], (wide, narrow), metric=as_metric(metric), places=(1, 0))
    assert seen == [[1, 1], [1, 1]]


def test_a_metric_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "own_metric.py").write_text("def best(labels, outputs):\n    return 0.5\n")
    monkeypatch.chdir(tmp_path)
    metric = as_metric("own_metric:best")
    assert (metric.name, metric.higher_is_better) == ("own_metric:best", True)
    assert metric([np.zeros(1)], [np.zeros(1)]) == 0.5


@pytest.mark.parametrize("given", ["no_such_module:f", "json:nothing", "json", 3, "json:__name__"])
def test_what_is_no_metric_is_refused(given):
    with pytest.raises(UsageError):
        as_metric(given)


@pytest.mark.parametrize("wrong", [lambda y, x: 1 / 0, lambda y, x: float("nan"), lambda y, x: "much"])
def test_a_metric_that_fails_is_an_error_of_its_own(wrong):
    scores = RNG.normal(size=(8, 3))
    with pytest.raises(UsageError, match="the metric <lambda>"):
        fidelity([scores], [scores], np.arange(8) % 3, metric=as_metric(wrong))


def test_a_metric_needs_labels():
    scores = RNG.normal(size=(8, 3))
    with pytest.raises(DataError, match="needs labels"):
        fidelity([scores], [scores], metric=as_metric(_errors))
