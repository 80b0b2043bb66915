from collections import Counter

import pytest

from edgesqueeze.latency.cycles import (
    LayerCount,
    estimate_cycles,
    layer_counts,
    total,
)
from edgesqueeze.latency.flash import flash_of
from edgesqueeze.latency.instructions import Instruction
from edgesqueeze.latency.timings import TIMINGS
from edgesqueeze.runners.counts import Block, Counts
from edgesqueeze.target.load import list_targets, load_target
from edgesqueeze.target.records import CORES

# A loop of four instructions: LDR LDR MUL BNE.
LOOP = {
    address: Instruction(address, 2, kind)
    for address, kind in ((0, "load"), (2, "load"), (4, "multiply"), (6, "branch"), (8, "alu"))
}
COUNTS = Counts(
    (Block(0, 0, 6, 0, 9), Block(0, 0, 6, 8, 1), Block(1, 8, 8, 0x100, 1), Block(-1, 8, 8, 0, 1)),
    code_lines={0: 1, 1: 2},
    data_lines={0: 3},
)
CPU = load_target("nucleo-l4r5zi").cpu
M4 = (CPU.core, flash_of(CPU))


def count(kinds, **more):
    fields = {"taken": 0, "pipelined": 0, "overlapped": 0, "registers": 0, "code_lines": 0, "data_lines": 0}
    return LayerCount(Counter(kinds), **{**fields, **more})


def test_what_layers_execute():
    first, second, rest = layer_counts(COUNTS, LOOP, 2)
    # The successor 0 stands for the end of counting, not for a branch to address 0.
    assert first == count(
        {"load": 20, "multiply": 10, "branch": 10}, pipelined=10, code_lines=1, data_lines=3
    )
    assert second == count({"alu": 1}, taken=1, code_lines=2)
    assert rest == count({"alu": 1})
    assert total((first, second, rest)).instructions == 42


def executed(*kinds, registers=(), first=0, successor=0, times=10):
    """What one block of 2-byte instructions counts."""
    code = {
        first + 2 * place: Instruction(first + 2 * place, 2, kind, *registers[place : place + 1])
        for place, kind in enumerate(kinds)
    }
    block = Block(0, first, first + 2 * (len(kinds) - 1), successor, times)
    (layer, _) = layer_counts(Counts((block,), {}, {}), code, 1)
    return layer


@pytest.mark.parametrize(
    ("kinds", "pipelined"),
    [
        (("load", "multiply"), 0),
        (("alu", "load"), 0),
        (("load", "store"), 0),
        (("store", "load"), 10),
        (("float_store", "float_load", "load"), 20),
        (("load_multiple", "load"), 0),
    ],
)
def test_loads_behind_another_transfer_pipeline(kinds, pipelined):
    assert executed(*kinds).pipelined == pipelined


@pytest.mark.parametrize(
    ("kinds", "overlapped"),
    [
        (("vector_load", "vector_store"), 0),
        (("vector_load", "vector"), 10),
        (("alu", "vector"), 0),
        (("vector", "alu"), 0),
    ],
)
def test_vector_instructions_overlap_with_those_of_another_unit(kinds, overlapped):
    assert executed(*kinds).overlapped == overlapped


def test_only_multiple_transfers_count_their_registers():
    layer = executed("load_multiple", "load", "store_multiple", registers=(5, 1, 2))
    assert layer.registers == 10 * (5 + 2)


@pytest.mark.parametrize(
    ("last", "successor", "taken"),
    [("branch", 4, 0), ("branch", 6, 10), ("branch", 1, 10), ("branch", 0, 0), ("loop", 6, 0)],
)
def test_a_branch_is_taken_where_something_else_follows(last, successor, taken):
    assert executed("alu", last, successor=successor).taken == taken


