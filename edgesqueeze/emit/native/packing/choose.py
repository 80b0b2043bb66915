"""Which encoding every layer gets: bytes of flash against instructions of the whole model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from edgesqueeze.emit.native.packing.table import PLAIN

Optimize = Literal["time", "size", "balance", "ram"]
"""What native C is made for."""

BALANCE_SHARE = 0.04
"""Part of the whole model's instructions that ``balance`` spends on smaller weights."""


class Way(Protocol):
    """A way to store weights: what the choice knows of it."""

    @property
    def name(self) -> str:
        """What reports call it."""


@dataclass(frozen=True, eq=False)
class Option:
    """One way to store the weights of a layer, or of layers that share them.

    Attributes:
        encoding: how they are stored; None: plain.
        part_outputs: output channels that are unpacked at a time; 0: nothing is unpacked.
        bytes: flash that the weights take, with what is added to the layer's description, in bytes.
        instructions: of these layers in one inference, unpacking included.
        code: files of C that it needs -> bytes of their code; what is linked anyway need not be there.
    """

    encoding: Way | None
    part_outputs: int
    bytes: int
    instructions: float
    code: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """What the search calls it."""
        return self.encoding.name if self.encoding else PLAIN


def choose(
    groups: Sequence[Sequence[Option]], others: float, optimize: Optimize, plain: float | None = None
) -> list[Option]:
    """An option for every group of layers that share weights.

    Code counts as flash, that of plain kernels too: an encoding is used only if it saves more than it adds.
    What makes a layer's weights neither smaller nor faster is left out, even if its kernel is smaller.

    Args:
        groups: their options, the plain one first.
        others: instructions of all other layers.
        optimize: ``time``: the fewest instructions. ``size``: the least flash. ``balance``: the least flash
            among what takes 4 % of the plain model's instructions more than the fastest does, at most; where
            that is more flash than plain weights take, no layer gets more than its plain one.
        plain: instructions of the plain model; None: those of all first options and other layers.
    """
    plain = others + total(options[0] for options in groups) if plain is None else plain
    groups = [[option for option in options if _is_worth(option, options[0])] for options in groups]
    spend = {"time": 0.0, "size": float("inf"), "balance": BALANCE_SHARE * plain}[optimize]
    fastest = _fastest(groups)
    best = [options[0] for options in groups] if optimize == "size" else fastest
    best = _smallest(groups, best, total(fastest) + spend)
    smaller = [[o for o in options if o.bytes <= options[0].bytes] for options in groups]
    plain_bytes = flash_bytes(options[0] for options in groups)
    if optimize == "balance" and smaller != groups and flash_bytes(best) > plain_bytes:
        return choose(smaller, others, optimize, plain)
    return best


def _is_worth(option: Option, plain: Option) -> bool:
    """Whether an option is no larger than plain weights, or faster."""
    return option.bytes <= plain.bytes or option.instructions < plain.instructions


def _smallest(groups: Sequence[Sequence[Option]], best: list[Option], most: float) -> list[Option]:
    """The least flash within so many instructions: ``best``, or what some of the encodings give.

    Which of them are used is searched: from plain weights and from all on, one is added, left out or
    exchanged for another as long as that saves flash. A layer that none of them can hold stays plain.
    """
    names = frozenset(option.name for options in groups for option in options)
    tried: dict[frozenset[str], tuple[float, list[Option]]] = {}

    def size(allowed: frozenset[str]) -> float:
        if allowed not in tried:
            known = [[option for option in row if option.name in allowed] or row[:1] for row in groups]
            found = _spend(known, most)
            tried[allowed] = flash_bytes(found) if found else float("inf"), found
        return tried[allowed][0]

    for start in (frozenset({PLAIN}), names):
        allowed = start
        while True:
            step = min((*_steps(allowed, names), allowed), key=size)
            if size(step) >= size(allowed):
                break
            allowed = step
        if size(allowed) < flash_bytes(best):
            best = tried[allowed][1]
    return best


def _steps(allowed: frozenset[str], names: frozenset[str]) -> list[frozenset[str]]:
    """Sets that differ by one name, or in which one takes the place of another; in a fixed order."""
    one = [allowed ^ {name} for name in sorted(names)]
    other = [allowed - {old} | {new} for old in sorted(allowed) for new in sorted(names - allowed)]
    return [*one, *other]


def total(options: Iterable[Option]) -> float:
    """Instructions of some layers."""
    return sum(option.instructions for option in options)


def _fastest(groups: Sequence[Sequence[Option]]) -> list[Option]:
    return [min(options, key=lambda one: (one.instructions, one.bytes)) for options in groups]


def _spend(groups: Sequence[Sequence[Option]], most: float) -> list[Option]:
    """From the fastest options on, what saves most bytes for an instruction, up to so many instructions.

    Nothing if even the fastest take more.
    """
    chosen = _fastest(groups)
    spend = most - total(chosen)
    if spend < 0:
        return []
    while True:
        moves = [
            (index, option)
            for index, options in enumerate(groups)
            for option in options
            if option.bytes < chosen[index].bytes
            and option.instructions - chosen[index].instructions <= spend
        ]
        if not moves:
            return chosen
        index, option = max(moves, key=lambda move: _gain(chosen[move[0]], move[1]))
        spend -= option.instructions - chosen[index].instructions
        chosen[index] = option


def _gain(old: Option, new: Option) -> float:
    """Bytes that are saved for an instruction."""
    return (old.bytes - new.bytes) / max(new.instructions - old.instructions, 1e-9)


def flash_bytes(options: Iterable[Option]) -> int:
    """Bytes of the weights, and of the code that reads them."""
    options = list(options)
    code = {name: size for option in options for name, size in option.code.items()}
    return sum(code.values()) + sum(option.bytes for option in options)
