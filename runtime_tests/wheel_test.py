"""What is published works without the checkout that it was made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_tests.support.tflite_builder import tiny_cnn

ROOT = Path(__file__).resolve().parents[1]
TARGET = "nucleo-l4r5zi"
NOT_PUBLISHED = ("testdata", "__pycache__")


def build(source, kind, folder):
    """The sdist or the wheel of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(build(ROOT, "sdist", folder / "built"), folder / "unpacked")
    (root,) = (folder / "unpacked").iterdir()
    return root


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel made of the sdist, unpacked as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.unpack_archive(build(sdist, "wheel", folder / "built"), folder / "installed", "zip")
    return folder / "installed"


@pytest.fixture
def run(wheel, tmp_path):
    """A command of the installed package, run in an empty folder; what it prints."""
    (tmp_path / "tiny.tflite").write_bytes(tiny_cnn())

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(wheel)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def package_files(folder):
    """Files of the package as they lie in a source tree, tests left out."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if not set(path.parts) & set(NOT_PUBLISHED)
        and not path.name.endswith("_test.py")
        and path.name != "conftest.py"
    }


def test_the_wheel_holds_the_package_with_its_data_and_no_tests(wheel):
    assert {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")} == {"edgesqueeze"}
    targets = {f"_targets/{path.name}" for path in (ROOT / "targets").iterdir() if path.is_file()}
    found = set(contents(wheel / "edgesqueeze"))
    assert found >= {"py.typed", "kernels/include/es_types.h", f"_targets/{TARGET}.toml"}
    assert found == package_files(ROOT / "edgesqueeze") | targets
    (entry_points,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "edgesqueeze = edgesqueeze.cli:main" in entry_points.read_text()


def test_the_sdist_holds_what_the_tests_need(sdist):
    for name in ("edgesqueeze", "runtime_tests", "examples", "scripts"):
        kept = {path.relative_to(sdist).as_posix() for path in (sdist / name).rglob("*_test.py")}
        assert kept == {path.relative_to(ROOT).as_posix() for path in (ROOT / name).rglob("*_test.py")}
    for name in (
        "runtime_tests/support/__init__.py",
        "runtime_tests/conftest.py",
        "scripts/lib.sh",
        ".ci/run",
    ):
        assert (sdist / name).is_file(), name
    assert not list(sdist.rglob("*.tflite")) + list(sdist.rglob("__pycache__"))


def test_it_runs_from_where_it_is_installed(run, wheel):
    assert Path(run("-c", "import edgesqueeze; print(edgesqueeze.__file__)").strip()).is_relative_to(wheel)
    module = ("-m", "edgesqueeze")
    names = {path.stem for path in (ROOT / "targets").glob("*.toml")}
    listed = run(*module, "targets", "list")
    assert names and all(name in listed for name in names)
    assert "CONV_2D" in run(*module, "inspect", "tiny.tflite", "--target", TARGET)
    # Prediction reads the latency data.
    assert "ms" in run(*module, "bench", "tiny.tflite", "--target", TARGET, "--runtime", "tflm")


def test_it_emits_the_same_sources_as_the_checkout(run, tmp_path):
    for kind in ("c", "tflm"):
        emit = ("emit", "tiny.tflite", "--target", TARGET, "--format", kind, "--out")
        run("-m", "edgesqueeze", *emit, f"installed-{kind}")
        # What comes first on the path is what is imported: now the checkout.
        run(
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from edgesqueeze.cli import main; main()",
            *emit,
            f"here-{kind}",
        )
        installed, here = (contents(tmp_path / f"{place}-{kind}") for place in ("installed", "here"))
        assert installed == here
    assert "kernels/es_types.h" in contents(tmp_path / "installed-c")


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
