import numpy as np
import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.prefix import prefix_of
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_residual


@pytest.mark.parametrize("content", [tiny_cnn(), tiny_residual()])
def test_every_prefix_computes_what_the_whole_model_does_there(content):
    model = parse_tflite(content, "tiny")
    sample = data_samples(model, random_data(model, 1))
    count = len(model.main.operators)
    for kept in range(1, count + 1):
        cut = prefix_of(model, kept)
        assert len(cut.main.operators) == kept
        assert [one.kind for one in cut.main.operators] == [one.kind for one in model.main.operators[:kept]]
        exposed = with_outputs(model, cut.main.outputs)
        for mine, whole in zip(
            litert.run_reference(cut, sample)[0], litert.run_reference(exposed, sample)[0], strict=True
        ):
            assert np.array_equal(mine, whole)
    assert prefix_of(model, count).main.outputs == model.main.outputs


def test_what_a_later_operator_reads_is_an_output():
    model = parse_tflite(tiny_residual(), "tiny")
    operators = model.main.operators
    for kept in range(1, len(operators)):
        later = {index for one in operators[kept:] for index in one.inputs}
        written = {index for one in operators[:kept] for index in one.outputs}
        assert set(prefix_of(model, kept).main.outputs) == later & written


@pytest.mark.parametrize("count", [0, 99])
def test_a_number_of_operators_that_there_are_not(count):
    with pytest.raises(UsageError, match=f"cannot be cut after {count} operators"):
        prefix_of(parse_tflite(tiny_cnn(), "tiny"), count)
