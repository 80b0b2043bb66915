import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from edgesqueeze.cli import doctor_facts as doctor
from edgesqueeze.cli.doctor_facts import PACKAGES, diagnose, state_of

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("installed", "state"),
    [
        (None, "missing"),
        ("1.25.9", "too old"),
        ("1.26", "ok"),
        ("1.26.4", "ok"),
        ("2.4.6", "ok"),
        ("3.0.0", "too new"),
    ],
)
def test_versions_are_compared_by_number(installed, state):
    assert state_of(installed, "1.26", "3") == state


def test_dated_versions():
    assert state_of("0.dev20261023182759", "0.dev20250401", "") == "ok"
    assert state_of("0.dev20240101", "0.dev20250401", "") == "too old"


def test_the_table_asks_for_what_the_project_asks_for():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads(PROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["compress"], *extras["report"]]
    asked += [*extras["search"], *extras["ray"], *extras["demo"]]
    wanted = {}
    for requirement in asked:
        match = re.match(r"([\w-]+)>=([^,;]+)(?:,<([^;]+))?", requirement)
        if match:
            wanted[match[1]] = (match[2].strip(), (match[3] or "").strip())
    for package in PACKAGES:
        assert wanted[package.name] == (package.minimum, package.below)
    core = {package.name for package in PACKAGES if package.part in ("core", "runtime")}
    named = {re.match(r"[\w-]+", one)[0] for one in project["dependencies"]}
    assert named - {"tomli"} == core
    assert project["requires-python"] == f">={doctor.MIN_PYTHON},<{doctor.END_PYTHON}"


def test_here_everything_works():
    diagnosis = diagnose()
    assert diagnosis.ok
    names = [one.name for one in diagnosis.components]
    assert names[0] == "Python"
    assert {"tflite-runtime", "gcc", "arm-none-eabi-gcc", "qemu-system-arm", "tensorflow"} <= set(names)
    for one in diagnosis.components:
        assert one.enables
        assert one.install
        assert (one.version is None) or one.state != "missing"


@pytest.mark.parametrize(("name", "ok"), [("numpy", False), ("tensorflow", True), ("tflite-micro", True)])
def test_only_the_core_must_be_there(monkeypatch, name, ok):
    real = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda asked: None if asked == name else real(asked))
    diagnosis = diagnose()
    missing = next(one for one in diagnosis.components if one.name == name)
    assert (missing.state, missing.version) == ("missing", None)
    assert "pip install" in missing.install
    assert diagnosis.ok is ok


def test_a_compiler_that_does_not_answer_is_still_there(monkeypatch, tmp_path):
    program = tmp_path / "arm-none-eabi-gcc"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = next(one for one in diagnose().components if one.name == "arm-none-eabi-gcc")
    assert (found.state, found.version) == ("ok", None)


def tflite_runtime(diagnosis):
    return next(one for one in diagnosis.components if one.name == "tflite-runtime")


def test_the_install_command_of_tflite_runtime_is_the_runners():
    runner = import_module("edgesqueeze.runners.tflite_runtime")
    assert tflite_runtime(diagnose()).install == runner.INSTALL_COMMAND


def test_a_runner_that_cannot_be_imported_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "edgesqueeze.runners.tflite_runtime", None)
    assert tflite_runtime(diagnose()).state == "missing"
