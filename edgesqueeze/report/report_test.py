import pytest
from pydantic import ValidationError

from edgesqueeze.checks.agreement import Accuracy, Fidelity, OutputFidelity
from edgesqueeze.report.report import Report, accuracy_of


def _fidelity(*accuracies):
    outputs = [
        OutputFidelity(output=place, task="classes", accuracy=accuracy)
        for place, accuracy in enumerate(accuracies)
    ]
    return Fidelity(samples=40, outputs=tuple(outputs))


def _accuracy(metric, original, compressed):
    return Accuracy(metric=metric, original=original, compressed=compressed)


@pytest.mark.parametrize(
    ("metric", "original", "compressed", "drop"),
    [
        ("accuracy", 0.9, 0.85, 0.05),
        ("accuracy", 0.8, 0.9, -0.1),
        ("mean_absolute_error", 1.0, 1.5, 0.5),
        ("mean_absolute_error", 1.5, 1.0, -0.5),
    ],
)
def test_a_drop_is_positive_when_the_result_is_worse(metric, original, compressed, drop):
    found = accuracy_of(_fidelity(_accuracy(metric, original, compressed)))
    assert found.drop == pytest.approx(drop)
    assert (found.float_model, found.compressed, found.samples) == (original, compressed, 40)
    assert found.metric == metric


def test_the_first_output_with_labels_counts():
    found = accuracy_of(_fidelity(None, _accuracy("accuracy", 0.5, 0.25), _accuracy("accuracy", 1.0, 1.0)))
    assert found.float_model == 0.5


def test_without_labels_or_original_there_is_no_accuracy():
    assert accuracy_of(_fidelity(None)) is None
    assert accuracy_of(_fidelity(_accuracy("accuracy", None, 0.5))) is None


def test_the_report_is_closed_and_versioned():
    assert Report.model_fields["schema_version"].default == 2
    with pytest.raises(ValidationError, match="surprise"):
        Report.model_validate({"surprise": 1})
