from pathlib import Path

import pytest

from edgesqueeze.recipe.passes import PASSES, share_steps
from edgesqueeze.recipe.sections import Recipe

PACKAGE = Path(__file__).parents[1]
ROWS = {row.name: row for row in PASSES}


@pytest.mark.parametrize(
    ("names", "steps", "shares"),
    [
        (("prune", "cluster", "settle"), 10, (5, 3, 2)),
        (("prune", "cluster", "settle"), 19, (9, 5, 5)),
        (("prune",), 7, (7,)),
        (("cluster", "settle"), 10, (6, 4)),
        (("prune", "cluster", "settle"), 0, (0, 0, 0)),
        (("prune", "cluster", "settle"), 1, (0, 0, 1)),
        (("channels", "prune", "cluster", "settle"), 17, (6, 5, 3, 3)),
        (("channels",), 7, (7,)),
        ((), 10, ()),
    ],
)
def test_steps_are_shared_by_weight_and_the_last_takes_what_is_left(names, steps, shares):
    found = share_steps(steps, [ROWS[name] for name in names])
    assert found == dict(zip(names, shares, strict=True))


def test_a_pass_without_training_takes_no_steps():
    untrained = ROWS["settle"]._replace(name="rounded", weight=0.0)
    assert share_steps(9, [ROWS["prune"], untrained]) == {"prune": 9, "rounded": 0}
    assert share_steps(9, [untrained]) == {"rounded": 0}


def test_every_pass_is_there_and_says_what_it_is():
    from edgesqueeze.squeeze.passes import (
        aware,
        bias,
        bits,
        calibrate,
        channels,
        cluster,
        equalize,
        prune,
        round,
    )

    runs = [module.run for module in (equalize, channels, prune, bits, cluster)]
    runs += [cluster.run_settle, round.run, calibrate.run, bias.run, aware.run]
    assert [row.run.load() for row in PASSES] == runs
    assert len({row.name for row in PASSES}) == len(PASSES)
    for row in PASSES:
        assert row.summary
        assert row.options(Recipe()) is None
        assert (row.section or "limits") in Recipe.model_fields
        assert bool(row.absent) == bool(row.done)
        if row.absent:
            assert row.name in Recipe.model_fields


def test_the_readme_has_the_table_of_passes():
    text = (PACKAGE / "squeeze/README.md").read_text()
    shown = text.split("<!-- passes -->")[1].split("<!-- /passes -->")[0].strip().splitlines()[2:]
    sections = [
        f"`[{row.section or row.name}]`" if row.section or row.absent else "with the pass before"
        for row in PASSES
    ]
    assert shown == [
        f"| {row.name} | {section} | {row.summary} | {row.weight} |"
        for row, section in zip(PASSES, sections, strict=True)
    ]
