import pytest
from pydantic import ValidationError

from edgesqueeze.errors import TargetError
from edgesqueeze.target.latency import ArithmeticLatency, OperatorLatency
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


def test_sizes_of_memory_ascend():
    steps = [{"weights_bytes": 2, "byte_ps": 1}, {"weights_bytes": 1, "byte_ps": 2}]
    with pytest.raises(ValidationError, match="ascending"):
        changed(memory=steps)


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
