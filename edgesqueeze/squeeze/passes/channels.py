"""Structured pruning: whole filters and units go, so that the model is smaller and faster on every runtime.

In rounds: what matters least goes (``importance``, ``allocate``), the model is cut (``channels/cut.py``) and
trained. What is removed is replaced by its mean, which goes into the biases of the layers that read it, so
that channels which are the same for every sample go first, and without loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.filled import FilledChannels
from edgesqueeze.squeeze.channels.allocate import (
    Costs,
    Name,
    Steps,
    allocate,
    groups_of,
    least_counts,
    steps_of,
)
from edgesqueeze.squeeze.channels.cut import cut
from edgesqueeze.squeeze.channels.graph import ChannelGraph, channel_graph
from edgesqueeze.squeeze.layers.kernels import kernel_spec
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.passes.budget import kept, share_within
from edgesqueeze.squeeze.passes.importance import Seen, magnitude, taylor
from edgesqueeze.squeeze.passes.macs import CutLayer, MacsCut, plain_macs
from edgesqueeze.squeeze.passes.scaled import bare_model, trainable_model
from edgesqueeze.squeeze.passes.selection import left_out
from edgesqueeze.squeeze.passes.state import Cost, Outcome, Setting, State, Trained

ROUNDS = 3
"""In how many rounds the channels go, where there are steps to train between them."""
ROUND_STEPS = 40
"""Fewer training steps than this do not make a round of their own."""
LAST_ROUND = 0.6
"""Part of the training steps after the last cut; the other rounds share the rest."""
MORE = 0.02
"""By how much the share grows where a budget would be missed."""
FAR_OFF = 0.02
"""A share that is exceeded by more than this is worth a word."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """What holds for all rounds.

    Attributes:
        macs: multiply-accumulates of the model before.
        fixed: those of them that no cut changes.
        possible: the largest part of them that can go.
        steps: in what numbers each group is cut.
        kept_out: layers that the recipe leaves out, with the reason.
        options: what was asked for.
        setting: what the pass may use.
    """

    macs: int
    fixed: int
    possible: float
    steps: Mapping[Name, Steps]
    kept_out: Mapping[str, str]
    options: FilledChannels
    setting: Setting


def run(state: State, options: FilledChannels, setting: Setting) -> Outcome:
    """Remove channels until the share of the multiply-accumulates is gone, in rounds with training.

    Raises:
        RecipeError: a pattern that matches no layer; nothing can be cut, or not that much; it keeps a state.
        UnsupportedModelError: the model cannot be converted, or the training diverged.
    """
    _refuse_state(state.model)
    kept_out = left_out(state.model, options)
    graph = channel_graph(state.model, kept_out)
    plan = _planned(state.model, graph, options, setting, kept_out)
    share = _share(state.model, plan)
    findings = [_held(name, reason) for name, reason in graph.held.items()]
    if share == 0:
        findings.append(_not_needed(options))
    model, trained = state.model, []
    rounds = _rounds(setting.steps) if share else []
    for number, steps in enumerate(rounds, 1):
        seen = _seen(model, plan)
        if number == 1 and seen.constant.any():
            findings.append(_constant(int(seen.constant.sum()), graph.count))
        if number == len(rounds):
            share, model = _within(model, plan, seen, share)
        else:
            model = _cut(model, plan, seen, 1 - (1 - share) ** (number / len(rounds)))
        student = trainable_model(model, setting.precision)
        trained.append(setting.train(student, steps, last=number == len(rounds)))
        model = bare_model(student)
    after = channel_graph(model)
    findings += _far_off(1 - (plan.fixed + after.macs()) / plan.macs, share)
    made = MacsCut(share, plan.macs, tuple(_layers(graph, after)), options.budgets)
    return Outcome(replace(state, model=model, cut=made), tuple(findings), _together(trained))


def _refuse_state(model: Any) -> None:
    """What a model's channels matter is learned from samples that have nothing to do with each other."""
    if is_stateful(model):
        raise RecipeError(
            "channels of a model that keeps a state from sample to sample cannot be removed",
            expected="layers that are not stateful",
            got=", ".join(layer.name for layer in model.layers if getattr(layer, "stateful", False)),
            hint="leave out [channels]",
        )


def _planned(
    model: Any, graph: ChannelGraph, options: FilledChannels, setting: Setting, kept_out: Mapping[str, str]
) -> _Plan:
    """What is to be done, once it is known that there is something."""
    groups = groups_of(graph)
    if not groups:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(graph.held.items())[:6])
        raise RecipeError(
            "there is no channel that could be removed",
            expected="layers between the model's inputs and outputs whose channels only known layers take",
            got=reasons or "no convolution or dense layer",
            hint="leave out [channels]",
        )
    macs = max(plain_macs(model, setting.precision.mode), graph.macs())
    fixed = macs - graph.macs()
    steps = steps_of(groups, options.step)
    least = float(Costs(graph, groups, fixed).macs(least_counts(groups, steps)))
    return _Plan(macs, fixed, 1 - least / macs, steps, kept_out, options, setting)


