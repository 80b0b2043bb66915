import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.latency.cost import counts_of, key_of, operator_times, speedup
from edgesqueeze.latency.microbenchmarks import benchmarks
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.latency import ArithmeticLatency, Interval, MemoryCost, OperatorCost, OperatorLatency

CONV = OperatorCost(mac_ps=10, output_ps=100, call_ns=1)


def latency(memory=(), activation_ps=0.0, **operators):
    section = ArithmeticLatency(operators=operators or {"conv": CONV}, activation_ps=activation_ps)
    return OperatorLatency(
        runtime="litert",
        version="test",
        memory=memory,
        speedup=(1.0, 1.9, 2.5),
        float32=section,
        int8=section,
        interval=Interval(low=0.9, high=1.1),
        basis="test",
    )


def works(build, dtype="int8", shape=(1, 8, 8, 4)):
    graph = GraphBuilder(seed=1)
    return work_of(parse_tflite(graph.build([build(graph, graph.input(shape, dtype))])))


def test_by_hand():
    (work,) = works(lambda g, x: g.conv2d(x, 6))
    (time,) = operator_times([work], latency())
    # 8 * 8 * 9 * 4 * 6 multiply-accumulates, 8 * 8 * 6 outputs, one call.
    assert time.ms == pytest.approx((13_824 * 10 + 384 * 100 + 1000) / 1e9)
    assert time.known


@pytest.mark.parametrize(
    ("tile", "macs"),
    [
        (OperatorCost(), 64 * 36 * 6),
        (OperatorCost(tile_columns=(8,)), 64 * 36 * 8),
        (OperatorCost(tile_columns=(4, 16)), 64 * 36 * 16),
        (OperatorCost(tile_columns=(8, 16)), 64 * 36 * 8),
        (OperatorCost(tile_columns=(6, 16)), 64 * 36 * 6),
        (OperatorCost(tile_columns=(4,)), 64 * 36 * 8),
        (OperatorCost(tile_rows=7), 70 * 36 * 6),
        (OperatorCost(tile_depth=8), 64 * 72 * 6),
    ],
)
def test_tiles_that_are_not_full_cost_as_much(tile, macs):
    (work,) = works(lambda g, x: g.conv2d(x, 6))
    assert counts_of(work, tile).macs == macs


def test_what_costs_are_multiplied_with():
    (work,) = works(lambda g, x: g.conv2d(x, 6, 1), shape=(1, 8, 8, 4))
    assert counts_of(work) == (64 * 4 * 6, 64 * 4, 64, 64 * 6, work.weight_bytes, 1)
    (plain,) = works(lambda g, x: g.add(x, x))
    # Tiles are of products with weights only.
    tile = OperatorCost(tile_rows=7, tile_columns=(8,), tile_depth=8)
    assert counts_of(plain, tile)[:4] == (256, 256, 256, 256)


@pytest.mark.parametrize(("height", "rows"), [(1, 1), (2, 4), (3, 4), (5, 8)])
def test_a_single_row_needs_no_tile(height, rows):
    (work,) = works(lambda g, x: g.conv2d(x, 6, 1), shape=(1, height, 1, 4))
    assert counts_of(work, OperatorCost(tile_rows=4)).macs == rows * 4 * 6


def test_depthwise_convolutions_have_tiles_of_columns_only():
    (work,) = works(lambda g, x: g.depthwise_conv2d(x))
    tile = OperatorCost(tile_rows=7, tile_columns=(8,), tile_depth=8)
    assert counts_of(work, tile).macs == work.rows * work.depth * 8


def test_every_figure_counts_by_its_own_amount():
    (work,) = works(lambda g, x: g.conv2d(x, 6))
    cost = OperatorCost(mac_ps=2, patch_ps=3, row_ps=5, output_ps=7, weight_ps=11, call_ns=13)
    (time,) = operator_times([work], latency(conv=cost))
    patches, rows, outputs = 64 * 36, 64, 64 * 6
    expected = 2 * work.macs + 3 * patches + 5 * rows + 7 * outputs + 11 * work.weight_bytes + 13_000
    assert time.ms == pytest.approx(expected / 1e9)


