import subprocess
import sys

import numpy as np
import pytest

from edgesqueeze.errors import MissingToolError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import tflite_runtime
from runtime_tests.support.tflite_builder import tiny_cnn


@pytest.fixture
def cache(monkeypatch, tmp_path):
    place = tmp_path / "cache" / "tflite-runtime"
    monkeypatch.setattr(tflite_runtime, "environment_path", lambda: place)
    return place


def _no_python(monkeypatch):
    monkeypatch.setattr(tflite_runtime, "_candidates", lambda: iter(["/gone/python3.11", None]))
    monkeypatch.setattr(tflite_runtime, "_works", lambda command: False)


def test_it_lives_in_the_users_cache():
    assert "edgesqueeze" in tflite_runtime.environment_path().parts
    assert tflite_runtime.VERSION in tflite_runtime.environment_path().name


def test_running_never_installs(cache):
    model = parse_tflite(tiny_cnn())
    assert tflite_runtime.INSTALL_COMMAND in tflite_runtime.available()
    with pytest.raises(MissingToolError, match="--install"):
        tflite_runtime.run(model, [[np.zeros((1, 8, 8, 1), np.int8)]])
    assert not cache.exists()


def test_no_python_of_the_right_age(cache, monkeypatch):
    _no_python(monkeypatch)
    with pytest.raises(MissingToolError, match=r"needs Python 3\.9, 3\.10 or 3\.11") as caught:
        tflite_runtime.ensure_environment()
    assert "install Python 3.11" in str(caught.value)


def test_a_failed_installation_leaves_nothing(cache, monkeypatch):
    def fail(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "no such release\n")

    monkeypatch.setattr(tflite_runtime, "find_python", lambda: sys.executable)
    monkeypatch.setattr(tflite_runtime.subprocess, "run", fail)
    with pytest.raises(MissingToolError, match="no such release"):
        tflite_runtime.ensure_environment()
    assert list(cache.parent.iterdir()) == []


def test_an_environment_appears_whole(cache, monkeypatch):
    commands = []

    def pretend(command, **options):
        commands.append(command)
        assert not cache.exists()
        if command[1:3] == ["-m", "venv"]:
            python = tflite_runtime._python_in(tflite_runtime.Path(command[3]))
            python.parent.mkdir(parents=True)
            python.touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(tflite_runtime, "find_python", lambda: "python3.11")
    monkeypatch.setattr(tflite_runtime.subprocess, "run", pretend)
    assert tflite_runtime.ensure_environment().is_file()
    assert commands[1][-2:] == ["tflite-runtime==2.14.0", "numpy<2"]
    assert tflite_runtime.available() is None
    tflite_runtime.ensure_environment()
    assert len(commands) == 2


def test_a_python_that_does_not_start_is_passed_over(monkeypatch, tmp_path):
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    assert not tflite_runtime._works(str(broken))
    assert tflite_runtime._works(sys.executable) == (sys.version_info[:2] <= (3, 11))


def test_main_tells_where_it_stands(cache, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tflite_runtime"])
    assert tflite_runtime.main() == 0
    assert "not set up" in capsys.readouterr().out
    _no_python(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["tflite_runtime", "--install"])
    assert tflite_runtime.main() == 2
    assert "install Python 3.11" in capsys.readouterr().err
