import pytest
from pydantic import ValidationError

from edgesqueeze.errors import TargetError
from edgesqueeze.target.latency import (
    ArithmeticLatency,
    CyclesPerInstruction,
    InstructionLatency,
    Interval,
    MemoryCost,
    OperatorCost,
    OperatorLatency,
)
from edgesqueeze.target.load import parse_target
from edgesqueeze.timing.calibrate import profile_text
from runtime_tests.support.devices import BOARD, COSTS


def changed(**changes):
    return OperatorLatency.model_validate({**COSTS.model_dump(exclude_none=True), **changes})


def test_kinds_and_builtin_operators_have_costs():
    assert changed() == COSTS
    assert ArithmeticLatency.model_validate({"operators": {"conv_1x1": {}, "MAX_POOL_2D": {}, "TOPK_V2": {}}})


def test_a_misspelt_kind_is_named():
    with pytest.raises(ValidationError, match="'depthwize' is no kind of operator; did you mean 'depthwise'"):
        changed(int8={"operators": {"depthwize": {"mac_ps": 1}}})


@pytest.mark.parametrize("speedup", [(2.0, 3.0), (0.5,)])
def test_one_thread_is_as_fast_as_one_thread(speedup):
    with pytest.raises(ValidationError, match="speedup must begin with 1"):
        changed(speedup=speedup)


@pytest.mark.parametrize("name", ["byte_speedup", "call_speedup"])
def test_other_speedups_begin_with_one_too(name):
    assert getattr(changed(**{name: (1.0, 1.3)}), name) == (1.0, 1.3)
    with pytest.raises(ValidationError, match=f"{name} must begin with 1"):
        changed(**{name: (1.3,)})


@pytest.mark.parametrize(("sizes", "ok"), [((1, 2, 9), True), ((2, 1), False), ((3, 3), False)])
def test_sizes_of_memory_ascend(sizes, ok):
    steps = [{"weights_bytes": size, "byte_ps": 1} for size in sizes]
    if ok:
        assert [step.weights_bytes for step in changed(memory=steps).memory] == list(sizes)
    else:
        with pytest.raises(ValidationError, match="ascending"):
            changed(memory=steps)


def test_one_of_the_two_types_is_enough():
    assert changed(int8=None).int8 is None
    assert changed(float32=None).float32 is None
    with pytest.raises(ValidationError, match="float32 or int8 must be given"):
        changed(float32=None, int8=None)


def test_what_is_not_given_costs_nothing():
    costs = OperatorCost()
    assert set(costs.model_dump(exclude={"tile_rows", "tile_columns", "tile_depth"}).values()) == {0.0}
    assert (costs.tile_rows, costs.tile_columns, costs.tile_depth) == (1, (1,), 1)
    assert ArithmeticLatency(operators={}).activation_ps == 0
    bare = OperatorLatency.model_validate(
        COSTS.model_dump(include={"runtime", "version", "int8", "interval", "basis"})
    )
    assert (bare.invoke_us, bare.speedup, bare.memory, bare.float32) == (0, (1.0,), (), None)


def test_rates_by_name():
    rates = CyclesPerInstruction(products=1, weights=2, other=3)
    assert rates.by_rate() == {"products": 1, "weights": 2, "other": 3}


def interval(**changes):
    return Interval.model_validate({"low": 0.5, "high": 2.0, **changes})


def cost(**changes):
    return OperatorCost.model_validate(changes)


def memory(**changes):
    return MemoryCost.model_validate({"weights_bytes": 1, "byte_ps": 1, **changes})


def rates(**changes):
    return CyclesPerInstruction.model_validate({"products": 1, "weights": 1, "other": 1, **changes})


@pytest.mark.parametrize(
    ("make", "field", "taken", "refused"),
    [
        (interval, "low", (1e-9, 1), (0, -1, 1.001, "x", float("nan"))),
        (interval, "high", (1, 1000), (0.999, 1000.1, float("inf"))),
        (cost, "mac_ps", (0, 1e9), (-1e-9, 1.001e9, float("nan"), float("inf"))),
        (cost, "tile_rows", (1, 256), (0, 257, 2.0, "2")),
        (cost, "tile_columns", ((256,), (1, 2, 3, 4)), ((), (0,), (257,), (1, 2, 3, 4, 5))),
        (memory, "weights_bytes", (1, 2**40), (0, 2**40 + 1, 8.0, "8")),
        (rates, "products", (1e-9, 1e6), (0, 1.001e6, float("nan"))),
        (changed, "invoke_us", (0, 1e9), (-1, 1.001e9)),
        (changed, "speedup", ((1,), (1, 1e6), (1,) * 256), ((), (1, 0), (1, 1.001e6), (1,) * 257)),
        (
            changed,
            "memory",
            ([{"weights_bytes": 1 + i, "byte_ps": 0} for i in range(64)],),
            ([{"weights_bytes": 1 + i, "byte_ps": 0} for i in range(65)],),
        ),
        (changed, "version", ("v", "v" * 1000), ("", "v" * 1001)),
        (changed, "basis", ("b", "b" * 1000), ("", "b" * 1001)),
        (changed, "runtime", ("litert", "tflite-runtime"), ("tflm", "c", "")),
        (changed, "int8", ({"operators": {"A" * 64: {}}},), ({"operators": {"A" * 65: {}}},)),
        (
            changed,
            "int8",
            ({"operators": {"A_9": {}}},),
            ({"operators": {"": {}}}, {"operators": {"A-B": {}}}),
        ),
    ],
)
def test_values_have_limits(make, field, taken, refused):
    for value in taken:
        assert field in make(**{field: value}).model_fields_set
    for value in refused:
        with pytest.raises(ValidationError) as caught:
            make(**{field: value})
        assert caught.value.errors()[0]["loc"][0] == field


def test_a_microcontroller_needs_every_figure():
    given = {
        "runtime": "tflm",
        "version": "x",
        "cycles_per_instruction": rates(),
        "interval": interval(),
        "dense_interval": interval(low=0.4),
        "float32_interval": interval(low=0.3),
        "basis": "a guess",
    }
    assert InstructionLatency.model_validate(given).float32_interval.low == 0.3
    for name in given:
        with pytest.raises(ValidationError, match=name):
            InstructionLatency.model_validate({key: value for key, value in given.items() if key != name})


@pytest.mark.parametrize(
    ("line", "after", "words"),
    [
        ("mac_pz = 1.0", "[latency.float32.operators.conv]", "mac_ps"),
        ("hihg = 1.0", "[latency.interval]", "high"),
        ("spedup = [1.0]", "[latency]", "speedup"),
    ],
)
def test_a_misspelt_field_names_the_nearest(line, after, words):
    text = profile_text(BOARD, COSTS).replace(after, f"{after}\n{line}", 1)
    with pytest.raises(TargetError) as caught:
        parse_target(text, "here")
    assert f"did you mean '{words}'" in str(caught.value)
    assert "assumptions" not in caught.value.expected
