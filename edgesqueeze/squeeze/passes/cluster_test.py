import numpy as np
import pytest
import tf_keras

from edgesqueeze.pipeline import compress
from edgesqueeze.recipe.read import parse_recipe
from runtime_tests.support.tiny_keras import (
    NETS,
    assert_sparse,
    conv2d,
    dense,
    distinct,
    images,
    randomize,
    squeeze,
    stored_kernels,
)

layers = tf_keras.layers


@pytest.mark.parametrize("name", NETS)
def test_pruned_and_clustered_kernels_keep_both_promises_in_the_final_integers(name):
    raw = {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 8}}
    tflite, _ = squeeze(randomize(NETS[name]()), raw)
    for kernel in stored_kernels(tflite):
        assert kernel.dtype == "int8"
        assert distinct(kernel) <= 8
        assert_sparse(kernel, 0.5)


@pytest.mark.parametrize("clusters", [2, 3, 16, 32])
def test_the_whole_tensor_has_no_more_values_than_clusters(clusters):
    tflite, _ = squeeze(randomize(conv2d()), {"cluster": {"clusters": clusters}})
    for kernel in stored_kernels(tflite):
        assert kernel.quantization.scales.size == kernel.shape[0] > 1
        # k-means may leave a cluster empty, but not many.
        assert clusters * 0.6 <= distinct(kernel) <= clusters


@pytest.mark.parametrize(
    ("mode", "clusters"), [("int16x8", 16), ("float16", 3), ("float16", 16), ("dynamic", 3), ("none", 16)]
)
def test_every_mode_keeps_both_promises(mode, clusters):
    raw = {"prune": {"sparsity": 0.7}, "cluster": {"clusters": clusters}, "quantize": {"mode": mode}}
    tflite, _ = squeeze(randomize(dense()), raw)
    types = {
        "int16x8": ["int8"] * 3,
        "float16": ["float16"] * 3,
        "dynamic": ["int8", "float32", "float32"],
        "none": ["float32"] * 3,
    }
    kernels = stored_kernels(tflite)
    assert [kernel.dtype for kernel in kernels] == types[mode]
    for kernel in kernels:
        assert distinct(kernel) <= clusters
        assert_sparse(kernel, 0.7)


@pytest.mark.parametrize("init", ["linear", "random", "density"])
def test_every_initialization_keeps_both_promises(init):
    raw = {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 4, "init": init}}
    tflite, _ = squeeze(randomize(dense()), raw)
    for kernel in stored_kernels(tflite):
        assert distinct(kernel) <= 4
        assert_sparse(kernel, 0.5)


@pytest.mark.parametrize("mode", ["int8", "float16"])
def test_training_loses_neither_promise_nor_the_sparsity_of_a_layer_that_is_not_clustered(mode):
    recipe = {
        "prune": {"sparsity": 0.8, "first_and_last": "include"},
        "cluster": {"clusters": 5, "exclude": ["middle"], "first_and_last": "include"},
        "finetune": {"epochs": 1, "batch_size": 3, "learning_rate": 0.05},
        "quantize": {"mode": mode, "calibration_samples": 12},
    }
    result = compress(randomize(dense()), target="rpi4", data=images(), recipe=parse_recipe(recipe))
    steps = [stage.steps for stage in result.report.stages if stage.name in ("prune", "cluster", "settle")]
    assert all(steps)
    assert sum(steps) == 13
    kernels = stored_kernels(result.tflite)
    for kernel in kernels:
        assert_sparse(kernel, 0.8)
    assert [distinct(kernel) <= 5 for kernel in kernels] == [True, False, True]
    assert not [one for one in result.report.findings if one.code.endswith("-missed")]


def test_clustering_alone_may_be_trained():
    recipe = {
        "cluster": {"clusters": 6, "first_and_last": "include"},
        "finetune": {"epochs": 1, "batch_size": 4, "learning_rate": 0.05},
        "quantize": {"calibration_samples": 12},
    }
    result = compress(randomize(conv2d()), target="rpi4", data=images(), recipe=parse_recipe(recipe))
    for kernel in stored_kernels(result.tflite):
        assert distinct(kernel) <= 6
    assert "prune" in [stage.name for stage in result.report.stages if stage.skipped]


def _one_layer(kernel, layer=None):
    image = tf_keras.Input((8, 8, 3), name="image")
    layer = layer or layers.Conv2D(kernel.shape[-1], kernel.shape[0], name="only")
    model = tf_keras.Model(image, layer(image), name="tiny")
    layer.set_weights([kernel, np.zeros(kernel.shape[-1])])
    return model


