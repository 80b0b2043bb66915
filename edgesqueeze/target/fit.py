"""Whether a model fits a target: flash, RAM and operators, with the numbers.

``check_fit`` needs only a small record of the model (``ModelNeeds``), so a report can be checked against
another target without its model file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import expect
from edgesqueeze.base.records import Record
from edgesqueeze.errors import FitError
from edgesqueeze.target.chosen_runtime import NATIVE, runtime_of
from edgesqueeze.target.code_size import estimate_code_size
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target
from edgesqueeze.target.runtimes import OPERATOR_SETS, OperatorSet, refusal

Verdict = Literal["fits", "tight", "does-not-fit", "not-checked"]

NEVER_QUANTIZED = frozenset({"bool", "int32", "int64", "uint32", "uint64"})
"""Types of inputs and outputs that hold no real numbers, but ids, counts or choices."""


class OperatorNeed(Record):
    """One kind of operator in a model.

    Attributes:
        kind: builtin operator name, or a custom operator's own name.
        activation: NumPy name of the element type of the first computed input; empty if unknown.
        weights: NumPy name of the element type of the constant weights; empty where there are none.
        count: number of operators of this kind with these types.
    """

    kind: str
    activation: str = ""
    weights: str = ""
    count: int = Field(default=1, ge=1)


class MissingOperator(Record):
    """An operator that the runtime does not execute, and why.

    Attributes:
        kind: builtin operator name, or a custom operator's own name.
        reason: why the runtime does not execute it.
    """

    kind: str
    reason: str


class RuntimeAnswer(Record):
    """What a runtime said about a model that it was given: more than a table of its operators can say.

    Attributes:
        runtime: name of the runtime, as in target profiles.
        available: number of operators that the runtime has.
        missing: operators of the model that the runtime refuses.
        problems: what else it refuses: inputs, outputs, subgraphs.
        method: how the runtime was asked, for the report.
    """

    runtime: str
    available: int = Field(ge=0)
    missing: tuple[MissingOperator, ...] = ()
    problems: tuple[str, ...] = ()
    method: str


class ModelNeeds(Record):
    """What a model asks of a target.

    Attributes:
        model_bytes: size of the .tflite, or of the constants that native C keeps in flash, in bytes; None if
            nobody knows.
        model_method: why ``model_bytes`` is not known, for the report.
        operators: the model's operators, by kind and types.
        inputs: NumPy names of the inputs' element types.
        outputs: NumPy names of the outputs' element types.
        arena_bytes: RAM for activations and scratch memory, in bytes; None if nobody knows.
        arena_method: how ``arena_bytes`` came about, for the report.
        code_bytes: size of the code in bytes, built or estimated from it; None: it is estimated here where
            possible.
        code_high_bytes: the same at worst, where it is estimated; None: as ``code_bytes``.
        code_method: how ``code_bytes`` came about, for the report.
        program_bytes: RAM for the program's variables and stack in bytes, where it was built; 0: not known.
        answer: what the runtime said about the model; None: its operators are looked up in a table.
    """

    model_bytes: int | None = Field(ge=0)
    model_method: str = ""
    operators: tuple[OperatorNeed, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    arena_bytes: int | None = Field(default=None, ge=0)
    arena_method: str = ""
    code_bytes: int | None = Field(default=None, ge=0)
    code_high_bytes: int | None = Field(default=None, ge=0)
    code_method: str = ""
    program_bytes: int = Field(default=0, ge=0)
    answer: RuntimeAnswer | None = None


class ResourceFit(Record):
    """Flash or RAM: what the model needs of what there is.

    Attributes:
        verdict: ``fits``; ``tight`` if the estimate fits but its error does not; ``does-not-fit``; or
            ``not-checked``.
        ok: whether nothing speaks against it; false only if the verdict is ``does-not-fit``.
        needed_bytes: memory that is needed, in bytes; null if unknown.
        high_bytes: memory that is needed at worst, in bytes, where a part is estimated; else as
            ``needed_bytes``.
        available_bytes: memory that the target leaves to the model, in bytes; null where there is no limit.
        share_percent: needed share of the available memory in percent, one decimal.
        parts: bytes that make up ``needed_bytes``, by name of the part.
        method: how the figures came about.
    """

    verdict: Verdict
    ok: bool
    needed_bytes: int | None
    high_bytes: int | None
    available_bytes: int | None
    share_percent: float | None
    parts: dict[str, int]
    method: str


class OperatorFit(Record):
    """Whether the runtime has every operator.

    Attributes:
        verdict: ``fits``, ``does-not-fit`` or ``not-checked``.
        ok: whether nothing speaks against it; false only if the verdict is ``does-not-fit``.
        runtime: name of the runtime.
        needed: kinds of operators in the model.
        available: number of operators that the runtime has; null if there is no table.
        missing: operators of the model that the runtime does not execute.
        problems: what else the runtime refuses: inputs, outputs, subgraphs.
        method: what was compared.
    """

    verdict: Verdict
    ok: bool
    runtime: str
    needed: tuple[str, ...]
    available: int | None
    missing: tuple[MissingOperator, ...]
    problems: tuple[str, ...] = ()
    method: str


class Fit(Record):
    """Whether a model fits a target.

    Attributes:
        target: name of the profile.
        ok: whether flash, RAM and operators are all in order.
        flash: flash that the model and the runtime's code need, and what there is of it.
        ram: RAM that the activations need, and what there is of it.
        ops: whether the runtime has the model's operators.
        findings: what does not stop the model but is worth knowing.
    """

    target: str
    ok: bool
    flash: ResourceFit
    ram: ResourceFit
    ops: OperatorFit
    findings: tuple[Finding, ...] = ()


def check_fit(target: str | Path | Target, needs: ModelNeeds, runtime: str | None = None) -> Fit:
    """Compare what a model needs with what a target has.

    Args:
        target: the profile, its name or its path.
        needs: the model's needs.
        runtime: one of the profile's ``runtime.name`` and ``runtime.also``; its ``name`` by default. ``c``
            is for every target: it needs a compiler only.

    Raises:
        UsageError: an argument of the wrong kind.
        TargetError: there is no such target, or it does not have that runtime.
    """
    target = as_target(target)
    expect(needs, ModelNeeds, "what a model needs, as ModelNeeds", "edgesqueeze.needs_of finds it out")
    runtime = runtime_of(target, runtime)
    flash = _check_flash(target, needs, runtime)
    ram = _check_ram(target, needs)
    ops = _check_operators(target, needs, runtime)
    return Fit(
        target=target.name,
        ok=flash.ok and ram.ok and ops.ok,
        flash=flash,
        ram=ram,
        ops=ops,
        findings=_findings(target, needs, flash, ram, ops),
    )


def raise_if_unfit(fit: Fit) -> None:
    """Raise if the model does not fit.

    Raises:
        FitError: with every number that is wrong.
    """
    if fit.ok:
        return
    lines = [_over(name, part) for name, part in (("flash", fit.flash), ("RAM", fit.ram)) if not part.ok]
    hints = ["quantize, prune or shrink the model, or choose a larger target"] if lines else []
    if not fit.ops.ok:
        lines += [f"operator {one.kind}: {one.reason}" for one in fit.ops.missing]
        lines += fit.ops.problems
        hints.append(
            "replace the layers that become these operators, quantize to types that the runtime has, or "
            "choose another runtime (--runtime)"
        )
    raise FitError(f"the model does not fit {fit.target}", got="; ".join(lines), hint="; ".join(hints))


def _over(name: str, part: ResourceFit) -> str:
    parts = " + ".join(f"{label} {size:,}" for label, size in part.parts.items())
    return f"{name}: {part.needed_bytes:,} bytes ({parts}) of {part.available_bytes:,} usable"


def _check_flash(target: Target, needs: ModelNeeds, runtime: str) -> ResourceFit:
    available = target.memory.usable_flash_bytes
    if needs.model_bytes is None:
        return _judge({}, None, available, needs.model_method or "the model's size is not known")
    parts = {"model": needs.model_bytes}
    if available is None:
        return _judge(parts, needs.model_bytes, None, "files are loaded from storage")
    if needs.code_bytes is not None:
        if needs.code_bytes:
            parts["runtime"] = needs.code_bytes
        high = needs.code_bytes if needs.code_high_bytes is None else needs.code_high_bytes
        return _judge(parts, needs.model_bytes + high, available, needs.code_method or "code as built")
    kinds = {operator.kind for operator in needs.operators}
    code = estimate_code_size(target.cpu.core, kinds) if runtime == "tflm" else None
    if code is None:
        method = f"model only: the size of {runtime}'s code is known after a build"
        return _judge(parts, needs.model_bytes, available, method)
    parts["runtime"] = code.code_bytes
    return _judge(parts, needs.model_bytes + code.high_bytes, available, f"runtime {code.method}")


def _check_ram(target: Target, needs: ModelNeeds) -> ResourceFit:
    available = target.memory.usable_ram_bytes
    if needs.arena_bytes is None:
        return _judge({}, None, available, needs.arena_method or "the arena's size is not known")
    parts = {"arena": needs.arena_bytes}
    if needs.program_bytes:
        parts["program"] = needs.program_bytes
    method = f"arena {needs.arena_method}" if needs.arena_method else "arena as given"
    if not target.is_mcu and needs.model_bytes is not None:
        parts["model"] = needs.model_bytes
        method += "; the file is loaded or mapped besides; the runtime's own memory is not counted"
    return _judge(parts, sum(parts.values()), available, method)


def _judge(parts: dict[str, int], high: int | None, available: int | None, method: str) -> ResourceFit:
    needed = sum(parts.values()) if parts else None
    verdict: Verdict = "not-checked"
    share = None
    if needed is not None and high is not None and available is not None:
        verdict = "does-not-fit" if needed > available else "tight" if high > available else "fits"
        share = round(100 * needed / available, 1)
    return ResourceFit(
        verdict=verdict,
        ok=verdict != "does-not-fit",
        needed_bytes=needed,
        high_bytes=high,
        available_bytes=available,
        share_percent=share,
        parts=parts,
        method=method,
    )


def _check_operators(target: Target, needs: ModelNeeds, runtime: str) -> OperatorFit:
    answer = needs.answer
    if answer is not None and answer.runtime == runtime:
        return _operator_fit(needs, runtime, answer.available, answer.missing, answer.method, answer.problems)
    operators = _operator_set(target, runtime)
    if operators is None:
        method = f"there is no table of {runtime}'s operators; running the model tells"
        if runtime == NATIVE:
            method = "generating the C tells, as emit, compress, inspect and edgesqueeze.fit_to do"
        return _operator_fit(needs, runtime, None, (), method)
    reasons = {
        (operator.kind, refusal(operators, operator.kind, operator.activation, operator.weights))
        for operator in needs.operators
    }
    missing = tuple(MissingOperator(kind=kind, reason=why) for kind, why in sorted(reasons) if why)
    available = len(operators.builtin) + len(operators.custom)
    method = f"names and element types against the table of {operators.version}"
    return _operator_fit(needs, runtime, available, missing, method)


def _operator_fit(
    needs: ModelNeeds,
    runtime: str,
    available: int | None,
    missing: tuple[MissingOperator, ...],
    method: str,
    problems: tuple[str, ...] = (),
) -> OperatorFit:
    verdict: Verdict = "does-not-fit" if missing or problems else "fits"
    return OperatorFit(
        verdict="not-checked" if available is None else verdict,
        ok=not (missing or problems),
        runtime=runtime,
        needed=tuple(sorted({operator.kind for operator in needs.operators})),
        available=available,
        missing=missing,
        problems=problems,
        method=method,
    )


def _operator_set(target: Target, runtime: str) -> OperatorSet | None:
    """The table of a runtime's operators; of C there is none, whatever a profile names."""
    if runtime == NATIVE:
        return None
    name = target.runtime.operators if runtime == target.runtime.name else runtime
    return OPERATOR_SETS.get(name)


