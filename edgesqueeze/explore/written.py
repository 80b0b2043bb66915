"""What a search writes: ``front.json``, ``front.csv``, a folder for each finalist, and ``best``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import tomli_w

from edgesqueeze.base.generated import LIST, generated, write_list
from edgesqueeze.base.output import staged, write_files
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.recipe.words import words_of
from edgesqueeze.report.front import BEST, FRONT, FinalistRecord, Front, TrialRecord, judged_by

TABLE = "front.csv"
FINALISTS = "finalists"
RECIPE = "recipe.toml"
COLUMNS = (
    "trial",
    "stage",
    "state",
    "on_front",
    "missed",
    "latency_ms",
    "flash_kib",
    "ram_kib",
    "accuracy_drop",
    "expected_drop",
    "steps",
    "seconds",
    "recipe",
)


def folder_of(number: int) -> str:
    """The folder of a finalist, relative to that of the search."""
    return f"{FINALISTS}/{number:04d}"


def recipe_text(recipe: Recipe, number: int) -> str:
    """The recipe of a trial as a TOML file, with every key that has a value."""
    first = f"# Trial {number} of a search; `edgesqueeze compress --recipe` makes the same again."
    return f"{first}\n\n{tomli_w.dumps(recipe.model_dump(mode='json', exclude_none=True))}"


def write_finalist(folder: Path, files: Mapping[str, bytes], recipe: str) -> None:
    """Write what ``compress`` made, with the recipe that makes it again.

    Args:
        folder: where to; what was generated there before is replaced.
        files: content by name, the list of generated files among them.
        recipe: the recipe's text.

    Raises:
        OutputError: it cannot be written, or has files of the user's own under these names.
    """
    content = {name: data for name, data in files.items() if name != LIST} | {RECIPE: recipe.encode()}
    nested = {name.rpartition("/")[0] for name in files if name.endswith(f"/{LIST}")}
    gone: dict[str, str] = {}
    with staged(folder, gone) as stage:
        for name, data in content.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(data)
        write_list(stage, folder, [name for name in content if name.rpartition("/")[0] not in nested])
        if folder.is_dir():
            earlier = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
            gone |= generated(folder, [name for name in earlier if name not in content])


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a finalist by name, without its recipe; nothing where there is no such folder."""
    names = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}
    return {name: content for name, content in found.items() if name != RECIPE}


def write_found(folder: Path, front: Front) -> None:
    """Write ``front.json`` and ``front.csv``, and a copy of the best finalist.

    Args:
        folder: has the finalists.
        front: what was found.

    Raises:
        OutputError: they cannot be written.
    """
    for one in front.finalists:
        if one.number == front.best:
            files = read_folder(folder / one.folder)
            write_finalist(folder / BEST, files, recipe_text(one.recipe, one.number))
    write_files(folder, {FRONT: front.model_dump_json(indent=2) + "\n", TABLE: table_of(front)})


def table_of(front: Front) -> str:
    """Trials and finalists as comma-separated values, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(front))
    return text.getvalue()


def _rows(front: Front) -> Iterator[tuple[object, ...]]:
    for trial in front.trials:
        yield _row(trial, "trial", trial.state, trial.steps)
    for finalist in front.finalists:
        yield _row(finalist, "finalist", "best" if finalist.number == front.best else "trained", "")


def _row(record: TrialRecord | FinalistRecord, stage: str, state: str, steps: object) -> tuple[object, ...]:
    takes = record.takes
    return (
        record.number,
        stage,
        state,
        int(record.on_front),
        " ".join(record.missed),
        takes.latency_ms,
        takes.flash_kib,
        takes.ram_kib,
        takes.accuracy_drop,
        judged_by(record).accuracy_drop,
        steps,
        record.seconds,
        words_of(record.recipe),
    )
