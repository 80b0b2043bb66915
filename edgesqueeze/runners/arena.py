"""How large a TFLite Micro arena must be: measured, then completed for the core that it will run on.

The measurement is made with the reference kernels on a 64-bit host. A Cortex-M differs in two ways:
pointers in the interpreter's own records are half as wide, so that part shrinks; and CMSIS-NN's kernels
need scratch memory, which is added by its own sizing rules (``scratch.py``). The shrinking is not
subtracted: it covers the few bytes per operator that CMSIS-NN's records take more.

Compared with what TFLM with CMSIS-NN uses on emulated Cortex-M3, M4, M7 and M55, for eight int8 models of
4 to 33 operators, the result was 1.0 to 3.3 KB too large and never too small: at most 15 % or 2 KB each.
"""

from __future__ import annotations

import platform
from pathlib import Path

from edgesqueeze.base.versions import installed_version
from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.memory_plan import aligned, compiled_bytes, planned_bytes
from edgesqueeze.emit.scratch import Extra, Family, cmsis_nn_extra
from edgesqueeze.graph import Graph, TfliteModel, as_model
from edgesqueeze.graph.npu import npu_of
from edgesqueeze.runners.tflm import measure_arena
from edgesqueeze.target.records import CORES, check_core

RECORDS_BYTES = 4096
"""For the interpreter's own records of a model of a few operators; those of seven operators
are 2.3 KB where pointers have 64 bits."""
SAFETY_BYTES = 256
"""For an arena that does not start at a multiple of 16, and for small changes between TFLM versions."""


def find_arena(model: str | Path | TfliteModel, core: str | None = None) -> Arena:
    """The arena that a model needs in TFLite Micro with reference or CMSIS-NN kernels.

    Args:
        model: any .tflite that TFLM can run, or its path.
        core: a Cortex-M core as target profiles call it (``cortex-m4``), or None for the largest need of
            any Cortex-M.

    Raises:
        UsageError: there is no core of that name.
        UnsupportedModelError: operators that TFLM does not have.
        RequirementError: TFLM refuses the model; with TFLM's own message.
        MissingToolError: the ``tflite-micro`` package is not installed.
    """
    model = as_model(model)
    check_core(core)
    if npu_of(model):
        return _compiled(model, core)
    use = measure_arena(model)
    scratch = max(_added_bytes(model.main, family, use.head_bytes) for family in _families(core))
    return Arena(
        bytes=use.bytes + scratch + SAFETY_BYTES,
        measured_bytes=use.bytes,
        scratch_bytes=scratch,
        margin_bytes=SAFETY_BYTES,
        measured_on=_host(),
        method=_method(core),
        core=core,
    )


def _compiled(model: TfliteModel, core: str | None) -> Arena:
    """The arena of a model that runs on a neural processor only: what its compiler planned."""
    planned = compiled_bytes(model)
    return Arena(
        bytes=planned + RECORDS_BYTES,
        measured_bytes=planned,
        scratch_bytes=0,
        margin_bytes=RECORDS_BYTES,
        measured_on="",
        method="what the compiler planned for the tensors, and the interpreter's records added; not measured",
        core=core,
    )


def _families(core: str | None) -> tuple[Family, ...]:
    """Kernels that a core may run. Code for a smaller core runs on a larger one, so those are included."""
    known = CORES.get(core) if core else None
    if known is None or not known.microcontroller or known.vectors:
        return ("plain", "dsp", "mve")
    return ("plain", "dsp") if known.dsp else ("plain",)


def _added_bytes(graph: Graph, family: Family, head_bytes: int) -> int:
    extra = cmsis_nn_extra(graph, family)
    return extra.persistent + _growth(graph, extra, head_bytes)


def _growth(graph: Graph, extra: Extra, head_bytes: int) -> int:
    """How much scratch memory enlarges the shared part of the arena."""
    plan = planned_bytes(graph)
    if plan == aligned(head_bytes):
        return max(planned_bytes(graph, extra.scratch) - plan, 0)
    # Some kernel asks for scratch memory of its own; on top of what was measured is enough in any case.
    return aligned(max(extra.scratch.values(), default=0))


def _method(core: str | None) -> str:
    known = CORES.get(core) if core else None
    where = core if known and known.microcontroller else "any Cortex-M"
    return (
        f"measured in {_host()} with reference kernels; CMSIS-NN's scratch memory on {where} and safety added"
    )


def _host() -> str:
    tflm = installed_version("tflite-micro") or "(version unknown)"
    return f"TFLite Micro {tflm} on {platform.machine()}"
