"""A recipe in which nothing is left to the target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgesqueeze.base.records import Record
from edgesqueeze.recipe.sections import (
    Channels,
    Equalize,
    IoType,
    Prune,
    Quantize,
    QuantizeMode,
    Recipe,
    Structure,
)

Kernels = Literal["small", "portable", "dsp", "mve", "xnnpack"]


class FilledEqualize(Equalize):
    """Cross-layer equalization, for the weights that the recipe asks for.

    Attributes:
        clipped: a clip at 6 is taken away where it changes no larger share of the positive values.
        include: patterns (``*``, ``?``) of layer names or classes whose outputs may be divided.
        exclude: patterns of layers whose outputs stay though they are included.
        levels: largest integer of the weights that follow: 127, or 7 where the recipe asks for four bits.
    """

    levels: Literal[7, 127] = 127


class FilledChannels(Channels):
    """Structured pruning, with nothing left to the target.

    Attributes:
        share: share of the model's multiply-accumulates that goes, above 0 and below 1; null: as many as the
            budgets that follow take.
        latency_ms: most milliseconds that an inference may take on the target; null: any.
        flash_kib: most flash that the model may take on the target, in KiB; null: any.
        ram_kib: most RAM that the model may take on the target, in KiB; null: any.
        importance: what tells which channels go: ``taylor``, first-order terms of the loss on training
            samples, or ``magnitude``, the norms of weights.
        step: channels of a layer are kept in multiples of it.
        kernels: kind of kernels that run the model: what a channel costs depends on them.
        include: patterns (``*``, ``?``) of layer names or classes whose channels may go.
        exclude: patterns of layers that keep theirs though they are included.
    """

    step: Annotated[int, Field(ge=1, le=256)] = 4
    kernels: Kernels = "portable"


class DeviceBlocks(Record):
    """Weights that the target's kernels skip together, where all of them are zero: outputs, then inputs.

    Attributes:
        convolution: outputs and inputs of a block of a convolution.
        dense: outputs and inputs of a block of a fully connected layer.
    """

    convolution: tuple[int, int]
    dense: tuple[int, int]


class FilledPrune(Prune):
    """Magnitude pruning with nothing left to the target.

    Attributes:
        sparsity: share of each kernel's weights that becomes zero, above 0 and below 1.
        schedule: how the sparsity grows while training: ``polynomial``, or ``constant`` from the start.
        structure: which weights go together: ``unstructured``, ``device`` (blocks that the target's kernels
            skip), ``2:4`` (two of four neighbours) or ``block``.
        block: rows and columns of a block, for ``block``.
        include: patterns (``*``, ``?``) of layer names or classes that take part.
        exclude: patterns of layers that stay out though they are included.
        first_and_last: whether the first and the last layer take part; ``auto``: unless they are small.
        device_blocks: the blocks of ``device``; null: another structure, or kernels that skip none.
        left_to_target: whether the recipe left the structure to the target.
    """

    structure: Structure = "unstructured"
    device_blocks: DeviceBlocks | None = None
    left_to_target: bool = False


class FilledQuantize(Quantize):
    """What the .tflite holds, with nothing left to the target.

    Attributes:
        mode: ``int8``, ``int16x8`` (int16 activations, int8 weights), ``float16`` weights, ``dynamic`` (int8
            weights, float activations) or ``none``.
        io: element type of inputs and outputs of an integer model.
        calibration_samples: number of samples that show the range of every activation.
        calibration: what the range of an activation is: ``minmax``, all that the samples show;
            ``percentile``, a share of it; ``mse``, what has the least squared error; ``entropy``, what
            integers tell the most of; or ``best``, for each tensor the one that has the least error on other
            samples.
        percentile: share of the values of an activation that its range has for ``percentile``, 0.5 to 1.
    """

    mode: QuantizeMode
    io: IoType


class FilledRecipe(Recipe):
    """A recipe in which nothing is left to the target: what the passes work with.

    Attributes:
        seed: seed of everything random; the same seed and inputs give the same bytes.
        equalize: cross-layer equalization; null for none.
        channels: structured pruning; null for none.
        prune: pruning; null for none.
        cluster: weight clustering; null for none.
        bits: kernels of four bits; null for eight.
        round: adaptive rounding; null for rounding to the nearest integer.
        bias: correction of biases; null for none.
        aware: quantization-aware training; null for none.
        finetune: how the compressed model is trained.
        quantize: what the .tflite holds.
        data: how raw data become the model's input.
        limits: what the result must satisfy.
    """

    equalize: FilledEqualize | None = None
    channels: FilledChannels | None = None
    prune: FilledPrune | None = None
    quantize: FilledQuantize
