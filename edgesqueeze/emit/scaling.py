"""Scale and offset of raw data, for each feature, as a C header that firmware of either kind includes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.base.templates import rendered
from edgesqueeze.emit.names import c_name
from edgesqueeze.emit.native.literals import c_comment
from edgesqueeze.emit.tflm_values import float_literal, generator
from edgesqueeze.graph import TfliteModel

TEMPLATE = Path(__file__).with_name("templates") / "scaling.h.j2"
WIDTH = 100


@dataclass(frozen=True)
class Scaling:
    """What is done with raw data before they are an input: ``raw * scale + offset``.

    Attributes:
        input: name of the input.
        scale: factor of each feature along the last axis; one for all.
        offset: what is added to each scaled feature; one for all.
    """

    input: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def changes(self) -> bool:
        """Whether anything is done at all."""
        return set(self.scale) != {1.0} or set(self.offset) != {0.0}


@dataclass(frozen=True)
class _Part:
    """One input as the template prints it; ``scale`` and ``offset`` have one value a feature."""

    input: str
    name: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def upper(self) -> str:
        return self.name.upper()


def scaling_header(model: TfliteModel, name: str, scalings: Sequence[Scaling]) -> Mapping[str, str]:
    """The header ``NAME_scaling.h``; nothing where no input is scaled.

    Args:
        model: the .tflite that takes the scaled data.
        name: the model's name in C.
        scalings: one for each input that is scaled.

    Returns:
        File name -> text.
    """
    changing = [one for one in scalings if one.changes]
    if not changing:
        return {}
    several = len(changing) > 1
    parts = [_part(one, f"{name}_{c_name(one.input)}" if several else f"{name}_input") for one in changing]
    values = {
        "model_name": model.name,
        "generator": generator(),
        "sha256": model.file_sha256,
        "guard": f"EDGESQUEEZE_{name.upper()}_{model.sha256[:8].upper()}_SCALING_H",
        "parts": parts,
    }
    return {f"{name}_scaling.h": rendered(TEMPLATE, values, filters={"c_comment": c_comment, "rows": _rows})}


def _part(scaling: Scaling, name: str) -> _Part:
    size = max(len(scaling.scale), len(scaling.offset))
    scale, offset = (one * size if len(one) == 1 else one for one in (scaling.scale, scaling.offset))
    return _Part(scaling.input, name, scale, offset)


def _rows(values: Sequence[float]) -> str:
    text = ", ".join(float_literal(value) for value in values)
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
