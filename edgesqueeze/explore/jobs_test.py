import pytest

from edgesqueeze.explore.jobs import Board
from edgesqueeze.explore.space import space_of
from edgesqueeze.explore.wish import Wish
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.front import SearchLimits, Takes

SPACE, _ = space_of(parse_recipe({}))
OFF = {row.name: False for row in SPACE.rows}
MORE = {**OFF, "prune": True, "prune.sparsity": 0.8, "channels": True, "channels.share": 0.5}
FEWER = {**OFF, "prune": True, "prune.sparsity": 0.7}


@pytest.mark.parametrize(
    ("flash", "ram", "params", "tells"),
    [
        (106, 1, {**MORE, "prune.sparsity": 0.7}, True),
        (104, 1, {**MORE, "prune.sparsity": 0.7}, False),
        (130, 1, FEWER, True),
        (120, 1, FEWER, False),
        (130, 1, {**FEWER, "prune.sparsity": 0.9}, False),
        (130, 1, {**FEWER, "bits": True}, False),
        # Equalization may bring it down to a half.
        (130, 1, {**FEWER, "equalize": True}, False),
        (310, 1, {**FEWER, "equalize": True}, True),
        # Weights that are packed take more RAM than others, not less.
        (1, 900, FEWER, False),
        (1, 900, {**MORE, "prune.sparsity": 0.7}, True),
    ],
)
def test_what_a_model_that_did_not_fit_tells_of_another(flash, ram, params, tells):
    limits = SearchLimits(max_flash=100, max_ram=100)
    board = Board(Wish(("size",), limits), SPACE, Takes(), (9,), most_steps=9)
    board.saw_unfit(MORE, "misses it", Takes(flash_kib=flash, ram_kib=ram))
    assert bool(board.too_large(params)) == tells
