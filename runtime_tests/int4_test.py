"""INT4 weights on every runtime: the same outputs as with the same integers in int8."""

import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.int4 import WEIGHT_SLOTS, with_int4
from edgesqueeze.graph.int4_test import even
from edgesqueeze.runners.registry import RUNNERS
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.int4_models import in_eight_bits

RUNTIMES = [name for name in RUNNERS if name != "qemu"]


def convolution(graph, x):
    return graph.conv2d(x, 5, weights=even((5, 3, 3, 4)))


def pointwise(graph, x):
    return graph.conv2d(x, 5, kernel=1, weights=even((5, 1, 1, 4)))


def depthwise(graph, x):
    return graph.depthwise_conv2d(x, stride=2, weights=even((1, 3, 3, 4)))


def dense(graph, x):
    # An odd number of weights in a row.
    return graph.fully_connected(graph.reshape(graph.average_pool(x, 3), (1, 36)), 3, weights=even((3, 36)))


LAYERS = {
    "CONV_2D": (convolution, pointwise),
    "DEPTHWISE_CONV_2D": (depthwise,),
    "FULLY_CONNECTED": (dense,),
}


def test_every_operator_of_the_table_is_tried():
    assert set(LAYERS) == set(WEIGHT_SLOTS)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("layer", [layer for row in LAYERS.values() for layer in row])
def test_a_runtime_takes_them(layer, runtime):
    runner = RUNNERS[runtime]
    reason = runner.available()
    if reason:
        pytest.skip(reason)
    graph = GraphBuilder(seed=3)
    model = with_int4(parse_tflite(graph.build([layer(graph, graph.input((1, 9, 9, 4)))]), name="four"))
    assert "int4" in {tensor.dtype for tensor in model.main.tensors}
    samples = data_samples(model, random_data(model, 40))
    found, wanted = runner.run(model, samples), runner.run(in_eight_bits(model), samples)
    one = np.concatenate([row[0].astype(int).ravel() for row in found])
    other = np.concatenate([row[0].astype(int).ravel() for row in wanted])
    assert len(np.unique(one)) > 20
    off = np.abs(one - other)
    # XNNPACK takes int8 and leaves INT4 to LiteRT, whose kernels round in another way.
    assert off.max() <= (1 if runtime == "litert" else 0)
