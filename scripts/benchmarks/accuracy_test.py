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
from edgesqueeze.target.load import load_target


@pytest.fixture(scope="module")
def found():
    return [*accuracy_tflm.residuals(), *accuracy_litert.residuals()]


def test_readme_says_what_the_script_says(found):
    text = accuracy.README.read_text(encoding="utf-8")
    for name, block in accuracy.blocks(found).items():
        assert [match[2] for match in accuracy.block_pattern(name).finditer(text)] == [block], name


def test_readme_says_what_every_target_rests_on():
    text = accuracy.README.read_text(encoding="utf-8")
    lines = text.split("## What predictions rest on")[1].split("\n## ")[0].splitlines()
    rows = [line.split("|")[1:4] for line in lines if line.startswith("| `")]
    bounds = {name: row[2].strip() for row in rows for name in re.findall("`([^`]+)`", row[0])}
    assert set(bounds) == {path.stem for path in accuracy.README.parent.glob("*.toml")}
    for name, said in bounds.items():
        low, high = (float(word) for word in said.split(" to "))
        interval = load_target(name).latency.interval
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


def test_goals_are_reached(found):
    for goal in accuracy.goals(found):
        total = summary(goal.chosen)
        assert total.median <= goal.median, goal.name
        assert total.within[goal.most] >= 0.9, goal.name
    low, high = accuracy.COVERAGE
    assert low <= summary(found).coverage <= high


def test_goals_are_about_what_they_say(found):
    tflm, alone, any_threads = accuracy.goals(found)
    assert {(one.device, one.arithmetic) for one in tflm.chosen} == {("NUCLEO-L4R5ZI", "int8")}
    boards = {one.device for one in any_threads.chosen}
    assert boards == {
        "Raspberry Pi 2",
        "Raspberry Pi 4",
        "Raspberry Pi Zero W",
        "Pixel",
        "Pixel 2",
        "Pixel 3",
    }
    assert {one.threads for one in alone.chosen} == {1}
    assert len(alone.chosen) < len(any_threads.chosen)


def test_every_latency_is_in_one_class(found):
    *classes, whole = accuracy.class_rows(found)
    for column in (1, 5):
        assert sum(int(row[column] or 0) for row in classes) == int(whole[column])
    assert int(whole[1]) + int(whole[5]) == len(found)


def test_tables_have_a_cell_for_every_heading(found):
    for block in accuracy.blocks(found).values():
        assert len({line.count("|") for line in block.strip().splitlines()}) == 1


def test_engines_are_the_latest_of_each():
    names = [re.sub(r" [\d.]+$", "", engine.name) for engine in accuracy_tflm.engines()]
    assert sorted(names) == ["Bosch HALE", "Plumerai Inference Engine", "X-CUBE-AI"]
    assert {engine.version for engine in accuracy_tflm.engines()} == {"v1.1", "v1.2", "v1.3"}
