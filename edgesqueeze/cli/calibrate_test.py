import contextlib
from importlib import import_module

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.calibrate import calibrate
from edgesqueeze.devices import session as sessions
from edgesqueeze.errors import UsageError
from edgesqueeze.target.load import load_target
from runtime_tests.support.devices import BOARD, COSTS


class Session(sessions.Session):
    def __init__(self):
        self.device = BOARD


@pytest.fixture
def opened(monkeypatch):
    calls = []

    @contextlib.contextmanager
    def session(*arguments):
        calls.append(arguments)
        yield Session()

    module = import_module("edgesqueeze.devices.session")
    monkeypatch.setattr(module, "open_local", session)
    monkeypatch.setattr(module, "open_session", session)
    monkeypatch.setattr(
        import_module("edgesqueeze.timing.calibrate"), "measure_latency", lambda session, progress: COSTS
    )
    return calls


def test_this_computer(tmp_path, opened):
    words = ["--local", "--name", "desk", "--out", str(tmp_path)]
    result = CliRunner().invoke(calibrate, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert opened == [()]
    assert f"edgesqueeze bench MODEL.tflite --target {tmp_path / 'desk.toml'}" in result.output
    assert load_target(str(tmp_path / "desk.toml")).latency == COSTS


def test_a_board_goes_to_the_users_folder(tmp_path, opened, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "config").write_text("")
    words = ["--ssh", "pi@kitchen", "--ssh-config", str(tmp_path / "config"), "--install"]
    result = CliRunner().invoke(calibrate, words, catch_exceptions=False)
    host, install = opened[0]
    assert (host.destination, host.config, install) == ("pi@kitchen", tmp_path / "config", True)
    assert "--target raspberry-pi-4-model-b-rev-1-4" in result.output
    assert load_target("raspberry-pi-4-model-b-rev-1-4").latency == COSTS


@pytest.mark.parametrize("words", [[], ["--local", "--ssh", "pi"]])
def test_one_device_is_needed(opened, words):
    result = CliRunner().invoke(calibrate, words)
    assert isinstance(result.exception, UsageError)
    assert "--ssh HOST, --local, or --from FILE" in str(result.exception)


def test_a_bad_name_is_refused_before_the_device_is_asked(opened):
    result = CliRunner().invoke(calibrate, ["--local", "--name", "My Desk"])
    assert isinstance(result.exception, UsageError)
    assert not opened
