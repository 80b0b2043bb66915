"""What native C costs on an emulated core, beside what TFLite Micro with CMSIS-NN costs there."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.graph import TfliteModel, read_tflite
from edgesqueeze.latency import cycles as cycle_model
from edgesqueeze.latency.cycles import LayerCount
from edgesqueeze.latency.instructions import parse_disassembly
from edgesqueeze.runners import tflm, toolchain
from edgesqueeze.runners.counts import FlashCaches
from edgesqueeze.runners.elf import read_sizes
from edgesqueeze.runners.firmware_build import Firmware, build_firmware
from edgesqueeze.runners.qemu import Run, run_firmware
from edgesqueeze.runners.samples import Samples
from edgesqueeze.target.processor import Processor
from runtime_tests.support.mltk_models import mltk_model

PEERS = Path(__file__).parents[2] / "scripts" / "benchmarks" / "peers" / "tflm_cmsis_nn.csv"
PROCESSORS: Mapping[str, Processor] = MappingProxyType(
    {
        "m0plus": Processor("cortex-m0plus", "none", dsp=False, mve="none"),
        "m3": Processor("cortex-m3", "none", dsp=False, mve="none"),
        "m4": Processor("cortex-m4", "single", dsp=True, mve="none"),
        "m7": Processor("cortex-m7", "single", dsp=True, mve="none"),
        "m33": Processor("cortex-m33", "single", dsp=True, mve="none"),
        "m55": Processor("cortex-m55", "double", dsp=True, mve="float"),
    }
)
"""Short name, as in the peer's table -> processor."""


@dataclass(frozen=True)
class Figures:
    """What one model costs, built in one way for one core.

    Attributes:
        instructions: of one inference.
        code_bytes: flash without the layers' constant data.
        weights_bytes: the layers' constant data.
        ram_bytes: the arena.
        stack_bytes: the deepest stack.
        exact: whether the outputs are TFLite Micro's, byte for byte.
    """

    instructions: int
    code_bytes: int
    weights_bytes: int
    ram_bytes: int
    stack_bytes: int
    exact: bool


@dataclass(frozen=True)
class Peer:
    """The same of TFLite Micro.

    Attributes:
        instructions: at its best setting.
        code_bytes: optimization level -> flash without the model.
        arena_bytes: the smallest that it needs.
    """

    instructions: int
    code_bytes: Mapping[str, int]
    arena_bytes: int


def measure(name: str, core: str, level: str = "O3") -> Figures:
    """Build one of the wheel's models for a core, and run it on the peer's input and on two others."""
    model = read_tflite(mltk_model(name))
    processor = PROCESSORS[core]
    samples = [sample(model, seed) for seed in range(3)]
    source = emit_native(model, core=processor.kernel_core)
    return measure_source(source, processor, samples, tflm.run(model, samples), level)


def measure_source(
    source: NativeSource, processor: Processor, samples: Samples, expected: Samples, level: str = "O3"
) -> Figures:
    """Build a generated model for a core, and run it on samples whose outputs are known."""
    firmware = build_firmware(source, processor, level)
    run = run_firmware(firmware, samples, count=FlashCaches())
    sizes = read_sizes(firmware.elf)
    return Figures(
        instructions=cycle_model.total(_counts(firmware, run)).instructions,
        code_bytes=sizes.code + sizes.constants,
        weights_bytes=sizes.weights,
        ram_bytes=source.arena_bytes + sizes.variables,
        stack_bytes=run.stack_bytes,
        exact=all(
            np.array_equal(got, want)
            for row, row_expected in zip(run.outputs, expected, strict=True)
            for got, want in zip(row, row_expected, strict=True)
        ),
    )


def layer_instructions(
    source: NativeSource, processor: Processor, samples: Samples, level: str = "O3"
) -> tuple[int, ...]:
    """Instructions of every layer in the first inference; the last figure is what is around them."""
    firmware = build_firmware(source, processor, level)
    counts = _counts(firmware, run_firmware(firmware, samples, count=FlashCaches()))
    return tuple(count.instructions for count in counts)


def _counts(firmware: Firmware, run: Run) -> tuple[LayerCount, ...]:
    assert run.counts is not None
    listing = parse_disassembly(
        toolchain.disassembly(firmware.elf, toolchain.find(toolchain.ARM_DISASSEMBLER))
    )
    return cycle_model.layer_counts(run.counts, listing, len(firmware.source.layers))


def sample(model: TfliteModel, seed: int) -> list[npt.NDArray[Any]]:
    """Random inputs, drawn as the peer's were."""
    generator = np.random.default_rng(seed)
    return [
        generator.standard_normal(tensor.shape).astype(np.float32)
        if tensor.dtype == "float32"
        else generator.integers(-128, 128, tensor.shape).astype(np.int8)
        for tensor in model.main.input_tensors
    ]


def tensor_bytes(name: str) -> int:
    """The bytes of a model's own constant tensors."""
    tensors = read_tflite(mltk_model(name)).main.tensors
    return sum(tensor.data.nbytes for tensor in tensors if tensor.data is not None)


def peer(name: str, core: str) -> Peer | None:
    """The peer's figures for a model, or None for a core on which it was not measured."""
    with PEERS.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["model"], row["core"]) == (name, core)]
    if not rows:
        return None
    fast = [row for row in rows if row["kernels"] == "cmsis-nn"]
    return Peer(
        instructions=min(int(row["instructions"]) for row in rows),
        code_bytes=MappingProxyType({row["opt"]: int(row["code_bytes"]) for row in fast}),
        arena_bytes=min(int(row["arena_bytes"]) for row in fast),
    )
