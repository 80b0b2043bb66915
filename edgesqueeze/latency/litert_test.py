import math

import pytest

from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.latency.cost import INT16_FACTOR
from edgesqueeze.latency.litert import LAYER_ERROR, NAMED, UNKNOWN_ERROR, predict
from edgesqueeze.latency.work import Work, work_of
from edgesqueeze.target.latency import ArithmeticLatency, Interval, OperatorCost, OperatorLatency
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Target
from runtime_tests.support.tflite_builder import tiny_cnn

CALL = OperatorCost(call_ns=1e6)


def latency(**changes: object) -> OperatorLatency:
    """One millisecond for each operator, two threads 1.6 times as fast."""
    operators = dict.fromkeys(
        ("conv", "conv_1x1", "depthwise", "gemv", "pool", "softmax", "elementwise"), CALL
    ) | {"other": OperatorCost(call_ns=3e6)}
    given = OperatorLatency(
        runtime="litert",
        version="test",
        invoke_us=500.0,
        speedup=(1.0, 1.6),
        int8=ArithmeticLatency(operators=operators),
        interval=Interval(low=0.8, high=1.25),
        basis="Made up.",
    )
    return given.model_copy(update=changes)


def target(given: OperatorLatency | None) -> Target:
    return load_target("rpi4").model_copy(update={"latency": given})


@pytest.fixture(scope="module")
def works() -> tuple[Work, ...]:
    return work_of(parse_tflite(tiny_cnn()))  # three convolutions, pooling, RESHAPE, dense, SOFTMAX


def test_a_total_is_the_invocation_and_all_operators(works):
    estimate = predict(works, target(latency()))
    assert estimate.total.estimate == pytest.approx(6.5)
    assert estimate.total.low == pytest.approx(6.5 * 0.8)
    assert estimate.total.high == pytest.approx(6.5 * 1.25)
    assert [layer.estimate for layer in estimate.layers] == pytest.approx([1, 1, 1, 1, 0, 1, 1])
    assert (estimate.runtime, estimate.runtime_version, estimate.threads) == ("litert", "test", 1)
    assert estimate.basis == ("Made up.",)


def test_threads_share_the_operators_but_not_the_invocation(works):
    estimate = predict(works, target(latency()), threads=2)
    assert estimate.total.estimate == pytest.approx(0.5 + 6 / 1.6)
    assert estimate.layers[0].estimate == pytest.approx(1 / 1.6)
    assert estimate.threads == 2


def test_more_threads_than_are_known_take_as_long_as_the_last_and_say_so(works):
    estimate = predict(works, target(latency()), threads=4)
    assert estimate.total == predict(works, target(latency()), threads=2).total
    assert "4 threads" in estimate.basis[1]
    assert "2 threads" in estimate.basis[1]


@pytest.mark.parametrize("threads", [0, -1, 5])
def test_threads_must_be_as_many_as_there_are_cores(works, threads):
    with pytest.raises(UsageError, match="rpi4") as caught:
        predict(works, target(latency()), threads)
    assert "1 to 4" in str(caught.value)


def test_a_target_without_costs_says_how_to_get_them(works):
    with pytest.raises(TargetError, match="edgesqueeze calibrate"):
        predict(works, target(None))
    with pytest.raises(TargetError, match="LiteRT"):
        predict(works, load_target("nucleo-l4r5zi"))


@pytest.mark.parametrize(
    ("low", "high", "more"), [(0.95, 1.05, 2.5 * -math.log(0.95)), (0.5, 2.0, LAYER_ERROR)]
)
def test_bounds_of_layers_are_wider_than_those_of_the_total(works, low, high, more):
    estimate = predict(works, target(latency(interval=Interval(low=low, high=high))))
    layer = estimate.layers[0]
    assert layer.high / layer.estimate == pytest.approx(math.exp(math.hypot(math.log(high), more)))
    assert layer.low / layer.estimate < estimate.total.low / estimate.total.estimate
    assert layer.high / layer.estimate > estimate.total.high / estimate.total.estimate


def test_bounds_of_each_arithmetic_and_of_calls_count_by_their_share(works):
    given = latency(call_interval=Interval(low=0.25, high=4.0))
    assert given.int8 is not None
    assert predict(works, target(given)).layers[0].high > predict(works, target(latency())).layers[0].high
    # Six of 6.5 ms are calls, the rest is the invocation.
    found = predict(works, target(given)).total
    assert found.high / found.estimate == pytest.approx(4 ** (6 / 6.5) * 1.25 ** (0.5 / 6.5))
    own = given.int8.model_copy(update={"interval": Interval(low=0.5, high=2.0)})
    found = predict(works, target(latency(int8=own))).total
    assert found.low / found.estimate == pytest.approx(0.5 ** (6 / 6.5) * 0.8 ** (0.5 / 6.5))


