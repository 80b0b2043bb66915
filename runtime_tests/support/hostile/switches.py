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


def _replace(module: Any, **parts: Any) -> None:
    for name, part in parts.items():
        setattr(module, name, part)


def _nothing(*_: Any) -> None:
    """Stands for a check."""


def _names() -> None:
    """Whatever a configuration names is let pass."""
    from edgesqueeze.squeeze.opening import archive, load

    for module in (archive, load):
        _replace(module, checked=lambda config, rules: config)


def _operators() -> None:
    """Every function and operator of TensorFlow is on the list."""
    from edgesqueeze.squeeze.opening import allowed_tensorflow, graph_file, saved_model

    _replace(allowed_tensorflow, FUNCTIONS=_All(), OPERATORS=_All())
    _replace(saved_model, GRAPH_OPERATORS=_All())
    _replace(graph_file, GRAPH_OPERATORS=_All(), RUN_OPERATORS=_All())


def _outside() -> None:
    """What stands before, between and behind is not looked at."""
    from edgesqueeze.base import zips
    from edgesqueeze.squeeze.opening import hdf5

    _replace(zips, _check_layout=_nothing, _check_member=_nothing)
    _replace(hdf5, _check_outside=_nothing)


def _weights() -> None:
    """Links are followed, and sizes believed."""
    from edgesqueeze.squeeze.opening import hdf5

    _replace(
        hdf5,
        _member=lambda group, key, *_: group[key],
        _values=lambda dataset, *_: dataset[()],
        _check_inside=_nothing,
    )


def _bounds() -> None:
    """No size, depth or time is limited."""
    from edgesqueeze.base.sandbox import confined
    from edgesqueeze.squeeze.opening import archive, config

    _replace(archive, _limit=lambda size: 1 << 60, _text_limit=lambda size: 1 << 60)
    _replace(config, MOST_DEPTH=1 << 60)
    _replace(confined, _limit=_nothing)


def _sandbox() -> None:
    """The process that opens files is like any other."""
    from edgesqueeze.base.sandbox import landlock, seccomp

    _replace(landlock, restrict=lambda readable: False)
    _replace(seccomp, restrict=lambda: False)


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
