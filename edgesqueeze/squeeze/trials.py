"""A prepared model for trials: judged on samples of its own, so that the test samples stay unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgesqueeze.errors import DataError
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.originals import originals_by
from edgesqueeze.squeeze.prepare import Prepared

SHARE = 0.2
"""Part of the training samples that trials are judged on."""
MOST = 10_000
"""So many of them, at most."""
LEAST = 2
"""Fewer training samples cannot be parted."""


def for_trials(prepared: Prepared) -> Prepared:
    """The same model, to be trained on some of the training samples and judged on the others.

    Of samples that are one sequence the end is held out, else a choice by the seed.

    Args:
        prepared: from ``prepare``.

    Raises:
        DataError: there are too few training samples.
    """
    source = prepared.data.train
    if source.count < LEAST:
        raise DataError(
            "there are too few samples to part",
            expected=f"at least {LEAST} training samples: some to learn from, some to judge trials on",
            got=str(source.count),
            hint="give more data",
        )
    held: npt.NDArray[np.bool_] = np.zeros(source.count, np.bool_)
    count = max(1, min(MOST, round(source.count * SHARE)))
    if is_stateful(prepared.folded):
        held[source.count - count :] = True
    else:
        held[np.random.default_rng(prepared.seed).permutation(source.count)[:count]] = True
    data = replace(prepared.data, train=source.part(~held), test=source.part(held))
    with readable_samples():
        # The model that the passes begin with computes what the original does, and takes scaled samples.
        originals = originals_by(prepared.folded, data.test, prepared.options.evaluation_samples)
    return replace(prepared, data=data, originals=originals)
