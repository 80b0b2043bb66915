"""Predict a model's latency on a target from the file alone; ``tflm`` and ``litert`` have the models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from edgesqueeze.base.records import Range
from edgesqueeze.errors import FitError, TargetError, UnsupportedModelError, UsageError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.npu import refuse_npu
from edgesqueeze.graph.shapes import refuse_open
from edgesqueeze.latency.builds import Build
from edgesqueeze.latency.cost import activation_bytes
from edgesqueeze.latency.four_bits import with_four_bits
from edgesqueeze.latency.prediction import PredictedLayer, PredictedMemory, Prediction
from edgesqueeze.latency.records import CONFIDENCE, Bounds, Estimate
from edgesqueeze.latency.work import Work, work_of
from edgesqueeze.target.load import as_target
from edgesqueeze.target.needs import types_of
from edgesqueeze.target.records import Target
from edgesqueeze.target.runtimes import OPERATOR_SETS, refusal

CONTROL_FLOW = frozenset({"WHILE", "IF", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE"})
"""Operators that run another graph of the model, some as often as their inputs say."""


def predict(
    model: str | Path | TfliteModel,
    target: str | Path | Target,
    *,
    runtime: str = "",
    threads: int = 1,
    build: Build | None = None,
) -> Prediction:
    """Predict the latency of one inference.

    Args:
        model: a .tflite without control flow, or its path.
        target: a profile, its name or its path, with a section ``[latency]``.
        runtime: what shall run it; by default what the section is for.
        threads: number of threads that run it.
        build: how the code of a microcontroller is compiled; ``O3`` by default.

    Raises:
        TargetError: the profile has no latency model.
        UsageError: the latency model is for another runtime, so many threads make no sense, or nothing is
            known of the build.
        TfliteError: an operator is malformed.
        UnsupportedModelError: the model has loops or branches, an input of open shape (``runners.resize``
            gives it one), or was compiled for a neural processor.
        FitError: the runtime refuses an operator.
    """
    model, target = as_model(model), as_target(target)
    latency = target.latency
    if latency is None:
        raise TargetError(
            f"the profile {target.name} has no latency model",
            expected="a section [latency]",
            hint="measure it with `edgesqueeze bench --ssh HOST`, or run `edgesqueeze calibrate --ssh HOST` "
            "once and use the target that it writes",
        )
    if runtime and runtime != latency.runtime:
        raise UsageError(
            f"the latency model of {target.name} is for another runtime",
            expected=latency.runtime,
            got=runtime,
            hint=f"use --runtime {latency.runtime}, or leave it out",
        )
    refuse_npu(model, "the latency cannot be predicted")
    refuse_open(model, "the latency cannot be predicted")
    _refuse_control_flow(model)
    _refuse_operators(model, target, latency.runtime)
    works = work_of(model)
    estimate = with_four_bits(model, _estimate(works, target, threads, build))
    basis = (*estimate.basis, *_unheard_of(works), *_too_large(model, target))
    result = _record(model, target, works, estimate._replace(basis=basis))
    return result.model_copy(update={"build": build or "O3"}) if target.is_mcu else result


def _refuse_control_flow(model: TfliteModel) -> None:
    opcodes = (operator.opcode for operator in model.main.operators)
    found = [opcode for opcode in dict.fromkeys(opcodes) if opcode in CONTROL_FLOW]
    if found:
        raise UnsupportedModelError(
            f"the latency of {model.name} cannot be predicted: it has control flow",
            expected="one graph of operators that each run once",
            got=", ".join(found),
            hint="measure it with `edgesqueeze bench --ssh HOST` or `--local`; a recurrent layer has no loop "
            "if Keras makes it with unroll=True",
        )


def _refuse_operators(model: TfliteModel, target: Target, runtime: str) -> None:
    """Refuse what the runtime does not run at all; its users may register custom operators of their own."""
    operators = OPERATOR_SETS.get(target.runtime.operators if runtime == target.runtime.name else runtime)
    if operators is None:
        return
    needed = {types_of(model.main, one) for one in model.main.operators if one.opcode != "CUSTOM"}
    reasons = [why for kind, *types in sorted(needed) if (why := refusal(operators, kind, *types))]
    if reasons:
        raise FitError(
            f"the latency of {model.name} cannot be predicted: {runtime} does not run it",
            expected=f"operators and types of {operators.version}",
            got="; ".join(reasons),
            hint=f"`edgesqueeze inspect --target {target.name}` names all that speaks against it; for a "
            "microcontroller int8 throughout is the safest choice (`compress --quantize int8`)",
        )


def _unheard_of(works: Sequence[Work]) -> Iterable[str]:
    """Name custom operators and rare ones: a guess that is far too low would not show in its own share."""
    found = dict.fromkeys(work.opcode for work in works if work.kind == "other")
    if found:
        yield (
            "What these operators take is not known, and the bounds may be too narrow for it: "
            f"{', '.join(found)}."
        )


def _too_large(model: TfliteModel, target: Target) -> Iterable[str]:
    flash = target.memory.usable_flash_bytes
    if flash and len(model.content) > flash:
        yield (
            f"The file alone has {len(model.content):,} bytes, and usable flash {flash:,}: it does not fit; "
            "this is what it would take."
        )


def _estimate(works: Sequence[Work], target: Target, threads: int, build: Build | None) -> Estimate:
    if target.is_mcu:
        if threads != 1:
            raise UsageError(
                f"{target.name} runs one thread",
                expected="1",
                got=str(threads),
                hint="leave out --threads",
            )
        from edgesqueeze.latency import tflm

        return tflm.predict(works, target, build or "O3")
    if build:
        raise UsageError(
            f"{target.name} runs a runtime that comes compiled",
            expected="a microcontroller, or no build",
            got=build,
            hint="leave out --build",
        )
    from edgesqueeze.latency import litert

    return litert.predict(works, target, threads)


def _record(model: TfliteModel, target: Target, works: Sequence[Work], estimate: Estimate) -> Prediction:
    whole = sum(bounds.estimate for bounds in estimate.layers) or 1.0
    return Prediction(
        model=model.name,
        sha256=model.sha256,
        target=target.name,
        core=target.cpu.core,
        clock_mhz=target.cpu.clock_mhz,
        runtime=estimate.runtime,
        runtime_version=estimate.runtime_version,
        threads=estimate.threads,
        confidence=CONFIDENCE,
        latency_ms=_range(estimate.total),
        macs=sum(work.macs for work in works),
        layers=tuple(
            PredictedLayer(
                index=work.index,
                opcode=work.opcode,
                name=work.name,
                summary=work.shapes,
                arithmetic=work.arithmetic,
                macs=work.macs,
                weights_bytes=work.weight_bytes,
                latency_ms=_range(bounds),
                share=round(bounds.estimate / whole, 4),
            )
            for work, bounds in zip(works, estimate.layers, strict=True)
        ),
        memory=PredictedMemory(
            flash_code_bytes=_code_bytes(works, target),
            flash_model_bytes=len(model.content),
            weights_bytes=sum(tensor.stored_bytes for tensor in model.main.tensors),
            activations_bytes=max(map(activation_bytes, works), default=0),
        ),
        basis=estimate.basis,
    )


def _code_bytes(works: Sequence[Work], target: Target) -> int | None:
    if not target.is_mcu:
        return None
    from edgesqueeze.target.code_size import estimate_code_size

    size = estimate_code_size(target.cpu.core, {work.opcode for work in works})
    return size.code_bytes if size else None


def _range(bounds: Bounds) -> Range:
    low, estimate, high = (float(f"{figure:.4g}") for figure in bounds)
    return Range(estimate=estimate, low=low, high=high)
