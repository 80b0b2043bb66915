"""Fits the latency model of TFLM and writes ``edgesqueeze/latency/data/tflm.json``.

python scripts/benchmarks/fit_tflm.py            write the file
python scripts/benchmarks/fit_tflm.py --targets  print the figures of every target's section [latency]
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tflm_builds import size_build, size_rates
from tflm_counts import CORES, family_errors, fit_core, interpreter
from tflm_published import fit_float, fit_rates
from tflm_soft import fit_soft
from tflm_targets import TARGETS, VERSION, Figures, figures

from edgesqueeze.base.output import write_files
from edgesqueeze.latency.tflm_model import DATA

DIGITS = 9
NOTE = (
    "Written by scripts/benchmarks/fit_tflm.py. instructions: of integer kernels for each turn of their "
    "loops, by core, kernel and loop, fitted to scripts/benchmarks/peers/peer_layers.csv (tflite-micro "
    "90b983c2, CMSIS-NN 99f736a6, GCC 12.2.1 -O3). errors: 90th percentile of the absolute logarithmic error "
    "of an operator in models that the fit leaves out. interpreter: instructions for each operator, and "
    "once. rates: cycles per instruction on the NUCLEO-L4R5ZI by build, and float_cycles: cycles of float32 "
    "kernels there, with the FPU (single), built for size (size), and without FPU (none), fitted to "
    "scripts/benchmarks/published/cortex_m.csv; soft: those of a Cortex-M0+ (Raspberry Pi Pico), over its "
    "cycles per other instruction and times the board's. size: what -Os multiplies the instructions of "
    "integer kernels with, by counted core and group of kernels, and the 90th percentile of the absolute "
    "logarithmic error of a model that the fit leaves out; size_rates: cycles per instruction at -Os over "
    "those at -O3, on that board"
)


def content() -> dict[str, Any]:
    """What the file holds."""
    return {
        "note": NOTE,
        "version": VERSION,
        "instructions": {f"cortex-{core}": _rounded(fit_core(core)) for core in CORES},
        "errors": {f"cortex-{core}": family_errors(core) for core in CORES},
        "interpreter": [_digits(value) for value in interpreter()],
        "rates": {build: _rounded(fit_rates(build)) for build in ("speed", "size")},
        "float_cycles": {
            name: _rounded(fit_float(build))
            for name, build in (("single", "speed"), ("size", "size"), ("none", "none"))
        }
        | {"soft": _rounded(soft_as_on_the_board())},
        "size": {f"cortex-{core}": _rounded(size_build(core)) for core in CORES},
        "size_rates": _rounded(size_rates()),
    }


def soft_as_on_the_board() -> dict[str, dict[str, float]]:
    """Float32 kernels of a Cortex-M0+, in cycles that the board would take for as many instructions."""
    faster = fit_rates("speed")["other"] / figures("pico").rates["other"]
    return {
        family: {loop: value * faster for loop, value in loops.items()}
        for family, loops in fit_soft().items()
    }


def section(found: Figures) -> str:
    """The figures as the text of a profile."""
    rates = ", ".join(f"{rate} = {value:.3g}" for rate, value in found.rates.items())
    lines = [
        "[latency]",
        'runtime = "tflm"',
        f'version = "{VERSION}"',
        f"cycles_per_instruction = {{ {rates} }}",
    ]
    for name in ("interval", "dense_interval", "float32_interval"):
        low, high = getattr(found, name)
        lines.append(f"{name} = {{ low = {low:.2f}, high = {high:.2f} }}")
    return "\n".join([*lines, f'basis = "{found.basis}"'])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _digits(value)
    return {key: _rounded(one) for key, one in value.items()}


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def main() -> int:
    """Write the file, or print the sections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", action="store_true", help="print every target's figures")
    if parser.parse_args().targets:
        for target in TARGETS:
            print(f"# {target}\n{section(figures(target))}\n")
        return 0
    text = json.dumps(content(), indent=1, sort_keys=False) + "\n"
    write_files(DATA.parent, {DATA.name: text.encode()})
    print(f"{DATA}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
