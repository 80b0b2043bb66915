"""Firmware sources for a target, with what they need: a runtime's C++, or C without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.emit.names import c_name, module_name
from edgesqueeze.emit.native.for_target import native_needs, try_for
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.emit.scaling import Scaling, scaling_header
from edgesqueeze.emit.tflm import TflmSource, emit_tflm
from edgesqueeze.errors import MissingToolError, RequirementError, UnsupportedModelError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners.arena import find_arena
from edgesqueeze.runners.lean_array import TflmArray, tflm_array
from edgesqueeze.runners.memory import needs_on
from edgesqueeze.target.chosen_runtime import NATIVE
from edgesqueeze.target.fit import ModelNeeds
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.records import Target

NATIVE_FOLDER = "firmware"
"""Where C without a runtime goes in the output folder, which needs a folder of its own."""

BESIDE = ("main.c", "Makefile", "CMakeLists.txt")
"""What stands beside C without a runtime, whatever the model's name."""

NO_FILES: Mapping[str, str] = MappingProxyType({})


class FirmwareSources(NamedTuple):
    """What a target is given besides the .tflite.

    Attributes:
        needs: what the model asks of the target, for the fit.
        files: text by path in the output folder; empty where there is nothing to write.
        skipped: why there is nothing; empty where there is something.
    """

    needs: ModelNeeds
    files: Mapping[str, str] = NO_FILES
    skipped: str = ""

    @property
    def arena_bytes(self) -> int | None:
        """Memory that the firmware needs for tensors, in bytes; None where there is no firmware."""
        return self.needs.arena_bytes if self.files else None


def firmware_sources(model: TfliteModel, target: Target, scalings: Sequence[Scaling] = ()) -> FirmwareSources:
    """C where the target runs that, C++ for TensorFlow Lite Micro on other microcontrollers, else nothing.

    What a runtime refuses is a part of the needs, and the fit's business: the model and the report are still
    worth having.

    Args:
        model: the .tflite.
        target: the device.
        scalings: what is done with raw data before they are its inputs.
    """
    found = _sources(model, target)
    if not found.files:
        return found
    header = scaling_header(model, c_name(model.name), scalings)
    folder = f"{NATIVE_FOLDER}/" if target.runtime.name == NATIVE else ""
    return found._replace(files={**found.files, **{folder + name: text for name, text in header.items()}})


def source_names(name: str, target: Target) -> list[str]:
    """Names of the sources that a model's own name is in, in the output folder; none where there are none.

    Args:
        name: the model's name in C.
        target: the device.
    """
    if target.runtime.name == NATIVE:
        made = (f"{name}.h", f"{name}.c", f"{name}_weights.h", f"{name}_weights.c", *BESIDE)
        return [f"{NATIVE_FOLDER}/{one}" for one in made]
    return [f"{module_name(name)}.h", f"{module_name(name)}.cc"] if target.is_mcu else []


def tflm_source(
    model: TfliteModel, target: Target, *, name: str | None = None
) -> tuple[TflmSource, TflmArray]:
    """C++ for TensorFlow Lite Micro with the arena that was measured, and the array that it carries.

    Args:
        model: any .tflite that TFLM can run.
        target: the device.
        name: as ``emit_tflm``.

    Raises:
        UsageError: ``name`` is not valid in C.
        UnsupportedModelError: operators that TFLM does not have.
        RequirementError: TFLM refuses the model; with TFLM's own message.
        MissingToolError: the ``tflite-micro`` package is not installed.
    """
    arena = find_arena(model, target.cpu.core)
    array = tflm_array(model)
    return emit_tflm(model, arena, name=name, content=array.content), array


def _sources(model: TfliteModel, target: Target) -> FirmwareSources:
    if target.runtime.name == NATIVE:
        return _native(model, target)
    if not target.is_mcu:
        return FirmwareSources(needs_on(model, target), skipped=f"{target.name} loads the .tflite itself")
    try:
        source, _ = tflm_source(model, target)
    except (MissingToolError, RequirementError, UnsupportedModelError) as error:
        return FirmwareSources(needs_on(model, target), skipped=error.problem)
    needs = needs_of(model, source.arena.bytes, source.arena.method, model_bytes=source.array_bytes)
    return FirmwareSources(needs, source.files)


def _native(model: TfliteModel, target: Target) -> FirmwareSources:
    made = try_for(model, target)
    needs = native_needs(model, made, target)
    if isinstance(made, Refused):
        return FirmwareSources(needs, skipped=f"native C does not take the model: {made.refusals[0]}")
    return FirmwareSources(needs, {f"{NATIVE_FOLDER}/{name}": text for name, text in made.files.items()})
