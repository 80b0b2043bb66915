"""What compressing costs: its time over that of as many plain Keras training steps and a conversion."""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import out, start, table, verdict
from fashion_model import BATCH, RATE, Fashion, load_fashion, quiet_imports, trained_model

IMAGES = 20_000
TEST_IMAGES = 2_000
EPOCHS = 8
ROUNDS = 3
CALIBRATION = 200
LIMIT = 1.3
TARGET = "nucleo-l4r5zi"


@dataclass(frozen=True)
class Timing:
    """How long one side took.

    Attributes:
        wall: seconds.
        processor: seconds of processor time, of all threads.
        stages: seconds by stage.
    """

    wall: float
    processor: float
    stages: dict[str, float]


def timed(work: Callable[[], dict[str, float]]) -> Timing:
    """Time a side, which returns the seconds of its stages."""
    used, begin = time.process_time(), time.perf_counter()
    stages = work()
    return Timing(time.perf_counter() - begin, time.process_time() - used, stages)


def squeeze(path: Path, data: Fashion, epochs: int) -> dict[str, float]:
    """Everything that ``compress`` does: prune, cluster, fine-tune, convert, emit and verify."""
    import edgesqueeze
    from edgesqueeze.recipe.read import parse_recipe

    recipe = parse_recipe(
        {
            "prune": {"sparsity": 0.6},
            "cluster": {"clusters": 16},
            "finetune": {"epochs": epochs, "batch_size": BATCH},
            "quantize": {"mode": "int8", "io": "int8", "calibration_samples": CALIBRATION},
        }
    )
    images = ((data.x_train, None), (data.x_test, None))
    result = edgesqueeze.compress(path, target=TARGET, data=images, recipe=recipe)
    return {stage.name: stage.seconds for stage in result.report.stages}


def original(path: Path) -> Any:
    """The network in tf_keras, which ``compress`` trains in as well; not part of either side's time."""
    from edgesqueeze.squeeze.opening.load import load_model

    return load_model(path).model


def plain(model: Any, data: Fashion, epochs: int) -> dict[str, float]:
    """What one would do without EdgeSqueeze: train on, with labels, and convert to int8."""
    import tf_keras

    begin = time.perf_counter()
    steps = epochs * -(-len(data.x_train) // BATCH)
    rate = tf_keras.optimizers.schedules.CosineDecay(RATE, steps)
    model.compile(tf_keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(data.x_train.astype(np.float32), data.y_train, BATCH, epochs, verbose=0)
    trained = time.perf_counter()
    _convert(model, data)
    return {"train": trained - begin, "convert": time.perf_counter() - trained}


def _convert(model: Any, data: Fashion) -> bytes:
    import tensorflow as tf

    from edgesqueeze.base.quiet import quiet

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    samples = data.x_train[:CALIBRATION].astype(np.float32)
    converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet():
        return bytes(converter.convert())


def main() -> int:
    """Run the benchmark; the exit status is 1 when the figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"default: {EPOCHS}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    arguments = parser.parse_args()
    steps = arguments.epochs * -(-IMAGES // BATCH)
    start(
        "cost",
        f"""Time of compress (60 % sparsity, 16 clusters, int8, firmware sources, verification on
        {TEST_IMAGES:,} images) over that of plain training and int8 conversion of the same network: {steps:,}
        optimizer steps of {BATCH} Fashion-MNIST images on either side, and {CALIBRATION} calibration images.
        The sides take turns, {arguments.rounds} times. Must be reached: a median ratio of at most
        {LIMIT}.""",
    )
    whole = load_fashion()
    quiet_imports()
    path = trained_model(whole)
    data = Fashion(
        whole.x_train[:IMAGES], whole.y_train[:IMAGES], whole.x_test[:TEST_IMAGES], whole.y_test[:TEST_IMAGES]
    )
    rounds = []
    for number in range(1, arguments.rounds + 1):
        model = original(path)
        base = timed(functools.partial(plain, model, data, arguments.epochs))
        ours = timed(functools.partial(squeeze, path, data, arguments.epochs))
        rounds.append((base, ours))
        out.print(f"round {number}: plain {base.wall:.1f} s, compress {ours.wall:.1f} s", style="dim")
    return show(rounds)


def show(rounds: list[tuple[Timing, Timing]]) -> int:
    """Print the rounds, where the time went, and whether the figure is reached."""
    rows = [
        [
            str(number),
            f"{base.wall:.1f}",
            f"{ours.wall:.1f}",
            f"{ours.wall / base.wall:.2f}",
            f"{base.processor:.1f}",
            f"{ours.processor:.1f}",
            f"{ours.processor / base.processor:.2f}",
        ]
        for number, (base, ours) in enumerate(rounds, 1)
    ]
    columns = ("round", "plain s", "compress s", "ratio", "plain cpu s", "compress cpu s", "cpu ratio")
    table(columns, rows)
    for title, side in (("plain", 0), ("compress", 1)):
        stages = {
            name: statistics.median(pair[side].stages[name] for pair in rounds)
            for name in rounds[0][side].stages
        }
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
        out.print(f"{title}, median seconds by stage: {parts}")
    ratio = statistics.median(ours.wall / base.wall for base, ours in rounds)
    return verdict(
        ratio <= LIMIT, f"compress takes {ratio:.2f} times as long as plain Keras, at most {LIMIT}"
    )


if __name__ == "__main__":
    sys.exit(main())
