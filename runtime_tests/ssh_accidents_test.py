"""What can go wrong midway, on a device or on the way there: nothing hangs, lies or stays behind."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgesqueeze.devices.measure import Settings, measure, measure_all
from edgesqueeze.devices.session import open_session
from edgesqueeze.errors import DeviceError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.faulty_runtime import faulty_runtime
from runtime_tests.support.loopback_sshd import loopback_device
from runtime_tests.support.measuring import (
    brief_job,
    host_of,
    long_job,
    rests,
    runners,
    until,
)
from runtime_tests.support.tflite_builder import tiny_cnn

pytestmark = pytest.mark.usefixtures("no_client_stays")

MODEL = parse_tflite(tiny_cnn(), "cnn")
BRIEF = Settings(threads=(1, 2), min_runs=10, min_seconds=0.05, max_seconds=0.5)
# Which of ssh and the session notices first that nothing comes any more is a matter of luck.
LOST = re.compile("the connection to board was lost|board stopped answering")
# No model, but as large as one: it is never run.
LARGE = os.urandom(3_000_000)


# --- runtimes that misbehave ----------------------------------------------------------------------------


@pytest.mark.parametrize("only", ["", MODEL.sha256], ids=["every-operator", "whole-model"])
def test_wrong_outputs_are_reported(tmp_path, only):
    """Also where every operator alone is right, and only the whole model is not."""
    environment = faulty_runtime(tmp_path / "runtime", "wrong", threads=(2,), only=only)
    with loopback_device(tmp_path / "device", environment=environment) as device:
        found = measure(MODEL, host_of(device), BRIEF)
    assert found.outputs.compared
    assert not found.outputs.ok
    assert found.outputs.max_lsb > 2
    assert (found.outputs.worst_layer is None) == bool(only)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("crash", "SIGSEGV"),
        ("illegal", "built for another processor"),
        ("exit", "status 3"),
        ("hang", "took longer than"),
    ],
)
def test_a_job_that_fails_is_alone(tmp_path, fault, reason):
    """The fault is in two threads only: the jobs before and after it have their figures."""
    environment = faulty_runtime(tmp_path / "runtime", fault, threads=(2,))
    with loopback_device(tmp_path / "device", environment=environment) as device:
        with open_session(host_of(device)) as session:
            limits = {1: 300.0, 2: 1.0 if fault == "hang" else 300.0}
            jobs = [brief_job(threads=n, max_seconds=0.0, limit_seconds=limits[n]) for n in (1, 2, 1)]
            results = session.run(jobs)
        assert [bool(result.error) for result in results] == [False, True, False]
        assert reason in results[1].error
        assert results[1].times_ms == ()
        assert rests(device)


def test_runtime_that_prints_confuses_nobody(tmp_path):
    environment = faulty_runtime(tmp_path / "runtime", "noise")
    with loopback_device(tmp_path / "device", environment=environment) as device:
        with open_session(host_of(device)) as session:
            results = session.run([brief_job(want_outputs=True), brief_job(fresh_process=True)])
        assert rests(device)
    assert [result.error for result in results] == ["", ""]
    assert all(text.isprintable() for result in results for text in result.notes)


def test_model_that_is_none_fails_alone(device):
    with open_session(host_of(device)) as session:
        results = session.run([brief_job(content=b"no model" * 100), brief_job()])
    assert results[0].error
    assert results[1].error == ""


# --- accidents midway -----------------------------------------------------------------------------------


def interrupted(device, accident):
    """Two jobs, and an accident in the second: what was reported until then, and the error."""
    done = []
    with ThreadPoolExecutor(1) as pool:

        def run():
            with open_session(host_of(device)) as session:
                session.run([brief_job(), long_job()], on_result=done.append)

        future = pool.submit(run)
        assert until(lambda: done or future.done()), "no result"
        # The second is on its way.
        time.sleep(0.3)
        accident()
        # Long before the job's own time limit.
        error = future.exception(timeout=long_job().time_limit / 3)
    assert [result.name for result in done] == ["brief"]
    assert done[0].error == ""
    return error


def test_power_fails(device):
    error = interrupted(device, device.kill)
    assert isinstance(error, DeviceError)
    assert "the connection to board was lost" in error.problem


def test_connection_is_cut(device):
    error = interrupted(device, device.forwarder.drop)
    assert isinstance(error, DeviceError)
    assert "the connection to board was lost" in error.problem
    # The device notices too, and stops.
    assert rests(device)


@pytest.mark.slow
def test_network_goes_silent(device, hasty):
    error = interrupted(device, device.forwarder.stall)
    assert isinstance(error, DeviceError)
    assert LOST.match(error.problem)
    device.forwarder.drop()
    assert rests(device)


@pytest.mark.slow
def test_network_goes_silent_while_a_model_is_sent(device, hasty):
    with open_session(host_of(device)) as session:
        device.forwarder.stall(after=500_000)
        with pytest.raises(DeviceError, match=LOST):
            session.run([brief_job(content=LARGE)])
    device.forwarder.drop()
    assert rests(device)
    # Half a model is no model.
    assert until(lambda: all(name.endswith(".py") for name in device.files()))


def test_agent_is_killed(device):
    error = interrupted(device, lambda: os.kill(runners(device)[0], signal.SIGKILL))
    assert isinstance(error, DeviceError)
    assert "killed by SIGKILL" in error.problem
    assert "memory" in error.problem
    # Its children go with it.
    assert rests(device)


def test_job_is_killed(device):
    """The kernel ends the process that takes most memory; the agent itself goes on."""
    results = []
    with ThreadPoolExecutor(1) as pool, open_session(host_of(device)) as session:
        future = pool.submit(session.run, [long_job(), brief_job()], results.append)
        assert until(lambda: len(runners(device)) == 2)
        time.sleep(0.3)
        os.kill(runners(device)[-1], signal.SIGKILL)
        future.result(timeout=600)
    assert "SIGKILL" in results[0].error
    assert "memory" in results[0].error
    assert results[1].error == ""


def test_one_of_two_boards_fails_midway(device, tmp_path):
    """The other's measurement is whole."""
    slow = Settings(threads=(1,), min_runs=10, min_seconds=8.0, max_seconds=8.0)
    with loopback_device(tmp_path / "other") as other, ThreadPoolExecutor(1) as pool:
        hosts = [host_of(device), host_of(other)]
        future = pool.submit(measure_all, MODEL, hosts, slow)
        assert until(lambda: len(runners(device)) == 2)
        device.kill()
        failure, measurement = future.result(timeout=600)
    assert failure.error == "DeviceError"
    assert failure.exit_code == 1
    assert "lost" in failure.message
    assert measurement.outputs.ok


