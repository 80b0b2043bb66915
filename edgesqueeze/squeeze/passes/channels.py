"""Structured pruning: whole filters and units go, so that the model is smaller and faster on every runtime.

In rounds: what matters least goes (``importance``, ``allocate``), the model is cut (``channels/cut.py``) and
trained. What is removed is replaced by its mean, which goes into the biases of the layers that read it, so
that channels which are the same for every sample go first, and without loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe import FilledChannels
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
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.passes.importance import Seen, magnitude, taylor
from edgesqueeze.squeeze.passes.macs import CutLayer, MacsCut, plain_macs
from edgesqueeze.squeeze.passes.scaled import bare_model, scaled
from edgesqueeze.squeeze.passes.selection import left_out
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State, Trained

ROUNDS = 3
"""In how many rounds the channels go, where there are steps to train between them."""
ROUND_STEPS = 40
"""Fewer training steps than this do not make a round of their own."""
LAST_ROUND = 0.6
"""Part of the training steps after the last cut; the other rounds share the rest."""
FAR_OFF = 0.02
"""A share that is exceeded by more than this is worth a word."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """What holds for all rounds.

    Attributes:
        share: part of the multiply-accumulates that is to go.
        macs: multiply-accumulates of the model before.
        fixed: those of them that no cut changes.
        steps: in what numbers each group is cut.
        kept_out: layers that the recipe leaves out, with the reason.
    """

    share: float
    macs: int
    fixed: int
    steps: Mapping[Name, Steps]
    kept_out: Mapping[str, str]


def run(state: State, options: FilledChannels, setting: Setting) -> Outcome:
    """Remove channels until the share of the multiply-accumulates is gone, in rounds with training.

    Raises:
        RecipeError: a pattern that matches no layer; nothing can be cut, or not that much.
        UnsupportedModelError: the model cannot be converted, or the training diverged.
    """
    kept_out = left_out(state.model, options)
    graph = channel_graph(state.model, kept_out)
    plan = _planned(state.model, graph, options, setting, kept_out)
    findings = [_held(name, reason) for name, reason in graph.held.items()]
    model, trained, units = state.model, [], graph.count
    rounds = _rounds(setting.steps)
    for number, steps in enumerate(rounds, 1):
        share = 1 - (1 - plan.share) ** (number / len(rounds))
        model, seen = _cut_once(model, plan, share, options, setting)
        if number == 1 and seen is not None and seen.constant.any():
            findings.append(_constant(int(seen.constant.sum()), units))
        student = rewrite(model, lambda layer: None if kernel_spec(layer) is None else scaled(layer))
        trained.append(setting.train(student, steps, last=number == len(rounds)))
        model = bare_model(student)
    after = channel_graph(model)
    reached = 1 - (plan.fixed + after.macs()) / plan.macs
    findings += _far_off(reached, plan.share)
    made = MacsCut(plan.share, plan.macs, tuple(_layers(graph, after)))
    return Outcome(replace(state, model=model, cut=made), tuple(findings), _together(trained))


def _planned(
    model: Any, graph: ChannelGraph, options: FilledChannels, setting: Setting, kept_out: Mapping[str, str]
) -> _Plan:
    """What is to be done, once it is known to be possible."""
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
    possible = 1 - least / macs
    if options.share > possible:
        raise RecipeError(
            f"{options.share:.1%} of the multiply-accumulates cannot go without removing a whole layer",
            expected=f"at most {int(possible * 1000) / 10:.1f} %",
            got=f"{options.share:.1%}",
            hint=f"ask for a share of {int(possible * 1000) / 1000:g} or less, or for a smaller step; "
            f"{len(graph.held)} layers are not cut",
        )
    return _Plan(options.share, macs, fixed, steps, kept_out)


def _rounds(steps: int) -> list[int]:
    """Training steps after each cut."""
    count = max(1, min(ROUNDS, steps // ROUND_STEPS))
    if count == 1:
        return [steps]
    early = int(steps * (1 - LAST_ROUND) / (count - 1))
    return [*[early] * (count - 1), steps - early * (count - 1)]


def _cut_once(
    model: Any, plan: _Plan, share: float, options: FilledChannels, setting: Setting
) -> tuple[Any, Seen | None]:
    """A smaller copy of the model, and what samples showed of the channels."""
    graph = channel_graph(model, plan.kept_out)
    groups = groups_of(graph)
    seen = None
    if options.importance == "taylor":
        seen = taylor(model, setting.teacher, graph, setting.samples, setting.seed)
    importance = magnitude(graph) if seen is None else seen.importance
    costs = Costs(graph, groups, plan.fixed)
    kept = allocate(groups, plan.steps, costs, importance, (1 - share) * plan.macs)
    return cut(model, graph, kept, {} if seen is None else seen.means), seen


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


def _far_off(reached: float, share: float) -> Iterator[Finding]:
    if reached - share > FAR_OFF:
        message = (
            f"{reached:.1%} of the multiply-accumulates went: the nearest to {share:.1%} that the steps allow"
        )
        yield Finding(code="channels-granularity", subject="channels", message=message)
