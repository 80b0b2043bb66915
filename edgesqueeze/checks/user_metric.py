"""A metric of the user's own: ``MODULE:CALLABLE``, called with labels and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.custom_objects import import_objects
from edgesqueeze.base.given import wrong_kind
from edgesqueeze.errors import UsageError


@dataclass(frozen=True)
class UserMetric:
    """A metric of the user's own.

    Attributes:
        name: ``MODULE:CALLABLE``, or the callable's own name where it was given as an object.
        function: called as ``function(labels, outputs)`` with arrays ``[n, ...]``, or for a model of several
            outputs with a list of them each, in the order of the original's outputs; gives a number.
        higher_is_better: whether a larger number is a better one.
    """

    name: str
    function: Callable[[Any, Any], float]
    higher_is_better: bool

    def __call__(self, labels: Sequence[Array], outputs: Sequence[Array]) -> float:
        """The figure of some outputs.

        Args:
            labels: per output of the original, ``[n, ...]``.
            outputs: per output of the original, real numbers ``[n, ...]``.

        Raises:
            UsageError: the function raises, or gives no finite number.
        """
        given = (labels[0], outputs[0]) if len(outputs) == 1 else (list(labels), list(outputs))
        try:
            value = float(self.function(*given))
        except Exception as error:  # whatever the user's own code raises
            raise UsageError(
                f"the metric {self.name} failed: {type(error).__name__}: {error}",
                expected="a callable of labels and outputs that gives a number",
                got=f"outputs of shape {[list(np.shape(one)) for one in outputs]} and "
                f"labels of shape {[list(np.shape(one)) for one in labels]}",
                hint="try it on such arrays first",
            ) from error
        if not math.isfinite(value):
            raise UsageError(
                f"the metric {self.name} gives {value}", expected="a finite number", got=str(value)
            )
        return value


def as_metric(given: str | Callable[[Any, Any], float] | UserMetric | None) -> UserMetric | None:
    """The user's metric; None for none.

    Args:
        given: ``MODULE:CALLABLE``, importable from where the program runs, or a callable. A larger figure is
            better, unless it has an attribute ``higher_is_better`` that is false.

    Raises:
        UsageError: it cannot be imported, or is not callable.
    """
    if given is None or isinstance(given, UserMetric):
        return given
    function = _imported(given) if isinstance(given, str) else given
    if not callable(function):
        raise wrong_kind(given, "a metric: MODULE:CALLABLE, or a callable of labels and outputs")
    name = given if isinstance(given, str) else getattr(given, "__name__", type(given).__name__)
    return UserMetric(str(name), function, bool(getattr(function, "higher_is_better", True)))


def _imported(name: str) -> Any:
    (found,) = import_objects((name,)).values()
    return found
