"""Obstacles below a drone, from nothing to firmware: fetch, train, compress, verify, judge, emulate, fly."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.common.output import end_with, missed_by, say, write_firmware
from examples.drone_obstacles.firmware_folder import AHEAD, answers_of, emulated, firmware_files
from examples.drone_obstacles.judge import classical, f1_at_best_bound, least_score, map_of, score, scores_of
from examples.drone_obstacles.picture import draw_places, fly
from examples.drone_obstacles.search import judged, searched
from examples.drone_obstacles.tables import tables
from examples.drone_obstacles.trees import (
    CELL,
    JUDGED,
    METRES,
    OCCUPIED,
    Place,
    cover,
    frames_of,
    joined,
    read_places,
)

HERE = Path(__file__).parent
BOARDS = ("stm32h747i-disco", "stm32f746g-disco")
COMPUTER = "rpi-zero2w"
SEEDS = (0, 1, 2)
STEPS, QUICK_STEPS = 500, 60
SAMPLES, QUICK_SAMPLES = 1200, 160
"""Frames that compress learns from."""
KNOWN_ROWS = 1024
"""Rows of the training picture that are learned from; bounds on scores are chosen on those below."""
SPEED = 8.0
"""Of the drone, in metres a second."""
EMULATED_FRAMES = 4


def main(arguments: list[str] | None = None) -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("drone-obstacles"), help="folder for all results")
    parser.add_argument(
        "--quick", action="store_true", help="one network, hardly trained: shows that it works"
    )
    parser.add_argument(
        "--search", action="store_true", help="search the recipe with the best F1 at 25 frames a second, too"
    )
    options = parser.parse_args(arguments)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    places = read_places()
    known, held_out = divided(places.pop("training"))
    trees = {"known": len(known.boxes), "held_out": len(held_out.boxes)}
    seeds = SEEDS[:1] if options.quick else SEEDS
    results: dict[str, Any] = {
        "trees": trees | {name: len(place.boxes) for name, place in places.items()},
        "occupied": {name: round(float(place.occupied.mean()), 3) for name, place in places.items()},
        "classical": {
            method: {name: score(places[name], one)._asdict() for name, one in found.items()}
            for method, found in classical(known, held_out, places).items()
        },
        "seeds": [
            one_seed(out / f"seed{seed}", known, held_out, places, seed, options.quick) for seed in seeds
        ],
    }
    results.update(deployed(out, out / f"seed{seeds[0]}", places, results["seeds"][0], options.quick))
    if options.search:
        front = searched(
            out / "search", out / f"seed{seeds[0]}", recipe_of(options.quick), BOARDS[0], options.quick
        )
        results["search"] = judged(front, out / "search", held_out, places)
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    say(tables(results))
    wall, processor = (time.monotonic() - started) / 60, sum(os.times()[:4]) / 60
    say(f"done in {wall:.1f} minutes, {processor:.1f} of a core")
    say(f"written: {out}/results.json, {out}/result.png, {out}/flight.webp, {out}/firmware")
    end_with([one["missed"] for one in results["seeds"]])


def divided(place: Place) -> tuple[Place, Place]:
    """The part that is learned from, and the part below it that bounds are chosen on."""
    return place.part(0, KNOWN_ROWS), place.part(KNOWN_ROWS, len(place.picture))


def one_seed(
    folder: Path, known: Place, held_out: Place, places: dict[str, Place], seed: int, quick: bool
) -> dict[str, Any]:
    """Train and compress one network, and judge it."""
    folder.mkdir(exist_ok=True)
    say(f"seed {seed}: training")
    model = trained(folder, known, held_out, seed, quick)

    def likely(place: Place) -> npt.NDArray[np.float32]:
        seen = frames_of(place.picture).astype(np.float32) / 255
        return joined(model.predict(seen, verbose=0)[..., 0], *place.crowns.shape)

    say(f"seed {seed}: edgesqueeze compress")
    compressed = edgesqueeze.compress(
        folder / "obstacles.keras",
        target=BOARDS[0],
        data=folder / "obstacles.npz",
        out=folder / "compressed",
        recipe=recipe_of(quick),
        metric=f1_at_best_bound,
    )
    integers = edgesqueeze.read_tflite(folder / "compressed" / "model.tflite")
    check_input(integers)
    result: dict[str, Any] = {
        "tflite_bytes": compressed.report.sizes.tflite_bytes,
        "missed": missed_by(compressed.report),
    }
    for kind, said in (("float", likely), ("int8", lambda place: map_of(integers, place))):
        bound = least_score(held_out.occupied, said(held_out))
        result[kind] = {name: score(place, said(place) >= bound)._asdict() for name, place in places.items()}
        found = ", ".join(f"{name} {one['f1']}" for name, one in result[kind].items())
        say(f"seed {seed}: F1 as {kind}: {found}")
    result["least_score"] = int(bound)
    return result


def trained(folder: Path, known: Place, held_out: Place, seed: int, quick: bool) -> Any:
    """A network, saved with the data that it is compressed with: no place that it is judged on is in them."""
    from examples.drone_obstacles.train import samples, train

    model = train(known, steps=QUICK_STEPS if quick else STEPS, seed=seed)
    model.save(folder / "obstacles.keras")
    chance = np.random.default_rng(seed + len(SEEDS))
    frames, occupied = samples(known, QUICK_SAMPLES if quick else SAMPLES, chance)
    np.savez(
        folder / "obstacles.npz",
        x_train=frames,
        y_train=occupied,
        x_test=frames_of(held_out.picture),
        y_test=cells_of_frames(held_out),
    )
    return model


def check_input(model: edgesqueeze.TfliteModel) -> None:
    """The firmware gives pixels less 128: they must be what the model's integers stand for."""
    quantization = model.main.input_tensors[0].quantization
    assert quantization is not None
    steps = np.arange(-128, 128)
    taken = np.rint((steps + 128) / 255 / quantization.scales[0]) + quantization.zero_points[0]
    if not np.array_equal(taken, steps):
        raise SystemExit(
            "the model does not take pixels less 128: compress it with this folder's recipe.toml"
        )


