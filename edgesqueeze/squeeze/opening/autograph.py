"""AutoGraph of TensorFlow without files.

Some layers of Keras are a ``tf.function`` inside: convolutions of several groups, recurrent layers. AutoGraph
rewrites the Python of such a function, writes the result to a temporary file and imports that. A confined
process may write nothing: there, the new source stays in memory.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import itertools
import sys
from types import ModuleType

from tensorflow.python.autograph.pyct import loader

_NUMBERS = itertools.count()


class _Source(importlib.abc.InspectLoader):
    """A loader of one module, whose source it holds."""

    def __init__(self, source: str) -> None:
        self.source = source

    def get_source(self, fullname: str) -> str:
        return self.source


def keep_sources_in_memory() -> None:
    """From now on, in the whole process, load what AutoGraph generates without writing it."""
    loader.load_source = _load_source


def _load_source(source: str, delete_on_exit: bool) -> tuple[ModuleType, str]:
    """A module of Python source, and the name of a file that does not exist."""
    name = f"__autograph_generated_{next(_NUMBERS)}"
    spec = importlib.util.spec_from_loader(name, _Source(source), origin=f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # The inspect module asks the loader for the source of it, when AutoGraph comes back to the function.
    module.__file__ = f"{name}.py"
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module, module.__file__
