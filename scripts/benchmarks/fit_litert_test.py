import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import litert_model
from accuracy_litert import residuals
from litert_model import Fit, fit, setting_of
from litert_priors import CORES
from litert_rows import Costs, rows, section, works
from litert_targets import TARGETS, latency_of, strengths, toml_of

from edgesqueeze.latency.cost import operator_times, speedup
from edgesqueeze.latency.residuals import summary
from edgesqueeze.target.load import list_targets, load_target


@pytest.mark.parametrize("name", TARGETS)
def test_target_files_say_what_the_fit_says(name):
    assert load_target(name).latency == latency_of(name)
    file = Path(__file__).parents[2] / "targets" / f"{name}.toml"
    assert toml_of(latency_of(name)) in file.read_text(encoding="utf-8")


def test_every_target_with_an_operating_system_has_its_figures():
    assert {one.name for one in list_targets() if not one.is_mcu} == set(TARGETS)


@pytest.mark.parametrize(
    ("left_out", "median", "within"),
    [("model", 0.2, 0.9), ("device", 0.35, 0.75)],
)
def test_errors_are_small_and_bounds_hold(left_out, median, within):
    chosen = [one for one in residuals() if one.left_out == left_out]
    for some in (chosen, [one for one in chosen if one.threads == 1]):
        total = summary(some)
        assert total.median <= median
        assert total.within[0.4] >= within
        assert total.coverage >= 0.85


def test_bounds_are_wider_without_the_device():
    found = {(one.source, one.left_out): one.high_ms / one.low_ms for one in residuals()}
    both = [source for source, left_out in found if left_out == "device" and (source, "model") in found]
    assert len(both) > 100
    assert all(found[source, "device"] > 1.5 * found[source, "model"] for source in both)


def test_a_prediction_does_not_depend_on_what_is_left_out(monkeypatch):
    row = next(
        row for row in rows() if row.device == "Raspberry Pi 4" and row.model.startswith("mobilenet_v2")
    )
    left_out = frozenset({row.model})
    data = litert_model._data()
    logs = np.where([one.model == row.model for one in rows()], data.logs + 1, data.logs)
    said = Fit(left_out).milliseconds(setting_of(row), row.amounts)
    other = Fit().milliseconds(setting_of(row), row.amounts)
    monkeypatch.setattr(litert_model, "_data", lambda: data._replace(logs=logs))
    assert Fit(left_out).milliseconds(setting_of(row), row.amounts) == pytest.approx(said, rel=1e-9)
    assert Fit().milliseconds(setting_of(row), row.amounts) > 1.3 * other


def test_sections_predict_what_the_fit_predicts():
    row = next(row for row in rows() if row.device == "Raspberry Pi 4" and row.build == "64-bit")
    latency = latency_of("rpi4")
    row = row._replace(version="2022-02-08")
    said = sum(time.ms for time in operator_times(works(row.graph, row.arithmetic), latency))
    expected = fit().milliseconds(setting_of(row), row.amounts)
    assert said / speedup(latency, 4) == pytest.approx(expected, rel=0.02)


def test_amounts_are_the_slopes_of_the_latency():
    row = rows()[0]
    costs = Costs(3.0, 5.0, 7.0, 11.0, 13.0)
    times = operator_times(works(row.graph, row.arithmetic), section({row.arithmetic: costs}))
    expected = sum(cost * amount for cost, amount in zip(costs, row.amounts, strict=True))
    assert sum(time.ms for time in times) == pytest.approx(expected)


def test_unknown_devices_keep_all_of_the_spread():
    row = next(row for row in rows() if row.device == "Pixel 2")
    known = fit().spread(setting_of(row), row.amounts)
    unknown = fit().spread(setting_of(row)._replace(device="another phone"), row.amounts)
    assert known < 0.12
    assert 0.2 < unknown < 0.5


def test_threads_add_up_the_strengths_of_cores():
    shares = strengths(load_target("pixel8").cpu)
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[1] == pytest.approx(
        CORES["cortex-a715"].float32 * 2370 / (CORES["cortex-x3"].float32 * 2910)
    )
    scale = fit().speedup("another phone", [1, 1, 0.5], 1)
    assert scale[0] == 1
    assert scale[1] / scale[0] > scale[2] / scale[1] > 1
