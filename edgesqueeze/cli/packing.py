"""What ``emit`` and ``bench`` print about weights that are packed in flash."""

from __future__ import annotations

from collections.abc import Iterable

from edgesqueeze.emit.native.packing.document import LayerPacking


def packing_lines(layers: Iterable[tuple[int, str, str, LayerPacking | None]]) -> list[str]:
    """A line for every layer whose weights are packed, or that lacks memory for it.

    Args:
        layers: number, operator, shapes, and how the weights are stored.
    """
    lines = []
    for index, opcode, shapes, packing in layers:
        if packing is None:
            continue
        where = f"  {index} {opcode} {shapes}"
        if packing.parts:
            parts = f", in {packing.parts} parts" if packing.parts > 1 else ""
            lines.append(
                f"{where}: {packing.encoding}, {packing.plain_bytes:,} -> {packing.bytes:,} bytes, "
                f"{packing.unpack_instructions:.2f} instructions a weight{parts}"
            )
        elif packing.note:
            lines.append(f"{where}: {packing.encoding}, {packing.plain_bytes:,} bytes; {packing.note}")
    return ["weights packed in flash, layer by layer:", *lines] if lines else []
