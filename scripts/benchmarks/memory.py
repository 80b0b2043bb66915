"""Peak memory of ``compress`` on a large image folder, over what TensorFlow takes for itself."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, out, start, table, verdict

MIB = 2**20
FOLDER_BYTES = 2 * 10**9
LIMIT = 1.5 * 10**9
TARGET = "rpi4"
SIZE = 96
CLASSES = ("apple", "bottle", "chair", "door")
PHOTO = (3000, 4000)
"""Height and width of the large half of the images: 12 megapixels, as phones take them."""
PICTURE = (512, 512)
LOOK_EVERY = 0.02
VARIETY = 6
"""Different images of each kind; more would only take longer to make."""


def make_folder(folder: Path, size: int) -> int:
    """Fill a folder with photos (JPEG) and pictures (PNG) by class, half of the bytes each.

    Args:
        folder: where to.
        size: bytes in all.

    Returns:
        The number of files.
    """
    import tensorflow as tf

    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    count = 0
    for shape, suffix in ((PHOTO, ".jpg"), (PICTURE, ".png")):
        encode = tf.io.encode_jpeg if suffix == ".jpg" else tf.io.encode_png
        images = [encode(photo(shape, seed)).numpy() for seed in range(VARIETY)]
        written = 0
        while written < size / 2:
            image = images[count % VARIETY]
            (folder / CLASSES[count % len(CLASSES)] / f"{count:05}{suffix}").write_bytes(image)
            written += len(image)
            count += 1
    return count


def photo(shape: tuple[int, int], seed: int) -> np.ndarray[Any, Any]:
    """Random patches of colour under noise: about as many bytes as a photo has when encoded."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (shape[0] // 100 + 1, shape[1] // 100 + 1, 3), np.int16)
    image = patches.repeat(100, 0).repeat(100, 1)[: shape[0], : shape[1]]
    noise = rng.integers(-20, 21, (*shape, 3), np.int16)
    made: np.ndarray[Any, Any] = np.clip(image + noise, 0, 255).astype(np.uint8)
    return made


def save_model(path: Path) -> None:
    """Write a small MobileNet-like network in Keras 3: random weights, batch norms that fit them."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(max_value=6)(layers.BatchNormalization(momentum=0.0)(x))
    for width, stride in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU(max_value=6)(layers.BatchNormalization(momentum=0.0)(x))
        x = layers.Conv2D(width, 1, use_bias=False)(x)
        x = layers.ReLU(max_value=6)(layers.BatchNormalization(momentum=0.0)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(len(CLASSES), activation="softmax")(x), name="things")
    # One batch in training mode gives the batch norms its means and variances.
    model(np.stack([photo((SIZE, SIZE), seed) for seed in range(16)]).astype(np.float32), training=True)
    model.save(path)


def prepare(folder: Path, size: int) -> None:
    """Make the model and the images (in a process of its own, as all that uses TensorFlow here)."""
    save_model(folder / "model.keras")
    make_folder(folder / "images", size)


def baseline(folder: Path) -> None:
    """What TensorFlow takes for itself: import it and its libraries, open the model, run it once."""
    import keras
    import tensorflow_model_optimization  # noqa: F401

    import edgesqueeze.squeeze  # noqa: F401

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    model.predict(np.zeros((1, SIZE, SIZE, 3), np.float32), verbose=0)


def squeeze(folder: Path) -> None:
    """Compress the model on the images: one epoch, pruned, clustered and int8."""
    import edgesqueeze
    from edgesqueeze.recipe.read import parse_recipe

    recipe = parse_recipe(
        {
            "prune": {"sparsity": 0.6},
            "cluster": {"clusters": 16},
            "finetune": {"epochs": 1},
            "quantize": {"mode": "int8"},
        }
    )
    edgesqueeze.compress(
        folder / "model.keras",
        target=TARGET,
        data=folder / "images",
        out=folder / "out",
        recipe=recipe,
        progress=_tell_stage,
    )


def _tell_stage(stage: str, done: int, total: int) -> None:
    if not done:
        print(json.dumps({"stage": stage, "bytes": peak()}), flush=True)


def peak() -> int:
    """Greatest resident memory of this process so far."""
    # Not getrusage, whose figure begins with what the parent had when it forked.
    return resident(Path("/proc/self"), "VmHWM")


def resident(process: Path, field: str) -> int:
    """Bytes that a process's status states in a field; 0 once it is gone."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", (process / "status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def helpers(process: Path) -> int:
    """Memory that the processes which a process started take at this moment."""
    try:
        own = (process / "cmdline").read_bytes()
        lists = [(task / "children").read_text() for task in (process / "task").iterdir()]
        started = [Path("/proc") / child for one in lists for child in one.split()]
        # Between fork and exec a child shows what its parent has.
        started = [child for child in started if (child / "cmdline").read_bytes() != own]
    except OSError:
        return 0
    return sum(resident(child, "VmRSS") + helpers(child) for child in started)


