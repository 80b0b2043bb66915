import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.pipeline import compress
from edgesqueeze.recipe.filled import FilledPrune
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.layers.kernels import KernelKey, kernel_of, key_of
from edgesqueeze.squeeze.layers.weights import kernel_layers, model_kernels
from edgesqueeze.squeeze.passes import device_pruning
from edgesqueeze.squeeze.passes.device_pruning import FEWEST_BLOCKS
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.prune import finish_pruning, prunable
from runtime_tests.support.tiny_keras import (
    NETS,
    assert_sparse,
    conv1d,
    conv2d,
    dense,
    depthwise,
    images,
    randomize,
    sparsity,
    squeeze,
    stored_kernels,
)

layers = tf_keras.layers
INT8 = Precision("int8")
# Together with clustering, cluster_test.py has the other nets too.
KERNELS = {"separable": 5, "conv1d": 3, "transpose": 3, "sequence": 5}


def _keys(*names):
    return frozenset(KernelKey(name) for name in names)


@pytest.mark.parametrize("name", KERNELS)
def test_every_kind_of_layer_has_the_sparsity_in_its_final_integers(name):
    tflite, findings = squeeze(randomize(NETS[name]()), {"prune": {"sparsity": 0.5}})
    kernels = stored_kernels(tflite)
    assert len(kernels) == KERNELS[name]
    for kernel in kernels:
        assert kernel.dtype == "int8"
        assert_sparse(kernel, 0.5)
    assert not [one for one in findings if one.code in ("prune-skipped", "batch-norm-kept")]


@pytest.mark.parametrize("wanted", [0.1, 0.9])
def test_the_share_asked_for_is_the_share_in_the_file(wanted):
    tflite, _ = squeeze(randomize(dense()), {"prune": {"sparsity": wanted}})
    for kernel in stored_kernels(tflite):
        assert_sparse(kernel, wanted)


@pytest.mark.parametrize("mode", ["int16x8", "float16", "dynamic", "none"])
def test_every_mode_keeps_the_sparsity(mode):
    tflite, _ = squeeze(randomize(dense()), {"prune": {"sparsity": 0.7}, "quantize": {"mode": mode}})
    for kernel in stored_kernels(tflite):
        assert_sparse(kernel, 0.7)


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_training_does_not_lose_the_sparsity(schedule):
    recipe = {
        "prune": {"sparsity": 0.8, "schedule": schedule, "first_and_last": "include"},
        "finetune": {"epochs": 1, "batch_size": 3},
        "quantize": {"calibration_samples": 12},
    }
    result = compress(randomize(conv2d()), target="rpi4", data=images(), recipe=parse_recipe(recipe))
    assert next(stage for stage in result.report.stages if stage.name == "prune").steps == 13
    for kernel in stored_kernels(result.tflite):
        assert_sparse(kernel, 0.8)


def test_survivors_are_the_largest_weights():
    model, _ = fold(randomize(dense()))
    keys = frozenset(key_of(layer) for layer in kernel_layers(model))
    pruned = finish_pruning(prunable(model, FilledPrune(sparsity=0.6), INT8, keys, 0)[0])
    for before, after in zip(kernel_layers(model), kernel_layers(pruned), strict=True):
        kept = kernel_of(after) != 0
        assert np.abs(kernel_of(before))[kept].min() >= np.abs(kernel_of(before))[~kept].max()
        # Only those that int8 would round away have moved.
        largest = np.abs(kernel_of(before)).max()
        np.testing.assert_allclose(kernel_of(after)[kept], kernel_of(before)[kept], atol=0.51 * largest / 127)


@pytest.mark.parametrize("net", [conv2d, dense])
def test_two_of_four_holds_along_the_input_channels(net):
    tflite, findings = squeeze(
        randomize(net()), {"prune": {"structure": "2:4", "include": ["middle", "last"]}}
    )
    _, middle, last = stored_kernels(tflite)
    for kernel in (middle, last):
        groups = kernel.data.reshape(-1, 4)
        assert ((groups != 0).sum(axis=1) == 2).all()
    assert not [one for one in findings if one.code == "prune-structure"]


