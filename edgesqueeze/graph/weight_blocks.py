"""Blocks of weights that kernels skip together, in the order in which the kernels read weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def block_numbers(shape: Sequence[int], block: tuple[int, int]) -> npt.NDArray[np.intp]:
    """The block that every weight belongs to; the last ones of a kernel may be smaller.

    Inputs of a kernel row, which are all columns and input channels, are counted through and never grouped
    with those of another row. But where one input of a row would be left alone, as 4 by 4 leave of 5, 9 or
    13, those inputs of several rows make a group: so do kernels read them that pad rows.

    Args:
        shape: of the kernel in the .tflite: ``[out, height, width, in]``, or ``[out, in]``.
        block: outputs and inputs of a block.

    Returns:
        intp in the kernel's shape: numbers from 0 on, output after output.
    """
    outputs, inputs = block
    rows = shape[1] if len(shape) == 4 else 1
    run = int(np.prod(shape[2:] if len(shape) == 4 else shape[1:]))
    groups = np.tile(np.arange(run) // inputs, (rows, 1))
    if run > inputs > 1 and run % inputs == 1:
        groups += (run // inputs) * np.arange(rows)[:, None]
        groups[:, -1] = rows * (run // inputs) + np.arange(rows) // inputs
    else:
        groups += -(-run // inputs) * np.arange(rows)[:, None]
    places = groups.reshape(-1)
    numbers = (np.arange(shape[0]) // outputs)[:, None] * (places.max() + 1) + places
    found: npt.NDArray[np.intp] = numbers.reshape(shape).astype(np.intp)
    return found
