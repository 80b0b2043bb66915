"""A model measured on the devices that a user names, in one or in several documents.

What is left there is removed if that was asked for, and what was measured stands beside what would have been
predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgesqueeze.base.findings import Finding
from edgesqueeze.devices.measure import Settings, measure, measure_all
from edgesqueeze.devices.records import Boards, Failure, Measurement
from edgesqueeze.devices.session import forget
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.errors import ConnectError, EdgeSqueezeError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.latency.correction import corrected
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.records import Target

Tell = Callable[[Finding], None]


class MeasuredBoards(NamedTuple):
    """What several devices measured.

    Attributes:
        measurements: those of the devices that measured the model, in the order in which they were named.
        failures: why the others did not.
    """

    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]

    @property
    def document(self) -> Measurement | Boards:
        """A single device's measurement, or one document for all of several."""
        if len(self.measurements) == 1 and not self.failures:
            return self.measurements[0]
        return Boards(boards=self.measurements, failures=self.failures)

    @property
    def exit_code(self) -> int:
        """1 if a device failed or was wrong, 2 if one could not be reached and nothing worse happened."""
        if not all(map(is_right, self.measurements)):
            return 1
        codes = [failure.exit_code for failure in self.failures]
        return 1 if 1 in codes else max(codes, default=0)


def measure_boards(
    model: TfliteModel,
    hosts: Sequence[Host | str],
    settings: Settings | None = None,
    *,
    target: Target | None = None,
    forget_after: bool = False,
    tell: Tell = lambda _: None,
) -> MeasuredBoards:
    """Measure a model on one device or on several side by side.

    Args:
        model: any .tflite that LiteRT runs.
        hosts: boards, or ``local``.
        settings: how to measure.
        target: a profile of such devices, to compare with.
        forget_after: whether to remove from the boards what measuring leaves there: models, the agent, an
            installed runtime.
        tell: is told what did not work beside the measurement: a board that could not be tidied, a model
            whose latency cannot be predicted.

    Raises:
        UsageError: a device that is named twice; settings that the device cannot meet.
        EdgeSqueezeError: what ``measure`` raises, if there is one device. One of several becomes a failure.
    """
    refuse_repeated(hosts)
    results = _measure(model, hosts, settings, forget_after, tell)
    return beside_prediction(model, results, target, tell)


def beside_prediction(
    model: TfliteModel, results: Sequence[Measurement | Failure], target: Target | None, tell: Tell
) -> MeasuredBoards:
    """What was measured, and what would have been predicted.

    Args:
        model: what was measured.
        results: what came of it on each device.
        target: a profile of such devices, to compare with.
        tell: as for ``measure_boards``.
    """
    measurements = tuple(one for one in results if isinstance(one, Measurement))
    if target:
        measurements = tuple(_beside(model, target, one, tell) for one in measurements)
    failures = tuple(one for one in results if isinstance(one, Failure))
    return MeasuredBoards(measurements, failures)


def refuse_repeated(hosts: Sequence[Host | str]) -> None:
    """Raise ``UsageError`` if a device is named twice."""
    names = Counter(host.destination if isinstance(host, Host) else host for host in hosts)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise UsageError(
            f"{twice[0]} is named more than once",
            expected="different devices",
            got=", ".join(names.elements()),
            hint="name each device once: two measurements there would disturb each other",
        )


def _measure(
    model: TfliteModel,
    hosts: Sequence[Host | str],
    settings: Settings | None,
    forget_after: bool,
    tell: Tell,
) -> Sequence[Measurement | Failure]:
    # Nothing was left on a device that could not be reached, and trying again takes its time.
    reached = list(hosts)
    try:
        if len(hosts) == 1:
            return [measure(model, hosts[0], settings)]
        results = measure_all(model, hosts, settings)
        reached = [host for host, one in zip(hosts, results, strict=True) if not _is_unreached(one)]
        return results
    except ConnectError:
        reached = []
        raise
    finally:
        # After an interrupt too.
        if forget_after:
            tidy(reached, tell)


def _is_unreached(result: Measurement | Failure) -> bool:
    return isinstance(result, Failure) and result.error == ConnectError.__name__


def tidy(hosts: Sequence[Host | str], tell: Tell) -> None:
    """Remove from boards what measuring left there; what cannot be removed is told."""
    for host in hosts:
        if not isinstance(host, Host):
            continue
        try:
            forget(host)
        except EdgeSqueezeError as error:
            message = f"what measuring left there could not be removed: {error}"
            tell(Finding(code="not-forgotten", subject=host.destination, message=message, severity="warning"))


def _beside(model: TfliteModel, target: Target, one: Measurement, tell: Tell) -> Measurement:
    """A measurement with what was predicted for the target, which it corrects."""
    named = one.model_copy(update={"target": target.name})
    if not target.latency:
        return named
    try:
        prediction = predict(model, target, threads=one.threads[0].threads)
    except EdgeSqueezeError as error:
        # What was measured is worth showing even so.
        tell(Finding(code="not-predicted", subject=target.name, message=f"not predicted: {error.problem}"))
        return named
    return named.model_copy(update={"predicted": corrected(prediction, one.latency_ms, one.host)})


def is_right(one: Measurement) -> bool:
    """Whether the outputs are right, and the model ran with every number of threads."""
    return one.outputs.ok and not any(finding.code == "failed" for finding in one.findings)
