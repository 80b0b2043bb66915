import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.int4 import WEIGHT_SLOTS, with_int4
from edgesqueeze.latency.four_bits import FACTORS
from edgesqueeze.latency.predict import predict


def model(weights_of=None):
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 8, 8, 4)), 4, weights=weights_of and weights_of((4, 3, 3, 4)))
    y = graph.fully_connected(graph.reshape(graph.average_pool(x, 8), (1, 4)), 3)
    return parse_tflite(graph.build([y]))


def even(shape):
    multiples = np.random.default_rng(0).integers(-7, 8, shape)
    return np.rint(multiples * 127 / 7).astype(np.int8)


@pytest.mark.parametrize(("target", "runtime"), [("rpi4", "litert"), ("nucleo-l4r5zi", "tflm")])
def test_bounds_are_wider_where_weights_are_int4(target, runtime):
    int8 = predict(model(even), target)
    int4 = predict(with_int4(model(even)), target)
    factors = FACTORS[runtime]["CONV_2D"]
    assert int4.layers[0].latency_ms.high == pytest.approx(
        int8.layers[0].latency_ms.high * factors.high, rel=1e-3
    )
    assert int4.layers[0].latency_ms.estimate == pytest.approx(
        int8.layers[0].latency_ms.estimate * factors.estimate, rel=0.02
    )
    assert int4.layers[-1].latency_ms == int8.layers[-1].latency_ms
    more = int4.layers[0].latency_ms.high - int8.layers[0].latency_ms.high
    assert int4.latency_ms.high == pytest.approx(int8.latency_ms.high + more, rel=1e-2)
    assert "INT4" in int4.basis[-1]
    assert not any("INT4" in said for said in int8.basis)


def test_every_operator_has_factors():
    assert all(set(row) == set(WEIGHT_SLOTS) for row in FACTORS.values())
