"""Roots and quotients for int16, when it is known what values they are of.

Runtimes look up ``1 / sqrt(x)`` in int16 in a table of 513 values at even distances from the least to the
greatest integer, and draw lines between them. Where ``x`` is a hundredth of its greatest value they are 40 %
off. ``1 / sqrt(min(x, t)) * 1 / sqrt(max(x, t)) * sqrt(t)`` is the same, and each factor has a table for its
own values. Quotients and other roots, which no runtime has in int16, become products of such ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.drafts import Draft, with_forms
from edgesqueeze.graph.ranges import Range

EVEN = 8.0
"""By how much the greatest may exceed the least value for one table."""
WIDEST = 4096.0
"""By how much it may where there are two; what is less still has too few integers."""


def with_int16_roots(content: bytes) -> bytes:
    """A float .tflite with the ranges of its tensors, whose roots and quotients int16 can have.

    Args:
        content: a .tflite after calibration and before quantization.

    Returns:
        ``content`` itself where there are none. Quotients by what may be zero or less stay as they are.
    """
    return with_forms(content, FORMS)


def _inverse_root(draft: Draft) -> bool:
    parts = _factors(draft, draft.inputs[0])
    if len(parts) < 2:
        return False
    draft.become("MUL", *parts)
    return True


def _root(draft: Draft) -> bool:
    """``x / sqrt(x)``."""
    parts = _factors(draft, draft.inputs[0])
    if parts:
        draft.become("MUL", draft.inputs[0], _product(draft, parts))
    return bool(parts)


def _quotient(draft: Draft) -> bool:
    """``x / sqrt(y) / sqrt(y)`` for ``y`` above zero."""
    numerator, divisor = draft.inputs
    divisors, most = draft.span(divisor), _most(draft, numerator)
    if divisors is None or divisors.low <= 0 or most is None:
        return False
    root = _product(draft, _factors(draft, divisor))
    high = most * _low(divisors) ** -0.5
    between = draft.add("MUL", numerator, root, span=Range(-high, high))
    draft.become("MUL", between, root, fusedActivationFunction=draft.options.fusedActivationFunction)
    return True


def _most(draft: Draft, index: int) -> float | None:
    """The greatest size of a tensor's values."""
    span, place = draft.span(index), draft.inputs.index(index)
    if span is not None:
        return max(abs(span.low), abs(span.high))
    values = draft.value(place)
    return None if values is None else float(np.abs(values).max(initial=0.0))


def _low(span: Range) -> float:
    """The least value that there are integers enough for."""
    return max(span.low, span.high / WIDEST)


def _factors(draft: Draft, source: int) -> list[int]:
    """One or two tensors whose product is ``1 / sqrt(x)``; none where ``x`` may be below zero."""
    span, shape = draft.span(source), draft.tensor(source).shape
    if span is None or span.low < 0 or span.high <= 0:
        return []
    low, high = _low(span), span.high
    if high <= EVEN * low:
        return [draft.add("RSQRT", source, shape=shape, span=Range(high**-0.5, low**-0.5))]
    middle = float(np.sqrt(low * high))
    border = draft.constant(middle)
    above = draft.add("MAXIMUM", source, border, shape=shape, span=Range(middle, high))
    below = draft.add("MINIMUM", source, border, shape=shape, span=Range(span.low, middle))
    part = draft.add(
        "MUL", below, draft.constant(1 / middle), shape=shape, span=Range(span.low / middle, 1.0)
    )
    return [
        draft.add("RSQRT", above, shape=shape, span=Range(high**-0.5, middle**-0.5)),
        draft.add("RSQRT", part, shape=shape, span=Range(1.0, float(np.sqrt(middle / low)))),
    ]


def _product(draft: Draft, parts: list[int]) -> int:
    """One tensor, or what two make."""
    if len(parts) == 1:
        return parts[0]
    one, other = (draft.span(part) for part in parts)
    assert one is not None and other is not None
    span = Range(one.low * other.low, one.high * other.high)
    return draft.add("MUL", *parts, shape=draft.tensor(parts[0]).shape, span=span)


FORMS: Mapping[int, Callable[[Draft], bool]] = {
    schema.BuiltinOperator.DIV: _quotient,
    schema.BuiltinOperator.RSQRT: _inverse_root,
    schema.BuiltinOperator.SQRT: _root,
}
"""What writes an operator in others; it says whether it did."""
