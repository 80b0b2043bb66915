"""What each operator of a .tflite takes on a target, and what its weights hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.base.records import Range
from edgesqueeze.emit.memory_plan import planned
from edgesqueeze.emit.native.for_target import try_for
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.emit.places import Place
from edgesqueeze.emit.scratch import Family, cmsis_nn_extra
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.report.inspection import inspect_model
from edgesqueeze.target.chosen_runtime import NATIVE, runtime_of
from edgesqueeze.target.records import CORES, Target
from edgesqueeze.timing.bench import bench
from edgesqueeze.timing.emulation import Emulation

NO_ERRORS: Mapping[int, float] = MappingProxyType({})
PLANNED = "planned as TensorFlow Lite Micro does it: the largest first, each at the lowest free place"
NATIVE_PLAN = "planned when the C was generated; an output may lie over an input that is not needed any more"


class Layer(NamedTuple):
    """One operator.

    Attributes:
        number: position among the operators of the main graph; None for what only converts inputs or outputs.
        kind: name of the operator, as in the TFLite schema.
        name: name of its first output in the model.
        shape: shape of that output.
        ms: time of one inference, in milliseconds; None where it is not known.
        macs: multiply-accumulates of one inference.
        flash_bytes: bytes of its weights, biases and other constants of real numbers.
        ram_bytes: bytes of the arena in use while it runs; None where they are not known.
        zeros: share of its weights that are zero, 0 to 1; None without weights.
        levels: most different values in one of its weight tensors; None without weights.
        error: how far it is off the float model, as ``report.details`` says; None where that is not known.
    """

    number: int | None
    kind: str
    name: str
    shape: tuple[int, ...]
    ms: Range | None
    macs: int
    flash_bytes: int
    ram_bytes: int | None
    zeros: float | None
    levels: int | None
    error: float | None = None


class Arena(NamedTuple):
    """What lies where in the arena, and when.

    Attributes:
        places: tensors and scratch memory.
        layers: what runs, in order: the points of time of ``places``.
        bytes: the first byte behind all places.
        method: how the places were found.
    """

    places: tuple[Place, ...]
    layers: tuple[str, ...]
    bytes: int
    method: str


class OnTarget(NamedTuple):
    """A model on a target with one runtime.

    Attributes:
        runtime: name of the runtime.
        layers: every operator, in the order of execution.
        arena: what lies where in memory.
        timing: how long an inference takes, or why that is not known.
    """

    runtime: str
    layers: tuple[Layer, ...]
    arena: Arena
    timing: Emulation | Prediction | str


def on_target(
    model: TfliteModel,
    target: Target | None,
    runtime: str = "",
    errors: Mapping[int, float] = NO_ERRORS,
) -> OnTarget:
    """What a model takes on a target, by operator.

    Args:
        model: any .tflite.
        target: the profile; None: it is not at hand, so neither is a time.
        runtime: that of the profile by default.
        errors: position of an operator -> how far it is off the float model.

    Raises:
        TargetError: the target does not have that runtime.
    """
    name = runtime_of(target, runtime) if target else runtime
    native = try_for(model, target) if target and name == NATIVE else None
    source = native if isinstance(native, NativeSource) else None
    timing = _timing(model, target, name)
    arena = _arena(model, target, source)
    layers = _layers(model, source, arena, timing)
    told = tuple(one._replace(error=None if one.number is None else errors.get(one.number)) for one in layers)
    return OnTarget(name, told, arena, timing)


def _timing(model: TfliteModel, target: Target | None, runtime: str) -> Emulation | Prediction | str:
    if target is None:
        return "the profile of the target is not at hand"
    try:
        return bench(model, target, runtime=runtime)
    except EdgeSqueezeError as error:
        return error.problem


def _arena(model: TfliteModel, target: Target | None, source: NativeSource | None) -> Arena:
    if source is not None:
        names = tuple(f"{layer.index} {layer.opcode}" for layer in source.layers)
        return Arena(source.places, names, source.arena_bytes, NATIVE_PLAN)
    known = CORES.get(target.cpu.core) if target else None
    mcu = known is not None and known.microcontroller
    family: Family = "plain"
    if known is not None and mcu:
        family = "mve" if known.vectors else "dsp" if known.dsp else "plain"
    scratch = cmsis_nn_extra(model.main, family).scratch if mcu else {}
    places = tuple(planned(model.main, scratch))
    names = tuple(f"{one.index} {one.kind}" for one in model.main.operators)
    return Arena(places, names, max((one.end for one in places), default=0), PLANNED)


def _layers(
    model: TfliteModel, source: NativeSource | None, arena: Arena, timing: Emulation | Prediction | str
) -> list[Layer]:
    """Every operator; what native C runs besides them, to convert inputs and outputs, comes last."""
    times = {} if isinstance(timing, str) else _times(timing)
    used = _used(arena)
    # Native C numbers its own layers; both know the name of what an operator writes.
    own = {layer.name: layer for layer in source.layers} if source else {}
    found = []
    for one in inspect_model(model).operators:
        if one.subgraph:
            continue
        operator = model.main.operators[one.index]
        name = model.main.tensors[operator.outputs[0]].name if operator.outputs else ""
        layer = own.pop(name, None)
        place = layer.index if layer else None if source else one.index
        found.append(
            Layer(
                number=one.index,
                kind=one.kind,
                name=name,
                shape=one.output_shape,
                ms=times.pop(place, None),
                macs=one.macs,
                flash_bytes=layer.weights_bytes if layer else one.weights_bytes,
                ram_bytes=None if place is None else layer.ram_bytes if layer else used[place],
                zeros=one.sparsity,
                levels=one.distinct_values,
            )
        )
    found += [
        Layer(
            None,
            one.opcode,
            one.name,
            (),
            times.get(one.index),
            0,
            one.weights_bytes,
            one.ram_bytes,
            None,
            None,
        )
        for one in own.values()
    ]
    return found


def _times(timing: Emulation | Prediction) -> dict[int | None, Range]:
    """Layer -> time in milliseconds."""
    if isinstance(timing, Prediction):
        return {layer.index: layer.latency_ms for layer in timing.layers}
    per_ms = timing.clock_mhz * 1000
    return {
        layer.index: Range(**{key: value / per_ms for key, value in layer.cycles.model_dump().items()})
        for layer in timing.layers
    }


def _used(arena: Arena) -> Sequence[int]:
    """Layer by layer the bytes in use; places of TensorFlow Lite Micro do not overlap."""
    used = [0] * len(arena.layers)
    for place in arena.places:
        for layer in range(max(place.first, 0), min(place.last + 1, len(used))):
            used[layer] += place.size
    return used
