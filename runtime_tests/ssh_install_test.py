"""Devices without a runtime, and the installation of one over SSH."""

import os
import subprocess
import sys
import venv

import pytest

from edgesqueeze.devices.session import forget, open_session
from edgesqueeze.errors import DeviceError
from edgesqueeze.runners.build_cache import cached
from runtime_tests.support.loopback_sshd import loopback_device
from runtime_tests.support.measuring import brief_job, host_of, rests
from runtime_tests.support.virtual_pi import virtual_pi


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python without any packages."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def _wheels():
    """ai-edge-litert as this environment has it, and what it needs."""
    from importlib.metadata import version

    wanted = [f"{name}=={version(name)}" for name in ("ai-edge-litert", "numpy")]

    def download(folder):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", str(folder), *wanted], check=True)

    return cached(["wheels", sys.version, *wanted], download)


@pytest.mark.slow
def test_runtime_is_installed_in_its_own_environment(tmp_path, bare_python):
    environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(_wheels())}
    with loopback_device(tmp_path / "device", python=bare_python, environment=environment) as device:
        with open_session(host_of(device), install=True) as session:
            assert session.device.runtimes.keys() == {"ai-edge-litert"}
            (result,) = session.run([brief_job()])
        assert result.error == ""
        own = ".cache/edgesqueeze/"
        assert {name.split(own)[1].split("/")[0] for name in device.files()} == {"models", "programs", "venv"}
        # The next one finds it, and installs nothing.
        made = (device.home / own / "venv").stat().st_ino
        with open_session(host_of(device), install=True) as session:
            assert session.device.python_path.startswith(f"{device.home}/{own}venv/")
        assert (device.home / own / "venv").stat().st_ino == made
        assert rests(device)
        assert forget(host_of(device))
        assert device.files() == []


@pytest.mark.slow
def test_runtime_that_cannot_be_installed_leaves_nothing(tmp_path, bare_python):
    nobody = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    with loopback_device(tmp_path / "device", python=bare_python, environment=nobody) as device:
        failure = pytest.raises(DeviceError, match="installing a runtime on board failed")
        with failure as caught, open_session(host_of(device), install=True):
            pass
        assert "package index" in str(caught.value)
        assert all(name.endswith(".py") for name in device.files())
        assert rests(device)


def test_device_without_a_runtime_says_how_to_get_one(tmp_path, bare_python):
    with loopback_device(tmp_path / "device", python=bare_python) as device:
        with open_session(host_of(device)) as session:
            assert session.device.runtimes == {}
            with pytest.raises(DeviceError, match="board has no TFLite runtime") as caught:
                session.run([brief_job()])
        assert "--install" in str(caught.value)
        # Not even the model was sent.
        assert all(name.endswith(".py") for name in device.files())


def test_system_without_ensurepip(tmp_path):
    """Debian keeps it in a package of its own."""
    pi = virtual_pi()
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec {pi.python} -S "$@"\n')
    (bare / "python3").chmod(0o755)
    with loopback_device(tmp_path / "device", path=[bare, pi.folder]) as device:
        failure = pytest.raises(DeviceError, match="installing a runtime on board failed")
        with failure as caught, open_session(host_of(device), install=True):
            pass
        assert "python3-venv" in caught.value.hint
        assert all(name.endswith(".py") for name in device.files())
