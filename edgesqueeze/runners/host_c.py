"""Run a model as native C on this machine: the portable kernels, compiled by its own C compiler.

They compute what the kernels for Cortex-M compute, bit for bit, so this is what an emulated or measured
run is compared with.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import RequirementError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners import build, toolchain
from edgesqueeze.runners.samples import Outputs, Samples, check_samples

FLAGS = ("-std=c99", "-O2")
SANITIZED_FLAGS = (
    "-std=c99",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
RUN_SECONDS = 600


@dataclass(frozen=True)
class HostProgram:
    """A model as a program of this machine.

    Attributes:
        source: the generated model that the program was made from.
        path: path of the executable file.
    """

    source: NativeSource
    path: Path

    def run(self, samples: Samples, *, sequence: bool = False) -> Outputs:
        """Run inferences, one after the other in one process.

        Args:
            samples: per inference the arrays of the model's inputs, in their order, dtype and shape.
            sequence: whether state goes on from one to the next; it is reset before each otherwise.

        Returns:
            Per inference the arrays of the model's outputs, in their order.

        Raises:
            RequirementError: the program fails, or a sanitizer objects; with the last of what it said.
        """
        if not samples:
            return []
        try:
            done = subprocess.run(
                [str(self.path)],
                input=packed(samples, self.source, sequence=sequence),
                capture_output=True,
                timeout=RUN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RequirementError(
                f"the C of {self.source.name} gave no result within {RUN_SECONDS} s on this machine",
                hint="give fewer samples, or shrink the model",
            ) from error
        if done.returncode:
            raise RequirementError(
                f"the C of {self.source.name} fails on this machine",
                got=_reason(done.stderr.decode(errors="replace"), done.returncode),
                hint=build.FAULT_HINT,
            )
        return unpacked(self.source, done.stdout, len(samples))


def available() -> str | None:
    """None when a C compiler is there, else what to install."""
    return toolchain.missing(toolchain.HOST_COMPILER)


def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run inferences in native C; see ``edgesqueeze.runners`` for what goes in and comes out.

    Raises:
        DataError: an array of the wrong dtype or shape, or the wrong number of arrays.
        UnsupportedModelError: operators that native C does not have.
        RequirementError: the program does not compile or fails.
        MissingToolError: there is no C compiler.
    """
    from edgesqueeze.emit.native.emit import emit_native

    check_samples(model, samples)
    sequence = state_of(model).is_sequence(carry_state)
    return host_program(emit_native(model, core=None)).run(samples, sequence=sequence)


def host_program(source: NativeSource, *, sanitize: bool = False) -> HostProgram:
    """Compile a generated model for this machine.

    Args:
        source: of the ``reference`` kernel set.
        sanitize: let the compiler's address and undefined-behaviour sanitizers watch every access.

    Raises:
        RequirementError: it does not compile.
        MissingToolError: there is no C compiler.
    """
    compiler = toolchain.find(toolchain.HOST_COMPILER)
    flags = SANITIZED_FLAGS if sanitize else FLAGS
    path = build.build(build.with_harness(source, "port_host.c"), compiler, flags, ("-lm",))
    return HostProgram(source, path)


def packed(samples: Samples, source: NativeSource, *, sequence: bool = False) -> bytes:
    """Samples as the harness reads them: the bytes of all inputs, sample by sample, little-endian.

    Args:
        samples: per inference the arrays of the model's inputs.
        source: the model. If it keeps state, a byte before each sample says whether that is reset.
        sequence: whether state goes on from one sample to the next.
    """
    start = bytes([not sequence]) if source.state_bytes else b""
    return b"".join(start + _bytes(sample) for sample in samples)


def _bytes(sample: Sequence[Array]) -> bytes:
    return b"".join(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes() for array in sample)


def unpacked(source: NativeSource, data: bytes, count: int) -> Outputs:
    """What the harness wrote, as arrays of the outputs' shapes.

    Raises:
        RequirementError: it wrote more or less than ``count`` results.
    """
    dtypes = [np.dtype(io.dtype).newbyteorder("<") for io in source.outputs]
    sizes = [io.elements * dtype.itemsize for io, dtype in zip(source.outputs, dtypes, strict=True)]
    if len(data) != count * sum(sizes):
        raise RequirementError(
            f"the C of {source.name} wrote an unexpected number of bytes",
            expected=f"{count * sum(sizes)}, for {count} samples",
            got=str(len(data)),
            hint=build.FAULT_HINT,
        )
    results: Outputs = []
    offset = 0
    for _ in range(count):
        row: list[Array] = []
        for io, dtype, size in zip(source.outputs, dtypes, sizes, strict=True):
            flat = np.frombuffer(data, dtype, io.elements, offset)
            row.append(flat.astype(io.dtype).reshape(io.shape))
            offset += size
        results.append(row)
    return results


def _reason(log: str, status: int) -> str:
    """What a sanitizer complains about, else the last that the program said."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if "runtime error:" in line or "ERROR: AddressSanitizer" in line]
    places = [line for line in lines if line.startswith("#")][:4]
    ending = f"it was ended by signal {-status}" if status < 0 else f"it ended with status {status}"
    return "; ".join([*told, *places] if told else lines[-2:] or [ending])
