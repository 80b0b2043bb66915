import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.channels.graph import channel_graph
from edgesqueeze.squeeze.layers.kernels import kernel_of
from edgesqueeze.squeeze.passes.importance import magnitude, taylor
from runtime_tests.support.random_graphs import random_model
from runtime_tests.support.tiny_keras import images, randomize, source_of

layers = tf_keras.layers
X = images(96)


def network(activation="softmax"):
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="first")(image)
    x = layers.Flatten()(layers.Conv2D(6, 3, name="second")(x))
    return randomize(tf_keras.Model(image, layers.Dense(4, activation=activation, name="last")(x)))


def seen_in(model, teacher=None, x=X):
    graph = channel_graph(model)
    return graph, taylor(model, teacher or model, graph, source_of(model, x), 0)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_a_channel_that_nothing_depends_on_does_not_matter(activation):
    model = network(activation)
    second = model.get_layer("second")
    kernel = kernel_of(second)
    kernel[:, :, 2] = 0
    kernel[:, :, 5] *= 1e-3
    second.kernel.assign(kernel)
    graph, seen = seen_in(model)
    first = seen.importance[graph.roles["first"].makes]
    assert first[2] < 1e-12
    assert np.argsort(first).tolist()[:2] == [2, 5]
    assert (np.delete(first, [2, 5]) > 10 * first[5]).all()
    assert not seen.constant.any()


def test_importance_is_what_the_loss_rises_by():
    model = network()
    graph, seen = seen_in(model)
    teacher = np.asarray(model(X))
    second = model.get_layer("second")
    kernel, mean = kernel_of(second), seen.means["second"]
    bias = second.bias.numpy()
    rises = []
    for channel in range(8):
        changed = kernel.copy()
        changed[:, :, channel] = 0
        added = (kernel[:, :, channel] * mean[channel]).sum(axis=(0, 1))
        second.set_weights([changed, bias + added])
        student = np.asarray(model(X))
        rises.append(float((teacher * np.log(teacher / student)).sum(axis=1).mean()))
    importance = seen.importance[graph.roles["first"].makes]
    assert np.corrcoef(np.log(rises), np.log(importance))[0, 1] > 0.8


def test_a_constant_channel_does_not_matter_and_its_mean_is_known():
    model = network()
    first = model.get_layer("first")
    kernel = kernel_of(first)
    kernel[..., 3] = 0
    bias = np.zeros(8)
    bias[3] = 0.75
    first.set_weights([kernel, bias])
    graph, seen = seen_in(model)
    unit = graph.roles["first"].makes[3]
    assert seen.importance[unit] == 0
    assert seen.constant.nonzero()[0].tolist() == [unit]
    assert seen.means["second"][3] == pytest.approx(0.75)


def test_the_same_seed_gives_the_same():
    model = network()
    _, one = seen_in(model)
    _, other = seen_in(model)
    np.testing.assert_array_equal(one.importance, other.importance)


@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_with_several_outputs(seed):
    model = random_model(seed)
    graph, seen = seen_in(model, x=X[:32, :6, :6])
    assert seen.importance.shape == (graph.count,)
    assert np.isfinite(seen.importance).all()
    assert (seen.importance >= 0).all()
    assert (magnitude(graph) >= 0).all()


def test_magnitude_is_relative_to_the_layer():
    model = network()
    first, second = model.get_layer("first"), model.get_layer("second")
    first.kernel.assign(1000 * kernel_of(first))
    kernel = kernel_of(second)
    kernel[..., 1] *= 0.01
    second.kernel.assign(kernel)
    graph = channel_graph(model)
    found = magnitude(graph)
    assert int(np.argmin(found)) == graph.roles["second"].makes[1]
    assert found[graph.roles["first"].makes].mean() == pytest.approx(1)
