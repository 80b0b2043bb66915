"""Spoken digits from nothing to firmware: fetch, speak, train, compress, verify, measure, emulate.

Everything is written into one folder; what the synthetic voices say is kept there for the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.common.output import end_with, missed_by, say, write_firmware
from examples.voice_mcu import people, stream, voices
from examples.voice_mcu.features import RATE, UNIT, to_samples
from examples.voice_mcu.firmware_folder import Quantizer, firmware_files, quantizer_of
from examples.voice_mcu.measure import (
    NOTHING,
    classical,
    decide,
    emulated,
    false_accepts,
    heard_by_twin,
    joined,
    least_score,
    scores_of,
    share,
)
from examples.voice_mcu.picture import draw
from examples.voice_mcu.words import QUICK, Amount, Words, balanced, human_words, make_words

HERE = Path(__file__).parent
BOARDS = ("nano33ble-sense", "pico")
EPOCHS, QUICK_EPOCHS = 12, 12
SEEDS = (0, 1, 2)
TRIED_PASSING = (0.95, 0.8, 0.6)
"""Shares of digits that must be clear enough, of which the firmware has the middle one."""
LEARNED_FROM, EMULATED_WORDS = 300, 10
"""Training words that the streaming form takes its ranges from; words of people that it hears emulated."""
CHOSEN_ON = 3
"""Every third recording of people was looked at when the front end was chosen; the others were not."""


class People(NamedTuple):
    """The recordings of people: features [n, 40, 13] in decibels, and their digits [n]."""

    words: npt.NDArray[np.float32]
    digits: npt.NDArray[np.int64]

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """Which of them no choice was made on."""
        return np.arange(len(self.digits)) % CHOSEN_ON != 0


def main(arguments: list[str] | None = None) -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(
        prog="run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("voice-mcu"), help="folder for all results")
    parser.add_argument(
        "--quick", action="store_true", help="few voices and one network: shows that it works"
    )
    options = parser.parse_args(arguments)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    words = spoken_words(out, QUICK if options.quick else Amount())
    judges = People(*_human())
    seeds = SEEDS[:1] if options.quick else SEEDS
    results: dict[str, Any] = {"seeds": []}
    for seed in seeds:
        result = one_seed(out / f"seed{seed}", words, judges, seed, options.quick)
        results["seeds"].append(result)
    results["classical"] = share(classically(words, judges) == judges.digits)._asdict()
    results.update(deployed(out, out / f"seed{seeds[0]}", options.quick))
    results["stream"] = streamed(out / "stream", out / f"seed{seeds[0]}")
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    wall, processor = (time.monotonic() - started) / 60, sum(os.times()[:4]) / 60
    say(f"done in {wall:.1f} minutes, {processor:.1f} of a core")
    say(f"written: {out}/results.json, {out}/digits.png, {out}/firmware")
    end_with([one["missed"] for one in results["seeds"]])


def spoken_words(out: Path, amount: Amount) -> Words:
    """The training data, from the folder or made anew."""
    kept = out / f"words-{'-'.join(map(str, amount))}.npz"
    if not kept.exists():
        say("fetching the voices, and letting them speak")
        made = make_words(voices.fetch_engines(out / "engines"), amount)
        np.savez(kept.with_suffix(".part.npz"), **made._asdict())
        kept.with_suffix(".part.npz").replace(kept)
    with np.load(kept) as stored:
        words = Words(*(stored[name] for name in Words._fields))
    say(f"{len(words.classes):,} words by synthetic voices, {int(words.held_out.sum()):,} of them held out")
    return words


def _human() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    recordings, digits = people.fsdd()
    return human_words(recordings), digits


def classically(words: Words, judges: People) -> npt.NDArray[np.int64]:
    """What the classical method says about the recordings of people."""
    known = ~words.held_out
    return classical(words.features[known], words.classes[known], judges.words)


def one_seed(folder: Path, words: Words, judges: People, seed: int, quick: bool) -> dict[str, Any]:
    """Train and compress one network, and judge it."""
    from examples.voice_mcu.train import scaling_of, train

    folder.mkdir(exist_ok=True)
    known = balanced(words, seed)
    scaling = scaling_of(known.features)
    say(f"seed {seed}: training")
    epochs = QUICK_EPOCHS if quick else EPOCHS
    model = train(scaling(known.features), known.classes, scaling, epochs=epochs, seed=seed)
    model.save(folder / "digits.keras")
    np.savez(
        folder / "digits.npz",
        x_train=scaling(known.features),
        y_train=known.classes,
        x_test=scaling(judges.words),
        y_test=judges.digits,
    )
    (folder / "scaling.json").write_text(json.dumps({k: v.tolist() for k, v in scaling._asdict().items()}))
    floating = np.asarray(model.predict(scaling(judges.words), verbose=0))[:, : voices.UNKNOWN].argmax(1)
    say(f"seed {seed}: edgesqueeze compress")
    compressed = edgesqueeze.compress(
        folder / "digits.keras",
        target=BOARDS[0],
        data=folder / "digits.npz",
        out=folder / "compressed",
        recipe=recipe_of(quick),
    )
    integers = edgesqueeze.read_tflite(folder / "compressed" / "model.tflite")
    quantizer = quantizer_of(integers, *scaling)
    result = judged(integers, quantizer, words, judges)
    result["float"] = share(floating == judges.digits)._asdict()
    result["tflite_bytes"] = compressed.report.sizes.tflite_bytes
    result["missed"] = missed_by(compressed.report)
    (folder / "judged.json").write_text(json.dumps(result, indent=2) + "\n")
    say(f"seed {seed}: {result['float']['percent']} % right as float, {result['ten']['percent']} % as int8")
    return result


def recipe_of(quick: bool) -> edgesqueeze.Recipe:
    """The recipe; a network that is hardly trained promises nothing."""
    recipe = edgesqueeze.load_recipe(HERE / "recipe.toml")
    if not quick:
        return recipe
    promised = recipe.limits.model_copy(update={"max_accuracy_drop": None})
    return recipe.model_copy(update={"limits": promised})


def judged(
    model: edgesqueeze.TfliteModel, quantizer: Quantizer, words: Words, judges: People
) -> dict[str, Any]:
    """How good a .tflite is, with the features that the firmware computes."""
    held_out = words.held_out
    synthetic = scores_of(model, quantizer(_whole(words.features[held_out])))
    least = least_score(synthetic, words.classes[held_out])
    scores = scores_of(model, quantizer(_whole(judges.words)))
    bounds = {passing: least_score(synthetic, words.classes[held_out], passing) for passing in TRIED_PASSING}
    best, decided = scores.argmax(1), decide(scores, least)
    right = scores[:, : voices.UNKNOWN].argmax(1) == judges.digits
    return {
        "ten": share(right)._asdict(),
        "ten_unseen": share(right[judges.unseen])._asdict(),
        "twelve": share(best == judges.digits)._asdict(),
        "each": [round(100 * float(right[judges.digits == digit].mean()), 1) for digit in range(10)],
        "held_out_voices": share(synthetic.argmax(1) == words.classes[held_out])._asdict(),
        "least_score": least,
        **accepted(decided, judges.digits),
        "bounds": [
            {"passing": passing, "least_score": bound, **accepted(decide(scores, bound), judges.digits)}
            for passing, bound in bounds.items()
        ],
        "confusion": np.histogram2d(judges.digits, decided, bins=(range(11), range(13)))[0]
        .astype(int)
        .tolist(),
    }


def accepted(decided: npt.NDArray[np.int64], digits: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How many recordings of digits are taken for the right one, and for another."""
    return {
        "accepted_right": share(decided == digits)._asdict(),
        "accepted_wrong": share((decided != digits) & (decided < voices.UNKNOWN))._asdict(),
    }


