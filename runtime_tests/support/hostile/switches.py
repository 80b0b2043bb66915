"""Each check, switched off: what the attack suite would say if it were not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any


class _All:
    """A list with everything on it."""

    def __contains__(self, name: object) -> bool:
        return True

    def __rsub__(self, other: Any) -> frozenset[str]:
        return frozenset()


def _names() -> None:
    """Whatever a configuration names is let pass."""
    from edgesqueeze.squeeze.opening import archive, load

    archive.checked = load.checked = lambda config, rules: config  # type: ignore[assignment]


def _operators() -> None:
    """Every function and operator of TensorFlow is on the list."""
    from edgesqueeze.squeeze.opening import allowed_tensorflow, saved_model

    allowed_tensorflow.FUNCTIONS = allowed_tensorflow.OPERATORS = _All()  # type: ignore[assignment]
    saved_model.GRAPH_OPERATORS = _All()  # type: ignore[assignment]


def _outside() -> None:
    """What stands before, between and behind is not looked at."""
    from edgesqueeze.base import zips
    from edgesqueeze.squeeze.opening import hdf5

    zips._check_layout = lambda *_: None  # type: ignore[assignment]
    zips._check_member = lambda *_: None  # type: ignore[assignment]
    hdf5._check_outside = lambda *_: None  # type: ignore[assignment]


def _weights() -> None:
    """Links are followed, and sizes believed."""
    from edgesqueeze.squeeze.opening import hdf5

    hdf5._member = lambda group, key, *_: group[key]  # type: ignore[assignment]
    hdf5._values = lambda dataset, *_: dataset[()]  # type: ignore[assignment]
    hdf5._check_inside = lambda *_: None  # type: ignore[assignment]


def _bounds() -> None:
    """No size, depth or time is limited."""
    from edgesqueeze.base.sandbox import confined
    from edgesqueeze.squeeze.opening import archive, config

    archive._limit = archive._text_limit = lambda size: 1 << 60  # type: ignore[assignment]
    config.MOST_DEPTH = 1 << 60
    confined._limit = lambda bounds: None  # type: ignore[assignment]


def _sandbox() -> None:
    """The process that opens files is like any other."""
    from edgesqueeze.base.sandbox import landlock, seccomp

    landlock.restrict = lambda readable: False  # type: ignore[assignment]
    seccomp.restrict = lambda: False  # type: ignore[assignment]


SWITCHES: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "names": _names,
        "operators": _operators,
        "outside": _outside,
        "weights": _weights,
        "bounds": _bounds,
        "sandbox": _sandbox,
    }
)


def turn_off(name: str) -> None:
    """Turn a check off in this process and in those that it forks."""
    SWITCHES[name]()
