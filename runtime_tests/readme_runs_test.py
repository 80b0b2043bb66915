"""What the READMEs show runs as printed: commands, Python, C, and the script for CI."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli, main
from runtime_tests.support.readmes import ROOT, blocks, commands, readmes, section
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.tools import require_tool

READMES = readmes()
FIRST = READMES["README.md"]
CLI = READMES["edgesqueeze/cli/README.md"]
TOOLS = (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("qemu-system-arm", "qemu-system-arm"), ("gcc", "gcc"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder with ``model.keras`` and ``data.npz``: a small network that has learnt something."""
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    for name, package in TOOLS:
        require_tool(name, package)
    from edgesqueeze.cli.demo_job import Paths, prepare

    folder = tmp_path_factory.mktemp("readme")
    digits = prepare(Paths(folder / "model.keras", folder / "data.npz", folder / "out"))
    # A quarter of them, as compress trains for as long as it learns.
    few = {name: value[: len(value) // 4] for name, value in vars(digits).items()}
    np.savez(folder / "data.npz", **few)
    return folder


@pytest.fixture
def program(tmp_path):
    """An environment in which ``edgesqueeze`` and ``python`` are what the tests run with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in (("edgesqueeze", "-m edgesqueeze"), ("python", "")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def run(words):
    done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_a_model_of_your_own(digits, monkeypatch, tmp_path):
    monkeypatch.chdir(digits)
    lines = commands(section("A model of your own", FIRST))
    assert [words[1] for words in lines] == ["targets", "compress", "inspect", "verify", "emit", "bench"]
    printed = "".join(run(words) for words in lines)
    shown = labels("".join(blocks("console", FIRST)))
    assert len(shown) > 20
    assert shown - labels(printed) == {"local", "device"}  # measured, which is not among these commands
    report = json.loads(Path("out/report.json").read_text(encoding="utf-8"))
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(report["files"])
    assert report["files"][:3] == ["model.tflite", "model.keras", "report.json"]
    written = {path.name for path in Path("firmware").iterdir()}
    listed = re.findall(
        r"`([\w./]+)`", section("C without a runtime", READMES["edgesqueeze/kernels/README.md"])
    )
    for name in (
        name for name in listed if name.startswith("NAME") or name in ("kernels/", "Makefile", "main.c")
    ):
        assert name.replace("NAME", "my_model").rstrip("/") in written
    for name in ("README.md", "edgesqueeze/kernels/README.md"):
        (code,) = blocks("c", READMES[name])
        compile_example(code, Path("firmware"), tmp_path)


def labels(text):
    """What the rows of printed tables begin with, without digits."""
    rows = [re.split(r" {2,}", line.strip()) for line in text.splitlines() if "─" not in line]
    return {re.sub(r"[\d.]+", "#", row[0]) for row in rows if len(row) > 1}


def compile_example(code, firmware, folder):
    """Compile what a README shows as a function of a user's firmware."""
    before, _, inside = code.partition("\n\n")
    uses = "(void)input;\n(void)output;\n"
    source = f'#include "my_model.h"\n{before}\nvoid example(void) {{\n{inside}{uses}}}\n'
    (folder / "example.c").write_text(source, encoding="utf-8")
    options = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{firmware}")
    done = subprocess.run(["gcc", *options, folder / "example.c"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_python_runs_as_printed(digits, program):
    (code,) = blocks("python", FIRST)
    done = subprocess.run(
        ["python", "-c", code], cwd=digits, env=program, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    size, sources, times = done.stdout.splitlines()
    assert int(size.split()[0]) == (digits / "out" / "model.tflite").stat().st_size
    verified, native, tflm = sources.split()
    assert verified == "True"
    assert 0 < int(native) < int(tflm)
    assert times.endswith(" True")


@pytest.mark.slow
def test_many_recipes_run_as_printed(digits, program):
    (code,) = blocks("python", section("Many recipes", READMES["edgesqueeze/squeeze/README.md"]))
    done = subprocess.run(
        ["python", "-c", code], cwd=digits, env=program, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [list(map(float, line.split())) for line in done.stdout.splitlines()]
    assert [sparsity for sparsity, _, _ in found] == [0.4, 0.6, 0.8]
    assert found[0][2] > found[1][2] > found[2][2]


@pytest.mark.slow
def test_the_script_for_ci_runs_as_printed(digits, program):
    (script,) = blocks("sh", section("In CI", CLI))
    done = subprocess.run(
        ["bash", "-c", script], cwd=digits, env=program, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (digits / "bench.json").is_file()


def test_predictions_need_nothing_but_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out/model.tflite").write_bytes(tiny_cnn())
    lines = [words for words in commands(READMES["edgesqueeze/timing/README.md"]) if words[1] == "bench"]
    predicted = [words for words in lines if "rpi4" in words or "tflm" in words]
    # Those of one device; a table of several devices also emulates.
    predicted = [words for words in predicted if words.count("--target") == 1]
    assert len(predicted) == 2
    for words in predicted:
        assert "predicted" in run(words)
    assert Path("layers.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_target_of_your_own_is_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my-board.toml").write_bytes((ROOT / "targets" / "pico.toml").read_bytes())
    (words,) = commands(section("Add a target", READMES["edgesqueeze/README.md"]))
    run(words)


def test_an_error_looks_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (shown,) = blocks("console", section("Exit status", CLI))
    (words,) = commands(section("Exit status", CLI))
    with pytest.raises(SystemExit) as caught:
        main(words[1:])
    assert caught.value.code == 2
    assert capsys.readouterr().err == shown.partition("\n")[2]


def test_a_model_that_does_not_fit_exits_with_1(tmp_path, capsys):
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    profile = (ROOT / "targets" / "pico.toml").read_text(encoding="utf-8")
    small = re.sub(r"^usable_ram_bytes = .*", "usable_ram_bytes = 16", profile, flags=re.MULTILINE)
    (tmp_path / "small.toml").write_text(small, encoding="utf-8")
    (tmp_path / "tiny.tflite").write_bytes(tiny_cnn())
    with pytest.raises(SystemExit) as caught:
        main(["inspect", str(tmp_path / "tiny.tflite"), "--target", str(tmp_path / "small.toml")])
    assert caught.value.code == 1
    assert "does not fit" in capsys.readouterr().out
