import numpy as np
import pytest

from edgesqueeze.devices import layers as module
from edgesqueeze.devices.jobs import JobResult
from edgesqueeze.devices.layers import measured_layers
from edgesqueeze.devices.measure import Settings, measure
from edgesqueeze.errors import DeviceError, UsageError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.tflite_builder import tiny_residual

MODEL = parse_tflite(tiny_residual(), "tiny")
COUNT = len(MODEL.main.operators)


class Device:
    """Answers with the times that a test gives it, round by round."""

    name = "pi"

    def __init__(self, *rounds, error=""):
        self.rounds, self.error, self.asked = list(rounds), error, []

    def run(self, jobs):
        self.asked.append(jobs)
        times = self.rounds.pop(0)
        return [
            JobResult(job.name, 1, times_ms=(ms,), error=self.error)
            for job, ms in zip(jobs, times, strict=True)
        ]


def test_a_layer_takes_what_is_between_two_models():
    times = np.cumsum(np.arange(1, COUNT + 1.0))
    device = Device(times, times + 5, times + 0.5)
    found = measured_layers(device, MODEL, [], 2)
    assert [one.latency_ms.estimate for one in found] == pytest.approx(range(1, COUNT + 1))
    assert [one.opcode for one in found] == [one.kind for one in MODEL.main.operators]
    assert sum(one.share for one in found) == pytest.approx(1, abs=1e-3)
    # The best of three rounds counts, and how near the second best is says how sure it is.
    assert found[0].latency_ms.high == pytest.approx(1.5)
    assert found[1].latency_ms.high == pytest.approx(2 + np.hypot(0.5, 0.5))
    assert {job.threads for jobs in device.asked for job in jobs} == {2}


def test_less_than_nothing_is_nothing():
    times = np.ones(COUNT)
    times[-1] = 0.5
    last = measured_layers(Device(times, times, times), MODEL, [], 1)[-1]
    assert (last.latency_ms.estimate, last.latency_ms.low, last.latency_ms.high, last.share) == (0, 0, 0, 0)


def test_a_beginning_that_the_device_cannot_run():
    with pytest.raises(DeviceError, match="pi cannot run the first 1 operators of tiny: no memory"):
        measured_layers(Device(np.ones(COUNT), error="no memory"), MODEL, [], 1)


def test_too_many_operators(monkeypatch):
    monkeypatch.setattr(module, "MOST_LAYERS", COUNT - 1)
    with pytest.raises(UsageError, match="too many operators"):
        measured_layers(Device(), MODEL, [], 1)


def test_this_computer(monkeypatch):
    monkeypatch.setattr(module, "MIN_SECONDS", 0.01)
    settings = Settings(min_runs=10, min_seconds=0.02, max_seconds=1, threads=(1,), layers=True)
    found = measure(MODEL, "local", settings)
    assert [one.index for one in found.layers] == list(range(COUNT))
    assert all(one.latency_ms.low <= one.latency_ms.estimate <= one.latency_ms.high for one in found.layers)
    assert sum(one.latency_ms.estimate for one in found.layers) > 0
    assert "no-layers" not in {finding.code for finding in found.findings}
