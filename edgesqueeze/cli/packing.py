"""What ``emit`` and ``bench`` print about layers: weights packed in flash, and layers that run by turns."""

from __future__ import annotations

from collections.abc import Iterable

from edgesqueeze.emit.native.packing.document import LayerPacking
from edgesqueeze.emit.native.packing.table import PLAIN
from edgesqueeze.emit.native.rows.document import LayerChain


def chain_lines(chains: Iterable[LayerChain]) -> list[str]:
    """A line for all layers that run by turns."""
    words = [
        f"{one.first} to {one.last} ({one.rows} row{'s' if one.rows > 1 else ''} at a time)" for one in chains
    ]
    return [f"layers that run by turns: {', '.join(words)}"] if words else []


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
        if packing.encoding != PLAIN:
            unpacked = f"{packing.unpack_instructions:.2f} instructions a weight to unpack"
            parts = f", in {packing.parts} parts" if packing.parts > 1 else ""
            how = f"{unpacked}{parts}" if packing.parts else "read as they are, zeros are skipped"
            lines.append(
                f"{where}: {packing.encoding}, {packing.plain_bytes:,} -> {packing.bytes:,} bytes, {how}"
            )
        elif packing.note:
            lines.append(f"{where}: {packing.encoding}, {packing.plain_bytes:,} bytes; {packing.note}")
    return ["weights packed in flash, layer by layer:", *lines] if lines else []
