"""Search the recipe with the best F1 among those that are fast enough: what ``run --search`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import edgesqueeze
from examples.common.output import say
from examples.drone_obstacles.judge import f1_at_best_bound, least_score, map_of, score
from examples.drone_obstacles.trees import Place

FRAMES_A_SECOND = 25
MINUTES, QUICK_TRIALS = 10, 8
"""How long the search goes on, or how many recipes ``--quick`` tries."""


def searched(
    folder: Path, seed: Path, recipe: edgesqueeze.Recipe, target: str, quick: bool
) -> edgesqueeze.Front:
    """Search for the network of a seed.

    Args:
        folder: for what is found.
        seed: the folder with the network and its data.
        recipe: what holds for every trial is taken from it: data, training and integers.
        target: the board.
        quick: try hardly anything.
    """
    board = edgesqueeze.load_target(target)
    # The firmware is C without a runtime, whatever the board's profile would take.
    runtime = board.runtime.model_copy(update={"name": "c"})
    return edgesqueeze.search(
        seed / "obstacles.keras",
        target=board.model_copy(update={"runtime": runtime}),
        data=seed / "obstacles.npz",
        out=folder,
        limits=edgesqueeze.SearchLimits(max_accuracy_drop=0.5, max_latency=1000 / FRAMES_A_SECOND),
        objectives=("accuracy",),
        recipe=edgesqueeze.Recipe(
            seed=recipe.seed, data=recipe.data, finetune=recipe.finetune, quantize=recipe.quantize
        ),
        trials=QUICK_TRIALS if quick else None,
        minutes=None if quick else MINUTES,
        finalists=1 if quick else 2,
        metric=f1_at_best_bound,
    )


def judged(
    front: edgesqueeze.Front, folder: Path, held_out: Place, places: dict[str, Place]
) -> dict[str, Any]:
    """How good what was found is; the reason, where nothing was."""
    if front.best is None:
        say(f"search: {front.reason}")
        return {"trials": len(front.trials), "reason": front.reason}
    (found,) = (one for one in front.finalists if one.number == front.best)
    model = edgesqueeze.read_tflite(folder / "best" / "model.tflite")
    bound = least_score(held_out.occupied, map_of(model, held_out))
    scores = {name: score(place, map_of(model, place) >= bound)._asdict() for name, place in places.items()}
    said = ", ".join(f"{name} {one['f1']}" for name, one in scores.items())
    say(f"search: the best of {len(front.trials)} takes {found.takes.latency_ms} ms; F1: {said}")
    return {"trials": len(front.trials), "takes": found.takes.model_dump(), "int8": scores}
