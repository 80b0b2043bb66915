"""What a step of quantization-aware training takes, beside one of training without rounding."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from common import start, table, verdict
from compressor_models import NETWORKS
from fashion_model import quiet_imports

SAMPLES = 640
BATCH = 64
STEPS = 40
ROUNDS = 5
LIMIT = 1.6


def students(network: str) -> tuple[Any, Any, Any, Any]:
    """The folded network, its samples, and two students: one that rounds, and one that does not."""
    import tensorflow as tf

    from edgesqueeze.pipeline import prepare
    from edgesqueeze.recipe.sections import Finetune
    from edgesqueeze.squeeze.layers.rewrite import rewrite
    from edgesqueeze.squeeze.passes.aware import placed, quantized_model, quantizers_of, stand_apart
    from edgesqueeze.squeeze.passes.finetune import Training, lesson
    from edgesqueeze.squeeze.passes.precision import Precision
    from edgesqueeze.squeeze.passes.scaled import trainable_model
    from edgesqueeze.squeeze.passes.state import Setting, State
    from edgesqueeze.squeeze.passes.trainings import untrained

    tf.keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (SAMPLES, 28, 28, 1)).astype(np.float32)
    prepared = prepare(NETWORKS[network](), data=images)
    model, samples = prepared.folded, prepared.data.train
    setting = Setting(model, samples, Precision("int8"), 0, STEPS, untrained)
    parts = rewrite(model, stand_apart)
    placement = placed(model, parts, setting)
    rounding = quantized_model(parts, State(model), setting, placement, quantizers_of(placement))
    taught = lesson(model, samples, Finetune(batch_size=BATCH, learning_rate=1e-4), 0)
    return (
        samples.stream(BATCH, 0).repeat(),
        len(placement.groups),
        Training(trainable_model(model, setting.precision), taught),
        Training(rounding, taught),
    )


def seconds(step: Callable[..., Any], batches: Iterator[Any]) -> float:
    """Processor time of a step, in the mean, in seconds of all threads."""
    begin = time.process_time()
    for _ in range(STEPS):
        loss = step(*next(batches))
    float(loss)
    return (time.process_time() - begin) / STEPS


def main() -> int:
    """Run the benchmark; the exit status is 1 when the figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one; may be repeated")
    arguments = parser.parse_args()
    start(
        "aware",
        f"""Time of one step of quantization-aware training over that of one without rounding, both with the
        original as the teacher, batches of {BATCH} images of 28 x 28: {STEPS} steps in turn, {ROUNDS} times.
        Processor time of all threads. Must be reached: a median of at most {LIMIT}.""",
    )
    quiet_imports()
    status, rows = 0, []
    for network in arguments.network or NETWORKS:
        batches, ranges, plain, rounding = students(network)
        stream = iter(batches)
        # The first round traces the graphs.
        times = [(seconds(plain.step, stream), seconds(rounding.step, stream)) for _ in range(ROUNDS + 1)]
        before, after = (statistics.median(column) for column in zip(*times[1:], strict=True))
        ratio = statistics.median(one / other for other, one in times[1:])
        rows.append([network, str(ranges), f"{1000 * before:.1f}", f"{1000 * after:.1f}", f"{ratio:.2f}"])
        said = f"{network}: a step takes {ratio:.2f} times as long, at most {LIMIT}"
        status |= verdict(ratio <= LIMIT, said)
    table(("network", "ranges", "plain ms", "aware ms", "ratio"), rows)
    return status


if __name__ == "__main__":
    sys.exit(main())
