"""What native C does not take in a model: each kind of operator once, and what may replace it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from edgesqueeze.emit.native.records import Refusal

LOOPS = "unroll the loop (unroll=True in Keras)"
AFTERWARDS = "end the model before it and compute it in the application"
NORMALIZED = "scale by constants, as batch normalization does"

INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM": "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "CALL": LOOPS,
        "CONV_3D": "CONV_2D over frames that are stacked as channels",
        "EMBEDDING_LOOKUP": "GATHER, as Keras' Embedding becomes",
        "IF": "two models, one for each case",
        "L2_NORMALIZATION": AFTERWARDS,
        "LSTM": "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "NON_MAX_SUPPRESSION_V4": AFTERWARDS,
        "NON_MAX_SUPPRESSION_V5": AFTERWARDS,
        "POW": NORMALIZED,
        "RNN": "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "TOPK_V2": AFTERWARDS,
        "UNIDIRECTIONAL_SEQUENCE_RNN": "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "WHILE": LOOPS,
    }
)
"""Operator that native C lacks -> what to have in its place."""

LACKING = "native C does not have it"
"""The reason for an operator that is in no table."""


def by_kind(refusals: Sequence[Refusal]) -> dict[str, str]:
    """Kind of operator -> why the first is refused, how many others are, and what could replace them."""
    kinds: dict[str, list[Refusal]] = {}
    for one in refusals:
        if one.kind:
            kinds.setdefault(one.kind, []).append(one)
    return {kind: _reason(kind, found) for kind, found in sorted(kinds.items())}


def other_problems(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    """What is refused besides operators, each once."""
    return tuple(dict.fromkeys(one.reason for one in refusals if not one.kind))


def in_words(refusals: Sequence[Refusal]) -> str:
    """All of it in one line."""
    return "; ".join(
        [*other_problems(refusals), *(f"{kind}: {why}" for kind, why in by_kind(refusals).items())]
    )


def _reason(kind: str, refusals: Sequence[Refusal]) -> str:
    first, others = refusals[0], len({one.operator for one in refusals}) - 1
    more = f" ({others} more of this kind)" if others else ""
    instead = f", instead: {INSTEAD[kind]}" if kind in INSTEAD and first.reason == LACKING else ""
    return f"operator {first.operator}: {first.reason}{more}{instead}"
