import re

import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.pipeline.savings import missed_savings
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.load import as_target
from edgesqueeze.target.preferences import fill_preferences
from runtime_tests.support.packed_layers import clustered
from runtime_tests.support.tflite_builder import tiny_dense

ASKED = {"prune": {"sparsity": 0.8}, "cluster": {"clusters": 16}}


def few_values():
    """A convolution whose weights are 16 values, most of them zero."""
    weights = clustered(np.random.default_rng(1), (32, 3, 3, 16), zeros=0.8)
    graph = GraphBuilder(seed=2)
    return graph.build([graph.conv2d(graph.input((1, 8, 8, 16)), 32, weights=weights)])


def told(content, asked=None, target="nucleo-l4r5zi", runtime=None):
    profile = with_runtime(as_target(target), runtime)
    recipe = fill_preferences(parse_recipe(ASKED if asked is None else asked), profile)
    return missed_savings(parse_tflite(content), profile, recipe)


@pytest.mark.parametrize("asked", [{"prune": {"sparsity": 0.8}}, {"cluster": {"clusters": 16}}])
def test_the_bytes_that_native_c_would_take(asked):
    (finding,) = told(few_values(), asked)
    assert (finding.code, finding.subject, finding.severity) == ("weights-not-packed", "tflm", "note")
    found = re.search(r"--runtime c\) packs them into ([\d,]+) of ([\d,]+) bytes", finding.message)
    after, before = (int(one.replace(",", "")) for one in found.groups())
    assert before == 32 * 3 * 3 * 16
    assert 0 < after < before / 2


def test_what_native_c_does_not_take_is_said():
    (finding,) = told(tiny_dense(dtype="float32"))
    assert "does not take the model: FULLY_CONNECTED" in finding.message


def test_weights_that_do_not_become_smaller():
    (finding,) = told(tiny_dense())
    assert finding.message.endswith("nor does native C find a smaller form for these weights")


@pytest.mark.parametrize(
    ("asked", "target", "runtime"),
    [({}, "nucleo-l4r5zi", None), (ASKED, "nucleo-l4r5zi", "c"), (ASKED, "rpi4", None)],
)
def test_there_is_nothing_to_say(asked, target, runtime):
    assert told(few_values(), asked, target, runtime) == ()
