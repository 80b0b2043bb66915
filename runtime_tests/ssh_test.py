"""Measuring over SSH, for real: an OpenSSH server on this machine, and an emulated Raspberry Pi behind it."""

import os

import numpy as np
import pytest

from edgesqueeze.devices.measure import Settings, measure, measure_all
from edgesqueeze.devices.session import forget, open_session
from edgesqueeze.devices.ssh_host import parse_host
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.loopback_sshd import ALIAS, loopback_device
from runtime_tests.support.measuring import brief_job, host_of, rests
from runtime_tests.support.mltk_models import mltk_model
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads
from runtime_tests.support.virtual_pi import CLOCK_MHZ, CORES, MODEL, TEMPERATURE_C

MODELS = {
    "cnn": tiny_cnn(),
    "cnn-uint8-io": tiny_cnn(io="uint8"),
    "dense-float": tiny_dense(dtype="float32"),
    "dense-int16": tiny_dense(dtype="int16"),
    "residual": tiny_residual(),
    "two-heads": tiny_two_heads(),
}
pytestmark = pytest.mark.usefixtures("no_client_stays")

KEYWORDS = "keyword_spotting"
BRIEF = Settings(min_runs=10, min_seconds=0.05, max_seconds=0.5)


def inputs_of(content):
    model = parse_tflite(content, "model")
    return model, data_samples(model, random_data(model, 1, seed=3))[0]


# --- outputs and figures --------------------------------------------------------------------------------


def compared(device, threads):
    """For each model and number of threads: this computer's outputs, and what the device made of them."""
    cases = [(content, *inputs_of(content), count) for content in MODELS.values() for count in threads]
    with open_session(host_of(device)) as session:
        results = session.run(
            [
                brief_job(content, inputs=sample, threads=count, want_outputs=True)
                for content, _, sample, count in cases
            ]
        )
    for (_, model, sample, _), result in zip(cases, results, strict=True):
        assert result.error == ""
        assert len(result.times_ms) >= 5
        assert min(result.times_ms) > 0
        expected = litert.run(model, [sample])[0]
        assert [(a.shape, a.dtype) for a in expected] == [(b.shape, b.dtype) for b in result.outputs]
        yield from zip(expected, result.outputs, strict=True)


def test_board_computes_what_this_computer_does(board):
    for ours, theirs in compared(board, threads=(1, 2)):
        np.testing.assert_array_equal(ours, theirs)


def test_pi_computes_what_this_computer_does(pi):
    """Another architecture and an older runtime: within a step, and float within rounding."""
    for ours, theirs in compared(pi, threads=(1,)):
        limit = 1e-5 if ours.dtype.kind == "f" else 1
        assert np.abs(ours.astype(float) - theirs.astype(float)).max() <= limit


def test_measurement_of_a_pi(pi):
    content = mltk_model(KEYWORDS).read_bytes()
    settings = Settings(min_runs=5, min_seconds=0.1, max_seconds=2.0, sustain_seconds=2.0)
    found = measure(parse_tflite(content, KEYWORDS), host_of(pi), settings)
    assert found.outputs.ok, found.outputs
    assert found.outputs.compared
    assert (found.runtime, found.runtime_version) == ("tflite-runtime", "2.14.0")
    device = found.device
    assert (device.board, device.architecture, device.bits) == (MODEL, "aarch64", 64)
    assert [(kind.name, kind.count) for kind in device.core_kinds] == [("Cortex-A72", CORES)]
    assert device.temperature_c == TEMPERATURE_C
    assert found.threads[0].threads == 1
    assert found.threads[-1].threads == device.usable_cores
    assert all(run.runs >= 5 and run.min_ms <= run.median_ms <= run.p90_ms for run in found.threads)
    assert found.memory.ram_bytes > 10_000_000
    assert found.sustained[-1].t_seconds >= 2
    assert all(second.temperature_c == TEMPERATURE_C for second in found.sustained)
    assert all(second.clock_mhz == CLOCK_MHZ and second.throttled is False for second in found.sustained)
    assert "governor" in [finding.code for finding in found.findings]
    assert rests(pi)


