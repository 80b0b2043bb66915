"""Devices behind SSH that several files of tests share; `runtime_tests.support` makes them."""

import pytest

from runtime_tests.support.loopback_sshd import loopback_device
from runtime_tests.support.measuring import own_clients, shorten_waits
from runtime_tests.support.virtual_pi import virtual_pi


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """This machine, behind SSH."""
    with loopback_device(tmp_path_factory.mktemp("board") / "device") as device:
        yield device


@pytest.fixture(scope="module")
def pi(tmp_path_factory):
    """An aarch64 machine, behind SSH."""
    folder = virtual_pi().folder
    with loopback_device(tmp_path_factory.mktemp("pi") / "device", python=None, path=[folder]) as device:
        yield device


@pytest.fixture
def device(tmp_path):
    """This machine, behind SSH, for one test that may break it."""
    with loopback_device(tmp_path / "device") as device:
        yield device


@pytest.fixture
def hasty(monkeypatch):
    """Seconds where a user's patience counts minutes."""
    shorten_waits(monkeypatch)


@pytest.fixture
def no_client_stays():
    """No program of ours that talks with a device outlives the test."""
    yield
    assert own_clients() == []
