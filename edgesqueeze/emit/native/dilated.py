"""Padding and cutting into blocks around convolutions, as options of the convolutions themselves.

PAD, conv                                      ->  conv with margins
SPACE_TO_BATCH_ND, conv, BATCH_TO_SPACE_ND     ->  conv with dilation and margins
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from edgesqueeze.emit.native.intervals import NOT_KNOWN
from edgesqueeze.emit.native.lower.blocks import Blocks, blocks_of
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import constant
from edgesqueeze.emit.native.records import Operation
from edgesqueeze.emit.native.windows import MARGINS
from edgesqueeze.graph import Graph, Operator, Tensor

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})

Margins = tuple[tuple[int, int], ...]
"""Rows of padding above and below, columns to the left and right."""


def with_dilation(graph: Graph) -> Graph:
    """The graph in which convolutions on blocks of pixels are such with dilation."""
    makers, uses = _makers(graph), _uses(graph)
    taken: dict[int, Operator | None] = {}
    for last in graph.operators:
        if last.opcode != "BATCH_TO_SPACE_ND":
            continue
        middle = makers.get(last.inputs[0])
        first = makers.get(middle.inputs[0]) if middle is not None and middle.inputs else None
        if middle is None or first is None or first.opcode != "SPACE_TO_BATCH_ND":
            continue
        if uses[middle.outputs[0]] != 1 or uses[first.outputs[0]] != 1:
            continue
        joined = _joined(graph, first, middle, last)
        if joined is not None:
            taken |= {first.index: None, middle.index: None, last.index: joined}
    return _replaced(graph, taken)


def with_margins(graph: Graph) -> Graph:
    """The graph in which convolutions pad what they read, where a PAD before them did."""
    makers, uses = _makers(graph), _uses(graph)
    taken: dict[int, Operator | None] = {}
    for operator in graph.operators:
        pad = makers.get(operator.inputs[0]) if operator.inputs else None
        if operator.opcode not in CONVOLUTIONS or pad is None or pad.opcode not in ("PAD", "PADV2"):
            continue
        margins = _margins_of_pad(graph, pad)
        if margins is None or uses[pad.outputs[0]] != 1 or not _plain(operator):
            continue
        options = {**operator.options, MARGINS: margins}
        joined = replace(operator, inputs=(pad.inputs[0], *operator.inputs[1:]), options=options)
        if _within_window(graph, joined):
            taken |= {pad.index: None, operator.index: joined}
    return _replaced(graph, taken)


def _makers(graph: Graph) -> Mapping[int, Operator]:
    return {index: one for one in graph.operators for index in one.outputs}


def _uses(graph: Graph) -> Counter[int]:
    """Tensor -> by how many it is read; those that the caller gets count."""
    return Counter([index for one in graph.operators for index in one.inputs] + list(graph.outputs))


def _replaced(graph: Graph, taken: Mapping[int, Operator | None]) -> Graph:
    if not taken:
        return graph
    operators = tuple(new for one in graph.operators if (new := taken.get(one.index, one)) is not None)
    return replace(graph, operators=operators)


def _plain(operator: Operator) -> bool:
    return operator.options.get("padding") == "VALID" and MARGINS not in operator.options


def _within_window(graph: Graph, operator: Operator) -> bool:
    """Whether some of the input is in every window, so that no output is made of padding alone."""
    try:
        window = Operation(graph, operator, "reference").input(1).shape[1:3]
        dilation = [operator.options[f"dilation_{side}_factor"] for side in "hw"]
    except NOT_KNOWN:
        return False
    return len(window) == 2 and all(
        0 <= start <= (size - 1) * step and end <= (size - 1) * step
        for size, step, (start, end) in zip(window, dilation, operator.options[MARGINS], strict=True)
    )


def _joined(graph: Graph, first: Operator, middle: Operator, last: Operator) -> Operator | None:
    """A convolution with dilation in place of three operators, if that is the same."""
    try:
        before, after = (blocks_of(Operation(graph, one, "reference")) for one in (first, last))
        source, output = graph.tensors[first.inputs[0]], graph.tensors[last.outputs[0]]
        within = graph.tensors[middle.inputs[0]], graph.tensors[middle.outputs[0]]
        steps = [middle.options[f"stride_{side}"] for side in "hw"]
        steps += [middle.options[f"dilation_{side}_factor"] for side in "hw"]
    except NOT_KNOWN:
        return None
    plain = middle.opcode in CONVOLUTIONS and steps == [1, 1, 1, 1] and _plain(middle)
    if not plain or before.sizes != after.sizes or source.shape[:1] != (1,) or len(source.shape) != 4:
        return None
    if not (_same(source, within[0]) and _same(within[1], output)):
        return None
    across = before.sizes[1] if len(before.sizes) > 1 else 1
    options = {
        **middle.options,
        "dilation_h_factor": before.sizes[0],
        "dilation_w_factor": across,
        MARGINS: _uncut(before, after),
    }
    inputs = (source.index, *middle.inputs[1:])
    joined = replace(middle, inputs=inputs, outputs=(output.index,), options=options)
    return joined if _within_window(graph, joined) else None


def _uncut(before: Blocks, after: Blocks) -> Margins:
    """The padding of which nothing is cut off again."""
    margins = [
        (pad[0] - crop[0], pad[1] - crop[1]) for pad, crop in zip(before.margins, after.margins, strict=True)
    ]
    return (*margins, *[(0, 0)] * (2 - len(margins)))


def _margins_of_pad(graph: Graph, pad: Operator) -> Margins | None:
    """Rows and columns of padding, if there is nothing else and it stands for zero."""
    operation = Operation(graph, pad, "reference")
    try:
        pads = constant(operation.input(1)).reshape(-1, 2).tolist()
        source, output = operation.input(0), operation.output()
        value = operation.optional_input(2)
        zero = quantization_of(source)[1]
        if value is not None and int(constant(value).reshape(-1)[0]) != zero:
            return None
    except NOT_KNOWN:
        return None
    if len(pads) != 4 or any(pads[0] + pads[3]) or not _same(source, output) or source.is_constant:
        return None
    return tuple((int(start), int(end)) for start, end in pads[1:3])


def _same(first: Tensor, second: Tensor) -> bool:
    """Whether int8 tensors have the same scale and zero point."""
    if {first.dtype, second.dtype} != {"int8"} or first.quantization is None or second.quantization is None:
        return False
    return quantization_of(first) == quantization_of(second)