def cells_of_frames(place: Place) -> npt.NDArray[np.uint8]:
    """Which cells of a place's frames are occupied [n, 16, 16, 1]."""
    crowns = frames_of(np.repeat(place.crowns[..., None], 3, 2))[..., 0]
    return (cover(crowns) >= OCCUPIED).astype(np.uint8)[..., None]


def recipe_of(quick: bool) -> edgesqueeze.Recipe:
    """The recipe; a network that is hardly trained is hardly trained again, and promises nothing."""
    recipe = edgesqueeze.load_recipe(HERE / "recipe.toml")
    if not quick:
        return recipe
    promised = recipe.limits.model_copy(update={"max_accuracy_drop": None})
    short = recipe.finetune.model_copy(update={"epochs": 1})
    return recipe.model_copy(update={"limits": promised, "finetune": short})


def deployed(
    out: Path, seed: Path, places: dict[str, Place], result: dict[str, Any], quick: bool
) -> dict[str, Any]:
    """One network verified, written as firmware, emulated, predicted, drawn and flown."""
    model = edgesqueeze.read_tflite(seed / "compressed" / "model.tflite")
    least = result["least_score"]
    recipe = edgesqueeze.load_recipe(HERE / "recipe.toml")
    verified = edgesqueeze.verify(
        model, against=seed / "obstacles.keras", data=seed / "obstacles.npz", options=recipe.data
    )
    say(f"verify: {'the runtimes agree' if verified.ok else 'THE RUNTIMES DIFFER'}")
    write_firmware(out / "firmware", firmware_files(model, "cortex-m7", least))
    test = places[JUDGED[0]]
    frames = frames_of(test.picture)[:EMULATED_FRAMES]
    expected = answers_of(scores_of(model, frames), least)
    boards = {}
    for board in BOARDS[:1] if quick else BOARDS:
        core = edgesqueeze.load_target(board).cpu.core
        answers, run = emulated(firmware_files(model, core, least), board, frames)
        boards[board] = board_figures(run, len(frames))
        boards[board]["equals_python"] = bool(np.array_equal(answers, expected))
        say(f"{board}: {boards[board]}")
    predicted = edgesqueeze.bench(model, COMPUTER).latency_ms
    draw_places(
        places, {name: map_of(model, place) >= least for name, place in places.items()}, out / "result.png"
    )
    fly(model, least, test, out / "flight.webp", SPEED, 9 if quick else 49)
    return {
        "verified": verified.ok,
        "boards": boards,
        "predicted": {COMPUTER: {**times_of(predicted), **ahead_of(predicted.estimate)}},
    }


def times_of(milliseconds: Any) -> dict[str, float]:
    """A range of milliseconds, rounded."""
    return {f"ms_{end}": round(getattr(milliseconds, end), 2) for end in ("estimate", "low", "high")}


def board_figures(run: edgesqueeze.ProgramRun, frames: int) -> dict[str, Any]:
    """What the firmware costs on a board: milliseconds a frame, what they mean in flight, and memory."""
    a_frame = run.parts[1].milliseconds
    times = {f"ms_{end}": round(getattr(a_frame, end) / frames, 2) for end in ("estimate", "low", "high")}
    return {
        **times,
        **ahead_of(times["ms_estimate"]),
        "flash_bytes": run.flash_bytes,
        "ram_bytes": run.ram_bytes,
    }


def ahead_of(milliseconds: float) -> dict[str, float]:
    """What the time of a frame means in flight.

    An obstacle enters the frame 12.8 m in front of the drone. It may have missed a frame by a hair, so it is
    seen a frame later at most, and known when that frame is done.
    """
    flown = SPEED * milliseconds / 1000
    left = AHEAD * CELL * METRES - 2 * flown
    return {
        "frames_a_second": round(1000 / milliseconds, 1),
        "metres_a_frame": round(flown, 2),
        "metres_ahead_when_known": round(left, 2),
        "seconds_to_obstacle_when_known": round(left / SPEED, 2),
    }


if __name__ == "__main__":
    main()
