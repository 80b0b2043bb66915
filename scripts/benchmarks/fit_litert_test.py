import math
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import accuracy_litert
import litert_bounds
import litert_model
from accuracy_litert import residuals
from litert_model import Fit, board, fit, of_a_stranger, setting_of
from litert_priors import CORES, SPREADS
from litert_rows import BOXES, Costs, design, family, rows, section, works
from litert_targets import TARGETS, latency_of, strengths, toml_of

from edgesqueeze.latency.cost import operator_times
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
    ("left_out", "median", "within", "inside"),
    [("family", 0.15, 0.9, 0.8), ("device", 0.2, 0.9, 0.85)],
)
def test_errors_are_small_and_bounds_hold(left_out, median, within, inside):
    chosen = [one for one in residuals() if one.left_out == left_out]
    for some in (chosen, [one for one in chosen if one.threads == 1]):
        total = summary(some)
        assert total.median <= median
        assert total.within[0.4] >= within
        assert total.coverage >= inside


@pytest.mark.parametrize("name", ["cost", "device", "version", "build", "family's kernels"])
def test_factors_differ_about_as_much_as_is_most_probable(name, monkeypatch):
    best = fit().evidence
    chosen = SPREADS[name]
    for times in (1 / 3, 3):
        monkeypatch.setitem(SPREADS, name, chosen * times)
        assert Fit(start=fit().theta).evidence < best, times


@pytest.mark.parametrize("field", ["family", "device"])
def test_neither_prediction_nor_bounds_depend_on_what_is_left_out(field, monkeypatch):
    """Twice the latency in all that is left out changes nothing that is said of it."""
    row = next(row for row in rows() if row.device == "Raspberry Pi 4" and "v2" in row.model)
    name = {"family": lambda one: family(one.model), "device": lambda one: board(one.device)}[field]
    left_out = [name(one) == name(row) for one in rows()]

    def said():
        for cached in (fit, litert_bounds.spread, litert_bounds.votes, litert_bounds.width):
            cached.cache_clear()
        one = accuracy_litert._residual(row, field)
        fitted = fit().milliseconds(setting_of(row), row.amounts)
        return one.predicted_ms, one.low_ms, one.high_ms, fitted

    before = said()
    data, published = litert_model._data(), rows()
    logs = np.where(left_out, data.logs + math.log(2), data.logs)
    changed = tuple(
        one._replace(milliseconds=one.milliseconds * (2 if out and one != row else 1))
        for one, out in zip(published, left_out, strict=True)
    )
    monkeypatch.setattr(litert_model, "_data", lambda: data._replace(logs=logs))
    monkeypatch.setattr(litert_bounds, "rows", lambda: changed)
    after = said()
    monkeypatch.undo()
    said()
    assert after[:3] == pytest.approx(before[:3], rel=1e-6)
    assert after[3] > 1.2 * before[3]


@pytest.mark.parametrize("models", [frozenset(), frozenset({"mobilenet_v2 1 224x224x3"})])
def test_fits_do_not_depend_on_where_they_start(models):
    far = np.full(len(fit().names), 0.3)
    assert Fit(models, start=far).theta == pytest.approx(Fit(models).theta, abs=1e-5)


def test_one_cell_has_one_vote_however_many_versions_repeat_it():
    votes = litert_bounds.votes("device")
    chosen = [row for row in rows() if litert_bounds.can_predict(row, "device")]
    cells = {(row.device, row.model, row.arithmetic, row.threads) for row in chosen}
    assert sum(vote.weight for vote in votes) == pytest.approx(len(cells))
    assert len(votes) > 1.5 * len(cells)


def test_families_leave_no_sibling_in_the_fit():
    families = {"mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "efficientdet"}
    assert {family(row.model) for row in rows()} == families
    # A detector on a MobileNet is a design of its own, and no other family.
    assert {design(row.model) for row in rows()} == {*families, "ssdlite"}
    assert family("mobilenet_v2_ssdlite 1 300x300x3") == "mobilenet_v2"
    names = set(Fit({row.model for row in rows() if "v2" in row.model}).names)
    assert ("family", "mobilenet_v2", "float32", "XNNPACK") in names
    without = litert_bounds.fit_without(frozenset({"mobilenet_v2"}))
    assert without.factor("family", "mobilenet_v2", "float32", "XNNPACK") == pytest.approx(0)


def test_families_widen_or_narrow_bounds_as_far_as_they_are_many(monkeypatch):
    trusting = {kind: litert_bounds.width("family", kind) for kind in ("float32", "int8")}
    monkeypatch.setattr(litert_bounds, "TRUST", 0)
    alone = {kind: litert_bounds.width.__wrapped__("family", kind) for kind in ("float32", "int8")}
    # Float32 is farther off than the fit says, and int8 less far.
    assert alone["float32"] > trusting["float32"] > trusting["int8"] > alone["int8"]


def test_sections_predict_what_the_fit_predicts():
    row = next(row for row in rows() if row.device == "Raspberry Pi 4" and row.build == "64-bit")
    latency = latency_of("rpi4")
    row = row._replace(version="2022-02-08")
    said = sum(time.ms for time in operator_times(works(row.graph, row.arithmetic), latency, 4))
    expected = fit().milliseconds(of_a_stranger(setting_of(row)), row.amounts)
    assert said == pytest.approx(expected, rel=0.03)


def test_amounts_are_the_slopes_of_the_latency():
    row = rows()[0]
    costs = Costs(3.0, 5.0, 7.0, 11.0, 13.0)
    times = operator_times(works(row.graph, row.arithmetic), section({row.arithmetic: costs}))
    expected = sum(cost * amount for cost, amount in zip(costs, row.amounts, strict=True))
    assert sum(time.ms for time in times) == pytest.approx(expected)


def test_choosing_boxes_is_a_detectors_alone_and_in_one_thread():
    row = next(row for row in rows() if row.model.startswith("efficientdet_lite 0"))
    latency = section({"float32": Costs(0.0, 0.0, 0.0, 0.0, 1.0)})
    calls = sum(time.ms for time in operator_times(works(row.graph, "float32"), latency))
    assert row.amounts.call - calls == pytest.approx(BOXES * 19_206 * 90 / 1e6)
    other = next(row for row in rows() if design(row.model) == "mobilenet_v3")
    calls = sum(time.ms for time in operator_times(works(other.graph, "float32"), latency))
    assert other.amounts.call == pytest.approx(calls)


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
    setting = setting_of(rows()[0])._replace(device="another phone")
    scale = fit().speedup(setting, [1, 1, 0.5])
    assert scale[0] == (1, 1, 1, 1, 1)
    assert scale[1].mac / scale[0].mac > scale[2].mac / scale[1].mac > 1
    assert all(one.call == 1 for one in scale)
    assert scale[2].mac > 1.5 * scale[2].activation > 1.5


def test_four_threads_on_a_raspberry_pi_4_are_about_twice_as_fast_as_one():
    """Published are 2.19 times, of MobileNet v1, and 1.8 to 2.1, of detectors."""
    latency = latency_of("rpi4")
    ratios = []
    for graph in dict.fromkeys(row.graph for row in rows()):
        one, four = (
            sum(time.ms for time in operator_times(works(graph, "float32"), latency, threads))
            for threads in (1, 4)
        )
        ratios.append(one / four)
    assert 1.9 < statistics.median(ratios) < 2.15
    assert max(ratios) < 2.6
