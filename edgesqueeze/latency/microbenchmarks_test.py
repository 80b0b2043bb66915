import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.cost import key_of
from edgesqueeze.latency.microbenchmarks import ARITHMETICS, MOST_MACS, benchmarks
from edgesqueeze.latency.work import work_of
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data

KINDS = {"conv", "conv_1x1", "gemv", "depthwise", "ADD", "MUL", "HARD_SWISH", "LOGISTIC", "SOFTMAX", "MEAN"}


@pytest.fixture(scope="module", params=ARITHMETICS)
def made(request):
    return request.param, list(benchmarks(request.param))


def test_names_are_unique(made):
    assert len({one.name for one in made[1]}) == len(made[1])


def test_activations_are_of_the_type(made):
    arithmetic, all_of_them = made
    for one in all_of_them:
        graph = parse_tflite(one.content).main
        assert {tensor.dtype for tensor in (*graph.input_tensors, *graph.output_tensors)} == {arithmetic}


def test_single_operators_are_single_and_bounded(made):
    for one in made[1]:
        works = work_of(parse_tflite(one.content))
        if not one.network and not one.name.startswith("convert"):
            assert len(works) == 1, one.name
            assert works[0].macs <= MOST_MACS


def test_each_kind_has_enough_shapes_to_fit(made):
    counts = {}
    for one in made[1]:
        if not one.network:
            for work in work_of(parse_tflite(one.content)):
                counts[key_of(work)] = counts.get(key_of(work), 0) + 1
    assert counts.keys() >= KINDS
    assert counts["conv_1x1"] > 30 and counts["depthwise"] > 30 and counts["conv"] > 15
    assert min(counts.values()) >= 3


def test_litert_runs_all_of_them(made):
    small = [one for one in made[1] if len(one.content) < 300_000]
    for one in small[:: max(1, len(small) // 60)]:
        model = parse_tflite(one.content, one.name)
        (outputs,) = litert.run(model, data_samples(model, random_data(model, 1, 0)))
        assert all(np.isfinite(output.astype(float)).all() for output in outputs), one.name


def test_they_do_not_change(made):
    again = {one.name: one.content for one in benchmarks(made[0])}
    assert all(again[one.name] == one.content for one in made[1][:50])
