import json
import sys
import time

import pytest

from edgesqueeze.devices import installer

SAID = [
    ("Error: [Errno 28] No space left on device", "disk is full"),
    ("/usr/bin/python3: No module named venv", "lacks the module venv or pip"),
    (
        "Not created because ensurepip is not available.",
        "lacks the module",
    ),
    (
        "WARNING: Retrying after NewConnectionError: Failed to establish a new connection: "
        "[Errno -3] Temporary failure in name resolution\n"
        "ERROR: Could not find a version that satisfies the requirement x (from "
        "versions: none)\nERROR: No matching distribution found for x",
        "cannot reach the package index",
    ),
    (
        "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
        "ERROR: No matching distribution found for x",
        "no wheel of a TFLite runtime for this device (Python ",
    ),
    ("SSLError(SSLCertVerificationError: certificate has expired)", "does not answer"),
    ("something else\n[notice] A new release of pip", "something else"),
    ("", "it said nothing"),
]


@pytest.mark.parametrize(("said", "expected"), SAID)
def test_what_pip_says(said, expected):
    problem, hint = installer.explain(said).args
    assert expected in problem
    assert hint


def fake_run(monkeypatch, statuses):
    commands = []

    def run(command, until):
        commands.append(command)
        return statuses[len(commands) - 1]

    monkeypatch.setattr(installer, "run", run)
    return commands


NO_WHEEL = (1, "ERROR: No matching distribution found for ai-edge-litert")


def test_the_predecessor_is_taken_where_there_is_no_wheel(monkeypatch):
    commands = fake_run(monkeypatch, [NO_WHEEL, (0, ""), (0, "2.14.0\n")])
    assert installer.first_that_works("python", 0) == "tflite-runtime 2.14.0"
    assert commands[1][-2:] == ["tflite-runtime", "numpy<2"]


def test_no_wheel_at_all(monkeypatch):
    fake_run(monkeypatch, [NO_WHEEL, NO_WHEEL])
    with pytest.raises(installer.Failed, match="no wheel"):
        installer.first_that_works("python", 0)


def test_a_full_disk_is_not_tried_twice(monkeypatch):
    commands = fake_run(monkeypatch, [(1, "No space left on device")])
    with pytest.raises(installer.Failed, match="disk is full"):
        installer.first_that_works("python", 0)
    assert len(commands) == 1


def test_a_wheel_that_crashes_is_not_taken(monkeypatch):
    fake_run(monkeypatch, [(0, ""), (-4, ""), NO_WHEEL])
    with pytest.raises(installer.Failed, match=r"crashes on this processor \(signal 4\)"):
        installer.first_that_works("python", 0)


def test_the_environment_appears_whole_or_not_at_all(monkeypatch, tmp_path):
    (tmp_path / "making-venv-999999999").mkdir()

    def fail(python, until):
        (made,) = tmp_path.glob("making-venv-*")
        assert (made / "bin" / "python").exists()
        raise installer.Failed("no wheel", "")

    monkeypatch.setattr(installer, "first_that_works", fail)
    monkeypatch.setattr(installer, "run", lambda command, until: make(command[-1]))
    with pytest.raises(installer.Failed):
        installer.install(str(tmp_path), 0)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(installer, "first_that_works", lambda python, until: "x 1")
    assert installer.install(str(tmp_path), 0) == "x 1"
    assert [path.name for path in tmp_path.iterdir()] == ["venv"]


def make(place):
    from pathlib import Path

    (Path(place) / "bin").mkdir(parents=True)
    (Path(place) / "bin" / "python").touch()
    return 0, ""


def test_commands_have_a_time_limit(monkeypatch):
    monkeypatch.setattr(installer.select, "select", lambda *_: time.sleep(0.05) or ([], [], []))
    status, said = installer.run([sys.executable, "-c", "print('x')"], time.monotonic() + 300)
    assert (status, said) == (0, "x\n")
    with pytest.raises(installer.Failed, match="longer"):
        installer.run(["sleep", "60"], time.monotonic() + 0.2)


def test_faults_are_told(monkeypatch, tmp_path, capfd):
    def fail(*_):
        raise installer.Failed("no wheel", "do this")

    monkeypatch.setattr(installer, "install", fail)
    monkeypatch.setattr(installer.signal, "signal", lambda *_: None)
    monkeypatch.setattr(installer.os, "umask", lambda mask: None)
    installer.main(str(tmp_path))
    line = capfd.readouterr().out.strip()
    assert json.loads(line.removeprefix("@edgesqueeze@ ")) == {
        "fault": "install",
        "message": "no wheel",
        "hint": "do this",
    }
