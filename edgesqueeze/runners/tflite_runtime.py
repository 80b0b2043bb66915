"""tflite-runtime 2.14, the last release of LiteRT's predecessor, in an environment of its own.

Its wheels stop at Python 3.11 and need NumPy below 2, so it cannot live beside EdgeSqueeze. Set it up with

    python -m edgesqueeze.runners.tflite_runtime --install
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgesqueeze.base.user_folders import cache_folder
from edgesqueeze.errors import EdgeSqueezeError, MissingToolError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.axes import with_valid_axes
from edgesqueeze.runners.exchange import last_words, run_elsewhere
from edgesqueeze.runners.samples import Outputs, Samples

VERSION = "2.14.0"
REQUIREMENTS = (f"tflite-runtime=={VERSION}", "numpy<2")
PYTHONS = ((3, 11), (3, 10), (3, 9))
INSTALL_COMMAND = "python -m edgesqueeze.runners.tflite_runtime --install"
WORKER = Path(__file__).with_name("tflite_runtime_worker.py")


def environment_path() -> Path:
    """Where the environment lives: the user's cache folder."""
    return cache_folder() / f"tflite-runtime-{VERSION}"


def available() -> str | None:
    """None when the environment is set up, else what to do."""
    if _python_in(environment_path()).is_file():
        return None
    return f"not set up; run {INSTALL_COMMAND}"


def ensure_environment() -> Path:
    """Make the environment unless it is there; return its Python.

    It is built beside its place and renamed, so that an interrupted installation leaves nothing behind
    that looks complete.

    Raises:
        MissingToolError: no Python 3.9 to 3.11 is on the PATH, or the installation failed.
    """
    place = environment_path()
    if not _python_in(place).is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as folder:
            fresh = Path(folder) / "venv"
            _install(find_python(), fresh)
            shutil.rmtree(place, ignore_errors=True)
            fresh.rename(place)
    return _python_in(place)


def find_python() -> str:
    """An interpreter that tflite-runtime has wheels for: the running one, else the newest on the PATH.

    Raises:
        MissingToolError: there is none.
    """
    for command in _candidates():
        if command and _works(command):
            return command
    raise MissingToolError(
        f"tflite-runtime {VERSION} needs Python 3.9, 3.10 or 3.11, and none was found",
        got=f"Python {sys.version_info.major}.{sys.version_info.minor}, and no python3.11 on the PATH",
        hint="install Python 3.11 (Debian 12: apt install python3.11 python3.11-venv; elsewhere: "
        "uv python install 3.11) and put it on the PATH",
    )


def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run under tflite-runtime, with its default delegate. See ``runners`` for the contract.

    Raises:
        MissingToolError: the environment is not set up.
        UnsupportedModelError: tflite-runtime cannot load or run the model.
    """
    if available():
        raise MissingToolError("tflite-runtime is not set up", hint=f"run {INSTALL_COMMAND}")
    python = str(_python_in(environment_path()))
    model = with_valid_axes(model)
    return run_elsewhere([python, "-I", str(WORKER)], model, samples, "tflite-runtime", carry_state)


def _candidates() -> Iterator[str | None]:
    if sys.version_info[:2] in PYTHONS:
        yield sys.executable
    for major, minor in PYTHONS:
        yield shutil.which(f"python{major}.{minor}")


def _works(command: str) -> bool:
    # A version manager's shim may be on the PATH for a version that is not installed, and Debian ships
    # Python without ensurepip unless python3-venv is there.
    probe = [command, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] > (3, 11))"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _install(python: str, place: Path) -> None:
    # The tree is renamed afterwards; only the console scripts hold absolute paths, and none is used.
    for command in (
        [python, "-m", "venv", str(place)],
        [str(_python_in(place)), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MissingToolError(
                f"installing tflite-runtime {VERSION} failed: {last_words(done)}",
                hint=f"see that this works: {' '.join(command)}",
            )


def _python_in(environment: Path) -> Path:
    return environment / "bin" / "python"


def main() -> int:
    """Set the environment up, or say where it stands."""
    parser = argparse.ArgumentParser(prog="python -m edgesqueeze.runners.tflite_runtime")
    parser.add_argument("--install", action="store_true", help="set the environment up")
    arguments = parser.parse_args()
    try:
        if arguments.install:
            ensure_environment()
    except EdgeSqueezeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"tflite-runtime {VERSION}: {available() or environment_path()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
