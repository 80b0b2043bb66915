import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.pipeline import compress, prepare, squeeze
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.passes import macs
from edgesqueeze.squeeze.passes.channels import ROUND_STEPS, _rounds
from edgesqueeze.squeeze.passes.macs import MacsCut, channels_report, check_macs
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.timing.budgets import figures_on
from runtime_tests.support.tiny_keras import (
    NETS,
    assert_sparse,
    conv2d,
    depthwise,
    distinct,
    images,
    randomize,
    stored_kernels,
)

layers = tf_keras.layers
X = images(40)
PLAIN = {"finetune": {"epochs": 0}, "quantize": {"calibration_samples": 16}}
BOUNDS = ("latency_ms", "ram_kib")


def squeezed(model, channels, **sections):
    recipe = parse_recipe({**PLAIN, **sections, "channels": {"step": 1, **channels}})
    return compress(model, target="nucleo-l4r5zi", data=X, recipe=recipe)


def counted(tflite):
    return sum(operator_macs(tflite.main, one) for one in tflite.main.operators)


@pytest.mark.parametrize("name", NETS)
def test_the_share_is_gone_in_the_file(name):
    plain = compress(
        randomize(NETS[name]()),
        target="nucleo-l4r5zi",
        data=X,
        recipe=parse_recipe({"finetune": {"epochs": 0}}),
    )
    result = squeezed(randomize(NETS[name]()), {"share": 0.4})
    found = result.report.channels
    assert found.macs_before == counted(plain.tflite)
    assert found.macs_after == counted(result.tflite)
    assert found.share_asked == 0.4
    assert 0.4 <= found.share < 0.52
    assert result.report.sizes.tflite_bytes < plain.report.sizes.tflite_bytes
    assert not [one for one in result.report.findings if one.code == "channels-missed"]
    for one in found.layers:
        assert result.model.get_layer(one.name).output_shape[-1] == one.after <= one.before


def test_every_other_pass_works_on_what_is_left():
    result = squeezed(
        randomize(conv2d()),
        {"share": 0.4},
        prune={"sparsity": 0.5, "first_and_last": "include"},
        cluster={"clusters": 8, "first_and_last": "include"},
        finetune={"epochs": 2, "batch_size": 8},
    )
    assert result.report.channels.share >= 0.4
    for kernel in stored_kernels(result.tflite):
        assert_sparse(kernel, 0.5)
        assert distinct(kernel) <= 8
    stages = {stage.name: stage.steps for stage in result.report.stages}
    assert stages["channels"] > stages["cluster"] > 0
    assert sum(stages.values()) == 8


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
def test_steps_of_channels(importance):
    result = squeezed(randomize(depthwise()), {"share": 0.3, "importance": importance, "step": 2})
    after = {one.name: one.after for one in result.report.channels.layers}
    assert after["first"] == after["middle"]
    assert all(count % 2 == 0 for count in after.values())


def test_constant_channels_go_first_and_without_loss():
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="first")(image)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    model = randomize(tf_keras.Model(image, layers.Dense(3, name="last")(layers.Flatten()(x))))
    for name in ("first", "second"):
        kernel, _ = model.get_layer(name).get_weights()
        kernel[..., ::2] = 0
        model.get_layer(name).set_weights([kernel, np.full(8, 0.5)])
    result = squeezed(model, {"share": 0.5})
    assert {one.name: one.after for one in result.report.channels.layers}["first"] >= 4
    np.testing.assert_allclose(result.model(X), model(X), atol=1e-4)
    (found,) = [one for one in result.report.findings if one.code == "channels-constant"]
    assert found.message.startswith("8 of 16 ")


def test_what_is_not_cut_is_named():
    image = layers.Input((16, 3))
    x = layers.Conv1D(8, 3, name="free")(image)
    x = layers.LSTM(4, name="memory")(layers.Conv1D(8, 3, name="held")(x))
    model = randomize(tf_keras.Model(image, layers.Dense(3, name="last")(x)))
    recipe = parse_recipe({"channels": {"share": 0.3, "step": 1}, "finetune": {"epochs": 0}})
    data = np.random.default_rng(0).normal(size=(40, 16, 3)).astype(np.float32)
    result = compress(model, target="nucleo-l4r5zi", data=data, recipe=recipe)
    said = {one.subject: one.message for one in result.report.findings if one.code == "channels-skipped"}
    assert set(said) == {"held", "last"}
    assert "'memory'" in said["held"]
    assert result.report.channels.share >= 0.3


def test_patterns_choose_layers():
    result = squeezed(randomize(conv2d()), {"share": 0.3, "exclude": ["first"]})
    layers_of = {one.name: one for one in result.report.channels.layers}
    assert layers_of["first"].after == layers_of["first"].before
    assert layers_of["middle"].after < layers_of["middle"].before
    with pytest.raises(RecipeError, match="did you mean 'middle'"):
        squeezed(randomize(conv2d()), {"include": ["midle"]})


