import csv
import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import accuracy
import accuracy_litert
import accuracy_tflm
import blind
import litert_bounds
import litert_model
import litert_rows
import tflm_published

NEW = [blind.name_of(f"board {number}", "mobilenet_v2 1 224x224x3", "int8", 1) for number in range(600)]
FIRST = [False, False, False, False, False, True, False, False, True, False, True, False]


def test_a_third_of_what_is_new_is_blind():
    share = sum(map(blind.is_blind, NEW)) / len(NEW)
    assert 0.28 < share < 0.39
    # Which ones must never change.
    assert [blind.is_blind(name) for name in NEW[:12]] == FIRST


def test_nothing_is_added_to_what_was_seen(tmp_path, monkeypatch):
    assert all(not blind.is_blind(name) for name in blind.seen())
    file = tmp_path / "seen.txt"
    file.write_bytes(blind.SEEN.read_bytes() + f"{NEW[0]}\n".encode())
    monkeypatch.setattr(blind, "SEEN", file)
    blind.seen.cache_clear()
    with pytest.raises(ValueError, match="as it was when the rule was made"):
        blind.seen()
    monkeypatch.undo()
    blind.seen.cache_clear()


def test_every_row_is_in_a_fit_or_blind():
    for name, kept, held in (
        ("litert.csv", litert_rows.rows(), litert_rows.blind_rows()),
        ("cortex_m.csv", tflm_published.rows(), tflm_published.blind_rows()),
    ):
        with (blind.SEEN.parent / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = {
            row["id"]: blind.name_of(
                row["device"], row["model"], row["arithmetic"], int(row.get("threads", 1))
            )
            for row in rows
        }
        assert {row.id for row in held} == {key for key, name in names.items() if blind.is_blind(name)}
        assert {row.id for row in kept} == set(names) - {row.id for row in held}


def test_a_blind_latency_is_predicted_as_a_target_predicts_it():
    """Of a model that nothing is known of: not by what the fit knows of its design."""
    found = {one.source: one for one in accuracy_litert.blind_residuals()}
    row = next(row for row in litert_rows.blind_rows() if litert_rows.design(row.model) == "efficientdet")
    known, fitted = litert_model.setting_of(row), litert_model.fit()
    unknown = litert_model.of_a_stranger(known)
    assert found[row.id].predicted_ms == fitted.milliseconds(unknown, row.amounts)
    assert fitted.milliseconds(known, row.amounts) != fitted.milliseconds(unknown, row.amounts)
    assert sum(litert_rows.design(row.model) == "efficientdet" for row in litert_rows.blind_rows()) > 20


def with_new_rows(rows):
    """Some rows, and copies of one of them on boards that nobody has seen."""
    first = rows[0]
    return (*rows, *(first._replace(id=f"new {number}", device=f"board {number}") for number in range(20)))


@pytest.fixture
def more(monkeypatch):
    rows = with_new_rows(litert_rows.rows())
    cached = (litert_rows._rows, litert_model._data, litert_model.fit, litert_bounds.votes)
    monkeypatch.setattr(litert_rows, "_read", lambda: rows)
    for one in cached:
        one.cache_clear()
    yield litert_rows.blind_rows()
    monkeypatch.undo()
    for one in cached:
        one.cache_clear()


def test_what_is_blind_shapes_no_fit_and_is_judged(more):
    assert 2 < len(more) < 14
    devices = {row.device for row in litert_rows.rows()}
    assert not devices & {row.device for row in more}
    assert any(device.startswith("board ") for device in devices)
    fitted = litert_model.fit()
    assert not {name for name in fitted.names if name[-1] in {row.device for row in more}}
    found = accuracy_litert.blind_residuals()
    assert [one.source for one in found] == [row.id for row in more]
    assert {one.left_out for one in found} == {"device"}
    assert accuracy.class_rows(found)[-1][3] == str(len(found))


def test_there_is_something_to_judge_on_microcontrollers(monkeypatch):
    board = next(row for row in tflm_published.rows() if row.use == "fit" and row.arithmetic == "int8")
    other = next(row for row in tflm_published.rows() if row.use == "check" and row.core == "cortex-m33")
    stranger = dataclasses.replace(other, device="board 1")
    monkeypatch.setattr(accuracy_tflm, "blind_rows", lambda: (board, other, stranger))
    monkeypatch.setattr(accuracy_tflm, "blind_pairs", lambda: ())
    assert [one.left_out for one in accuracy_tflm.blind_residuals()] == ["family", "family", "device"]