def test_small_models_have_wider_bounds_on_shipped_targets(works):
    def reach(works):
        total = predict(works, load_target("rpi4")).total
        return total.high / total.low

    graph = GraphBuilder(seed=1)
    large = work_of(parse_tflite(graph.build([graph.conv2d(graph.input((1, 256, 256, 32)), 32, 3)])))
    assert reach(works) > 1.5 * reach(large)


def test_operators_without_costs_widen_the_bounds_by_their_share_and_are_named():
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 8, 8, 4)), 4)
    found = predict(work_of(parse_tflite(graph.build([graph.unary("TANH", x)]))), target(latency()))
    share = 3 / 4.5
    assert found.total.estimate == pytest.approx(4.5)
    reach = math.hypot(math.log(1.25), share * UNKNOWN_ERROR)
    assert found.total.high == pytest.approx(4.5 * math.exp(reach))
    known, guessed = found.layers
    assert guessed.high / guessed.estimate > known.high / known.estimate
    assert "67%" in found.basis[1]
    assert "TANH in int8" in found.basis[1]


def test_a_type_without_costs_is_guessed():
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 8, 8, 4), "float32"), 4)
    found = predict(work_of(parse_tflite(graph.build([x]))), target(latency()))
    assert "CONV_2D in float32" in found.basis[1]


def test_what_hardly_matters_is_not_named():
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 8, 8, 4)), 4)
    works = work_of(parse_tflite(graph.build([graph.unary("TANH", x)])))
    given = latency()
    assert given.int8 is not None
    operators = given.int8.operators | {"other": OperatorCost(call_ns=1.5e6 * NAMED / 2)}
    found = predict(works, target(latency(int8=given.int8.model_copy(update={"operators": operators}))))
    assert found.basis == ("Made up.",)
    assert found.layers[1].high / found.layers[1].estimate > math.exp(UNKNOWN_ERROR)


def test_an_empty_graph_takes_the_invocation():
    found = predict((), target(latency()))
    assert found.total.estimate == pytest.approx(0.5)
    assert found.layers == ()


@pytest.mark.parametrize(
    "name",
    [
        *("rpi-zero2w", "rpi3b-plus", "rpi4", "rpi5", "pixel3a", "pixel6", "pixel8"),
        *("android-low", "android-mid", "pixel", "pixel2", "pixel3", "rpi2"),
    ],
)
def test_shipped_targets_know_both_arithmetics_and_all_their_cores(name, works):
    shipped = load_target(name)
    assert isinstance(shipped.latency, OperatorLatency)
    assert len(shipped.latency.speedup) == shipped.cpu.cores
    assert list(shipped.latency.speedup) == sorted(shipped.latency.speedup)
    one, all_cores = (predict(works, shipped, threads) for threads in (1, shipped.cpu.cores))
    assert 0 < all_cores.total.estimate < one.total.estimate < 1
    assert one.total.low < one.total.estimate < one.total.high
    assert one.basis == (shipped.latency.basis,)


def test_faster_targets_are_faster_and_only_measured_boards_have_narrow_bounds():
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 128, 128, 32), "float32"), 32, 3)
    works = work_of(parse_tflite(graph.build([x])))
    order = ("rpi-zero2w", "rpi3b-plus", "rpi4", "rpi5")
    found = [predict(works, load_target(name)).total for name in order]
    assert [total.estimate for total in found] == sorted((total.estimate for total in found), reverse=True)
    widths = {name: total.high / total.low for name, total in zip(order, found, strict=True)}
    assert max(widths.pop("rpi4"), widths.pop("rpi3b-plus")) < 1.95 < min(widths.values())


def test_int16_is_far_slower_and_has_wide_bounds():
    """It runs in reference kernels."""

    def dense(dtype):
        graph = GraphBuilder(seed=1)
        x = graph.input((1, 64), dtype)
        works = work_of(parse_tflite(graph.build([graph.fully_connected(x, 64)])))
        return predict(works, target(latency(invoke_us=0.0))).total

    narrow, wide = dense("int8"), dense("int16")
    assert wide.estimate == pytest.approx(INT16_FACTOR * narrow.estimate)
    assert wide.high / wide.estimate > 6


def test_an_operator_that_no_profile_has_is_never_known():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 64))
    y = graph.like(x, (1, 64))
    graph.op("RFFT2D", [x], [y])
    found = predict(work_of(parse_tflite(graph.build([y]))), target(latency()))
    assert any("RFFT2D in int8" in sentence for sentence in found.basis)
