"""EdgeSqueeze: make a trained Keras model small and deployable, and prove that it still does its job.

The public API, imported when it is used: ``import edgesqueeze`` costs nothing, and only ``compress`` needs
TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

# Public name -> module that has it.
_PUBLIC = {
    "Compressed": "edgesqueeze.pipeline",
    "EdgeSqueezeError": "edgesqueeze.errors",
    "Recipe": "edgesqueeze.recipe",
    "Report": "edgesqueeze.report.report",
    "Target": "edgesqueeze.target.records",
    "bench": "edgesqueeze.timing.bench",
    "calibrate": "edgesqueeze.timing.calibrate",
    "check_fit": "edgesqueeze.target.fit",
    "compress": "edgesqueeze.pipeline",
    "emit_native": "edgesqueeze.emit.native.emit",
    "emit_tflm": "edgesqueeze.emit.tflm",
    "find_arena": "edgesqueeze.runners.arena",
    "emulate": "edgesqueeze.timing.emulate",
    "list_targets": "edgesqueeze.target.load",
    "load_recipe": "edgesqueeze.recipe",
    "load_target": "edgesqueeze.target.load",
    "measure": "edgesqueeze.devices.measure",
    "measure_all": "edgesqueeze.devices.measure",
    "open_local": "edgesqueeze.devices.session",
    "open_session": "edgesqueeze.devices.session",
    "parse_host": "edgesqueeze.devices.ssh_host",
    "parse_recipe": "edgesqueeze.recipe",
    "predict": "edgesqueeze.latency.predict",
    "raise_if_not_ok": "edgesqueeze.pipeline",
    "read_tflite": "edgesqueeze.graph",
    "verify": "edgesqueeze.checks.verify",
}

__all__ = [
    *sorted(_PUBLIC),
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgesqueeze' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