def test_rotten_model_is_sent_again(device):
    """After a loss of power, files often have their size and nothing else."""
    with open_session(host_of(device)) as session:
        session.run([brief_job()])
    (kept,) = device.home.rglob("*.tflite")
    kept.write_bytes(bytes(kept.stat().st_size))
    with open_session(host_of(device)) as session:
        assert session.run([brief_job()])[0].error == ""


def test_rotten_agent_is_sent_again(device):
    with open_session(host_of(device)):
        pass
    (kept,) = device.home.rglob("*.py")
    kept.write_bytes(kept.read_bytes()[:-1])
    with open_session(host_of(device)) as session:
        assert session.run([brief_job()])[0].error == ""


_CLIENT = """
import signal, sys
from edgesqueeze.graph import parse_tflite
from edgesqueeze.devices.ssh_host import parse_host
from edgesqueeze.devices.measure import Settings, measure_all
from runtime_tests.support.tflite_builder import tiny_cnn

# A job in the background is started with Ctrl-C switched off.
signal.signal(signal.SIGINT, signal.default_int_handler)
hosts = [parse_host("board", config) for config in sys.argv[1:]]
settings = Settings(threads=(1,), sustain_seconds=600.0)
measure_all(parse_tflite(tiny_cnn(), "cnn"), hosts, settings)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_devices_rest_when_this_computer_stops(device, tmp_path, number):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with loopback_device(tmp_path / "other") as other:
        command = [sys.executable, "-c", _CLIENT, str(device.config), str(other.config)]
        client = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        assert until(lambda: len(runners(device)) == len(runners(other)) == 2)
        client.send_signal(number)
        said = client.communicate(timeout=300)[1].decode()
        assert rests(device)
        assert rests(other)
    if number == signal.SIGINT:
        assert said.rstrip().endswith("KeyboardInterrupt")
        assert list(temporary.iterdir()) == []