@pytest.mark.parametrize(
    ("key", "stands_in"),
    [("conv_1x1", "conv"), ("conv", "conv_1x1"), ("gemv", "conv_1x1"), ("gemv", "conv"), ("conv", "other")],
)
def test_what_stands_in_for_costs_that_are_missing(key, stands_in):
    builds = {
        "conv": works(lambda g, x: g.conv2d(x, 6)),
        "conv_1x1": works(lambda g, x: g.conv2d(x, 6, 1)),
        "gemv": works(lambda g, x: g.fully_connected(x, 2), shape=(1, 4)),
    }
    (work,) = builds[key]
    (time,) = operator_times([work], latency(**{stands_in: OperatorCost(call_ns=3)}))
    assert time[:2] == (pytest.approx(3e-6), False)
    (none,) = operator_times([work], latency(depthwise=OperatorCost(call_ns=3)))
    assert none[:2] == (0.0, False)


def test_a_kind_stands_for_operators_without_costs_of_their_own():
    (pool,) = works(lambda g, x: g.max_pool(x, 2))
    assert (pool.kind, pool.opcode, pool.macs) == ("pool", "MAX_POOL_2D", 0)
    (time,) = operator_times([pool], latency(pool=OperatorCost(call_ns=3), other=OperatorCost(call_ns=5)))
    assert time[:2] == (pytest.approx(3e-6), True)


def test_of_other_operators_only_those_with_their_own_costs_are_known():
    (work,) = works(lambda g, x: g.unary("EXP", x), dtype="float32")
    if work.kind != "other":
        work = dataclasses.replace(work, kind="other")
    (time,) = operator_times([work], latency(other=OperatorCost(call_ns=5)))
    assert time[:2] == (pytest.approx(5e-6), False)


def test_names_of_costs():
    assert [key_of(work) for work in works(lambda g, x: g.conv2d(x, 6))] == ["conv"]
    assert [key_of(work) for work in works(lambda g, x: g.conv2d(x, 6, 1))] == ["conv_1x1"]
    assert [key_of(work) for work in works(lambda g, x: g.depthwise_conv2d(x))] == ["depthwise"]
    assert [key_of(work) for work in works(lambda g, x: g.fully_connected(x, 2), shape=(1, 4))] == ["gemv"]
    assert [key_of(work) for work in works(lambda g, x: g.conv2d(x, 6, 1), shape=(1, 1, 1, 4))] == ["gemv"]
    assert [key_of(work) for work in works(lambda g, x: g.add(x, x))] == ["ADD"]


def test_what_has_no_costs_of_its_own_is_known_as_such():
    (work,) = works(lambda g, x: g.conv2d(x, 6, 1))
    assert not operator_times([work], latency())[0].known
    (other,) = works(lambda g, x: g.unary("TANH", x))
    (time,) = operator_times([other], latency(other=OperatorCost(output_ps=5)))
    assert time.ms == pytest.approx(256 * 5 / 1e9)
    assert not time.known
    (named,) = operator_times([other], latency(TANH=OperatorCost(output_ps=7), other=OperatorCost()))
    assert named.ms == pytest.approx(256 * 7 / 1e9)
    assert named.known


def test_int16_has_the_costs_of_float_but_is_not_known():
    (work,) = works(lambda g, x: g.conv2d(x, 6), dtype="int16")
    (time,) = operator_times([work], latency())
    (real,) = works(lambda g, x: g.conv2d(x, 6), dtype="float32")
    (own,) = operator_times([real], latency())
    assert time.ms == pytest.approx(10 * own.ms)
    assert not time.known


