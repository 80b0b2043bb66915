import dataclasses
import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).parent))

import accuracy
import accuracy_litert
import accuracy_tflm

from edgesqueeze.latency.residuals import summary
from edgesqueeze.target import latency as target_latency
from edgesqueeze.target.latency import InstructionLatency
from edgesqueeze.target.load import load_target


@pytest.fixture(scope="module")
def found():
    return [*accuracy_tflm.residuals(), *accuracy_litert.residuals()]


@pytest.fixture(scope="module")
def blocks(found):
    return accuracy.blocks(found)


def test_readme_says_what_the_script_says(blocks):
    text = accuracy.README.read_text(encoding="utf-8")
    for name, block in blocks.items():
        assert [match[2] for match in accuracy.block_pattern(name).finditer(text)] == [block], name


def test_readme_says_what_every_target_rests_on():
    text = accuracy.README.read_text(encoding="utf-8")
    lines = text.split("## What predictions rest on")[1].split("\n## ")[0].splitlines()
    rows = [line.split("|")[1:4] for line in lines if line.startswith("| `")]
    bounds = {name: row[2].strip() for row in rows for name in re.findall("`([^`]+)`", row[0])}
    assert set(bounds) == {path.stem for path in accuracy.README.parent.glob("*.toml")}
    for name, said in bounds.items():
        low, high = (float(word) for word in said.split(" to "))
        latency = load_target(name).latency
        interval = latency.interval if isinstance(latency, InstructionLatency) else latency.int8.interval
        # One row stands for several targets.
        assert interval.low - 0.03 <= low <= interval.low, name
        assert interval.high <= high <= interval.high + 0.08, name


def test_readme_documents_every_field_of_the_section():
    text = accuracy.README.read_text(encoding="utf-8")
    section = text.split("### `[latency]`")[1].split("\n### ")[0]
    words = set(re.findall(r"[a-z0-9_]+", section))
    records = [
        one for one in vars(target_latency).values() if isinstance(one, type) and issubclass(one, BaseModel)
    ]
    fields = {field for record in records for field in getattr(record, "model_fields", {})}
    assert {"products", "tile_depth", "speedup", "dense_interval", "byte_ps"} <= fields
    assert fields - words == set()


MISSED = {
    ("Raspberry Pi, XNNPACK, float32", "family"): ("median", "bounds"),
    ("Raspberry Pi, XNNPACK, float32", "device"): ("bounds",),
    ("Raspberry Pi, XNNPACK, int8", "family"): ("bounds", "ratio"),
    ("Raspberry Pi, XNNPACK, int8", "device"): ("bounds", "ratio"),
    ("STM32MP1, XNNPACK, int8", "family"): ("ratio",),
    ("STM32MP1, XNNPACK, int8", "device"): ("bounds",),
    ("Pixel, XNNPACK, float32", "family"): ("bounds", "ratio"),
}
"""What is known to be missed. Nothing else may be, and what is kept again is taken out."""


def test_what_is_missed_is_known(found):
    missed = {(one.name, one.left_out): accuracy.missed(one, found) for one in accuracy.CLASSES}
    assert {key: limits for key, limits in missed.items() if limits} == MISSED


def test_most_bounds_hold(found):
    narrow = {
        (one.name, one.left_out): total.coverage
        for one in accuracy.CLASSES
        if (total := summary(one.of(found))).count >= accuracy.FEW and total.coverage < accuracy.COVERAGE[0]
    }
    # Where one family of detectors and one design of MobileNets have to predict each other.
    assert set(narrow) == {(f"Raspberry Pi, XNNPACK, {kind}", "family") for kind in ("float32", "int8")}
    assert min(narrow.values()) > 0.7


def test_what_no_fit_has_seen_is_in_the_bounds():
    total = summary(accuracy_litert.blind_residuals())
    assert total.count == 39
    assert total.median < 0.07
    assert 0.85 <= total.coverage <= 0.95
    assert total.ratio < 1.75


@pytest.mark.parametrize(
    ("inside", "count", "likely"),
    [(19, 19, 0.95**19), (18, 20, 1.0), (4, 4, 0.95**4), (3, 4, 1 - 0.85**4), (0, 4, 0.15**4), (17, 20, 1.0)],
)
def test_few_cells_are_judged_by_chance(inside, count, likely):
    total = accuracy.Summary(count, count, 0.1, 0.1, {}, inside / count, 0.5, 1.5)
    assert accuracy.chance(total) == pytest.approx(likely)


def test_bounds_of_few_cells_are_missed_only_beyond_chance(found):
    goal = next(one for one in accuracy.CLASSES if one.name.startswith("STM32MP1"))
    some = goal.of(found)[:4]
    out = [dataclasses.replace(one, low_ms=one.measured_ms * 2, high_ms=one.measured_ms * 3) for one in some]
    held = [dataclasses.replace(one, low_ms=one.measured_ms / 2, high_ms=one.measured_ms * 2) for one in some]
    assert "bounds" not in accuracy.missed(goal, [*held[:3], out[3]])
    assert "bounds" not in accuracy.missed(goal, held)
    assert "bounds" in accuracy.missed(goal, [held[0], *out[1:]])


def test_claims_are_about_what_they_say(found):
    sets = {
        (one.name, one.left_out): {(row.device, row.arithmetic) for row in one.of(found)}
        for one in accuracy.CLASSES
    }
    assert sets["Cortex-M4, TFLM, int8", "family"] == {("NUCLEO-L4R5ZI", "int8")}
    pis = {device for device, _ in sets["Raspberry Pi, XNNPACK, float32", "family"]}
    assert pis == {f"Raspberry Pi {name}" for name in ("2", "3", "3+", "4", "Zero W")}
    phones = {device for device, _ in sets["Pixel, XNNPACK, float32", "device"]}
    assert phones == {"Pixel", "Pixel 2", "Pixel 3a"}
    linux = [one for one in found if any(one in goal.of([one]) for goal in accuracy.CLASSES[3:])]
    assert {one.group.split(", ")[0] for one in linux} == {"XNNPACK"}
    assert all(sets.values())


def test_every_latency_is_in_one_class(found):
    rows = accuracy.class_rows(found)
    for field in accuracy.LEFT_OUT.values():
        *classes, whole = [row for row in rows if row[1] == field]
        assert whole[0] == "all"
        assert sum(int(row[3]) for row in classes) == int(whole[3])
    assert sum(int(row[3]) for row in rows if row[0] == "all") == len(found)


def test_tables_have_a_cell_for_every_heading(blocks):
    for block in blocks.values():
        assert len({line.count("|") for line in block.strip().splitlines()}) == 1


def test_engines_are_the_latest_of_each():
    names = [re.sub(r" [\d.]+$", "", engine.name) for engine in accuracy_tflm.engines()]
    assert sorted(names) == ["Bosch HALE", "Plumerai Inference Engine", "X-CUBE-AI"]
    assert {engine.version for engine in accuracy_tflm.engines()} == {"v1.1", "v1.2", "v1.3"}
