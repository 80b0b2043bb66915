"""EdgeSqueeze: make a trained Keras model small and deployable, and prove that it still does its job.

The public API, imported when it is used: ``import edgesqueeze`` costs nothing, and only ``compress`` needs
TensorFlow.
"""

from __future__ import annotations

from typing import Any

from edgesqueeze.base.lazy import Lazy

_PUBLIC = {
    "Compressed": Lazy("edgesqueeze.pipeline:Compressed"),
    "EdgeSqueezeError": Lazy("edgesqueeze.errors:EdgeSqueezeError"),
    "Recipe": Lazy("edgesqueeze.recipe:Recipe"),
    "Report": Lazy("edgesqueeze.report.report:Report"),
    "Target": Lazy("edgesqueeze.target.records:Target"),
    "bench": Lazy("edgesqueeze.timing.bench:bench"),
    "calibrate": Lazy("edgesqueeze.timing.calibrate:calibrate"),
    "check_fit": Lazy("edgesqueeze.target.fit:check_fit"),
    "compress": Lazy("edgesqueeze.pipeline:compress"),
    "emit_native": Lazy("edgesqueeze.emit.native.emit:emit_native"),
    "emit_tflm": Lazy("edgesqueeze.emit.tflm:emit_tflm"),
    "find_arena": Lazy("edgesqueeze.runners.arena:find_arena"),
    "emulate": Lazy("edgesqueeze.timing.emulate:emulate"),
    "list_targets": Lazy("edgesqueeze.target.load:list_targets"),
    "load_recipe": Lazy("edgesqueeze.recipe:load_recipe"),
    "load_target": Lazy("edgesqueeze.target.load:load_target"),
    "measure": Lazy("edgesqueeze.devices.measure:measure"),
    "measure_all": Lazy("edgesqueeze.devices.measure:measure_all"),
    "open_local": Lazy("edgesqueeze.devices.session:open_local"),
    "open_session": Lazy("edgesqueeze.devices.session:open_session"),
    "parse_host": Lazy("edgesqueeze.devices.ssh_host:parse_host"),
    "parse_recipe": Lazy("edgesqueeze.recipe:parse_recipe"),
    "predict": Lazy("edgesqueeze.latency.predict:predict"),
    "raise_if_not_ok": Lazy("edgesqueeze.pipeline:raise_if_not_ok"),
    "read_tflite": Lazy("edgesqueeze.graph:read_tflite"),
    "verify": Lazy("edgesqueeze.checks.verify:verify"),
}

__all__ = [
    *sorted(_PUBLIC),
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgesqueeze' has no attribute {name!r}")
    value = _PUBLIC[name].load()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
