"""A model and its data, opened once for any number of recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.names import read_names
from edgesqueeze.base.stages import Log, Progress, Stage
from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.evaluate import Originals
from edgesqueeze.checks.records import InputScaling
from edgesqueeze.checks.user_metric import UserMetric, as_metric
from edgesqueeze.errors import DataError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze import set_seed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.load import Data, load_data
from edgesqueeze.squeeze.opening.load import LoadedModel, adopt_model, load_model
from edgesqueeze.squeeze.originals import originals_of
from edgesqueeze.squeeze.passes.converter import warm_up
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.lift import Lifted, lift


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model that is ready for any number of recipes.

    Attributes:
        loaded: the original, and its flat tf_keras model.
        folded: the flat model with batch norms folded: where every recipe starts, and what it imitates.
        data: what to train, calibrate and judge on.
        originals: what the original says about the test samples.
        metric: the user's own metric; None for those of the table.
        options: how the data were read.
        seed: seed of the split of the data.
        stages: what was done.
        findings: what was noticed.
        scaling: what was lifted out of the model and is done with raw data instead.
    """

    loaded: LoadedModel
    folded: Any
    data: Data
    originals: Originals
    metric: UserMetric | None
    options: DataOptions
    seed: int
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    scaling: tuple[InputScaling, ...] = ()


def prepare(
    model: Any,
    *,
    data: Any,
    options: DataOptions | None = None,
    seed: int = 0,
    metric: str | Callable[[Any, Any], float] | None = None,
    labels: str | Path | Sequence[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Open a model and its data, once for any number of recipes.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        data: as for ``compress``.
        options: scale and offset of the data, and how many samples judge a result.
        seed: seed of the split, where the data do not say what is for testing.
        metric: as for ``compress``.
        labels: as for ``compress``.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        progress: called as the work goes on.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        BridgeError: the rebuilt model differs from the original.
    """
    log = Log(progress)
    warm_up()
    set_seed(seed)
    chosen = options or DataOptions()
    own, names = as_metric(metric), None if labels is None else read_names(labels)
    with readable_samples():
        with log.stage("load"):
            loaded = _open(model, custom_objects, unsafe)
            _check_names(names, loaded.model)
            opened = load_data(data, loaded.model, chosen, seed)
            opened = opened if names is None else replace(opened, class_names=names)
            originals = originals_of(loaded, opened.test, chosen.evaluation_samples)
            _check_metric(own, originals)
            log.found([*loaded.findings, *opened.findings])
        with log.stage("fold"):
            folded, findings = fold(loaded.model, lifts=chosen.lift_normalization)
            log.found(findings)
        lifted = _lift(folded, log) if chosen.lift_normalization else None
        if lifted is not None:
            folded, opened, originals = lifted.model, lifted.data(opened), lifted.originals(originals)
    scaling = () if lifted is None else lifted.scalings(chosen)
    done = (tuple(log.stages), tuple(log.findings))
    return Prepared(loaded, folded, opened, originals, own, chosen, seed, *done, scaling)


def _open(model: Any, custom_objects: Mapping[str, Any] | None, unsafe: bool) -> LoadedModel:
    if isinstance(model, str | Path):
        return load_model(Path(model), custom_objects=custom_objects, unsafe=unsafe)
    return adopt_model(model)


def _lift(folded: Any, log: Log) -> Lifted | None:
    with log.stage("lift"):
        lifted, findings = lift(folded)
        log.found(findings)
    return lifted


def _check_names(names: Sequence[str] | None, model: Any) -> None:
    """See that an output has as many values as there are names of classes."""
    widths = [int(tensor.shape[-1]) if len(tensor.shape) > 1 else 1 for tensor in model.outputs]
    if names is not None and len(names) not in widths:
        raise DataError(
            f"there are {len(names)} labels, and no output with so many values",
            expected=" or ".join(str(width) for width in widths),
            got=f"{len(names)}: {', '.join(names[:8])}",
            hint="name each value along the last axis of an output, one a line",
        )


def _check_metric(metric: UserMetric | None, originals: Originals) -> None:
    """Try the user's own metric on the original, before any work is done."""
    if metric is not None:
        fidelity(originals.outputs, originals.outputs, originals.labels, metric=metric)