def test_a_total_adds_everything():
    one = LayerCount(Counter(alu=1, load=2), 3, 4, 5, 6, 7, 8)
    other = LayerCount(Counter(load=10), 20, 30, 40, 50, 60, 70)
    assert total(iter([one, other])) == LayerCount(Counter(alu=1, load=12), 23, 34, 45, 56, 67, 78)
    assert total([]) == LayerCount(Counter(), 0, 0, 0, 0, 0, 0)


def test_a_loop_is_timed_as_the_manual_says():
    # LDR 2, LDR behind it 1 to 2, MUL 1, BNE 1, and 2 to 3 more when it is taken.
    loop = count({"load": 20, "multiply": 10, "branch": 10}, pipelined=10, taken=9)
    cycles = estimate_cycles(*M4, loop)
    assert cycles.estimate == 10 * (2 + 2 + 1 + 1) + 9 * 2.5
    assert cycles.low == pytest.approx(0.9 * (10 * 5 + 9 * 2))
    assert cycles.high == pytest.approx(1.1 * (10 * 6 + 9 * 3))


def test_multiple_transfers_take_a_cycle_for_each_register():
    cycles = estimate_cycles(*M4, count({"load_multiple": 2}, registers=6))
    assert cycles == (pytest.approx(0.9 * 8), 8, pytest.approx(1.1 * 8))


def test_a_load_that_pipelines_saves_a_cycle_at_most():
    cycles = estimate_cycles(*M4, count({"load": 10}, pipelined=4))
    assert cycles == (pytest.approx(0.9 * (10 * 2 - 4)), 10 * 2, pytest.approx(1.1 * 10 * 2))


def test_scalar_and_vector_instructions_have_factors_of_their_own():
    """On a Cortex-M85, which issues up to two instructions a cycle."""
    flash = flash_of(load_target("corstone-300").cpu)
    cycles = estimate_cycles("cortex-m85", flash, count({"alu": 10, "vector": 20, "vector_load": 1}, taken=4))
    scalar = (0.52 * (10 + 4 * 2), 0.59 * (10 + 4 * 2.5), 0.9 * (10 + 4 * 3))
    vector = (0.5 * 21, 0.6 * 21 * 2, 1 * 21 * 2)
    low, estimate, high = (one + other for one, other in zip(scalar, vector, strict=True))
    assert cycles == (pytest.approx(0.9 * low), pytest.approx(estimate), pytest.approx(1.1 * high))


def test_vector_instructions_of_two_units_overlap():
    units = ("vector_load", "vector_multiply", "vector_multiply", "vector", "alu", "vector_load")
    code = {4 * i: Instruction(4 * i, 4, kind) for i, kind in enumerate(units)}
    (layer, _) = layer_counts(Counts((Block(0, 0, 20, 0, 10),), {}, {}), code, 1)
    assert layer.overlapped == 20
    cycles = estimate_cycles("cortex-m55", flash_of(load_target("corstone-300").cpu), layer)
    assert cycles.estimate == 10 * 5 * 2 - 20 + 10 * 0.88


def test_waiting_for_flash():
    core = estimate_cycles(*M4, count({"alu": 100}))
    slow = estimate_cycles(*M4, count({"alu": 100}, code_lines=4, data_lines=2))
    assert (core.estimate, slow.estimate) == (100, 100 + 4 * 5 + 2 * 10)
    assert slow.low == pytest.approx(0.9 * (100 + 4 * 2.5 + 2 * 7.5))
    assert slow.high == pytest.approx(1.1 * (100 + 4 * 10 + 2 * 12))


def test_every_core_has_timings():
    assert set(TIMINGS) == {name for name, core in CORES.items() if core.microcontroller}


@pytest.mark.parametrize("target", [one for one in list_targets() if one.is_mcu], ids=lambda one: one.name)
def test_every_target_gets_a_range(target):
    kinds = dict.fromkeys(TIMINGS[target.cpu.core].cycles, 100)
    low, estimate, high = estimate_cycles(
        target.cpu.core,
        flash_of(target.cpu, target.memory),
        count(kinds, code_lines=5, data_lines=5, taken=50),
    )
    assert 0 < low < estimate < high
