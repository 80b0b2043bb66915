"""Masks of attention that int8 has steps for.

What must not be attended to gets -1e9 added to its score before the softmax. Calibration then finds sums from
there to the greatest score, a step of int8 is 4 million wide, and all scores become one number. Far less is
enough: eight below the least score, a softmax gives it a tenth of what a step of its output is.

A mask is a constant; or it is computed, as 0 or 1 times -1e9, or times 1e9 to be subtracted; or a selection
puts it in place of scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph.objects import kind_of, listed
from edgesqueeze.graph.repack import pack

NO_SCORE = -50.0
"""What is added to a score is a mask below this: -1e9, -1e4 as in BERT, or what others take."""
BELOW = 8.0
"""How far below the least score what is masked lies: exp(-8) is 0.0003, a step of the output 0.004."""
ADD, SUB = schema.BuiltinOperator.ADD, schema.BuiltinOperator.SUB
TERMS = {ADD: (1.0, (0, 1)), SUB: (-1.0, (1,))}
"""With which sign which inputs are added."""
SELECTIONS = (schema.BuiltinOperator.SELECT, schema.BuiltinOperator.SELECT_V2)
MOVES = (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.TRANSPOSE)


def with_limited_masks(content: bytes) -> bytes:
    """A calibrated float .tflite whose masks, and what they span, go as far as they must.

    Args:
        content: a .tflite after calibration and before quantization.

    Returns:
        ``content`` itself where no constant is a mask in front of a softmax.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, found = model.subgraphs[0], False
    for operator in listed(graph.operators):
        sign, places = TERMS.get(kind_of(model, operator), (1.0, ()))
        for place in places:
            found |= _limit(model, graph, operator, place, sign)
        if kind_of(model, operator) == schema.BuiltinOperator.MUL:
            found |= _limit_computed(model, graph, operator)
        elif kind_of(model, operator) in SELECTIONS:
            found |= _limit_selected(model, graph, operator)
    return pack(model, len(content)) if found else content


def _limit(model: Any, graph: Any, operator: Any, place: int, sign: float) -> bool:
    """Limit the mask that an operator has as one of its inputs; whether there is one."""
    mask = _constant(model, graph.tensors[operator.inputs[place]])
    score = graph.tensors[operator.inputs[1 - place]].quantization
    if mask is None or not _is_mask(sign * mask) or score is None or score.min is None:
        return False
    sums = list(_to_softmax(model, graph, int(operator.outputs[0])))
    if not sums:
        return False
    low, high = float(score.min[0]), float(score.max[0])
    _replace(model, graph, operator, place, sign * np.maximum(sign * mask, low - high - BELOW))
    _lift(sums, low - BELOW)
    return True


def _limit_computed(model: Any, graph: Any, operator: Any) -> bool:
    """Limit what truth values, 0 or 1, are multiplied by to make a mask; whether that is what is done."""
    for place in (0, 1):
        factor = _constant(model, graph.tensors[operator.inputs[place]])
        truth = graph.tensors[operator.inputs[1 - place]].quantization
        if factor is None or factor.size != 1 or abs(factor.item()) <= -NO_SCORE or not _is_truth(truth):
            continue
        # What is to be below all scores is added to them, or subtracted where it is positive.
        kind, sign = (ADD, 1.0) if factor.item() < 0 else (SUB, -1.0)
        masks, sums, spans = _added(model, graph, int(operator.outputs[0]), kind)
        if not spans or any(graph.tensors[one].quantization is None for one in masks):
            return False
        limit = min(low - high - BELOW for low, high in spans)
        _replace(model, graph, operator, place, sign * np.maximum(sign * factor, limit))
        for one in masks:
            found = graph.tensors[one].quantization
            found.min, found.max = np.maximum(found.min, limit), np.minimum(found.max, -limit)
        # What is masked lies anywhere between the least and the greatest score, and so far below.
        _lift(sums, min(low for low, _ in spans) - BELOW)
        return True
    return False


