"""Measuring, with a session that is made up; ``runtime_tests`` has real ones."""

import dataclasses
from types import SimpleNamespace

import pytest

from edgesqueeze.devices.jobs import JobResult
from edgesqueeze.errors import DeviceError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.fit_costs import predicted_ms
from edgesqueeze.latency.work import work_of
from edgesqueeze.timing.microbench_run import measure
from runtime_tests.support.devices import COSTS


class MadeUp:
    """A device whose times follow from known costs, every third of them disturbed."""

    name = "made up"

    def __init__(self, cores=2, failing=()):
        self.device = SimpleNamespace(usable_cores=cores)
        self.failing, self.orders, self.works = failing, [], {}

    def run(self, jobs, on_result=None):
        self.orders.append([job.name for job in jobs])
        return [self._result(job) for job in jobs]

    def _result(self, job):
        common = dict.fromkeys(JobResult.__dataclass_fields__)
        common |= {"name": job.name, "threads": job.threads, "error": "", "runtime": "ai-edge-litert"}
        if any(word in job.name for word in self.failing):
            return JobResult(**{**common, "times_ms": (), "error": "no such operator"})
        if job.sha256 not in self.works:
            self.works[job.sha256] = predicted_ms(COSTS, work_of(parse_tflite(job.content)))
        ms = self.works[job.sha256] * (5.0 if len(self.orders) == 2 else 1.0) / job.threads
        return JobResult(**{**common, "times_ms": (ms * 0.9, ms, ms * 3), "runtime_version": "9.9"})


@pytest.fixture(scope="module")
def session():
    return MadeUp()


@pytest.fixture(scope="module")
def measured(session):
    return measure(session)


def test_a_disturbed_round_does_not_count(session, measured):
    points = {(point.name, point.arithmetic, point.threads): point for point in measured.points}
    point = points["conv_1x1_7_64_96", "int8", 1]
    assert point.ms == pytest.approx(predicted_ms(COSTS, point.works))
    assert measured.spread == pytest.approx(0.0)
    assert measured.rounds == 3


def test_rounds_go_on_until_times_settle():
    class Restless(MadeUp):
        def _result(self, job):
            result = super()._result(job)
            factor = 2.0 ** max(0, 5 - len(self.orders))
            return dataclasses.replace(result, times_ms=tuple(ms * factor for ms in result.times_ms))

    measured = measure(Restless(cores=1))
    assert measured.rounds == 6  # the second to have the best time
    point = next(point for point in measured.points if point.name == "add_7x7x160")
    assert point.ms == pytest.approx(predicted_ms(COSTS, point.works))


def test_rounds_have_different_orders(session, measured):
    first, second, third = session.orders
    assert sorted(first) == sorted(second) == sorted(third)
    assert first != second != third


def test_networks_run_with_all_threads_and_operators_with_one(measured):
    threads = {}
    for point in measured.points:
        threads.setdefault(point.network, set()).add(point.threads)
    assert threads == {True: {1, 2}, False: {1}}


def test_the_runtime_is_noted(measured):
    assert (measured.runtime, measured.version) == ("ai-edge-litert", "9.9")


def test_a_missing_operator_is_left_out():
    measured = measure(MadeUp(cores=1, failing=("leaky_relu",)), rounds=1)
    names = {point.name for point in measured.points}
    assert not any("leaky" in name for name in names)
    assert any("tanh" in name for name in names)


def test_a_device_that_fails_nearly_everything_is_an_error():
    with pytest.raises(DeviceError, match="microbenchmarks") as caught:
        measure(MadeUp(failing=("conv", "a", "e")), rounds=1)
    assert "no such operator" in str(caught.value)


def test_a_clock_that_sees_no_time_is_no_fault():
    class Coarse(MadeUp):
        def _result(self, job):
            return dataclasses.replace(super()._result(job), times_ms=(0.0, 0.0, 0.0))

    measured = measure(Coarse(cores=1))
    assert all(point.ms > 0 for point in measured.points)
    assert measured.spread == 0
