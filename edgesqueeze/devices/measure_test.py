import contextlib
import threading
import time

import pytest

from edgesqueeze.devices import measure as module
from edgesqueeze.devices.jobs import JobResult
from edgesqueeze.devices.measure import Settings, measure, measure_all, thread_counts
from edgesqueeze.devices.records import Failure, Measurement
from edgesqueeze.devices.session import open_local
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.errors import ConnectError, DeviceError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_residual

QUICK = Settings(min_runs=10, min_seconds=0.02, max_seconds=1, threads=(1,))


def test_numbers_of_threads():
    assert thread_counts(1) == (1,)
    assert thread_counts(3) == (1, 2, 3)
    assert thread_counts(4) == (1, 2, 3, 4)
    assert thread_counts(6) == (1, 2, 3, 4, 6)
    assert thread_counts(32) == (1, 2, 3, 4, 8, 16, 32)


def test_this_computer():
    model = parse_tflite(tiny_residual(), "tiny")
    started = time.monotonic()
    found = measure(model, "local", QUICK)
    elapsed = time.monotonic() - started
    assert found == Measurement.model_validate_json(found.model_dump_json())
    assert (found.host, found.model, found.sha256, found.method) == (
        "local",
        "tiny",
        model.sha256,
        "measured",
    )
    assert found.outputs.exact
    (run,) = found.threads
    assert run.runs >= 10
    assert 0 < run.min_ms <= run.median_ms <= run.p90_ms <= run.p99_ms
    assert (found.latency_ms.low, found.latency_ms.estimate) == (run.min_ms, run.median_ms)
    assert found.latency_ms.high == run.p90_ms
    assert run.speedup == 1
    assert found.memory.flash_model_bytes == len(model.content)
    assert found.memory.ram_bytes > 1e6
    assert 0 < found.overhead_seconds <= elapsed - run.runs * run.mean_ms / 1000
    assert found.layers == ()
    assert "no-layers" in {finding.code for finding in found.findings}


def test_a_sustained_run_uses_the_most_threads():
    with open_local() as here:
        threads = tuple(range(1, min(2, here.device.usable_cores) + 1))
        settings = Settings(threads=threads, min_runs=5, min_seconds=0.01, sustain_seconds=1.0)
        found = measure(parse_tflite(tiny_cnn()), here, settings)
    assert [run.threads for run in found.threads] == list(threads)
    assert len(found.sustained) == 1
    assert found.sustained_threads == threads[-1]


def test_a_model_that_the_device_cannot_run():
    graph = GraphBuilder()
    x = graph.input((1, 2), "float32")
    y = graph.tensor((1, 2), "float32")
    graph.op("CUSTOM", [x], [y], custom_name="Unheard")
    with pytest.raises(DeviceError, match=r"local cannot run odd: .*Unheard") as caught:
        measure(parse_tflite(graph.build([y]), "odd"), "local", QUICK)
    assert "ai-edge-litert" in caught.value.got


def test_a_fast_wrong_answer_is_told(monkeypatch):
    with open_local() as here:
        original = here.run

        def wrong(jobs, on_result=None):
            return [
                JobResult(**{**vars(result), "outputs": tuple(value ^ 64 for value in result.outputs)})
                for result in original(jobs)
            ]

        monkeypatch.setattr(here, "run", wrong)
        assert not measure(parse_tflite(tiny_residual()), here, QUICK).outputs.ok


def test_one_count_of_threads_may_fail(monkeypatch):
    with open_local() as here:
        original = here.run

        def half(jobs, on_result=None):
            (first,) = original(jobs[:1])
            return [first, JobResult("m", 2, error="killed by SIGSEGV")]

        monkeypatch.setattr(here, "run", half)
        monkeypatch.setattr(here, "device", here.device.model_copy(update={"usable_cores": 2}))
        found = measure(parse_tflite(tiny_residual()), here, Settings(min_runs=5, min_seconds=0))
    assert [run.threads for run in found.threads] == [1]
    assert "failed" in {finding.code for finding in found.findings}


def test_a_board_that_fails_does_not_hide_the_others(monkeypatch):
    @contextlib.contextmanager
    def unreachable(host, install=False):
        raise ConnectError(f"{host.destination} does not answer", hint="switch it on")
        yield

    monkeypatch.setattr(module, "open_session", unreachable)
    first, second = measure_all(parse_tflite(tiny_cnn()), [Host("pi"), "local"], QUICK)
    assert first == Failure(
        host="pi",
        error="ConnectError",
        message="pi does not answer\n  what to do: switch it on",
        exit_code=2,
    )
    assert isinstance(second, Measurement)


def test_boards_are_measured_side_by_side(monkeypatch):
    barrier = threading.Barrier(3, timeout=60)

    @contextlib.contextmanager
    def together(host, install=False):
        barrier.wait()
        raise DeviceError("done")
        yield

    monkeypatch.setattr(module, "open_session", together)
    failures = measure_all(parse_tflite(tiny_cnn()), [Host("a"), Host("b"), Host("c")])
    assert [(failure.host, failure.exit_code) for failure in failures] == [("a", 1), ("b", 1), ("c", 1)]


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def fault(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "measure_on", fault)
    with pytest.raises(ZeroDivisionError):
        measure_all(parse_tflite(tiny_cnn()), ["local"])


def test_an_interrupt_ends_what_runs(monkeypatch):
    settings = Settings(threads=(1,), min_runs=10**6, min_seconds=600, max_seconds=600)
    original = threading.Thread.join
    interrupted = []

    def join(self, timeout=None):
        if timeout is None and not interrupted:
            time.sleep(1)
            interrupted.append(self)
            raise KeyboardInterrupt
        return original(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        measure_all(parse_tflite(tiny_cnn()), ["local"], settings)
    # Left alone it would run for ten minutes, longer than anything waits for it.
    assert not interrupted[0].is_alive()


@pytest.mark.parametrize(
    "changes",
    [{"threads": ()}, {"threads": (0,)}, {"threads": (9999,)}, {"min_runs": 0}, {"max_seconds": -1}],
)
def test_settings_that_make_no_sense(changes):
    with pytest.raises(UsageError):
        Settings(**changes)


def test_more_threads_than_cores():
    with pytest.raises(UsageError, match="fewer cores"):
        measure(parse_tflite(tiny_cnn()), "local", Settings(threads=(1024,)))
    with pytest.raises(UsageError, match="no device"):
        measure(parse_tflite(tiny_cnn()), "elsewhere")
