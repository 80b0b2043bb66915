"""One verdict on every device: how long a model takes there, and whether it computes the same.

All devices get the same inputs, one device after the other, so that none disturbs a measurement on this
computer. A microcontroller is emulated with native C and predicted with its own runtime; what a predicted
runtime computes is found out on this computer. One device that fails does not lose what the others found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from edgesqueeze.base.findings import Finding
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.data import unused_labels
from edgesqueeze.checks.parity import Reference, choose_reference, compare_runtimes, said_by
from edgesqueeze.checks.records import RuntimeParity
from edgesqueeze.devices.measure import Settings, measure, outputs_on
from edgesqueeze.devices.records import Failure, Measurement
from edgesqueeze.devices.session import LOCAL, Session, open_local, open_session
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.errors import EdgeSqueezeError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.npu import refuse_npu
from edgesqueeze.graph.shapes import refuse_open
from edgesqueeze.graph.state import state_of
from edgesqueeze.latency.builds import BUILDS, Build, as_built
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.runners import qemu
from edgesqueeze.runners.registry import RUNNERS, Runner, find_runner, with_state
from edgesqueeze.runners.samples import (
    EvalData,
    Outputs,
    Samples,
    data_samples,
    named_places,
    random_data,
    real_outputs,
)
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target
from edgesqueeze.timing.bench import EMULATED, bench
from edgesqueeze.timing.boards import is_right, refuse_repeated, tidy
from edgesqueeze.timing.emulation import Emulation
from edgesqueeze.timing.verdict import DeviceVerdict, Verdicts

RANDOM_SAMPLES = 3
MAX_SAMPLES = 64
"""How many samples of the data every device computes unless told otherwise."""
DEVICE = "device"
Timing = Emulation | Prediction | Measurement
Ask = Callable[[], DeviceVerdict]


class Wishes(NamedTuple):
    """How the devices are asked.

    Attributes:
        runtime: of targets, the only one to ask; by default native C and what ``[latency]`` is for.
        build: how a microcontroller's code is compiled; ``O3`` by default.
        optimize: what native C is made for; ``balance`` by default.
        settings: how boards measure.
        forget_after: whether to remove from boards what measuring leaves there.
    """

    runtime: str = ""
    build: Build | None = None
    optimize: Optimize | None = None
    settings: Settings = Settings(threads=(1,))
    forget_after: bool = False

    @property
    def threads(self) -> int:
        """Of predictions: as many as boards are measured with first."""
        return min(self.settings.threads or (1,))


class _Inputs(NamedTuple):
    """What every device is asked, and what is right."""

    model: TfliteModel
    data: EvalData
    samples: Samples
    reference: Reference


def judge_devices(
    model: TfliteModel,
    targets: Sequence[Target],
    hosts: Sequence[Host | str] = (),
    wishes: Wishes | None = None,
    *,
    data: EvalData | None = None,
    seed: int = 0,
    tell: Callable[[Finding], None] = lambda _: None,
) -> Verdicts:
    """Ask every device how long a model takes, and what it computes.

    Args:
        model: any .tflite.
        targets: profiles of devices that are emulated or predicted.
        hosts: boards, or ``local``, that measure.
        wishes: how they are asked.
        data: samples that all of them compute, with labels if there are any; by default random ones.
        seed: seed of the random samples.
        tell: is told what did not work beside: a board that could not be tidied.

    Raises:
        UsageError: no device, or one that is named twice.
        DataError: data that do not fit the model.
        UnsupportedModelError: a model that nothing on this computer can run.
    """
    wishes = wishes or Wishes()
    _check(targets, hosts)
    refuse_npu(model, "nothing on this computer can run it")
    refuse_open(model, "it cannot be compared")
    used = random_data(model, RANDOM_SAMPLES, seed) if data is None else data
    samples = data_samples(model, used)
    candidates = [with_state(runner, False) for runner in RUNNERS.values()]
    inputs = _Inputs(model, used, samples, choose_reference(model, samples, candidates))
    found, failures = [], []
    for name, ask in _questions(inputs, targets, hosts, wishes, tell):
        try:
            found.append(ask())
        except EdgeSqueezeError as error:
            failures.append(_failure(name, error))
    return Verdicts(
        model=model.name,
        sha256=model.sha256,
        data="random" if data is None else "given",
        samples=len(samples),
        reference=inputs.reference.runner.name,
        devices=tuple(found),
        failures=tuple(failures),
        findings=_findings(model, data),
    )


def _check(targets: Sequence[Target], hosts: Sequence[Host | str]) -> None:
    if not targets and not hosts:
        raise UsageError("which devices?", expected="at least one target, board, or local", got="none")
    refuse_repeated([target.name for target in targets])
    refuse_repeated(hosts)


def _questions(
    inputs: _Inputs,
    targets: Sequence[Target],
    hosts: Sequence[Host | str],
    wishes: Wishes,
    tell: Callable[[Finding], None],
) -> Iterator[tuple[str, Ask]]:
    """Every device and way, by a name for what fails."""
    for target in targets:
        for runtime in _runtimes(target, wishes):
            yield f"{target.name}, {runtime}", partial(_of_target, inputs, target, runtime, wishes)
    for host in hosts:
        name = host.destination if isinstance(host, Host) else host
        yield name, partial(_of_board, inputs, host, wishes, tell)


def _runtimes(target: Target, wishes: Wishes) -> tuple[str, ...]:
    predicted = (target.latency.runtime,) if target.latency else ()
    if wishes.runtime:
        return (wishes.runtime,)
    return (EMULATED, *predicted) if target.is_mcu else predicted or (target.runtime.name,)


def _of_target(inputs: _Inputs, target: Target, runtime: str, wishes: Wishes) -> DeviceVerdict:
    emulated = runtime == EMULATED
    timing = bench(
        inputs.model,
        target,
        runtime=runtime,
        build=wishes.build if target.is_mcu else None,
        optimize=wishes.optimize if emulated else None,
        threads=1 if target.is_mcu else wishes.threads,
    )
    if emulated:
        build = wishes.build or "O3"
        processor = processor_of(as_built(target.cpu, build))
        run = partial(_run_on_core, qemu.runner(processor, carry_state=False, level=BUILDS[build].level))
        runner = Runner(DEVICE, f"native C on an emulated {target.cpu.core}", lambda: None, run)
    else:
        known = with_state(find_runner(runtime), False)
        runner = replace(known, title=f"{known.title}, on this computer")
    return _verdict(inputs, target.name, timing, runner)


def _of_board(
    inputs: _Inputs, host: Host | str, wishes: Wishes, tell: Callable[[Finding], None]
) -> DeviceVerdict:
    reached = False
    try:
        with _opened(host, wishes.settings) as session:
            reached = True
            timing = measure(inputs.model, session, wishes.settings)
            run = partial(_run_there, session, timing.threads[0].threads)
            runner = Runner(DEVICE, f"{timing.runtime} there", lambda: None, run)
            verdict = _verdict(inputs, session.name, timing, runner)
            # A board that measures and then gives no outputs has failed.
            right = verdict.ok and verdict.parity is not None and is_right(timing)
            return verdict.model_copy(update={"ok": right})
    finally:
        if reached and wishes.forget_after:
            tidy([host], tell)


def _opened(host: Host | str, settings: Settings) -> AbstractContextManager[Session]:
    if isinstance(host, Host):
        return open_session(host, settings.install)
    if host == LOCAL:
        return open_local()
    raise UsageError("that is no device", expected=f"a Host, or {LOCAL!r}", got=repr(host))


def _run_on_core(
    run: Callable[[TfliteModel, Samples], Outputs],
    model: TfliteModel,
    samples: Samples,
    *,
    carry_state: bool | None = None,
) -> Outputs:
    return run(model, samples)


def _run_there(
    session: Session, threads: int, model: TfliteModel, samples: Samples, *, carry_state: bool | None = None
) -> Outputs:
    return outputs_on(session, model, samples, threads)


def _verdict(inputs: _Inputs, device: str, timing: Timing, runner: Runner) -> DeviceVerdict:
    parity, outputs, reason = _compared(inputs, runner)
    return DeviceVerdict(
        device=device,
        method=timing.method,
        runtime=timing.runtime,
        latency_ms=timing.latency_ms,
        ok=parity is None or parity.ok,
        computed_by=runner.title,
        parity=parity,
        reason=reason,
        fidelity=_fidelity(inputs, outputs),
        timing=timing,
    )


def _compared(inputs: _Inputs, runner: Runner) -> tuple[RuntimeParity | None, Outputs | None, str]:
    """How a device's outputs compare, and the outputs; or why there are none."""
    reason = runner.available()
    if reason is None:
        try:
            outputs = runner.run(inputs.model, inputs.samples)
            return _parity(inputs, runner, outputs), outputs, ""
        except EdgeSqueezeError as error:
            reason = said_by(error)
    return None, None, reason


