"""Operators that would stay float, written in others that have integers.

So are those that TensorFlow's quantizer of int16x8 spoils: a SUM gets the scale of what it sums up, and all
that is larger is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.drafts import Draft, with_forms
from edgesqueeze.graph.objects import listed

MOST_FACTORS = 8
"""The largest power that becomes a product."""
TINY = 1e-12
"""What is added to a square before its root is divided by, as TensorFlow Lite does."""
RELU6 = schema.ActivationFunctionType.RELU6


def with_integer_forms(content: bytes, mode: str) -> bytes:
    """A float .tflite of operators that have integers, as far as they are known.

    Args:
        content: a .tflite before calibration.
        mode: ``int8`` or ``int16x8``.

    Returns:
        ``content`` itself where nothing is written in other operators.
    """
    return with_forms(content, FORMS[mode])


def _squared_difference(draft: Draft) -> bool:
    apart = draft.add("SUB", *draft.inputs)
    draft.become("MUL", apart, apart)
    return True


def _negative(draft: Draft) -> bool:
    draft.become("MUL", draft.inputs[0], draft.constant(-1.0))
    return True


def _truth(draft: Draft) -> bool:
    """1 where it is true, and 0 elsewhere."""
    if draft.tensor(draft.inputs[0]).type != schema.TensorType.BOOL:
        return False
    draft.become("SELECT_V2", draft.inputs[0], draft.constant(1.0), draft.constant(0.0))
    return True


def _square(draft: Draft) -> bool:
    draft.become("MUL", draft.inputs[0], draft.inputs[0])
    return True


def _sum(draft: Draft) -> bool:
    """``n * mean(x)``."""
    axes = draft.value(1)
    if axes is None:
        return False
    mean, count = _mean(draft, draft.inputs[0], axes, keep=bool(draft.options.keepDims))
    draft.become("MUL", mean, draft.constant(float(count)))
    return True


def _mean(draft: Draft, source: int, axes: object, *, keep: bool = True) -> tuple[int, int]:
    """A mean, and of how many values it is."""
    shape = listed(draft.tensor(source).shape)
    count = int(np.prod([shape[int(axis)] for axis in np.ravel(axes)]))  # type: ignore[call-overload]
    return draft.reduce("MEAN", source, axes, keep=keep), count


def _prelu(draft: Draft) -> bool:
    """``a * x + (1 - a) * relu(x)``."""
    slopes = draft.value(1)
    if slopes is None:
        return False
    source = draft.inputs[0]
    line = draft.add("MUL", source, draft.inputs[1])
    above = draft.add("RELU", source)
    draft.become("ADD", line, draft.add("MUL", above, draft.constant(1.0 - slopes)))
    return True


def _hard_swish(draft: Draft) -> bool:
    """``x * (relu6(x + 3) / 6)``."""
    source = draft.inputs[0]
    gate = draft.add("ADD", source, draft.constant(3.0), fusedActivationFunction=RELU6)
    draft.become("MUL", source, draft.add("MUL", gate, draft.constant(1 / 6)))
    return True


def _elu(draft: Draft) -> bool:
    """``relu(x) + exp(x - relu(x)) - 1``."""
    above = draft.add("RELU", draft.inputs[0])
    power = draft.add("EXP", draft.add("SUB", draft.inputs[0], above))
    draft.become("ADD", above, draft.add("SUB", power, draft.constant(1.0)))
    return True


def _clip(draft: Draft) -> bool:
    draft.become("MINIMUM", draft.add("MAXIMUM", draft.inputs[0], draft.constant(-1.0)), draft.constant(1.0))
    return True


def _power(draft: Draft) -> bool:
    """A product of as many factors, of a small whole power."""
    exponent = draft.value(1)
    if exponent is None or exponent.size != 1 or exponent.item() not in range(2, MOST_FACTORS + 1):
        return False
    source = product = draft.inputs[0]
    for _ in range(int(exponent.item()) - 2):
        product = draft.add("MUL", product, source)
    draft.become("MUL", product, source)
    return True


def _unit(draft: Draft) -> bool:
    """``x / sqrt(sum(x * x))`` along the last axis."""
    if draft.options.fusedActivationFunction:
        return False
    source = draft.inputs[0]
    mean, count = _mean(draft, draft.add("MUL", source, source), [-1])
    shape = draft.tensor(mean).shape
    safe = draft.add("ADD", mean, draft.constant(TINY), shape=shape)
    root = draft.add("RSQRT", safe, shape=shape)
    scaled = draft.add("MUL", root, draft.constant(count**-0.5), shape=shape)
    draft.become("MUL", source, scaled)
    return True


def _log_softmax(draft: Draft) -> bool:
    """``d - log(sum(exp(d)))`` for ``d = x - max(x)`` along the last axis."""
    source = draft.inputs[0]
    below = draft.add("SUB", source, draft.reduce("REDUCE_MAX", source, [-1]))
    mean, count = _mean(draft, draft.add("EXP", below), [-1])
    shape = draft.tensor(mean).shape
    total = draft.add("MUL", mean, draft.constant(float(count)), shape=shape)
    draft.become("SUB", below, draft.add("LOG", total, shape=shape))
    return True


_ALWAYS = {"CAST": _truth, "NEG": _negative, "POW": _power, "SQUARE": _square}
_INT16 = {
    "ELU": _elu,
    "HARD_SWISH": _hard_swish,
    "L2_NORMALIZATION": _unit,
    "LOG_SOFTMAX": _log_softmax,
    "PRELU": _prelu,
    "RELU_N1_TO_1": _clip,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUM": _sum,
}
FORMS: Mapping[str, Mapping[int, Callable[[Draft], bool]]] = {
    mode: {getattr(schema.BuiltinOperator, kind): form for kind, form in forms.items()}
    for mode, forms in {"int8": _ALWAYS, "int16x8": {**_ALWAYS, **_INT16}}.items()
}
"""By mode, what writes an operator in others; it says whether it did."""
