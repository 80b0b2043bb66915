from edgesqueeze.devices.jobs import JobResult
from edgesqueeze.devices.look import Clock, decode_throttled, device_of
from edgesqueeze.devices.look_test import PI4
from edgesqueeze.devices.notes import findings_of
from edgesqueeze.devices.records import SustainedSecond, ThreadRun

QUIET = device_of({**PI4, "throttled": 0, "clocks": []})


def run(**changes):
    figures = {"threads": 1, "runs": 50, "load_ms": 1, "median_ms": 2, "mean_ms": 2, "min_ms": 2, "p90_ms": 2}
    return ThreadRun(**{**figures, "p99_ms": 2, "peak_rss_bytes": None, "speedup": 1, **changes})


def second(t, median, throttled=False):
    return SustainedSecond(
        t_seconds=t, median_ms=median, temperature_c=None, clock_mhz=None, throttled=throttled
    )


def codes(before=QUIET, after=QUIET, runs=(), results=(), sustained=()):
    return {finding.code for finding in findings_of(before, after, runs, results, sustained, 50)} - {
        "no-layers"
    }


def changed(**changes):
    return QUIET.model_copy(update=changes)


def test_a_quiet_device_gives_no_cause():
    assert codes(runs=[run()], results=[JobResult("m", 1)], sustained=[second(1, 2), second(2, 2.1)]) == set()


def test_the_clock():
    clock = Clock(cpus="0", governor="ondemand", current_mhz=600, max_mhz=1800, limit_mhz=1500)
    assert codes(changed(clocks=(clock,))) == {"governor", "clock-limited"}
    fast = clock.model_copy(update={"governor": "performance", "limit_mhz": 1800})
    assert codes(changed(clocks=(fast,))) == set()


def test_power_and_temperature():
    assert codes(after=changed(throttling=decode_throttled(0x50005))) == {"throttled"}
    assert codes(after=changed(throttling=decode_throttled(0x50000))) == {"was-throttled"}


def test_the_system():
    assert codes(changed(busy_cores=1.0)) == {"other-load"}
    assert codes(after=changed(busy_cores=1.0)) == {"other-load"}
    assert codes(changed(busy_cores=0.1, load=2.0)) == set()
    assert codes(changed(bits=32)) == {"32-bit"}
    assert codes(changed(bits=32, architecture="armv7l")) == set()


def test_the_runs():
    assert codes(runs=[run(p90_ms=3)]) == {"spread"}
    assert codes(runs=[run(runs=10)]) == {"few-runs"}
    assert codes(results=[JobResult("m", 4, error="killed")]) == {"failed"}
    assert codes(results=[JobResult("m", 4, steady=False)]) == {"unsteady-outputs"}


def test_a_sustained_run():
    assert codes(sustained=[second(1, 2), second(9, 3)]) == {"slows-down"}
    assert codes(sustained=[second(1, 2), second(9, 2, True)]) == {"throttles"}
