"""Search: what it finds beside random search, what workers bring, and what a trial costs besides its work."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
from common import out, start, table, verdict
from compressor_models import NETWORKS, trained
from fashion_model import Fashion, load_fashion, quiet_imports, trained_model

TARGET = "nucleo-l4r5zi"
HAND_MADE: Mapping[str, Any] = {"prune": {"sparsity": 0.6}, "cluster": {"clusters": 16}}
"""The recipe of the README."""

SMALL = "fashion"
"""The network of the benchmark of that name."""
GAIN = 1.15
"""Least hypervolume over that of random search."""
SPEED_UP = 1.7
"""Least trials an hour of two workers over those of one."""
UNFIT_SECONDS = 0.5
RAY_SECONDS = 2.0
TASKS = 4
"""Tasks of a trial, at most: a look, and three rounds."""
FASTER = 3.0
"""Least time of TensorFlow Lite Micro for the int8 original over that of the best."""
TEST_SAMPLES = 10_000
"""All: of 2,000, where 6 % change their class, a drop has a standard error of half a point."""
SMALLER = 10.0
"""Least flash of float32 weights over that of the best."""


class Given(NamedTuple):
    """What is searched.

    Attributes:
        model: path of the network.
        data: path of the samples.
        target: path of the profile.
        epochs: of the finalists' training; None: while it helps.
    """

    model: Path
    data: Path
    target: Path
    epochs: int | None


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    arguments = _arguments()
    start(
        "search",
        f"""Fashion-MNIST, {arguments.network}, native C on an emulated Cortex-M4. Must be reached: a model
        within one point of float that is {FASTER:g} times faster than the int8 original on TensorFlow Lite
        Micro with CMSIS-NN, as that is predicted, with {SMALLER:g} times less flash for weights than float32;
        a hypervolume of {GAIN} times random search's; {SPEED_UP} times the trials with two workers;
        {RAY_SECONDS:g} s of Ray's own for a trial; {UNFIT_SECONDS} s for a trial that cannot fit.""",
    )
    quiet_imports()
    with _given(arguments) as given:
        return max(PARTS[name](given, arguments) for name in arguments.part or PARTS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; repeatable")
    parser.add_argument("--network", choices=(*NETWORKS, SMALL), default="ds-cnn")
    parser.add_argument("--samples", type=int, default=60_000, help="training samples, at most")
    parser.add_argument("--epochs", type=int, help="of the finalists' training; while it helps if unset")
    parser.add_argument("--minutes", type=float, default=40.0, help="of each search (default: 40)")
    parser.add_argument("--seeds", type=int, default=3, help="searches of each kind (default: 3)")
    parser.add_argument("--trials", type=int, default=6, help="of the parts that count them (default: 6)")
    parser.add_argument("--no-random", action="store_true", help="leave random search out")
    return parser.parse_args()


@contextmanager
def _given(arguments: argparse.Namespace) -> Iterator[Given]:
    from edgesqueeze.target.load import shipped_folder

    data = load_fashion()
    model = _network(arguments.network, data)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        count = arguments.samples
        np.savez(
            folder / "fashion.npz",
            x_train=data.x_train[:count],
            y_train=data.y_train[:count],
            x_test=data.x_test,
            y_test=data.y_test,
        )
        # A board whose first runtime is C without one.
        text = (shipped_folder() / f"{TARGET}.toml").read_text(encoding="utf-8")
        text = text.replace('name = "tflm"', 'name = "c"').replace('also = ["c"]', 'also = ["tflm"]')
        text = text.replace('operators = "tflm"', 'operators = "c"')
        (folder / "board.toml").write_text(text, encoding="utf-8")
        yield Given(model, folder / "fashion.npz", folder / "board.toml", arguments.epochs)


def _network(name: str, data: Fashion) -> Path:
    return trained_model(data) if name == SMALL else trained(name, 0, data)


def _search(given: Given, folder: str, seed: int = 0, **how: Any) -> Any:
    import edgesqueeze

    recipe = {
        "seed": seed,
        "finetune": {"epochs": given.epochs} if given.epochs is not None else {},
        "data": {"evaluation_samples": TEST_SAMPLES},
    }
    return edgesqueeze.search(
        given.model,
        target=given.target,
        data=given.data,
        out=folder,
        recipe=edgesqueeze.parse_recipe(recipe),
        **how,
    )


def front(given: Given, arguments: argparse.Namespace) -> int:
    """What a search finds, beside random search with the same time, and the recipe of the README."""
    kinds = ("tpe",) if arguments.no_random else ("tpe", "random")
    volumes: dict[str, list[float]] = {kind: [] for kind in kinds}
    status, rows = 0, []
    for seed in range(arguments.seeds):
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                found = _search(given, folder, seed, minutes=arguments.minutes, sampler=kind)
                volumes[kind].append(hypervolume(found))
                rows.append(_row(kind, seed, found, volumes[kind][-1]))
                if kind == "tpe" and seed == 0:
                    status |= _judged(given, found, Path(folder))
    columns = ("sampler", "seed", "trials", "feasible", "hypervolume", "ms", "flash KiB", "points", "seconds")
    table(columns, rows, left=2)
    if not arguments.no_random:
        gain = median(volumes["tpe"]) / max(median(volumes["random"]), 1e-9)
        status |= verdict(gain >= GAIN, f"hypervolume {gain:.2f} times random search's, at least {GAIN}")
    return status


def hypervolume(found: Any) -> float:
    """Area that the trials within all limits dominate, of the square up to the quantized model's figures."""
    whole = found.baseline
    points = sorted(
        (one.takes.latency_ms / whole.latency_ms, one.takes.flash_kib / whole.flash_kib)
        for one in found.trials
        if one.takes.accuracy_drop is not None and not one.missed and one.takes.latency_ms is not None
    )
    area, lowest = 0.0, 1.0
    for i, (x, y) in enumerate(points):
        lowest = min(lowest, y)
        following = points[i + 1][0] if i + 1 < len(points) else 1.0
        area += max(0.0, min(1.0, following) - min(1.0, x)) * (1 - lowest)
    return area


def _row(kind: str, seed: int, found: Any, volume: float) -> list[str]:
    feasible = sum(1 for one in found.trials if one.takes.accuracy_drop is not None and not one.missed)
    best = found.finalists[0] if found.best is not None else None
    figures = ["-"] * 3
    if best is not None:
        takes = best.takes
        figures = [f"{takes.latency_ms:.4g}", f"{takes.flash_kib:.4g}", f"{-100 * takes.accuracy_drop:+.2f}"]
    count = str(len(found.trials))
    return [kind, str(seed), count, str(feasible), f"{volume:.3f}", *figures, f"{found.seconds:.0f}"]


def _judged(given: Given, found: Any, folder: Path) -> int:
    """The best model beside TensorFlow Lite Micro with the int8 original, and beside the README's recipe."""
    import edgesqueeze
    from edgesqueeze.explore.wish import undominated

    if found.best is None:
        return verdict(False, found.reason)
    best = edgesqueeze.emulate(folder / "best" / "model.tflite", given.target)
    plain = edgesqueeze.compress(given.model, target=given.target, data=given.data)
    peer = edgesqueeze.bench(plain.tflite, TARGET, runtime="tflm").latency_ms.estimate
    faster = peer / best.latency_ms.estimate
    smaller = plain.report.sizes.float_bytes / best.memory.flash_weights_bytes
    status = verdict(faster >= FASTER, f"{faster:.2f} times faster than the peer's int8, at least {FASTER:g}")
    status |= verdict(
        smaller >= SMALLER, f"weights {smaller:.1f} times smaller than float32, at least {SMALLER:g}"
    )
    recipe = edgesqueeze.parse_recipe(HAND_MADE)
    hand = edgesqueeze.compress(given.model, target=given.target, data=given.data, recipe=recipe)
    hand_bench = edgesqueeze.bench(hand.tflite, given.target)
    row = (hand_bench.latency_ms.estimate, (hand.report.fit.flash.needed_bytes or 0) / 1024)
    ours = [(one.takes.latency_ms, one.takes.flash_kib) for one in found.finalists if not one.missed]
    status |= verdict(
        not undominated([*ours, row])[-1],
        f"the README's recipe ({row[0]:.4g} ms, {row[1]:.4g} KiB) is on the front or dominated",
    )
    return status


def workers(given: Given, arguments: argparse.Namespace) -> int:
    """Trials an hour of one worker and of two; opening the model is not counted."""
    from edgesqueeze.explore.processes import Processes
    from edgesqueeze.explore.tasks import Task

    recipe = _recipe(given, {"prune": {"sparsity": 0.6}})
    speeds = []
    for size in (1, 2):
        with closing(Processes(_order(given), size)) as crew:
            # Each process pays for its first task what later ones do not.
            _all(crew, [Task("train", recipe, 100)] * size)
            began = time.perf_counter()
            _all(crew, [Task("train", recipe, 100)] * arguments.trials)
            speeds.append(arguments.trials / (time.perf_counter() - began))
    out.print(f"trials an hour: {3600 * speeds[0]:.0f} with one worker, {3600 * speeds[1]:.0f} with two")
    gain = speeds[1] / speeds[0]
    return verdict(gain >= SPEED_UP, f"two workers: {gain:.2f} times the trials, at least {SPEED_UP}")


def unfit(given: Given, arguments: argparse.Namespace) -> int:
    """What a trial costs that cannot fit: those that are made, and those that are known not to."""
    from edgesqueeze.report.front import SearchLimits

    limits = SearchLimits(max_flash=1.0)
    with tempfile.TemporaryDirectory() as folder:
        found = _search(given, folder, limits=limits, trials=arguments.trials + 30)
    spent = [one.seconds for one in found.trials if one.state == "unfit"]
    looked = [seconds for seconds in spent if seconds]
    if not looked:
        return verdict(False, "no trial was looked at")
    out.print(
        f"{len(spent) - len(looked)} of {len(found.trials)} trials were known not to fit, and cost no work; "
        f"the {len(looked)} others took {median(looked):.2f} s in the median"
    )
    return verdict(
        fmean(spent) <= UNFIT_SECONDS,
        f"a trial that cannot fit takes {fmean(spent):.2f} s in the mean, at most {UNFIT_SECONDS}",
    )


def overhead(given: Given, arguments: argparse.Namespace) -> int:
    """What a task costs besides its work: in a process, and on a Ray cluster on this computer."""
    from edgesqueeze.explore.on_ray import OnRay, pack
    from edgesqueeze.explore.processes import Processes
    from edgesqueeze.explore.tasks import Task

    tasks = [Task("train", _recipe(given, {}), 0)] * arguments.trials
    sent = sum(len(content) for content in pack(_order(given)).files.values())
    costs = {}
    for name, crew in (
        ("a process", lambda: Processes(_order(given), 1)),
        ("Ray", lambda: OnRay(_order(given), "local", 1)),
    ):
        began = time.perf_counter()
        with closing(crew()) as one:
            opened = time.perf_counter() - began
            costs[name] = median(_besides(one, tasks))
        besides = 1000 * costs[name]
        out.print(f"{name}: {besides:.1f} ms a task besides its work; {opened:.1f} s to open the model")
    out.print(f"model and data: {sent / 2**20:.1f} MiB, sent once to each node")
    trial = TASKS * costs["Ray"]
    return verdict(trial <= RAY_SECONDS, f"Ray: {trial:.3f} s a trial, at most {RAY_SECONDS:g}")


def _besides(crew: Any, tasks: Sequence[Any]) -> list[float]:
    found = []
    for key, task in enumerate(tasks):
        began = time.perf_counter()
        crew.start(key, task)
        ((_, answer),) = crew.wait()
        found.append(time.perf_counter() - began - answer.seconds)
    return found


def _all(crew: Any, tasks: Sequence[Any]) -> None:
    from edgesqueeze.explore.loop import run

    def job(task: Any) -> Any:
        answer = yield task
        if answer.error is not None:
            raise answer.error

    run(crew, map(job, tasks))


def _order(given: Given) -> Any:
    from edgesqueeze.explore.tasks import Order
    from edgesqueeze.target.load import load_target

    return Order(given.model, str(given.data), load_target(given.target), _recipe(given, {}), latency=True)


def _recipe(given: Given, raw: Mapping[str, Any]) -> Any:
    from edgesqueeze.recipe.read import parse_recipe

    return parse_recipe({**raw, "finetune": {} if given.epochs is None else {"epochs": given.epochs}})


PARTS: Mapping[str, Callable[[Given, argparse.Namespace], int]] = {
    "overhead": overhead,
    "unfit": unfit,
    "workers": workers,
    "front": front,
}

if __name__ == "__main__":
    sys.exit(main())