def _parity(inputs: _Inputs, runner: Runner, outputs: Outputs) -> RuntimeParity:
    def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
        return outputs if model is inputs.model else runner.run(model, samples)

    known = replace(runner, run=run)
    return compare_runtimes(inputs.model, inputs.samples, [known], reference=inputs.reference).runtimes[-1]


def _fidelity(inputs: _Inputs, outputs: Outputs | None) -> Fidelity | None:
    if outputs is None or inputs.data.labels is None:
        return None
    shapes = [tensor.shape[1:] for tensor in inputs.model.main.input_tensors]
    real = real_outputs(inputs.model, outputs, len(inputs.data.inputs[0]))
    return fidelity(None, real, inputs.data.labels, shapes, places=named_places(inputs.model))


def _findings(model: TfliteModel, data: EvalData | None) -> tuple[Finding, ...]:
    found = []
    if data is None:
        message = "no data given: random inputs say nothing about accuracy"
        found.append(Finding(code="no-data", subject=model.name, message=message))
    elif data.named and data.labels is None:
        found += unused_labels(model, data, "call them as the outputs")
    elif data.labels is None:
        message = "the data have no labels for the outputs: nothing is said of accuracy"
        found.append(Finding(code="no-labels", subject=model.name, message=message))
    if state_of(model):
        message = "the model's state is forgotten before every sample, on every device"
        found.append(Finding(code="state-reset", subject=model.name, message=message))
    return tuple(found)


def _failure(name: str, error: EdgeSqueezeError) -> Failure:
    return Failure(host=name, error=type(error).__name__, message=str(error), exit_code=error.exit_code)