def test_measurements_side_by_side(board, pi, tmp_path):
    """Two boards, this computer, and a board that is gone: each in its place."""
    with loopback_device(tmp_path / "device") as dead:
        dead.kill()
        hosts = [host_of(board), host_of(dead), host_of(pi), "local"]
        found = measure_all(parse_tflite(MODELS["cnn"], "cnn"), hosts, BRIEF)
    first, failure, third, local = found
    assert failure.error == "ConnectError"
    assert failure.exit_code == 2
    assert [first.device.architecture, third.device.architecture] == [os.uname().machine, "aarch64"]
    for measurement in (first, third, local):
        assert measurement.outputs.ok, measurement.outputs


# --- what a device keeps --------------------------------------------------------------------------------


def test_model_is_sent_once_and_nothing_else_stays(tmp_path):
    content = mltk_model(KEYWORDS).read_bytes()
    with loopback_device(tmp_path / "device") as device:
        sent = []
        for _ in range(2):
            before = device.forwarder.sent
            with open_session(host_of(device)) as session:
                results = session.run([brief_job(content, fresh_process=fresh) for fresh in (False, True)])
            assert [result.error for result in results] == ["", ""]
            sent.append(device.forwarder.sent - before)
            assert rests(device)
        assert len(content) < sent[0] < 2 * len(content)
        assert sent[1] < len(content) / 4
        kept = [device.folder / name for name in device.files()]
        assert sorted(path.suffix for path in kept) == [".py", ".tflite"]
        assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
        assert forget(host_of(device))
        assert not forget(host_of(device))
        assert device.files() == []


@pytest.mark.parametrize("model", ["image_classification", "anomaly_detection"])
def test_deep_models_on_a_pi(pi, model):
    content = mltk_model(model).read_bytes()
    brief = Settings(threads=(1,), min_runs=3, min_seconds=0.0, max_seconds=1.0)
    found = measure(parse_tflite(content, model), host_of(pi), brief)
    assert found.outputs.ok, found.outputs


def test_folders_with_odd_names(tmp_path):
    with loopback_device(tmp_path / "a b'c é") as device:
        with open_session(host_of(device)) as session:
            assert session.run([brief_job()])[0].error == ""
        assert len(device.files()) == 2
        assert forget(host_of(device))
        assert device.files() == []


def test_two_measure_on_one_board_at_once(tmp_path):
    with loopback_device(tmp_path / "device") as device:
        found = measure_all(parse_tflite(MODELS["cnn"], "cnn"), [host_of(device)] * 2, BRIEF)
        assert [measurement.outputs.ok for measurement in found] == [True, True]
        assert len(device.files()) == 2
        assert rests(device)


def test_behind_another_board(board, tmp_path):
    """Through a jump host."""
    with loopback_device(tmp_path / "device") as inner:
        own = inner.config.read_text().replace(f"Host {ALIAS}", "Host inner") + f"  ProxyJump {ALIAS}\n"
        config = tmp_path / "config"
        config.write_text(own + board.config.read_text())
        with open_session(parse_host("inner", config)) as session:
            assert session.run([brief_job(MODELS["cnn"])])[0].error == ""
        assert inner.sessions() == 1
        assert rests(inner)


def test_what_else_the_users_configuration_says_does_not_matter(tmp_path):
    with loopback_device(tmp_path / "device") as device:
        more = {
            "ControlMaster": "auto",
            "ControlPath": tmp_path / "control",
            "ControlPersist": "60",
            "LocalCommand": f"touch {tmp_path / 'made'}",
            "PermitLocalCommand": "yes",
            "RemoteCommand": "echo something else",
            "RequestTTY": "force",
            "StrictHostKeyChecking": "no",
            "Compression": "yes",
        }
        with device.config.open("a") as config:
            config.writelines(f"  {name} {value}\n" for name, value in more.items())
        with open_session(host_of(device)) as session:
            assert session.run([brief_job(MODELS["cnn"])])[0].error == ""
        assert not (tmp_path / "made").exists()
        assert not (tmp_path / "control").exists()
        assert rests(device)


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash"])
def test_a_careless_login_does_not_matter(tmp_path, shell):
    with loopback_device(tmp_path / "device", greeting="Welcome!\n{}$ ", shell=shell) as device:
        with open_session(host_of(device)) as session:
            (result,) = session.run([brief_job(MODELS["cnn"])])
        assert result.error == ""
        assert rests(device)


def test_fast_model_gives_many_times(board):
    """More than fit into a pipe."""
    with open_session(host_of(board)) as session:
        (result,) = session.run([brief_job(MODELS["dense-float"], min_runs=50_000, max_seconds=600.0)])
    assert result.error == ""
    assert len(result.times_ms) >= 50_000
