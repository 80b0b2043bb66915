"""Devices that cannot be reached, do not let us in, or lack something: what is said, and nothing is left."""

import os
import socket
import sys
from pathlib import Path

import pytest

from edgesqueeze.devices.measure import Settings, measure
from edgesqueeze.devices.session import open_session
from edgesqueeze.devices.ssh_host import Host, parse_host
from edgesqueeze.errors import ConnectError, DeviceError, EdgeSqueezeError, UsageError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.faulty_runtime import faulty_runtime
from runtime_tests.support.loopback_sshd import loopback_device
from runtime_tests.support.measuring import brief_job, host_of, rests
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.virtual_pi import virtual_pi

pytestmark = pytest.mark.usefixtures("no_client_stays")

MODEL = parse_tflite(tiny_cnn(), "cnn")
BRIEF = Settings(threads=(1, 2), min_runs=10, min_seconds=0.05, max_seconds=0.5)
# No model, but as large as one: it is never run.
LARGE = os.urandom(3_000_000)


# --- doors that stay shut -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "problem", "hint"),
    [
        ("refuse_key", "board does not let us in", "ssh-copy-id"),
        ("change_host_key", "the key of board is not the one that this computer knows", "somebody may be"),
        ("forget_host_key", "the key of board is not known to this computer", "compare the fingerprint"),
    ],
)
def test_refusals_say_what_to_do(device, fault, problem, hint):
    known = (device.folder / "known_hosts").read_text()
    getattr(device, fault)()
    with pytest.raises(ConnectError, match=problem) as caught, open_session(host_of(device)):
        pass
    assert hint in caught.value.hint
    assert device.sessions() == 0
    if fault == "forget_host_key":
        # Nothing was accepted silently.
        assert known not in (device.folder / "known_hosts").read_text()


def test_nobody_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "config"
    config.touch()
    host = parse_host(f"ssh://127.0.0.1:{port}", config)
    with pytest.raises(ConnectError, match="refuses connections"), open_session(host):
        pass


@pytest.mark.slow
def test_somebody_listens_and_says_nothing(tmp_path, hasty):
    (tmp_path / "config").touch()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = parse_host(f"ssh://127.0.0.1:{silent.getsockname()[1]}", tmp_path / "config")
        with pytest.raises(ConnectError, match="does not answer"), open_session(host):
            pass


HOSTILE = [
    "-oProxyCommand=touch {}",
    "-oProxyCommand=touch${{IFS}}{}",
    "a;touch {}",
    "$(touch {})",
    "`touch {}`",
    "a|touch {}",
    "a&touch {}&",
    "a\ntouch {}",
    "u$(touch {})@127.0.0.1",
    "ssh://a;touch {}",
    "ssh://-oProxyCommand=touch {}",
    "-F{}",
    "a' ; touch {} ; '",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_hosts_run_nothing(tmp_path, text):
    made = tmp_path / "made"
    # A configuration as many have it: ssh itself gives the name to a shell.
    config = tmp_path / "config"
    config.write_text(
        'Match exec "test -n %n"\n  ConnectTimeout 1\nHost *\n  ProxyCommand sh -c "echo %h >&2"\n'
    )
    name = text.format(made)
    with pytest.raises(UsageError, match="not the name of a host"):
        parse_host(name, config)
    # The second line of defence, behind the one above: what ssh makes of it.
    with pytest.raises(EdgeSqueezeError), open_session(Host(name, Path(os.devnull))):
        pass
    assert not made.exists()


# --- devices that lack something ------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false"])
def test_user_without_a_shell(tmp_path, shell):
    with loopback_device(tmp_path / "device", shell=shell) as device:
        with pytest.raises(ConnectError) as caught, open_session(host_of(device)):
            pass
        assert "board lets us in, but its login shell ended" in caught.value.problem


def test_no_python(tmp_path):
    with loopback_device(tmp_path / "device", python=None) as device:
        with pytest.raises(DeviceError, match="board has no Python") as caught, open_session(host_of(device)):
            pass
        assert "apt install python3" in caught.value.hint
        assert device.files() == []


@pytest.mark.parametrize("kind", ["program", "text"])
def test_python_of_another_architecture(tmp_path, kind):
    """The head of a program for SPARC; and what a half-copied one looks like."""
    head = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x2b\x00\x00\x00\x01" + bytes(100)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_bytes(head if kind == "program" else b"")
    (folder / "python3").chmod(0o755)
    with loopback_device(tmp_path / "device", python=None, path=[folder]) as device:
        with pytest.raises(DeviceError) as caught, open_session(host_of(device)):
            pass
        assert "board" in str(caught.value)
        assert "the Python of board does not run" in caught.value.problem
        assert rests(device)


def test_packages_of_another_architecture(tmp_path):
    """A card that was moved from one board to another."""
    packages = virtual_pi().root / "usr" / "lib" / "python3" / "dist-packages"
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys._base_executable} -S "$@"\n')
    bare.chmod(0o755)
    with loopback_device(tmp_path / "device", python=bare) as device:
        with pytest.raises(DeviceError, match="board has no TFLite runtime that works") as caught:
            measure(MODEL, host_of(device), BRIEF)
        assert "tflite-runtime 2.14.0 cannot be imported" in caught.value.got


def test_runtime_without_its_library(tmp_path):
    environment = faulty_runtime(tmp_path / "runtime", "import")
    # TensorFlow would stand in.
    (tmp_path / "runtime" / "tensorflow.py").write_text("raise ImportError('no AVX')\n")
    with loopback_device(tmp_path / "device", environment=environment) as device:
        with pytest.raises(DeviceError, match="board has no TFLite runtime that works") as caught:
            measure(MODEL, host_of(device), BRIEF)
        assert "libneeded.so.1" in caught.value.got
        assert "--install" in caught.value.hint


def test_full_disk(tmp_path):
    with loopback_device(tmp_path / "device", disk_bytes=1 << 20) as device:
        with open_session(host_of(device)) as session:
            assert session.device.free_disk_bytes < 1 << 20
            with pytest.raises(DeviceError, match="disk is full"):
                session.run([brief_job(), brief_job(content=LARGE)])
            # The session goes on, and half of a model does not take the room of others.
            assert session.run([brief_job()])[0].error == ""
        assert rests(device)


def test_disk_that_does_not_even_hold_the_agent(tmp_path):
    failure = pytest.raises(DeviceError, match="disk is full")
    with loopback_device(tmp_path / "device", disk_bytes=1 << 14) as device:
        with failure, open_session(host_of(device)):
            pass
        assert rests(device)
