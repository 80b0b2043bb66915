from dataclasses import replace

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import DataError
from edgesqueeze.squeeze.originals import input_batches
from edgesqueeze.squeeze.prepare import prepare
from edgesqueeze.squeeze.trials import for_trials
from runtime_tests.support.tiny_keras import dense, images, randomize


def _rows(source):
    return {row.tobytes() for batch in input_batches(source) for row in batch[0]}


@pytest.fixture(scope="module")
def prepared():
    x = images(60)
    labels = np.arange(60) % 4
    return prepare(randomize(dense(tf_keras)), data=((x[:40], labels[:40]), (x[40:], labels[40:])), seed=3)


def test_trials_learn_from_one_part_of_the_training_samples_and_are_judged_on_the_other(prepared):
    trials = for_trials(prepared)
    learned, judged = _rows(trials.data.train), _rows(trials.data.test)
    assert (len(learned), len(judged)) == (32, 8)
    assert learned | judged == _rows(prepared.data.train)
    assert not judged & _rows(prepared.data.test)


def test_the_original_is_asked_about_the_samples_of_trials(prepared):
    trials = for_trials(prepared)
    (inputs,) = input_batches(trials.data.test)
    np.testing.assert_allclose(
        trials.originals.outputs[0], np.asarray(prepared.loaded.model(inputs[0])), rtol=1e-4, atol=1e-6
    )
    assert [len(one) for one in trials.originals.labels] == [8]
    assert trials.originals.first.names == prepared.originals.first.names


def test_the_parts_are_the_same_for_the_same_seed(prepared):
    assert _rows(for_trials(prepared).data.test) == _rows(for_trials(prepared).data.test)


def test_a_single_sample_cannot_be_parted(prepared):
    one = np.zeros(prepared.data.train.count, bool)
    one[0] = True
    data = replace(prepared.data, train=prepared.data.train.part(one))
    with pytest.raises(DataError, match="too few samples to part"):
        for_trials(replace(prepared, data=data))
