"""The ``[latency]`` section of a device profile: the parameters of the latency model for that device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest

Factor = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Rate = Literal["products", "weights", "other"]
Cost = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Size = Annotated[int, Field(strict=True, gt=0, le=2**40)]
Tile = Annotated[int, Field(strict=True, ge=1, le=256)]
KINDS = (
    *("conv", "conv_1x1", "gemv", "depthwise", "transpose_conv", "recurrent", "elementwise", "activation"),
    *("softmax", "pool", "reduce", "convert", "move", "other"),
)
"""Kinds of operators that costs can be given for, beside builtin operator names."""
Words = Annotated[str, Field(min_length=1, max_length=1000)]


class Interval(Record):
    """Factors on an estimate between which nine of ten measured latencies lie.

    Attributes:
        low: lower factor, at most 1.
        high: upper factor, at least 1.
    """

    low: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    high: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)]


class CyclesPerInstruction(Record):
    """How fast a device executes instructions of TensorFlow Lite Micro, by what they belong to.

    Attributes:
        products: cycles per instruction of products of convolutions.
        weights: cycles per instruction of fully connected layers, which read every weight once, from flash.
        other: cycles per instruction of everything else: copies, depthwise convolutions, requantization,
            calls.
    """

    products: Factor
    weights: Factor
    other: Factor

    def by_rate(self) -> dict[Rate, float]:
        """As the latency model takes them."""
        return {"products": self.products, "weights": self.weights, "other": self.other}


class InstructionLatency(Record):
    """TensorFlow Lite Micro on a Cortex-M: counted instructions times cycles per instruction.

    Attributes:
        runtime: what runs the model: ``tflm``.
        version: version and build of the runtime.
        cycles_per_instruction: cycles per instruction of the runtime's kernels on this device, flash and
            caches included.
        interval: 90 % bounds on the latency of an int8 model, as factors on the estimate.
        dense_interval: 90 % bounds on the latency of an int8 model of fully connected layers, as factors on
            the estimate.
        float32_interval: 90 % bounds on the latency of a float32 model, as factors on the estimate.
        basis: what these figures rest on.
    """

    runtime: Literal["tflm"]
    version: Words
    cycles_per_instruction: CyclesPerInstruction
    interval: Interval
    dense_interval: Interval
    float32_interval: Interval
    basis: Words


class OperatorCost(Record):
    """What one kind of operator takes with one thread. See ``latency/cost.py`` for what is counted.

    Attributes:
        mac_ps: picoseconds per multiply-accumulate, in whole tiles.
        patch_ps: picoseconds per element that is gathered: rows times depth.
        row_ps: picoseconds per output position.
        output_ps: picoseconds per output element.
        weight_ps: picoseconds per byte of weights.
        call_ns: nanoseconds for each operator.
        tile_rows: output positions that a kernel computes at once; the last tile takes as long as a whole.
        tile_columns: output channels that a kernel computes at once; of several numbers, the least that has
            room for all channels counts.
        tile_depth: input channels that a kernel multiplies at once, at each position of the window.
    """

    mac_ps: Cost = 0.0
    patch_ps: Cost = 0.0
    row_ps: Cost = 0.0
    output_ps: Cost = 0.0
    weight_ps: Cost = 0.0
    call_ns: Cost = 0.0
    tile_rows: Tile = 1
    tile_columns: Annotated[tuple[Tile, ...], Field(min_length=1, max_length=4)] = (1,)
    tile_depth: Tile = 1


class MemoryCost(Record):
    """What weights take that do not stay in a cache from one inference to the next.

    Attributes:
        weights_bytes: size of the whole model's weights up to which the cost holds, in bytes; the last cost
            holds beyond its size too.
        byte_ps: picoseconds for each byte, beside what the operators take.
    """

    weights_bytes: Size
    byte_ps: Cost


class ArithmeticLatency(Record):
    """The costs of one arithmetic.

    Attributes:
        activation_ps: picoseconds for each byte of activations that an operator reads and writes, because
            the operators before it have used the cache too.
        interval: 90 % bounds on the latency of models of this arithmetic, as factors on the estimate; those
            of the section if absent.
        operators: by kind (``conv``, ``conv_1x1``, ``gemv``, ``depthwise``, ...) or by builtin operator name,
            which goes first; ``other`` is for all that are not named.
    """

    activation_ps: Cost = 0.0
    interval: Interval | None = None
    operators: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")], OperatorCost]

    @field_validator("operators")
    @classmethod
    def _known(cls, operators: dict[str, OperatorCost]) -> dict[str, OperatorCost]:
        # Builtin operator names are upper case; those of later runtimes are not known here.
        for name in operators:
            if name not in KINDS and not name.isupper():
                raise ValueError(f"{name!r} is no kind of operator{nearest(name, KINDS)}")
        return operators


class OperatorLatency(Record):
    """LiteRT on a processor that runs an operating system: a cost for every operator.

    Attributes:
        runtime: what runs the model.
        version: version and build of the runtime.
        invoke_us: microseconds of one inference that no operator accounts for.
        speedup: how many times faster 1, 2, 3, ... threads are than one.
        byte_speedup: how many times faster they move bytes that no cache keeps; as ``speedup`` if empty.
        call_speedup: how many times faster they make calls; as ``speedup`` if empty.
        memory: costs of weights by the size of the model, ascending.
        float32: costs where activations are float32.
        int8: costs where activations are int8.
        interval: 90 % bounds on the latency, as factors on the estimate.
        call_interval: 90 % bounds on what calls take, as factors on it; as ``interval`` if absent.
        basis: what these figures rest on.
    """

    runtime: Literal["litert", "tflite-runtime"]
    version: Words
    invoke_us: Cost = 0.0
    speedup: Annotated[tuple[Factor, ...], Field(min_length=1, max_length=256)] = (1.0,)
    byte_speedup: Annotated[tuple[Factor, ...], Field(max_length=256)] = ()
    call_speedup: Annotated[tuple[Factor, ...], Field(max_length=256)] = ()
    memory: Annotated[tuple[MemoryCost, ...], Field(max_length=64)] = ()
    float32: ArithmeticLatency | None = None
    int8: ArithmeticLatency | None = None
    interval: Interval
    call_interval: Interval | None = None
    basis: Words

    @model_validator(mode="after")
    def _complete(self) -> OperatorLatency:
        if self.float32 is None and self.int8 is None:
            raise ValueError("float32 or int8 must be given, or both")
        for name in ("speedup", "byte_speedup", "call_speedup"):
            if (getattr(self, name) or (1,))[0] != 1:
                raise ValueError(f"{name} must begin with 1: one thread is as fast as one thread")
        sizes = [step.weights_bytes for step in self.memory]
        if sizes != sorted(set(sizes)):
            raise ValueError("memory must be ascending in weights_bytes")
        return self


Latency = Annotated[InstructionLatency | OperatorLatency, Field(discriminator="runtime")]
"""The section; ``runtime`` says which of the two."""
