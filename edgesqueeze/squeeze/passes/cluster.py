"""Weight clustering of a folded model, with TFMOT, such that it survives per-channel quantization.

Two passes, one after the other: ``cluster`` finds few values for each kernel while the model is trained, and
``settle`` fixes them to the integers of the file and trains what is left.

TFMOT shares a kernel's centroids over the whole kernel (Han, Mao and Dally, 2016, arXiv:1510.00149). What
int8 conversion then does to each channel would multiply the distinct values, so it is done first: each
channel is divided by its largest magnitude, TFMOT clusters the quotient, and the centroids are moved to the
integers that the converter will choose (see grid.py). The channel's scale goes on being trained, and so does
the bias, after the integers are settled: neither changes an integer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as experimental

from edgesqueeze.base.findings import Finding
from edgesqueeze.recipe.sections import Cluster
from edgesqueeze.squeeze.layers.grid import (
    FloatArray,
    channel_maximum,
    levels_from_centroids,
    lloyd,
    nearest,
    project,
    rebuild,
)
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, kernels_of, model_kernels
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.scaled import Carrier, ScaledKernel, bare_model, carried
from edgesqueeze.squeeze.passes.selection import select
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

_Init = tfmot.clustering.keras.CentroidInitialization
INITS = {
    "kmeans++": _Init.KMEANS_PLUS_PLUS,
    "linear": _Init.LINEAR,
    "random": _Init.RANDOM,
    "density": _Init.DENSITY_BASED,
}


def run(state: State, options: Cluster, setting: Setting) -> Outcome:
    """Cluster the chosen kernels while the model is trained to do what the teacher does.

    The model that comes out still holds TFMOT's wrappers; ``settle`` takes them away.

    Raises:
        RecipeError: a pattern that matches no layer.
        UnsupportedModelError: the training diverged.
    """
    chosen = select(state.model, "cluster", options)
    fixed = state.settled
    keys = chosen.keys - fixed
    student, findings = clusterable(state.model, options, setting.precision, keys, state.sparse, fixed)
    trained = setting.train(student, setting.steps)
    promises = state.promising(keys, levels=options.clusters)
    skipped = (*chosen.skipped, *(_has_levels(key) for key in sorted(chosen.keys & fixed)))
    after = replace(state, model=student, promises=promises, reference=state.before_rounding(trained))
    return Outcome(after, (*skipped, *findings), trained)


def _has_levels(key: KernelKey) -> Finding:
    message = f"{'/'.join(key)} has four bits: its fifteen levels are values enough"
    return Finding(code="cluster-skipped", subject=key.layer, message=message)


def run_settle(state: State, options: Cluster, setting: Setting) -> Outcome:
    """Fix the clustered kernels to the integers of the file, and train their scales and biases.

    Raises:
        UnsupportedModelError: the training diverged.
    """
    student = settle(state.model, state.sparse)
    trained = setting.train(student, setting.steps)
    model = bare_model(student)
    integers = frozenset(
        kernel.key
        for kernel in model_kernels(model)
        if state.promise(kernel.key).levels is not None
        and not state.promise(kernel.key).settled
        and setting.precision.stored(kernel).type == "int8"
    )
    promises = state.promising(integers, settled=True, bits=8)
    reference = None if trained else state.reference
    return Outcome(replace(state, model=model, promises=promises, reference=reference), (), trained)


def clusterable(
    model: Any,
    recipe: Cluster,
    precision: Precision,
    keys: frozenset[KernelKey],
    sparse: frozenset[KernelKey],
    fixed: frozenset[KernelKey] = frozenset(),
) -> tuple[Any, tuple[Finding, ...]]:
    """A copy of the model that clusters the chosen kernels while it is trained.

    Args:
        model: a folded, flat tf_keras model, pruned or not; it is not changed.
        recipe: number of clusters and their initialization.
        precision: how conversion will store each kernel.
        keys: kernels to cluster.
        sparse: kernels whose zeros are kept.
        fixed: kernels that stay as they are.

    Returns:
        The model to train, and findings about kernels that have few values already.
    """
    findings = []

    def make(kernel: Kernel) -> Any:
        value, stored, keep_zeros = kernel.value, precision.stored(kernel), kernel.key in sparse
        if kernel.key in fixed:
            ones = np.ones(stored.grid.scales, np.float32)
            return ScaledKernel(value, stored, ones, train_kernel=False, train_scale=False)
        if kernel.key not in keys:
            return ScaledKernel(value, stored, mask=keep_zeros)
        grid, integers = stored.grid, stored.type == "int8"
        shaped = value.reshape(grid.shape)
        scale = channel_maximum(shaped, grid.scales) if integers else np.ones(grid.scales, np.float32)
        if np.unique(shaped / scale).size <= recipe.clusters:
            message = f"its {value.size} weights have at most {recipe.clusters} values already"
            findings.append(Finding(code="cluster-trivial", subject=kernel.name, message=message))
            return ScaledKernel(value, stored, scale, train_kernel=False, train_scale=integers)
        own = ScaledKernel(value, stored, scale, train_scale=integers)
        return _clustered_while_trained(own, shaped != 0 if keep_zeros else None, recipe)

    def wrap(layer: Any) -> Any:
        return carried(layer, make) if kernels_of(layer) else None

    return rewrite(model, wrap), tuple(findings)


def _clustered_while_trained(kernel: ScaledKernel, kept: Any, recipe: Cluster) -> Any:
    """A kernel in TFMOT's wrapper, which clusters it.

    Args:
        kernel: the kernel.
        kept: which weights are not zero, where zeros are kept; else None.
        recipe: number of clusters and their initialization.
    """
    wrapper = experimental.cluster_weights(
        kernel,
        number_of_clusters=recipe.clusters,
        cluster_centroids_init=INITS[recipe.init],
        preserve_sparsity=kept is not None,
    )
    wrapper.build(())
    if kept is not None:
        # TFMOT would also count the survivors that are nearest to the zero centroid as zeros.
        wrapper.sparsity_masks["kernel"] = tf.constant(kept, tf.float32)
    _refine(wrapper, kept is not None)
    return wrapper


def _refine(wrapper: Any, keep_zeros: bool) -> None:
    """Improve TFMOT's initial centroids: it seeds k-means, but does not iterate it."""
    variable = wrapper.cluster_centroids["kernel"]
    kernel = wrapper.layer.kernel.numpy()
    start = variable.numpy()
    if not keep_zeros:
        variable.assign(lloyd(kernel, start))
        return
    values = kernel[kernel != 0]
    refined = np.zeros_like(start)
    zero = int(np.argmin(np.abs(start)))
    others = np.arange(start.size) != zero
    # TFMOT remembers the position of the zero centroid, so it stays where it is.
    refined[others] = np.concatenate(
        [
            lloyd(values[values < 0], start[others & (start < 0)]),
            lloyd(values[values > 0], start[others & (start >= 0)]),
        ]
    )
    variable.assign(refined)