def test_blocks_of_a_dense_kernel_are_whole():
    recipe = {"prune": {"structure": "block", "block": [2, 3], "sparsity": 0.5}}
    tflite, findings = squeeze(randomize(dense()), recipe)
    for kernel in stored_kernels(tflite):
        kept = kernel.data.T != 0
        # The last block of a row may be cut off by the kernel's edge.
        blocks = [kept[row : row + 2, column : column + 3] for row, column in _corners(kept.shape, 2, 3)]
        whole = [block for block in blocks if block.any()]
        assert abs(len(whole) / len(blocks) - 0.5) <= 0.5 / len(blocks) + 1e-9
        # A weight may be too small for an integer of its own.
        assert np.concatenate([block.ravel() for block in whole]).mean() > 0.99
    assert not [one for one in findings if one.code == "prune-structure"]


def _corners(shape, height, width):
    return [(row, column) for row in range(0, shape[0], height) for column in range(0, shape[1], width)]


@pytest.mark.parametrize("outputs", [1, 4])
def test_a_dense_kernel_of_one_column_of_blocks_is_pruned_unstructured(outputs):
    image = tf_keras.Input((8, 8, 3), name="image")
    last = layers.Dense(outputs, name="last")(layers.Flatten()(image))
    raw = {"prune": {"structure": "block", "block": [1, 4], "sparsity": 0.5}}
    tflite, findings = squeeze(randomize(tf_keras.Model(image, last, name="tiny")), raw)
    assert [one.subject for one in findings if one.code == "prune-structure"] == ["last"]
    assert_sparse(stored_kernels(tflite)[0], 0.5)


@pytest.mark.parametrize(
    ("net", "structure", "names"),
    [
        (conv2d, "block", {"first", "middle"}),
        (depthwise, "2:4", {"middle"}),
        (conv1d, "2:4", {"first", "middle"}),
    ],
)
def test_where_a_structure_cannot_apply_a_finding_says_so_and_the_sparsity_is_there(net, structure, names):
    raw = {"structure": structure, "block": [1, 2], "include": [*names]}
    tflite, findings = squeeze(randomize(net()), {"prune": raw})
    assert {one.subject for one in findings if one.code == "prune-structure"} == names
    ordered = [layer.name for layer in kernel_layers(fold(net())[0])]
    for name, kernel in zip(ordered, stored_kernels(tflite), strict=True):
        if name in names:
            assert_sparse(kernel, 0.5)


DEVICE = ({"convolution": [2, 4], "dense": [4, 1]}, {"convolution": [16, 1], "dense": [4, 1]})


@pytest.mark.parametrize("blocks", DEVICE)
@pytest.mark.parametrize("clusters", [None, 8])
@pytest.mark.parametrize("net", [conv2d, dense, depthwise, conv1d])
def test_blocks_of_the_device_are_whole_in_the_final_integers(net, clusters, blocks):
    raw = {"prune": {"structure": "device", "device_blocks": blocks, "sparsity": 0.6}}
    if clusters:
        raw["cluster"] = {"clusters": clusters}
    tflite, findings = squeeze(randomize(net()), raw)
    kernels = [kernel for kernel in stored_kernels(tflite) if kernel.shape[0] > 1]
    for kernel in kernels:
        block = tuple(blocks["dense" if len(kernel.shape) == 2 else "convolution"])
        numbers = block_numbers(kernel.shape, block)
        if numbers.max() + 1 < FEWEST_BLOCKS:
            assert_sparse(kernel, 0.6)
            continue
        kept = np.bincount(numbers.reshape(-1), kernel.data.reshape(-1) != 0)
        sizes = np.bincount(numbers.reshape(-1))
        tolerance = max(0.01, 0.5 * sizes.max() / kernel.data.size)
        assert abs(sizes[kept == 0].sum() / kernel.data.size - 0.6) <= tolerance
        # A weight may be too small for an integer of its own.
        assert kept[kept > 0].sum() > 0.98 * sizes[kept > 0].sum()
    others = {one.subject for one in findings if one.code == "prune-structure"}
    assert "last" in others
    assert "middle" in others or net is not depthwise
    assert "middle" not in others or net not in (conv2d, dense)