def test_a_device_without_costs_of_a_type_takes_those_that_it_has():
    section = ArithmeticLatency(operators={"conv": CONV})
    device = latency().model_copy(update={"float32": None, "int8": section})
    (real,) = works(lambda g, x: g.conv2d(x, 6), dtype="float32")
    (whole,) = works(lambda g, x: g.conv2d(x, 6))
    assert [operator_times([work], device)[0].known for work in (real, whole)] == [False, True]
    assert operator_times([real], device)[0].ms == operator_times([whole], device)[0].ms


def test_reshaping_is_free():
    (work,) = works(lambda g, x: g.reshape(x, (1, 256)))
    assert operator_times([work], latency())[0] == (0.0, True, 0.0)


def test_weights_cost_more_the_larger_the_model():
    steps = (MemoryCost(weights_bytes=100, byte_ps=0), MemoryCost(weights_bytes=300, byte_ps=20))
    (work,) = works(lambda g, x: g.fully_connected(x, 10), shape=(1, 16))
    assert work.weight_bytes == 200
    (time,) = operator_times([work], latency(steps, gemv=OperatorCost()))
    assert time.ms == pytest.approx(200 * 10 / 1e9)
    for memory, byte_ps in (
        # Between two steps, beyond the last, at one, and before the first, where the line begins at nothing.
        ((MemoryCost(weights_bytes=100, byte_ps=4), MemoryCost(weights_bytes=300, byte_ps=20)), 12),
        ((*steps[:1], MemoryCost(weights_bytes=150, byte_ps=8)), 8),
        ((MemoryCost(weights_bytes=200, byte_ps=7), MemoryCost(weights_bytes=300, byte_ps=9)), 7),
        ((MemoryCost(weights_bytes=800, byte_ps=12),), 3),
        ((), 0),
    ):
        (time,) = operator_times([work], latency(memory, gemv=OperatorCost()))
        assert time.ms == pytest.approx(200 * byte_ps / 1e9)


def test_activations_cost_by_the_byte():
    (work,) = works(lambda g, x: g.add(x, x), dtype="float32")
    (time,) = operator_times([work], latency(activation_ps=3, ADD=OperatorCost()))
    assert time.ms == pytest.approx(3 * 256 * 4 * 3 / 1e9)


def test_more_threads_than_were_measured_are_as_fast_as_those():
    assert [speedup(latency(), threads).computing for threads in (1, 2, 3, 8)] == [1.0, 1.9, 2.5, 2.5]
    assert set(speedup(latency(), 2)) == {1.9}


def test_bytes_and_calls_have_speedups_of_their_own():
    given = latency(activation_ps=7.0, conv=OperatorCost(mac_ps=1e3, call_ns=100))
    given = given.model_copy(update={"byte_speedup": (1.0, 1.2), "call_speedup": (1.0,)})
    assert speedup(given, 2) == (1.9, 1.2, 1.0)
    (work,) = works(lambda graph, x: graph.conv2d(x, 8, 3))
    (one,), (two,) = operator_times([work], given), operator_times([work], given, 2)
    assert one.call_ms == two.call_ms == pytest.approx(1e-4)
    moved = 7.0 * (work.inputs + work.outputs) / 1e9
    assert two.ms == pytest.approx((one.ms - moved - one.call_ms) / 1.9 + moved / 1.2 + one.call_ms)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 8), st.sampled_from([1, 4, 8])
)
def test_more_work_never_takes_less(size, depth, width, rows, columns):
    cost = OperatorCost(mac_ps=3, patch_ps=2, row_ps=1, output_ps=5, tile_rows=rows, tile_columns=(columns,))
    device = latency(conv=cost, conv_1x1=cost, gemv=cost)

    def ms(size, depth, width):
        (work,) = works(lambda g, x: g.conv2d(x, width, 3), shape=(1, size, size, depth))
        return operator_times([work], device)[0].ms

    assert ms(size, depth, width) <= ms(size, depth, width + 1)
    assert ms(size, depth, width) <= ms(size, depth + 1, width)


def test_every_microbenchmark_has_a_name_for_its_costs():
    for one in benchmarks("int8"):
        for work in work_of(parse_tflite(one.content)):
            assert key_of(work)
