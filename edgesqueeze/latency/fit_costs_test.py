"""A device is made up from known costs; the fit has to find them again from its times."""

import random

import pytest

from edgesqueeze.errors import DeviceError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency import fit_costs as fit_costs_module
from edgesqueeze.latency.cost import speedup
from edgesqueeze.latency.fit_costs import Measured, fit_costs, predicted_ms
from edgesqueeze.latency.microbenchmarks import benchmarks
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.latency import OperatorLatency
from runtime_tests.support.devices import COSTS
from runtime_tests.support.tflite_builder import tiny_cnn


def times(device, noise=0.0, arithmetics=("float32", "int8")):
    rng = random.Random(1)
    points = []
    for arithmetic in arithmetics:
        for one in benchmarks(arithmetic):
            works = work_of(parse_tflite(one.content))
            for threads in (1, 2) if one.network else (1,):
                ms = (
                    predicted_ms(device, works)
                    / speedup(device, threads).computing
                    * rng.lognormvariate(0, noise)
                )
                points.append(Measured(one.name, arithmetic, one.network, works, threads, ms))
    return points


@pytest.fixture
def untiled(monkeypatch):
    """Without the search for tiles, which takes long."""
    for name, value in (("ROWS", (1,)), ("COLUMNS", ((1,),)), ("DEPTHS", (1,))):
        monkeypatch.setattr(fit_costs_module, name, value)


@pytest.fixture(scope="module")
def exact():
    return fit_costs(times(COSTS), runtime="litert", version="made up", basis="fitted")


def test_costs_are_found_again(exact):
    assert exact.invoke_us == pytest.approx(COSTS.invoke_us, rel=0.02)
    assert exact.speedup == pytest.approx((1.0, 1.8), rel=0.01)
    for arithmetic in (exact.float32, exact.int8):
        conv = arithmetic.operators["conv_1x1"]
        assert (conv.tile_rows, conv.tile_columns) == (4, (8,))
        assert conv.mac_ps == pytest.approx(60, rel=0.02)
        assert arithmetic.operators["HARD_SWISH"].output_ps + arithmetic.operators[
            "HARD_SWISH"
        ].mac_ps == pytest.approx(9000, rel=0.02)


def test_a_new_model_is_predicted(exact):
    works = work_of(parse_tflite(tiny_cnn()))
    assert predicted_ms(exact, works) == pytest.approx(predicted_ms(COSTS, works), rel=0.05)


def test_without_noise_the_bounds_are_narrow(exact):
    assert 0.9 < exact.interval.low <= 1 <= exact.interval.high < 1.1


def test_noise_widens_the_bounds_and_leaves_the_costs():
    noisy = fit_costs(times(COSTS, 0.1), runtime="litert", version="made up", basis="fitted")
    assert noisy.interval.high > 1.1
    assert noisy.interval.low < 0.9
    works = work_of(parse_tflite(tiny_cnn()))
    assert predicted_ms(noisy, works) == pytest.approx(predicted_ms(COSTS, works), rel=0.15)


def test_weights_that_leave_the_cache_cost_more(exact):
    costs = [step.byte_ps for step in exact.memory]
    assert costs == sorted(costs)
    assert costs[0] == 0
    assert costs[-1] == pytest.approx(60, rel=0.1)


def test_one_type_is_enough():
    found = fit_costs(times(COSTS, arithmetics=("int8",)), runtime="litert", version="x", basis="x")
    assert found.float32 is None
    assert found.int8 is not None


def test_nothing_measured_is_an_error():
    with pytest.raises(DeviceError, match="none of the microbenchmarks"):
        fit_costs([], runtime="litert", version="x", basis="x")


def test_too_few_networks_say_nothing_about_bounds(untiled):
    operators = [point for point in times(COSTS) if not point.network]
    with pytest.raises(DeviceError, match="too few small networks"):
        fit_costs(operators, runtime="litert", version="x", basis="x")


def test_a_type_of_which_only_networks_ran_has_no_costs(untiled):
    points = [
        point
        for point in times(COSTS)
        if point.arithmetic == "float32" or point.name.startswith(("separable", "inverted", "residual"))
    ]
    found = fit_costs(points, runtime="litert", version="x", basis="x")
    assert found.int8 is None
    assert found.float32 is not None


def test_a_kind_with_large_benchmarks_alone_is_fitted(untiled):
    points = [
        point
        for point in times(COSTS)
        if not point.name.startswith(("dense_", "conv_1x1_1_")) or point.name == "dense_1500_1000"
    ]
    assert fit_costs(points, runtime="litert", version="x", basis="x").float32.operators["gemv"]


@pytest.mark.parametrize(("share", "noise"), [(1.0, 0.0), (0.1, 0.0), (0.0, 4.0)])
def test_nonsense_has_bounds_that_a_profile_takes(untiled, share, noise):
    """A clock that sees nothing, always or now and then; times that have nothing to do with the work."""
    rng = random.Random(2)
    points = [
        point._replace(ms=0.0 if rng.random() < share else point.ms * rng.lognormvariate(0, noise))
        for point in times(COSTS)
    ]
    found = fit_costs(points, runtime="litert", version="x", basis="x")
    assert OperatorLatency.model_validate(found.model_dump()) == found
    assert found.interval.high / found.interval.low > 10
