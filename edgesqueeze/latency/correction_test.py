import math

import pytest

from edgesqueeze.base.records import Range
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.correction import (
    ARITHMETICS,
    GROUPS,
    Measured,
    arithmetic_of,
    corrected,
    correction_of,
    group_of,
    parts_of,
    with_correction,
)
from edgesqueeze.latency.litert import predict as predict_works
from edgesqueeze.latency.predict import predict
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.load import load_target
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense

MODEL = parse_tflite(tiny_cnn(), "tiny")
TARGET = load_target("rpi4")


def point(parts, factors, arithmetic="int8", error=0.0):
    """A model on a device that is so many times slower, group by group."""
    milliseconds = sum(factors[group] * ms for group, ms in parts.items()) * math.exp(error)
    return Measured("model", arithmetic, parts, milliseconds)


def parts(products, depthwise, rest):
    return dict(zip(GROUPS, (products, depthwise, rest), strict=True))


FACTORS = parts(1.4, 0.8, 1.1)
MODELS = [parts(10, 1, 1), parts(2, 8, 1), parts(3, 3, 3), parts(1, 1, 6)]


def test_one_model_moves_all_costs_alike():
    made = correction_of([point(parts(5, 3, 2), parts(2, 2, 2))])
    assert all(1.8 < made.factors["int8"][group] < 2.05 for group in GROUPS)
    # The other arithmetic was not measured: it follows, with wider bounds.
    assert all(1.5 < made.factors["float32"][group] < 2.1 for group in GROUPS)
    assert made.intervals["float32"].high > made.intervals["int8"].high > 1
    assert made.error is None


def test_several_models_tell_groups_apart():
    made = correction_of([point(one, FACTORS) for one in MODELS])
    for one in MODELS:
        said = sum(made.factors["int8"][group] * ms for group, ms in one.items())
        assert said == pytest.approx(sum(FACTORS[group] * ms for group, ms in one.items()), rel=0.1)
    assert made.factors["int8"]["products"] > made.factors["int8"]["rest"] > made.factors["int8"]["depthwise"]
    assert 0 < made.error < 0.3


def test_models_that_contradict_each_other_widen_the_bounds():
    calm = correction_of([point(one, FACTORS) for one in MODELS])
    errors = (0.4, -0.4, 0.4, -0.4)
    wild = correction_of(
        [point(one, FACTORS, error=error) for one, error in zip(MODELS, errors, strict=True)]
    )
    assert wild.intervals["int8"].high > 1.3 * calm.intervals["int8"].high
    assert wild.error > calm.error


@pytest.mark.parametrize(
    ("opcode", "group"),
    [("CONV_2D", "products"), ("DEPTHWISE_CONV_2D", "depthwise"), ("ADD", "rest"), ("UNHEARD", "rest")],
)
def test_groups(opcode, group):
    assert group_of(opcode) == group


@pytest.mark.parametrize(
    ("content", "arithmetic"), [(tiny_cnn(), "int8"), (tiny_dense(dtype="float32"), "float32")]
)
def test_parts_and_arithmetic_of_a_prediction(content, arithmetic):
    prediction = predict(parse_tflite(content), TARGET)
    assert arithmetic_of(prediction) == arithmetic
    assert sum(parts_of(prediction).values()) == pytest.approx(prediction.latency_ms.estimate, rel=0.01)


def test_a_correction_can_be_taken_back():
    plain = predict(MODEL, TARGET)
    measured = Range(estimate=plain.latency_ms.estimate * 3, low=1e-3, high=9)
    made = corrected(plain, measured, "pi")
    assert made.latency_ms == measured and made.correction.device == "pi"
    assert parts_of(made) == pytest.approx(parts_of(plain), rel=1e-2, abs=1e-9)


def test_costs_are_multiplied():
    works = work_of(MODEL)
    made = correction_of([point(parts(5, 3, 2), parts(2, 2, 2))])
    latency = with_correction(TARGET.latency, made, "because")
    changed = TARGET.model_copy(update={"latency": latency})
    before, after = predict_works(works, TARGET, 1).total, predict_works(works, changed, 1).total
    assert after.estimate / before.estimate == pytest.approx(2, rel=0.12)
    assert latency.basis == "because"
    for name in ARITHMETICS:
        assert getattr(latency, name).interval == made.intervals[name]