def test_a_kernel_with_fewer_weights_than_clusters_is_left_with_what_it_has():
    kernel = np.random.default_rng(0).normal(size=(1, 1, 3, 4))
    raw = {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 32}}
    tflite, findings = squeeze(_one_layer(kernel), raw)
    (stored,) = stored_kernels(tflite)
    assert_sparse(stored, 0.5)
    assert distinct(stored) <= 12
    assert ("cluster-trivial", "only") in [(one.code, one.subject) for one in findings]


@pytest.mark.parametrize("sparse", [True, False])
def test_a_channel_of_zeros_stays_zero_and_does_no_harm(sparse):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 6))
    kernel[..., 2] = 0
    raw = {"cluster": {"clusters": 4}, **({"prune": {"sparsity": 0.5}} if sparse else {})}
    tflite, _ = squeeze(_one_layer(kernel), raw)
    (stored,) = stored_kernels(tflite)
    assert distinct(stored) <= 4
    assert np.isfinite(stored.quantization.scales).all()
    if sparse:
        assert not stored.data[2].any()
        assert_sparse(stored, 0.5)


@pytest.mark.parametrize(
    ("sign", "sparse", "init"),
    [
        (1, True, "kmeans++"),
        (-1, True, "linear"),
        (1, True, "density"),
        (-1, False, "kmeans++"),
        (1, False, "random"),
    ],
)
def test_a_kernel_with_weights_of_one_sign(sign, sparse, init):
    kernel = sign * np.random.default_rng(0).uniform(0.1, 1, size=(3, 3, 3, 6))
    cluster = {"clusters": 4, "init": init}
    raw = {"cluster": cluster, **({"prune": {"sparsity": 0.5}} if sparse else {})}
    tflite, _ = squeeze(_one_layer(kernel), raw)
    (stored,) = stored_kernels(tflite)
    assert distinct(stored) <= 4
    assert (stored.data.astype(int) * sign >= 0).all()
    if sparse:
        assert_sparse(stored, 0.5)


def test_more_clusters_than_integers_still_converts():
    tflite, _ = squeeze(randomize(dense()), {"cluster": {"clusters": 255}})
    assert max(distinct(kernel) for kernel in stored_kernels(tflite)) <= 255


def test_a_model_without_training_computes_nearly_the_same_with_many_clusters():
    from edgesqueeze.squeeze.layers.kernels import KernelKey
    from edgesqueeze.squeeze.passes.cluster import bare_model, clusterable, settle
    from edgesqueeze.squeeze.passes.fold import fold
    from edgesqueeze.squeeze.passes.precision import Precision

    model, _ = fold(randomize(conv2d()))
    keys = frozenset(KernelKey(name) for name in ("first", "middle", "last"))
    cluster = parse_recipe({"cluster": {"clusters": 64}}).cluster
    squeezed = bare_model(
        settle(clusterable(model, cluster, Precision("int8"), keys, frozenset())[0], frozenset())
    )
    before, after = (np.asarray(one(images())) for one in (model, squeezed))
    assert np.abs(before - after).max() < 0.1
    assert not np.array_equal(before, after)


def _large(layer):
    """A kernel that dynamic-range quantization does not leave float, between two small ones."""
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(32, 1, name="first")(image)
    x = layers.GlobalAveragePooling2D()(layer(x))
    return randomize(tf_keras.Model(image, layers.Dense(2, name="last")(x), name="tiny"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Conv2D(16, 3),
        lambda: layers.Conv2D(32, 3, groups=4),
        lambda: layers.Conv2D(16, 3, dilation_rate=2),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=4),
        lambda: layers.Conv2DTranspose(16, 3),
        lambda: layers.Dense(40),
    ],
    ids=["conv", "groups", "dilated", "depthwise", "transpose", "dense"],
)
def test_kernels_that_dynamic_range_quantization_does_not_leave_float(make):
    raw = {"prune": {"sparsity": 0.6}, "cluster": {"clusters": 6}, "quantize": {"mode": "dynamic"}}
    tflite, _ = squeeze(_large(make()), raw)
    kernels = stored_kernels(tflite)
    assert len(kernels) == 3
    assert kernels[1].elements >= 1024
    for kernel in kernels:
        assert distinct(kernel) <= 6
        assert_sparse(kernel, 0.6)


def test_a_layer_that_is_applied_twice_keeps_both_promises():
    image = tf_keras.Input((8, 8, 3), name="image")
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    x = layers.Flatten()(shared(layers.ReLU()(shared(image))))
    model = randomize(tf_keras.Model(image, layers.Dense(2, name="last")(x), name="tiny"))
    tflite, _ = squeeze(model, {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 4}})
    kernels = stored_kernels(tflite)
    for kernel in kernels:
        assert distinct(kernel) <= 4
        assert_sparse(kernel, 0.5)