def _whole(decibels: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Features in 1/256 decibels again."""
    return np.rint(decibels * UNIT).astype(np.int64)


def deployed(out: Path, seed: Path, quick: bool) -> dict[str, Any]:
    """Firmware of one network: written, emulated on both boards, and asked about sound without digits."""
    model = edgesqueeze.read_tflite(seed / "compressed" / "model.tflite")
    stored = json.loads((seed / "scaling.json").read_text())
    quantizer = quantizer_of(model, stored["mean"], stored["deviation"])
    result = json.loads((seed / "judged.json").read_text())
    least = result["least_score"]
    verified = edgesqueeze.verify(model, against=seed / "digits.keras", data=seed / "digits.npz")
    say(f"verify: {'the runtimes agree' if verified.ok else 'THE RUNTIMES DIFFER'}")
    write_firmware(out / "firmware", firmware_files(model, "cortex-m4", quantizer, least))
    say("the firmware listens to a person who says zero to nine, on emulated boards")
    samples = to_samples(joined(people.prompt_digits()))
    expected = heard_by_twin(model, quantizer, least, samples)
    boards = {}
    for board in BOARDS[:1] if quick else BOARDS:
        core = edgesqueeze.load_target(board).cpu.core
        heard, run = emulated(firmware_files(model, core, quantizer, least), board, samples)
        boards[board] = board_figures(run, len(samples) / RATE)
        boards[board]["equals_python"] = bool(np.array_equal(heard, expected))
    draw(samples, expected, result["confusion"], out / "digits.png")
    said = [int(one) for one in expected if one != NOTHING]
    say(f"heard: {said}; as in Python: {all(one['equals_python'] for one in boards.values())}")
    results: dict[str, Any] = {"verified": verified.ok, "prompts_heard": said, "boards": boards}
    if not quick:
        results["no_digits"] = without_digits(model, quantizer, result["bounds"])
    return results


def streamed(folder: Path, seed: Path) -> dict[str, Any]:
    """The network of a seed step by step: whether it says the same, and what a step costs."""
    import keras

    say("the same network, step by step")
    network = stream.streaming(keras.models.load_model(seed / "digits.keras"))
    with np.load(seed / "digits.npz") as stored:
        known, words, digits = (stored[name] for name in ("x_train", "x_test", "y_test"))
    known = np.random.default_rng(0).permutation(known)[:LEARNED_FROM]
    nothing = stream.nothing_kept(network)
    forms = {
        "word": edgesqueeze.read_tflite(seed / "compressed" / "model.tflite"),
        "step": stream.compressed(network, folder, known, BOARDS[0]),
    }
    scores = {
        "word": scores_of(forms["word"], words),
        "step": stream.scores_behind(forms["step"], nothing, words),
    }
    one, other = (each[:, : voices.UNKNOWN].argmax(1) for each in scores.values())
    results: dict[str, Any] = {
        "ten": share(other == digits)._asdict(),
        "same_digit_percent": round(100 * float(np.mean(one == other)), 1),
        "kept_bytes": sum(values.size for values in nothing.values()),
    }
    for form, model in forms.items():
        asked = stream.as_taken(model, words[:EMULATED_WORDS])
        heard, run = stream.emulated(model, BOARDS[0], asked, steps=form == "step")
        times, memory = (
            run.parts[1].milliseconds,
            {"flash_bytes": run.flash_bytes, "ram_bytes": run.ram_bytes},
        )
        count = heard.shape[0] * heard.shape[1]
        results[form] = {
            **{f"ms_{end}": round(getattr(times, end) / count, 2) for end in ("estimate", "low", "high")},
            **memory,
        }
        if form == "step":
            results["equals_python"] = bool(np.array_equal(heard[:, -1], scores[form][:EMULATED_WORDS]))
    say(f"the same digit for {results['same_digit_percent']} % of people's recordings")
    return results


def without_digits(
    model: edgesqueeze.TfliteModel, quantizer: Quantizer, bounds: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What passes for digits in speech that has none, for each language and bound."""
    least = [bound["least_score"] for bound in bounds]
    return [
        {
            "language": language,
            "passing": bound["passing"],
            **one._asdict(),
            "an_hour": round(one.an_hour, 1),
        }
        for language, prompts in people.prompts_without_digits().items()
        for bound, one in zip(bounds, false_accepts(model, quantizer, least, prompts), strict=True)
    ]


def board_figures(run: edgesqueeze.ProgramRun, seconds: float) -> dict[str, Any]:
    """What the firmware costs on a board: milliseconds for a second of sound, and memory."""
    parts = {part.name: part.milliseconds for part in run.parts[1:]}
    every = sum(one.estimate for one in parts.values())
    return {
        "ms_a_second": {name: round(one.estimate / seconds, 2) for name, one in parts.items()},
        "ms_a_second_low_high": [
            round(sum(getattr(one, end) for one in parts.values()) / seconds, 1) for end in ("low", "high")
        ],
        "processor_percent": round(every / seconds / 10, 1),
        "flash_bytes": run.flash_bytes,
        "ram_bytes": run.ram_bytes,
    }


if __name__ == "__main__":
    main()
