"""The example as its README tells it, with fewer epochs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_tests.support.tools import require_tool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STUB = ROOT / "edgesqueeze" / "emit" / "testdata" / "tflm_stub"


def run(*command, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands():
    """The command lines of the README, with continued lines joined."""
    blocks = re.findall(r"^```console\n(.*?)^```", (HERE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    return [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the example in which all commands of its README were run."""
    copy = tmp_path_factory.mktemp("digits") / "digits"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.keras", "*.npz"))
    for words in commands():
        if words[0] == "python":
            run(sys.executable, *words[1:], *(["--epochs", "8"] if "train.py" in words else []), cwd=copy)
        elif words[0] == "edgesqueeze":
            if "--epochs" in words:
                words[words.index("--epochs") + 1] = "4"
            run(sys.executable, "-m", "edgesqueeze", *words[1:], cwd=copy)
    return copy


@pytest.mark.slow
def test_the_compressed_model_still_reads_digits(folder):
    for name in ("firmware", "pi"):
        report = json.loads((folder / name / "report.json").read_text())
        assert report["ok"]
        assert report["accuracy"]["float_model"] > 0.8
        assert report["accuracy"]["drop"] < 0.1


@pytest.mark.slow
def test_it_runs_where_litert_runs(folder):
    for name in ("firmware", "pi"):
        printed = run(sys.executable, "run_on_pi.py", f"{name}/model.tflite", "digits.npz", cwd=folder)
        right = float(re.search(r"([\d.]+)% of 599 digits are right", printed)[1])
        report = json.loads((folder / name / "report.json").read_text())
        assert right == pytest.approx(100 * report["accuracy"]["compressed"], abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["g++", "arm-none-eabi-g++"])
def test_the_firmware_compiles_without_a_warning(folder, compiler):
    path = require_tool(compiler, "g++ gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    cpu = ["-mcpu=cortex-m4", "-mthumb"] if compiler.startswith("arm") else []
    flags = ["-std=c++17", "-Os", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti"]
    places = [f"-I{STUB}", "-Ifirmware"]
    run(path, *flags, *cpu, *places, "-c", "main.cc", "firmware/digits_model.cc", cwd=folder)


def test_the_readme_names_every_file():
    text = (HERE / "README.md").read_text()
    for path in HERE.iterdir():
        if path.is_file() and path.name not in ("README.md", "digits_test.py"):
            assert f"`{path.name}`" in text
