"""Samples that are one sequence, as parts of it side by side: what models that remember are trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.squeeze.data.source import Source

SIDE_BY_SIDE = 16
"""Sequences that are trained on at a time, at most."""

LEAST_SAMPLES = 16
"""Samples that each of these sequences has, at least: the state is to matter."""


def streams_for(samples: int, batch_size: int) -> int:
    """Into how many sequences side by side the samples of one are divided.

    Args:
        samples: number of samples, which in their order are one sequence.
        batch_size: samples in a training step, at most.
    """
    return max(1, min(batch_size, SIDE_BY_SIDE, samples // LEAST_SAMPLES))


def part_sequence(source: Source, parts: int, share: float) -> tuple[Source, Source]:
    """Samples to learn from, and to be steered by: the begin and the end of a sequence, each side by side.

    Args:
        source: samples which in their order are one sequence.
        parts: sequences side by side.
        share: part of the samples that is held out.
    """
    held: npt.NDArray[np.bool_] = np.zeros(source.count, np.bool_)
    held[source.count - max(parts, round(source.count * share)) :] = True
    if source.count < 2 * parts:
        return side_by_side(source, parts), side_by_side(source, parts)
    return side_by_side(source.part(~held), parts), side_by_side(source.part(held), parts)


def side_by_side(source: Source, parts: int) -> Source:
    """Samples that are one sequence, as parts of it side by side: what a state remembers is what came before.

    Its batches have one sample of each part and come in their order, whatever batch and seed are asked for;
    what is left over at the end is left out.
    """
    length = source.count // parts

    def join(*samples: Any) -> Any:
        return tf.nest.map_structure(lambda *values: tf.concat(values, axis=0), *samples)

    def stream(batch_size: int, seed: int | None) -> Any:
        del batch_size, seed
        singles = source.stream(1, None)
        return tf.data.Dataset.zip(
            tuple(singles.skip(part * length).take(length) for part in range(parts))
        ).map(join)

    return Source(length * parts, source.labelled, stream, source.part)
