"""Ten small tasks with little data: what half of the weights and 16 values cost, by default."""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import training_tasks
from common import kept_model, out, start, table, verdict
from fashion_model import quiet_imports
from training_tasks import TASKS, Split, Task, split_of

SPARSITY = 0.5
CLUSTERS = 16
TARGET = "nucleo-l4r5zi"
ALLOWED_DROP = 0.02
FLOAT_ACCURACY = (0.75, 0.97)
BATCH = 32
RATE = 4e-3


@dataclass(frozen=True)
class Outcome:
    """What became of one task's network.

    Attributes:
        parameters: of the float network.
        before: accuracy of the float network on the test samples.
        int8: accuracy of the .tflite that is quantized only.
        after: accuracy of the .tflite that is pruned and clustered as well.
        epochs: passes over the samples of the fine-tuning.
        seconds: of pruning, clustering, fine-tuning, conversion, emission and verification.
    """

    parameters: int
    before: float
    int8: float
    after: float
    epochs: float
    seconds: float

    @property
    def drop(self) -> float:
        """Accuracy that the pruned and clustered network lost."""
        return self.before - self.after


def trained_model(task: Task, data: Split, seed: int) -> Path:
    """The path of a task's network; it is trained with labels if it is not there yet."""
    source = inspect.getsource(training_tasks) + inspect.getsource(_trained)
    return kept_model(
        f"training-{task.name.replace(' ', '-')}",
        f"{source} {BATCH} {RATE} {seed}",
        seed,
        lambda: _trained(task, data),
        quiet=True,
    )


def _trained(task: Task, data: Split) -> Any:
    import keras

    inputs = keras.Input(data.x_train.shape[1:], name="samples")
    model = keras.Model(inputs, task.build(inputs, int(data.y_train.max()) + 1))
    x, y = data.x_train, data.y_train
    if data.x_besides is not None and data.y_besides is not None:
        x, y = np.concatenate([x, data.x_besides]), np.concatenate([y, data.y_besides])
    rate = keras.optimizers.schedules.CosineDecay(RATE, task.epochs * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(x, y, BATCH, task.epochs, verbose=0)
    return model


def squeeze(path: Path, data: Split, finetune: Mapping[str, Any], seed: int) -> Outcome:
    """Compress a network by default, and quantize it only; the training samples come without labels."""
    from edgesqueeze.pipeline import judge, prepare
    from edgesqueeze.pipeline import squeeze as apply
    from edgesqueeze.recipe.read import parse_recipe
    from edgesqueeze.target.load import load_target
    from edgesqueeze.target.preferences import fill_preferences

    samples = ((data.x_train, None), (data.x_test, data.y_test))
    prepared, board = prepare(path, data=samples, seed=seed), load_target(TARGET)
    asked = {"prune": {"sparsity": SPARSITY}, "cluster": {"clusters": CLUSTERS}, "finetune": finetune}
    reports, seconds = [], 0.0
    for options in ({}, asked):
        begin = time.perf_counter()
        recipe = fill_preferences(parse_recipe({"seed": seed, **options}), board)
        reports.append(judge(prepared, apply(prepared, recipe), board).report)
        seconds = time.perf_counter() - begin
    plain, small = (report.accuracy for report in reports)
    if plain is None or small is None:
        raise SystemExit("error: there is no accuracy without labels")
    steps = sum(stage.steps for stage in reports[1].stages)
    return Outcome(
        parameters=reports[0].model.parameters,
        before=small.float_model,
        int8=plain.compressed,
        after=small.compressed,
        epochs=steps / -(-len(data.x_train) // reports[1].recipe.finetune.batch_size),
        seconds=seconds,
    )


def row(task: Task, outcome: Outcome) -> list[str]:
    """One line of the table."""
    return [
        task.name,
        f"{task.samples:,}",
        f"{outcome.parameters:,}",
        f"{outcome.before:.1%}",
        f"{outcome.int8:.1%}",
        f"{outcome.after:.1%}",
        f"{100 * outcome.drop:+.1f}",
        f"{outcome.epochs:,.0f}",
        f"{outcome.seconds:.0f}",
    ]


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[task.name for task in TASKS], action="append", help="repeatable")
    parser.add_argument("--epochs", type=int, help="exactly so many, to compare (default: while it helps)")
    parser.add_argument("--augment", action="append", help="as in a recipe; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="of samples, networks and recipes (default: 0)")
    arguments = parser.parse_args()
    low, high = FLOAT_ACCURACY
    start(
        "training",
        f"""Ten small networks, trained on {min(task.samples for task in TASKS)} to
        {max(task.samples for task in TASKS):,} samples and right in {low:.0%} to {high:.0%} of the test
        samples, with {SPARSITY:.0%} sparsity, {CLUSTERS} clusters and int8, label-free, everything else as it
        is by default. Must be reached: every one loses at most {100 * ALLOWED_DROP:.0f} points.""",
    )
    quiet_imports()
    finetune = {"epochs": arguments.epochs, "augment": arguments.augment}
    outcomes = {}
    for task in TASKS:
        if arguments.only and task.name not in arguments.only:
            continue
        data = split_of(task, arguments.seed)
        path = trained_model(task, data, arguments.seed)
        outcomes[task] = squeeze(path, data, finetune, arguments.seed)
        out.print(", ".join(row(task, outcomes[task])), style="dim")
    columns = ("task", "samples", "parameters", "float", "int8", "compressed", "drop", "epochs", "seconds")
    table(columns, [row(task, outcome) for task, outcome in outcomes.items()])
    status = 0
    for task, outcome in outcomes.items():
        status |= verdict(
            round(outcome.drop, 4) <= ALLOWED_DROP,
            f"{task.name}: {100 * outcome.drop:+.2f} points, at most {100 * ALLOWED_DROP:.0f}",
        )
        if not low <= outcome.before <= high:
            status |= verdict(False, f"{task.name}: float accuracy {outcome.before:.1%}")
    return status


if __name__ == "__main__":
    sys.exit(main())
