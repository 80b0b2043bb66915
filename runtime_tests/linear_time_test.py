"""Inspecting and emitting a model takes time that grows with its operators, and hardly faster."""

import gc
import time

import pytest

from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.memory_plan import planned_bytes
from edgesqueeze.emit.native import place
from edgesqueeze.emit.native.emit import try_native
from edgesqueeze.emit.scratch import cmsis_nn_extra
from edgesqueeze.emit.tflm import emit_tflm
from edgesqueeze.graph import parse_tflite
from edgesqueeze.report.inspection import inspect_model
from edgesqueeze.target.needs import needs_of
from runtime_tests.support import large_graphs

FEW, FACTOR = 150, 8
ALLOWED = 2.5
"""How much faster than the number of operators processor time may grow; quadratic is 8 times as fast."""

ARENA = Arena(
    bytes=16, measured_bytes=16, scratch_bytes=0, margin_bytes=0, measured_on="here", method="made up"
)


def plan(model):
    return planned_bytes(model.main, cmsis_nn_extra(model.main, "mve").scratch)


STEPS = {
    "parse": lambda model: parse_tflite(model.content),
    "inspect": inspect_model,
    "needs": needs_of,
    "TFLM's plan": plan,
    "emit for TFLM": lambda model: emit_tflm(model, ARENA),
    "emit C": lambda model: try_native(model, core="cortex-m4"),
}


def processor_time(step, model):
    """Processor time of a step; Python's garbage collector, whose work grows faster, is left out."""
    gc.collect()
    gc.disable()
    try:
        begin = time.process_time()
        step(model)
        return time.process_time() - begin
    finally:
        gc.enable()


def growth(step, few, many):
    """How much longer many operators take; measured again where the computer seems to be busy."""
    short = min(processor_time(step, few) for _ in range(2))
    for _ in range(6):
        found = processor_time(step, many) / short
        if found < ALLOWED * FACTOR:
            break
    return found


@pytest.fixture(autouse=True)
def without_search(monkeypatch):
    """The search for a smaller arena takes about a second, whatever the model's size."""
    monkeypatch.setattr(place, "MOST_ATTEMPTS", 0)


@pytest.mark.parametrize("kind", ["chain", "tangled", "crowd", "borders", "reshapes", "dequantized"])
def test_time_grows_with_the_number_of_operators(kind):
    make = getattr(large_graphs, kind)
    few, many = parse_tflite(make(FEW)), parse_tflite(make(FACTOR * FEW))
    grown = {name: growth(step, few, many) for name, step in STEPS.items()}
    assert max(grown.values()) < ALLOWED * FACTOR, grown
