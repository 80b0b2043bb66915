"""The table of passes: what can be done to a model between folding and conversion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edgesqueeze.base.lazy import Lazy
from edgesqueeze.recipe.draws import Draw, Search
from edgesqueeze.recipe.filled import FilledRecipe


class Pass(NamedTuple):
    """A row of the table of passes: one thing that can be done to a folded model.

    Attributes:
        name: name of the pass: its recipe section, its stage in the report and its progress bar.
        summary: what it does, for a person.
        run: the function that does it: ``run(state, options, setting) -> Outcome``, records of
            ``squeeze/passes/state.py``.
        options: the part of a recipe that asks for the pass; None: the recipe does not.
        weight: its part of the training steps, relative to the other passes that the recipe asks for.
        done: what it makes of a layer, in one word: what a layer that was left out is not.
        absent: why it is skipped where the recipe does not ask for it; empty where another row says so.
        less: what to ask for where too much accuracy was lost; empty where another row says so.
        search: how a search draws its options; None: it has none, or another row says so.
        section: its recipe section where that has another name, and other things in it.
        whole: whether it works on a model whose layers cannot be seen, too.
    """

    name: str
    summary: str
    run: Lazy
    options: Callable[[FilledRecipe], Any]
    weight: float = 0.0
    done: str = ""
    absent: str = ""
    less: str = ""
    search: Search | None = None
    section: str = ""
    whole: bool = False


PASSES: tuple[Pass, ...] = (
    Pass(
        "equalize",
        "divides channels by factors that the next layers take back, so that rounding costs less",
        Lazy("edgesqueeze.squeeze.passes.equalize:run"),
        options=lambda recipe: recipe.equalize,
        done="equalized",
        absent="no equalization was asked for",
        search=Search(saves=False),
    ),
    Pass(
        "channels",
        "removes whole filters and units, those that matter least for what they cost",
        Lazy("edgesqueeze.squeeze.passes.channels:run"),
        options=lambda recipe: recipe.channels,
        weight=0.6,
        done="cut",
        absent="no share of the multiply-accumulates was to go",
        less="a smaller share of channels",
        search=Search({"share": Draw(0.1, 0.8, step=0.05)}),
    ),
    Pass(
        "prune",
        "makes a share of each kernel's weights zero, the least ones",
        Lazy("edgesqueeze.squeeze.passes.prune:run"),
        options=lambda recipe: recipe.prune,
        weight=0.5,
        done="pruned",
        absent="no sparsity was asked for",
        less="less sparsity",
        search=Search({"sparsity": Draw(0.3, 0.9, step=0.05)}, spares=3),
    ),
    Pass(
        "bits",
        "gives each channel of a kernel fifteen even levels, which take four bits",
        Lazy("edgesqueeze.squeeze.passes.bits:run"),
        options=lambda recipe: recipe.bits,
        weight=0.5,
        done="brought to four bits",
        absent="no four bits were asked for",
        less="eight bits",
        search=Search(spares=3),
    ),
    Pass(
        "cluster",
        "gives each kernel a few distinct values",
        Lazy("edgesqueeze.squeeze.passes.cluster:run"),
        options=lambda recipe: recipe.cluster,
        weight=0.3,
        done="clustered",
        absent="no clusters were asked for",
        less="more clusters",
        search=Search({"clusters": Draw(64, 4, even_ratios=True)}, spares=3),
    ),
    Pass(
        "settle",
        "fixes clustered kernels to the integers of the file, and trains their scales and biases",
        Lazy("edgesqueeze.squeeze.passes.cluster:run_settle"),
        options=lambda recipe: recipe.cluster,
        weight=0.2,
    ),
    Pass(
        "round",
        "chooses the integers with which each layer's outputs stay nearest to what they were",
        Lazy("edgesqueeze.squeeze.passes.round:run"),
        options=lambda recipe: recipe.round,
        done="rounded by its outputs",
        absent="no adaptive rounding was asked for",
        search=Search(saves=False),
    ),
    Pass(
        "calibrate",
        "finds the range of each activation by its error, where the extremes are not to decide",
        Lazy("edgesqueeze.squeeze.passes.calibrate:run"),
        options=lambda recipe: recipe.quantize if recipe.quantize.calibration != "minmax" else None,
        section="quantize",
        whole=True,
    ),
    Pass(
        "bias",
        "corrects biases by what the integers of the file do to each layer's mean",
        Lazy("edgesqueeze.squeeze.passes.bias:run"),
        options=lambda recipe: recipe.bias,
        done="corrected in its bias",
        absent="no correction of biases was asked for",
    ),
    Pass(
        "aware",
        "rounds weights and activations as in the file while they are trained, and trains their ranges",
        Lazy("edgesqueeze.squeeze.passes.aware:run"),
        options=lambda recipe: recipe.aware,
        weight=0.4,
        done="trained as it is quantized",
        absent="no quantization-aware training was asked for",
        search=Search(saves=False),
    ),
)
"""What can be done to a model between folding and conversion, in the order in which it is done."""


def share_steps(steps: int, passes: Sequence[Pass]) -> dict[str, int]:
    """Training steps of each pass by its name: whole numbers that add up to ``steps``, as the weights say.

    Args:
        steps: steps of all passes together.
        passes: the passes that take place, in order.
    """
    training = [one for one in passes if one.weight]
    total = sum(one.weight for one in training)
    shares = {one.name: 0 for one in passes}
    for one in training:
        shares[one.name] = int(steps * (one.weight / total))
    if training:
        # What rounding leaves goes to the last: it trains what will be in the file.
        shares[training[-1].name] += steps - sum(shares.values())
    return shares
