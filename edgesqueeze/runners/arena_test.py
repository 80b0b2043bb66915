import importlib.util

import pytest

from edgesqueeze.errors import MissingToolError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import arena as arena_module
from edgesqueeze.runners.arena import SAFETY_BYTES, find_arena
from edgesqueeze.runners.tflm import ArenaUse
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_compiled, tiny_dense, with_plan

CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")


@pytest.fixture
def measured(monkeypatch):
    """Instead of TFLM: what it measured for tiny_cnn."""
    monkeypatch.setattr(arena_module, "measure_arena", lambda model: ArenaUse(3000, 512, 2488))


def test_the_parts_add_up(measured):
    arena = find_arena(parse_tflite(tiny_cnn()), "cortex-m4")
    assert arena.bytes == arena.measured_bytes + arena.scratch_bytes + arena.margin_bytes
    assert (arena.measured_bytes, arena.margin_bytes) == (3000, SAFETY_BYTES)
    assert "Cortex-M" not in arena.method and "cortex-m4" in arena.method


def test_larger_cores_never_need_less_and_an_unknown_one_needs_the_most(measured):
    model = parse_tflite(tiny_cnn())
    sizes = [find_arena(model, core).bytes for core in CORES]
    assert sizes == sorted(sizes)
    assert find_arena(model).bytes == find_arena(model, "cortex-a72").bytes == sizes[-1]
    assert "any Cortex-M" in find_arena(model).method


def test_scratch_is_added_in_full_where_the_plan_is_not_understood(monkeypatch):
    monkeypatch.setattr(arena_module, "measure_arena", lambda model: ArenaUse(3000, 5000, 2488))
    # The depthwise layer with vectors: 4 rows of 124 channels, 9 taps; and 16 bytes for the dense layer.
    assert find_arena(parse_tflite(tiny_cnn()), "cortex-m55").scratch_bytes == 4464 + 16


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is for x86-64 Linux only"
)
def test_measured_in_the_real_interpreter():
    arena = find_arena(parse_tflite(tiny_dense()), "cortex-m3")
    assert arena.bytes % 16 == 0
    assert 500 < arena.measured_bytes < 5000
    assert arena.scratch_bytes == 0
    assert arena.measured_on.startswith("TFLite Micro ")


def test_without_tflite_micro_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="x86-64 Linux"):
        find_arena(parse_tflite(tiny_dense()), "cortex-m3")


def test_a_program_for_a_neural_processor_takes_what_its_compiler_planned():
    arena = find_arena(parse_tflite(tiny_compiled("ethos-u")), "cortex-m55")
    # Eight bytes in and four out, each in 16 of its own: this file has no plan.
    assert (arena.measured_bytes, arena.scratch_bytes, arena.measured_on) == (32, 0, "")
    assert arena.bytes == arena.measured_bytes + arena.margin_bytes
    planned = find_arena(parse_tflite(with_plan(tiny_compiled("ethos-u"), [0, 4])), "cortex-m55")
    assert planned.measured_bytes == 32
    overlapping = find_arena(parse_tflite(with_plan(tiny_compiled("ethos-u"), [0, 0])), "cortex-m55")
    assert overlapping.measured_bytes == 16