def test_a_share_that_would_remove_a_layer_is_refused_with_what_is_possible():
    with pytest.raises(RecipeError, match="cannot go without removing a whole layer") as caught:
        squeezed(randomize(conv2d()), {"share": 0.99}, finetune={"epochs": 1})
    possible = float(caught.value.hint.split("share of ")[1].split()[0])
    assert squeezed(randomize(conv2d()), {"share": possible}).report.channels.share >= possible


def test_a_model_without_anything_to_cut_is_refused():
    image = layers.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(3, name="only")(layers.Flatten()(image)))
    with pytest.raises(RecipeError, match="no channel that could be removed") as caught:
        squeezed(model, {})
    assert "only: they are an output of the model" in caught.value.got


def test_a_model_without_layers_is_refused(tmp_path):
    randomize(conv2d()).export(str(tmp_path / "exported"))
    with pytest.raises(RecipeError, match="can only be quantized") as caught:
        squeezed(tmp_path / "exported", {})
    assert "channels" in caught.value.got


def test_rounds():
    assert _rounds(0) == [0]
    assert _rounds(2 * ROUND_STEPS - 1) == [2 * ROUND_STEPS - 1]
    for steps in (2 * ROUND_STEPS, 1000):
        rounds = _rounds(steps)
        assert sum(rounds) == steps
        assert rounds[-1] == max(rounds)
    assert len(_rounds(1000)) == 3


def test_a_file_that_computes_more_than_promised_is_a_warning():
    result = squeezed(randomize(conv2d()), {"share": 0.3})
    promised = MacsCut(0.9, result.report.channels.macs_before, ())
    (found,) = check_macs(channels_report(promised, result.tflite))
    assert (found.code, found.severity) == ("channels-missed", "warning")
    kept = MacsCut(0.3, result.report.channels.macs_before, ())
    assert list(check_macs(channels_report(kept, result.tflite))) == []
    assert macs.TOLERANCE < 0.01


def test_as_many_channels_go_as_a_budget_takes():
    board = load_target("nucleo-l4r5zi")
    figures = figures_on(board)
    whole = figures(
        compress(randomize(conv2d()), target=board, data=X, recipe=parse_recipe(PLAIN)).tflite, BOUNDS
    )
    budgets = {"latency_ms": 0.7 * whole["latency_ms"], "ram_kib": whole["ram_kib"]}
    recipe = parse_recipe({**PLAIN, "channels": {"step": 1, **budgets}})
    found = compress(randomize(conv2d()), target=board, data=X, recipe=recipe)
    taken = {one.name: one.taken for one in found.report.channels.budgets}
    assert taken == figures(found.tflite, tuple(budgets))
    assert 0.5 * whole["latency_ms"] < taken["latency_ms"] <= budgets["latency_ms"]
    assert not [one for one in found.report.findings if one.code == "budget-missed"]
    assert found.report.channels.share > 0.1


def test_a_budget_that_is_kept_to_already_takes_no_channel():
    recipe = parse_recipe({**PLAIN, "channels": {"latency_ms": 1000}})
    found = compress(randomize(conv2d()), target="nucleo-l4r5zi", data=X, recipe=recipe)
    assert found.report.channels.macs_before == found.report.channels.macs_after
    assert [one.subject for one in found.report.findings if one.code == "channels-not-needed"] == ["channels"]


def test_a_budget_that_cannot_be_met_is_refused_before_training():
    recipe = parse_recipe({"channels": {"latency_ms": 1e-4, "step": 1}})
    with pytest.raises(RecipeError, match="latency_ms cannot be kept to") as caught:
        compress(randomize(conv2d()), target="nucleo-l4r5zi", data=X, recipe=recipe)
    assert "latency_ms = " in caught.value.expected


def test_a_budget_needs_a_target():
    prepared = prepare(randomize(conv2d()), data=X)
    recipe = fill_preferences(parse_recipe({"channels": {"ram_kib": 1}}), load_target("rpi4"))
    with pytest.raises(RecipeError, match="only where the target is known"):
        squeeze(prepared, recipe)


def test_a_file_that_takes_more_than_allowed_is_a_warning():
    result = squeezed(randomize(conv2d()), {"share": 0.3})
    promised = MacsCut(0.3, result.report.channels.macs_before, (), {"ram_kib": 1.0})
    (found,) = check_macs(channels_report(promised, result.tflite, lambda model, names: {"ram_kib": 2.0}))
    assert (found.code, found.subject, found.severity) == ("budget-missed", "ram_kib", "warning")
