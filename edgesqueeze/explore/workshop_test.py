import numpy as np
import pytest

from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.errors import UsageError
from edgesqueeze.explore.workshop import _basis as basis_of

CLASSES = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
VALUES = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]


def _fidelity(*outputs, labels):
    return fidelity(outputs, outputs, labels, [(8,)])


def test_one_metric_is_what_accuracy_means():
    basis = basis_of(_fidelity(CLASSES, labels=[np.arange(40) % 4]), 10, 40)
    assert (basis.metric, basis.title, basis.metrics) == ("accuracy", "accuracy", ("accuracy",))
    assert (basis.original, basis.trial_samples, basis.test_samples) == (1.0, 10, 40)


def test_of_several_it_is_the_worst_and_no_figure_of_one_stands_for_it():
    labels = [np.arange(40) % 4, VALUES + 0.1]
    basis = basis_of(_fidelity(CLASSES, VALUES, labels=labels), 10, 40)
    assert (basis.metric, basis.title, basis.original) == ("", "worst of 3 metrics", None)
    assert basis.metrics == ("output 0: accuracy", "output 1: normalized error", "output 1: correlation")
    assert basis.unit == "share"


def test_there_must_be_one():
    found = _fidelity(CLASSES, labels=[np.arange(40) % 4])
    with pytest.raises(UsageError, match="no metric"):
        basis_of(found.model_copy(update={"figures": ()}), 10, 40)