def settle(model: Any, sparse: frozenset[KernelKey]) -> Any:
    """Fix every clustered kernel to the values that it will have in the file.

    Args:
        model: what ``clusterable`` gave, trained or not.
        sparse: kernels whose zeros are kept.

    Returns:
        A model whose clustered kernels are ``ScaledKernel``s that are settled: scales and biases can still be
        trained. ``bare_model`` makes it plain.
    """

    def settled(key: KernelKey, maker: Any) -> ScaledKernel:
        if isinstance(maker, ScaledKernel):
            return maker
        own: ScaledKernel = maker.layer
        kind, grid = own.stored
        keep_zeros = key in sparse
        value, centroids = _clustered(maker, keep_zeros, half=kind == "float16")
        if kind != "int8":
            ones = np.ones(grid.scales, np.float32)
            return ScaledKernel(own.shaped(value), own.stored, ones, train_kernel=False, train_scale=False)
        levels, scale = project(value, levels_from_centroids(centroids), grid.scales, keep_zeros=keep_zeros)
        whole = scale * own.scale()
        return ScaledKernel(own.shaped(rebuild(levels, whole)), own.stored, whole, train_kernel=False)

    def fix(layer: Any) -> Any:
        return layer.replaced(settled) if isinstance(layer, Carrier) else None

    return rewrite(model, fix)


def _clustered(wrapper: Any, keep_zeros: bool, *, half: bool) -> tuple[FloatArray, FloatArray]:
    """A wrapper's kernel with every weight at its nearest centroid, and the centroids, ascending."""
    centroids = wrapper.cluster_centroids["kernel"].numpy()
    weights = wrapper.original_clusterable_weights["kernel"].numpy()
    if half:
        # The file rounds to half precision; two centroids that round alike become one.
        centroids = centroids.astype(np.float16).astype(np.float32)
    if not keep_zeros:
        values = np.sort(centroids)
        return values[nearest(weights, values)], values
    # The last training step may have moved the zero centroid, and masked weights with it.
    others = np.sort(np.delete(centroids, int(wrapper.zero_idx["kernel"])))
    mask = wrapper.sparsity_masks["kernel"].numpy()
    return np.where(mask == 0, 0, others[nearest(weights, others)]).astype(np.float32), np.sort(
        np.append(others, 0)
    )