def _share(model: Any, plan: _Plan) -> float:
    """The share that is to go: what was asked for, or what the budgets take."""
    options, possible = plan.options, plan.possible
    if options.share is None:
        cost, budgets = _cost_of(plan), options.budgets
        seen = _seen(model, plan)
        return share_within(
            budgets, lambda share: cost(_cut(model, plan, seen, share) if share else model, budgets), possible
        ).share
    if options.share > possible:
        raise RecipeError(
            f"{options.share:.1%} of the multiply-accumulates cannot go without removing a whole layer",
            expected=f"at most {int(possible * 1000) / 10:.1f} %",
            got=f"{options.share:.1%}",
            hint=f"ask for a share of {int(possible * 1000) / 1000:g} or less, or for a smaller step",
        )
    return options.share


def _cost_of(plan: _Plan) -> Cost:
    if plan.setting.cost is None:
        raise RecipeError(
            f"{', '.join(plan.options.budgets)} can be kept to only where the target is known",
            expected="squeeze(prepared, recipe, figures=figures_on(target))",
            hint="give figures, from edgesqueeze.timing.budgets; or ask for a share",
        )
    return plan.setting.cost


def _within(model: Any, plan: _Plan, seen: Seen, share: float) -> tuple[float, Any]:
    """The last cut, with a little more than the share where the budgets would be missed."""
    smaller = _cut(model, plan, seen, share)
    if budgets := plan.options.budgets:
        cost = _cost_of(plan)
        while share < plan.possible and not kept(budgets, cost(smaller, budgets)):
            share = min(plan.possible, share + MORE)
            smaller = _cut(model, plan, seen, share)
    return share, smaller


def _rounds(steps: int) -> list[int]:
    """Training steps after each cut."""
    count = max(1, min(ROUNDS, steps // ROUND_STEPS))
    if count == 1:
        return [steps]
    early = int(steps * (1 - LAST_ROUND) / (count - 1))
    return [*[early] * (count - 1), steps - early * (count - 1)]


def _seen(model: Any, plan: _Plan) -> Seen:
    """How much each channel of a model matters."""
    graph = channel_graph(model, plan.kept_out)
    if plan.options.importance == "magnitude":
        return Seen(magnitude(graph), {}, np.zeros(graph.count, bool))
    setting = plan.setting
    return taylor(model, setting.teacher, graph, setting.samples, setting.seed)


def _cut(model: Any, plan: _Plan, seen: Seen, share: float) -> Any:
    """A copy of the model without so much of the multiply-accumulates of the whole one."""
    graph = channel_graph(model, plan.kept_out)
    groups = groups_of(graph)
    costs = Costs(graph, groups, plan.fixed, plan.options.kernels)
    stay = allocate(groups, plan.steps, costs, seen.importance, (1 - share) * plan.macs)
    return cut(model, graph, stay, seen.means)


def _layers(before: ChannelGraph, after: ChannelGraph) -> Iterator[CutLayer]:
    """Channels of every layer that has a kernel, before and after."""
    for name, role in before.roles.items():
        if kernel_spec(role.layer) is None:
            continue
        yield CutLayer(name, *(_channels(graph.roles[name].layer) for graph in (before, after)))


def _channels(layer: Any) -> int:
    """How many channels a layer gives."""
    return int(layer.compute_output_shape(layer._build_input_shape)[-1])


def _together(trained: list[Trained | None]) -> Trained | None:
    """The training of all rounds as one; the loss is that of the last."""
    done = [one for one in trained if one is not None]
    return replace(done[-1], steps=sum(one.steps for one in done)) if done else None


def _held(name: str, reason: str) -> Finding:
    return Finding(code="channels-skipped", subject=name, message=reason)


def _constant(constant: int, units: int) -> Finding:
    message = (
        f"{constant} of {units} channels, or groups of channels that go together, were the same for every "
        "sample that was looked at; they go first, and their values are in biases"
    )
    return Finding(code="channels-constant", subject="channels", message=message)


def _not_needed(options: FilledChannels) -> Finding:
    message = f"the model keeps to {', '.join(options.budgets)} as it is: no channel was removed"
    return Finding(code="channels-not-needed", subject="channels", message=message)


def _far_off(reached: float, share: float) -> Iterator[Finding]:
    if reached - share > FAR_OFF:
        message = (
            f"{reached:.1%} of the multiply-accumulates went: the nearest to {share:.1%} that the steps allow"
        )
        yield Finding(code="channels-granularity", subject="channels", message=message)