def _added(
    model: Any, graph: Any, mask: int, kind: int
) -> tuple[list[int], list[Any], list[tuple[float, float]]]:
    """A tensor and what it is moved to, the sums with it before a softmax, and what scores span.

    There are no spans where something else reads it than operators of a kind, ``ADD`` or ``SUB``.
    """
    masks, sums, spans = [mask], [], []
    for index in masks:
        readers = [one for one in listed(graph.operators) if index in listed(one.inputs)]
        if not readers or index in listed(graph.outputs):
            return masks, [], []
        for reader in readers:
            if kind_of(model, reader) in MOVES:
                masks.append(int(reader.outputs[0]))
                continue
            place = listed(reader.inputs).index(index)
            if kind_of(model, reader) != kind or place not in TERMS[kind][1]:
                return masks, [], []
            score = graph.tensors[reader.inputs[1 - place]].quantization
            found = list(_to_softmax(model, graph, int(reader.outputs[0])))
            if not found or score is None or score.min is None:
                return masks, [], []
            sums += found
            spans.append((float(score.min[0]), float(score.max[0])))
    return masks, sums, spans


def _limit_selected(model: Any, graph: Any, operator: Any) -> bool:
    """Limit a mask that is selected in place of scores; whether it is one."""
    for place, other in ((1, 2), (2, 1)):
        mask = _constant(model, graph.tensors[operator.inputs[place]])
        score = graph.tensors[operator.inputs[other]].quantization
        if mask is None or mask.max() >= NO_SCORE or score is None or score.min is None:
            continue
        sums = list(_to_softmax(model, graph, int(operator.outputs[0])))
        if not sums:
            return False
        limit = float(score.min[0]) - BELOW
        _replace(model, graph, operator, place, np.maximum(mask, limit))
        _lift(sums, limit)
        return True
    return False


def _is_truth(found: Any) -> bool:
    """Whether all that calibration saw of a tensor lies between 0 and 1."""
    return found is not None and found.min is not None and found.min[0] >= 0 and found.max[0] <= 1


def _replace(model: Any, graph: Any, operator: Any, place: int, values: Array) -> None:
    """Give an operator another constant; others that read the same keep it."""
    index = int(operator.inputs[place])
    operator.inputs = [*operator.inputs]
    operator.inputs[place] = -1
    shared = any(index in listed(one.inputs) for one in graph.operators)
    operator.inputs[place] = _copy(graph, index) if shared else index
    _give(model, graph.tensors[operator.inputs[place]], values)


def _lift(tensors: Iterable[Any], low: float) -> None:
    """Let tensors span no less than this."""
    for one in tensors:
        one.quantization.min = np.maximum(one.quantization.min, np.float32(low))


def _is_mask(added: Array) -> bool:
    return bool(added.size and added.min() < NO_SCORE and added.max() <= 0)


def _constant(model: Any, tensor: Any) -> Array | None:
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or tensor.type != schema.TensorType.FLOAT32:
        return None
    return np.frombuffer(bytes(data), np.float32)


def _to_softmax(model: Any, graph: Any, tensor: int) -> Iterator[Any]:
    """A tensor and what it is moved to, if all that reads it is a softmax in the end; else nothing."""
    readers = [one for one in listed(graph.operators) if tensor in listed(one.inputs)]
    if len(readers) != 1 or tensor in listed(graph.outputs) or graph.tensors[tensor].quantization is None:
        return
    kind = kind_of(model, readers[0])
    if kind == schema.BuiltinOperator.SOFTMAX:
        yield graph.tensors[tensor]
    elif kind in MOVES and (rest := list(_to_softmax(model, graph, int(readers[0].outputs[0])))):
        yield from (graph.tensors[tensor], *rest)


def _copy(graph: Any, index: int) -> int:
    """A new tensor of the shape and type of another; its number."""
    old, new = graph.tensors[index], schema.TensorT()
    new.shape, new.type = old.shape, old.type
    new.name = f"{old.name.decode()};limited{len(graph.tensors)}".encode()
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _give(model: Any, tensor: Any, values: Array) -> None:
    """Make a tensor a constant of other values; others may have its old buffer."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
