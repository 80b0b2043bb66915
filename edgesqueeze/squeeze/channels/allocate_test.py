from typing import get_args

import numpy as np
import pytest
import tf_keras

from edgesqueeze.recipe.filled import Kernels
from edgesqueeze.squeeze.channels.allocate import Costs, allocate, groups_of, least_counts, steps_of
from edgesqueeze.squeeze.channels.cut import cut
from edgesqueeze.squeeze.channels.graph import channel_graph
from edgesqueeze.squeeze.channels.rates import rates_of
from runtime_tests.support.random_graphs import random_model

layers = tf_keras.layers


def residual():
    """Two convolutions whose outputs are added, one between them, and one behind."""
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", name="first")(image)
    y = layers.Conv2D(24, 3, padding="same", name="inner")(x)
    x = layers.Add()([x, layers.Conv2D(16, 3, padding="same", name="second")(y)])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, name="behind")(x))
    return tf_keras.Model(image, layers.Dense(4, name="last")(x))


@pytest.fixture
def graph():
    return channel_graph(residual())


def sizes(model):
    return {name: model.get_layer(name).filters for name in ("first", "second", "inner", "behind")}


def allocated(graph, share, step=4, importance=None, fixed=0):
    groups = groups_of(graph)
    costs = Costs(graph, groups, fixed)
    chosen = np.ones(graph.count) if importance is None else importance
    allowed = (1 - share) * (graph.macs() + fixed)
    return allocate(groups, steps_of(groups, step), costs, chosen, allowed)


def test_layers_that_are_added_are_one_group(graph):
    assert sorted(group.size for group in groups_of(graph)) == [16, 24, 32]


@pytest.mark.parametrize("seed", range(6))
def test_costs_are_those_of_the_smaller_model(seed):
    model = random_model(seed)
    graph = channel_graph(model)
    groups = groups_of(graph)
    costs = Costs(graph, groups, 100)
    counts = np.array([group.size for group in groups], float)
    assert costs.macs(counts) == graph.macs() + 100
    rng = np.random.default_rng(seed)
    fewer = np.array([rng.integers(1, group.size + 1) for group in groups], float)
    kept = np.ones(graph.count, bool)
    for group, count in zip(groups, fewer, strict=True):
        kept[group.units[int(count) :]] = False
    assert costs.macs(fewer) == channel_graph(cut(model, graph, kept)).macs() + 100


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_the_share_goes_in_whole_steps(graph, share, step):
    model = residual()
    smaller = cut(model, graph, allocated(graph, share, step))
    reached = 1 - channel_graph(smaller).macs() / graph.macs()
    assert share <= reached <= share + (0.03 if step < 8 else 0.2)
    assert all(count % step == 0 and count > 0 for count in sizes(smaller).values())
    assert sizes(smaller)["first"] == sizes(smaller)["second"]


def test_what_matters_least_goes(graph):
    importance = np.ones(graph.count)
    inner = graph.roles["inner"].makes
    importance[inner] = np.linspace(0, 1e-3, inner.size)
    kept = allocated(graph, 0.3, 1, importance)
    assert (~kept[inner]).sum() == (~kept).sum()
    assert not kept[inner][: (~kept).sum()].any()


def test_what_costs_more_goes_if_it_matters_the_same(graph):
    # The channels that are added cost the most: four layers read or make them.
    kept = allocated(graph, 0.24)
    assert kept[graph.roles["first"].makes].sum() == 12
    assert (~kept).sum() == 4


def test_small_groups_have_smaller_steps(graph):
    groups = groups_of(graph)
    steps = {group.size: steps_of(groups, 16)[group.name] for group in groups}
    assert {size: one.step for size, one in steps.items()} == {16: 8, 24: 8, 32: 16}
    assert {size: one.least for size, one in steps.items()} == {16: 8, 24: 8, 32: 16}


def test_no_group_is_emptied(graph):
    kept = allocated(graph, 0.999, 1)
    for group in groups_of(graph):
        assert kept[group.units].sum() == group.size / 8
    groups = groups_of(graph)
    assert least_counts(groups, steps_of(groups, 1)).tolist() == [group.size / 8 for group in groups]


def test_what_no_cut_changes_counts(graph):
    model = residual()
    fixed = graph.macs()
    smaller = cut(model, graph, allocated(graph, 0.25, 1, fixed=fixed))
    assert 0.5 <= 1 - channel_graph(smaller).macs() / graph.macs() <= 0.53


def test_time_is_about_the_instructions_of_the_layers():
    image = layers.Input((14, 14, 1))
    x = layers.Conv2D(64, (10, 4), padding="same", name="first")(image)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(64, 1, name="point")(x)
    model = tf_keras.Model(image, layers.Dense(10, name="last")(layers.GlobalAveragePooling2D()(x)))
    graph = channel_graph(model)
    # Counted on an emulated Cortex-M4 in layers of these shapes.
    counted = {"first": 524_155, "depthwise": 254_472, "point": 703_369}
    for name, instructions in counted.items():
        role, rates = graph.roles[name], rates_of(graph.roles[name], "dsp")
        first = (role.carries if role.reads is None else role.reads).size
        second = 1 if role.makes is None else role.makes.size
        found = rates.pair * first * second + rates.first * first + rates.second * second
        assert found == pytest.approx(instructions, rel=0.15)


@pytest.mark.parametrize("kernels", get_args(Kernels))
def test_every_kind_of_kernels_has_rates(graph, kernels):
    groups = groups_of(graph)
    costs = Costs(graph, groups, 0, kernels)
    full = np.array([group.size for group in groups], float)
    times = costs.time(np.array([full, full / 2, full / 4]))
    assert times[0] > times[1] > times[2] > 0
    if kernels == "xnnpack":
        assert times[0] == costs.macs(full)