def test_the_blocks_that_stay_are_the_largest():
    model, _ = fold(randomize(dense()))
    keys = frozenset(key_of(layer) for layer in kernel_layers(model))
    options = FilledPrune.model_validate({"structure": "device", "device_blocks": DEVICE[0], "sparsity": 0.6})
    pruned = finish_pruning(prunable(model, options, INT8, keys, 0)[0])
    for before, after in zip(kernel_layers(model), kernel_layers(pruned), strict=True):
        numbers = block_numbers(kernel_of(before).T.shape, (4, 1)).reshape(-1)
        if numbers.max() + 1 < FEWEST_BLOCKS:
            continue
        means = np.bincount(numbers, np.abs(kernel_of(before).T.reshape(-1))) / np.bincount(numbers)
        kept = np.bincount(numbers, kernel_of(after).T.reshape(-1) != 0) > 0
        assert means[kept].min() >= means[~kept].max()


def test_training_keeps_the_blocks():
    recipe = {
        "prune": {"sparsity": 0.8, "structure": "device", "first_and_last": "include"},
        "finetune": {"epochs": 1, "batch_size": 3},
        "quantize": {"calibration_samples": 12},
    }
    result = compress(randomize(conv2d()), target="nucleo-l4r5zi", data=images(), recipe=parse_recipe(recipe))
    middle = stored_kernels(result.tflite)[1]
    numbers = block_numbers(middle.shape, (2, 4)).reshape(-1)
    kept = np.bincount(numbers, middle.data.reshape(-1) != 0)
    assert np.mean(kept[numbers] == 0) == pytest.approx(0.8, abs=0.01)
    assert not [one for one in result.report.findings if one.code == "sparsity-missed"]


@pytest.mark.parametrize(("fewest", "blocked"), [(600, True), (100_000, False)])
def test_where_it_is_left_to_the_target_small_kernels_have_no_blocks(fewest, blocked, monkeypatch):
    monkeypatch.setattr(device_pruning, "FEWEST_WEIGHTS", fewest)
    raw = {"structure": "device", "device_blocks": DEVICE[0], "sparsity": 0.6, "left_to_target": True}
    model = randomize(conv2d())
    _, findings = squeeze(model, {"prune": raw})
    (said,) = [one for one in findings if one.code.startswith("prune-structure")]
    assert said.code == "prune-structure-chosen"
    assert said.subject == ("device" if blocked else "unstructured")
    folded, _ = fold(model)
    options = FilledPrune.model_validate(raw)
    found = {kernel.key.layer: device_pruning.block_of(kernel, options) for kernel in model_kernels(folded)}
    assert found == {"first": None, "middle": (2, 4) if blocked else None, "last": None}


def test_a_target_without_such_kernels_says_so():
    tflite, findings = squeeze(randomize(dense()), {"prune": {"structure": "device", "sparsity": 0.6}})
    (finding,) = [one for one in findings if one.code == "prune-structure"]
    assert finding.severity == "warning"
    for kernel in stored_kernels(tflite):
        assert_sparse(kernel, 0.6)


def test_patterns_choose_layers():
    raw = {"prune": {"sparsity": 0.5, "include": ["Dense", "mid*"], "exclude": ["last"]}}
    tflite, findings = squeeze(randomize(conv2d()), raw)
    first, middle, last = stored_kernels(tflite)
    assert_sparse(middle, 0.5)
    assert sparsity(first) < 0.1
    assert sparsity(last) < 0.1
    assert {one.subject for one in findings if one.code == "prune-skipped"} == {"first", "last"}


def test_a_pattern_that_matches_nothing_is_an_error_with_the_nearest_name():
    with pytest.raises(RecipeError, match="did you mean 'middle'"):
        squeeze(conv2d(), {"prune": {"include": ["midle"]}})


def test_nothing_of_the_model_given_is_changed():
    model, _ = fold(randomize(conv2d()))
    before = model.get_weights()
    finish_pruning(prunable(model, FilledPrune(sparsity=0.9), INT8, _keys("first", "middle"), 0)[0])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_of_outputs_are_kept():
    image = tf_keras.Input((8, 8, 3), name="image")
    x = layers.Flatten()(image)
    model = tf_keras.Model(image, [layers.Dense(3, name="a")(x), layers.Dense(2, name="b")(x)])
    pruned = finish_pruning(prunable(fold(model)[0], FilledPrune(sparsity=0.5), INT8, _keys("a", "b"), 0)[0])
    assert pruned.output_names == ["a", "b"]
    assert [type(layer) for layer in pruned.layers] == [type(layer) for layer in model.layers]