def _findings(
    target: Target, needs: ModelNeeds, flash: ResourceFit, ram: ResourceFit, ops: OperatorFit
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if ops.verdict == "not-checked":
        found.append(_finding("operators-not-checked", ops.runtime, f"not checked: {ops.method}", "warning"))
    if ram.verdict == "not-checked":
        # Phones and boards with gigabytes rarely run out; a microcontroller does.
        severity: Literal["note", "warning"] = "warning" if target.is_mcu else "note"
        found.append(_finding("ram-not-checked", "RAM", f"not checked: {ram.method}", severity))
    if flash.verdict == "tight":
        message = (
            f"the estimate of {flash.needed_bytes:,} bytes fits in {flash.available_bytes:,}, "
            f"but with its error it can be {flash.high_bytes:,}; build to be sure"
        )
        found.append(_finding("flash-tight", "flash", message, "warning"))
    floats = [one.kind for one in needs.operators if one.activation == "float32"]
    floats = [kind for kind in floats if kind not in ("QUANTIZE", "DEQUANTIZE")]
    if floats and target.cpu.fpu == "none":
        message = f"{target.cpu.core} has no FPU: float32 operators run in software, many times slower"
        found.append(_finding("float-without-fpu", ", ".join(sorted(set(floats))), message, "warning"))
    wanted = target.preferences.io
    # Where nothing computes in that type, a conversion is what it would take, not what it would spare.
    computes = any(one.activation == wanted for one in needs.operators)
    for direction, types in (("inputs", needs.inputs), ("outputs", needs.outputs)):
        # Token ids and chosen classes are no real numbers: nothing converts them.
        others = sorted({one for one in types if one != wanted} - NEVER_QUANTIZED)
        if target.is_mcu and computes and others and others != ["int16"]:
            message = f"{' and '.join(others)} where {wanted} spares a conversion (--io {wanted})"
            found.append(_finding("io-type", direction, message, "note"))
    return tuple(found)


def _finding(code: str, subject: str, message: str, severity: Literal["note", "warning"]) -> Finding:
    return Finding(code=code, subject=subject, message=message, severity=severity)
