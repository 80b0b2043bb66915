"""TFMOT's pruning in the blocks of weights that the target's kernels skip."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl, pruning_wrapper

from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.recipe.filled import FilledPrune
from edgesqueeze.squeeze.layers.kernels import tflite_layout
from edgesqueeze.squeeze.layers.weights import Kernel

FEWEST_BLOCKS = 32
"""A kernel of fewer is small: there is little to win, and a block is a large part of it."""
FEWEST_WEIGHTS = 4096
"""The same, in weights, where the recipe leaves the structure to the target: blocks cost small networks more
than they win. One of 5,758 parameters loses 7.1 points with half of its weights zero in blocks, and 2.0 with
single zeros."""

_CONVOLUTIONS = (tf_keras.layers.Conv1D, tf_keras.layers.Conv2D)


def block_of(kernel: Kernel, options: FilledPrune) -> tuple[int, int] | None:
    """Outputs and inputs of a block of a kernel; None: the target skips none in it, or it has few of them.

    Args:
        kernel: a kernel of a built model.
        options: what was asked for, with the target's blocks.
    """
    block, layer, blocks = None, kernel.owner, options.device_blocks
    # What a layer repeats over the steps of a sequence has no shape of its own.
    alone = layer.name == kernel.key.layer
    if blocks and alone and type(layer) in _CONVOLUTIONS and layer.groups == 1:
        block = blocks.convolution
    elif blocks and alone and type(layer) is tf_keras.layers.Dense:
        # Applied to several vectors it is a 1x1 convolution on the device.
        block = blocks.dense if len(layer.input_shape) == 2 else blocks.convolution
    if block is None or (options.left_to_target and kernel.value.size < FEWEST_WEIGHTS):
        return None
    return block if numbers_of(kernel, block).max() + 1 >= FEWEST_BLOCKS else None


def numbers_of(kernel: Kernel, block: tuple[int, int]) -> npt.NDArray[np.intp]:
    """The block that every weight of a layer's only kernel belongs to, in the kernel's shape."""
    shape = kernel.value.shape
    numbers = np.empty(kernel.value.size, np.intp)
    places: Any = np.arange(numbers.size).reshape(shape)
    places = tflite_layout(kernel.owner, places)
    numbers[places.reshape(-1)] = block_numbers(places.shape, block).reshape(-1)
    return numbers.reshape(shape)


class _Blockwise(pruning_impl.Pruning):  # type: ignore[misc]
    """TFMOT's logic of masks, with blocks of any shape: those of the least mean magnitude become zero."""

    def __init__(self, wrapper: Any, numbers: npt.NDArray[np.intp]) -> None:
        super().__init__(
            lambda: wrapper.pruning_step, wrapper.pruning_vars, wrapper.pruning_schedule, (1, 1), "AVG"
        )
        self._numbers = numbers.reshape(-1)
        self._sizes = np.bincount(self._numbers)

    def _maybe_update_block_mask(self, weights: Any) -> tuple[Any, Any]:
        """A threshold, which nothing reads, and the mask: as near to the sparsity as blocks come."""
        sparsity = tf.cast(self._pruning_schedule(self._step_fn())[1], tf.float32)
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(tf.abs(weights), [-1]), self._numbers, self._sizes.size
        )
        order = tf.argsort(sums / self._sizes.astype(np.float32), stable=True)
        sizes = tf.gather(tf.constant(self._sizes, tf.float32), order)
        kept = tf.cumsum(sizes) - sizes / 2 > sparsity * self._numbers.size
        kept = tf.concat([kept[:-1], [True]], 0)
        blocks = tf.scatter_nd(order[:, None], tf.cast(kept, weights.dtype), [self._sizes.size])
        return 0.0, tf.reshape(tf.gather(blocks, self._numbers), weights.shape)


class PrunedInBlocks(pruning_wrapper.PruneLowMagnitude):  # type: ignore[misc]
    """TFMOT's wrapper of a layer whose kernel is pruned in blocks.

    Args:
        layer: as for TFMOT's.
        numbers: the block of every weight, in the kernel's shape.
        schedule: TFMOT's schedule of the sparsity.
    """

    def __init__(self, layer: Any, numbers: npt.NDArray[np.intp], schedule: Any) -> None:
        super().__init__(layer, pruning_schedule=schedule)
        self._numbers = numbers

    def build(self, input_shape: Any) -> None:
        """Build the layer and the masks."""
        super().build(input_shape)
        self.pruning_obj = _Blockwise(self, self._numbers)