WORK: dict[str, Callable[..., None]] = {"prepare": prepare, "baseline": baseline, "compress": squeeze}


def measure(work: str, *arguments: str) -> list[dict[str, Any]]:
    """Do a part in a process of its own.

    Returns:
        What the process printed, stages with its peak at their begin and the peak at the end; then the peak
        of the processes that it started, looked at every few milliseconds.
    """
    command = [sys.executable, __file__, "--work", work, *arguments]
    most = 0
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=said, stderr=errors, cwd=ROOT) as process:
            while process.poll() is None:
                most = max(most, helpers(Path("/proc") / str(process.pid)))
                time.sleep(LOOK_EVERY)
        said.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"error: {work} ended with {process.returncode}\n{said.read()}{errors.read()}")
        told = [json.loads(line) for line in said if line.startswith("{")]
    return [*told, {"stage": "helpers", "bytes": most}]


def main() -> int:
    """Run the benchmark; the exit status is 1 when the figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=float, default=FOLDER_BYTES, help=f"default: {FOLDER_BYTES:.0e}")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        extra = (int(arguments.bytes),) if arguments.work == "prepare" else ()
        WORK[arguments.work](arguments.folder, *extra)
        print(json.dumps({"stage": "end", "bytes": peak()}))
        return 0
    start(
        "memory",
        f"""Peak resident memory of compress (60 % sparsity, 16 clusters, int8, one epoch) on a folder of
        {arguments.bytes / 1e9:.1f} GB of images, half of it JPEG of {PHOTO[1]} x {PHOTO[0]} pixels and half
        PNG of {PICTURE[1]} x {PICTURE[0]}, over that of a process that imports TensorFlow and runs the same
        model once. Must be reached: a difference below {LIMIT / 1e9:.1f} GB.""",
    )
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as name:
        folder = ("--folder", name)
        measure("prepare", *folder, "--bytes", str(arguments.bytes))
        files = [file for file in (Path(name) / "images").rglob("*") if file.is_file()]
        total = sum(file.stat().st_size for file in files)
        out.print(f"made {len(files):,} files of {total / 1e9:.2f} GB", style="dim")
        alone = sum(one["bytes"] for one in measure("baseline", *folder))
        begin = time.perf_counter()
        stages = measure("compress", *folder)
        seconds = time.perf_counter() - begin
    return show(alone, stages, seconds)


def show(alone: int, told: list[dict[str, Any]], seconds: float) -> int:
    """Print the peaks, and whether the figure is reached."""
    *stages, started = told
    rows = [["TensorFlow alone", f"{alone / MIB:,.0f}", ""]]
    # A stage's peak is what is reached when the next one begins.
    for stage, after in itertools.pairwise(stages):
        above = (after["bytes"] - alone) / MIB
        rows.append(
            [f"compress, to the end of {stage['stage']}", f"{after['bytes'] / MIB:,.0f}", f"{above:+,.0f}"]
        )
    rows.append(["processes that it starts", f"{started['bytes'] / MIB:,.0f}", ""])
    table(("peak memory in MiB", "resident", "above"), rows)
    out.print(f"compress took {seconds:.0f} s")
    more = stages[-1]["bytes"] + started["bytes"] - alone
    return verdict(
        more < LIMIT, f"{more / 1e9:.2f} GB in all above TensorFlow alone, below {LIMIT / 1e9:.1f} GB"
    )


if __name__ == "__main__":
    sys.exit(main())
