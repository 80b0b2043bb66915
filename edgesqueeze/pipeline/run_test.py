import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.base.generated import LIST
from edgesqueeze.base.lazy import Lazy
from edgesqueeze.base.output import STAGE_PREFIX
from edgesqueeze.cli import main
from edgesqueeze.errors import (
    AccuracyError,
    DataError,
    FitError,
    FloatOperatorError,
    OutputError,
    RecipeError,
    TargetError,
    TroubleError,
    UsageError,
)
from edgesqueeze.graph.metadata import read_metadata
from edgesqueeze.pipeline import compress, judge, prepare, squeeze
from edgesqueeze.recipe.passes import PASSES, Pass
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report import folder as written
from edgesqueeze.report.report import accuracy_drop, raise_if_not_ok
from edgesqueeze.runners import litert
from edgesqueeze.squeeze import apply
from edgesqueeze.target.load import load_target, parse_target, shipped_folder
from edgesqueeze.target.preferences import fill_preferences
from runtime_tests.support.native_board import write_native_board
from runtime_tests.support.tiny_keras import (
    assert_sparse,
    conv2d,
    dense,
    distinct,
    images,
    randomize,
    separable,
    stored_kernels,
    weights_of,
)

X = images(40)
RAW = {
    "prune": {"sparsity": 0.5, "first_and_last": "include"},
    "cluster": {"clusters": 8, "first_and_last": "include"},
    "finetune": {"epochs": 0},
    "quantize": {"calibration_samples": 16},
}
PLAIN = {"finetune": {"epochs": 0}, "quantize": {"calibration_samples": 16}}
CONTRACT = {
    "schema_version",
    "model",
    "target",
    "recipe",
    "environment",
    "stages",
    "weights",
    "fidelity",
    "accuracy",
    "sizes",
    "fit",
}
WEIGHT_CONTRACT = {
    "name",
    "shape",
    "dtype",
    "bytes",
    "sparsity",
    "distinct_values",
    "distinct_values_per_channel_max",
}
STAGES = [
    "load",
    "fold",
    "equalize",
    "channels",
    "prune",
    "bits",
    "cluster",
    "settle",
    "round",
    "bias",
    "aware",
    "convert",
    "emit",
    "verify",
    "fit",
]


def _recipe(raw=RAW, **sections):
    merged = {**raw, **{name: {**raw.get(name, {}), **value} for name, value in sections.items()}}
    return parse_recipe(merged)


def _content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module", params=[keras, tf_keras], ids=["keras3", "tf_keras"])
def result(request, tmp_path_factory):
    """One compressed model of each family, trained for a few steps, for a microcontroller."""
    model = randomize(separable(request.param))
    before = weights_of(model)
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    recipe = _recipe(finetune={"epochs": 1, "batch_size": 8})
    found = compress(model, target="nucleo-f446re", data=X, out=out, recipe=recipe)
    return request.param, model, before, out, found


def test_the_users_model_is_not_changed(result):
    _, model, before, _, _ = result
    after = weights_of(model)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_file_is_written_and_listed(result):
    _, _, _, out, found = result
    names = {"model.tflite", "model.keras", "report.json", LIST, *found.sources}
    assert {path.name for path in out.iterdir()} == names == set(found.report.files)
    assert any(name.endswith(".cc") for name in found.sources)
    assert any(name.endswith(".h") for name in found.sources)
    assert (out / "model.tflite").read_bytes() == found.tflite.content
    for name, text in found.sources.items():
        assert (out / name).read_text() == text


def test_the_report_keeps_its_contract(result):
    _, model, _, out, found = result
    report = json.loads((out / "report.json").read_text())
    assert set(report) >= CONTRACT
    assert report["schema_version"] == 2
    assert report["ok"] is found.report.ok is True
    assert report["target"] == "nucleo-f446re"
    assert [stage["name"] for stage in report["stages"]] == STAGES
    assert all(stage["seconds"] >= 0 for stage in report["stages"])
    assert [stage["name"] for stage in report["stages"] if stage["skipped"]] == [
        "equalize",
        "channels",
        "bits",
        "round",
        "bias",
        "aware",
    ]
    assert sum(stage["steps"] for stage in report["stages"]) == 4
    assert report["model"]["parameters"] == sum(value.size for value in weights_of(model))
    assert report["recipe"]["quantize"]["mode"] == "int8"
    assert report["sizes"]["tflite_bytes"] == len(found.tflite.content)
    assert 0 < report["sizes"]["tflite_deflate_bytes"] < report["sizes"]["tflite_bytes"]
    assert report["sizes"]["float_bytes"] == 4 * report["model"]["parameters"]
    assert report["sizes"]["arena_bytes"] > 0
    for part in ("flash", "ram"):
        assert report["fit"][part]["ok"]
        assert 0 < report["fit"][part]["needed_bytes"] < report["fit"][part]["available_bytes"]
    assert report["environment"]["tensorflow"]
    kernels = [weight for weight in report["weights"] if weight["role"] == "weights"]
    assert all(set(weight) >= WEIGHT_CONTRACT for weight in report["weights"])
    assert len(kernels) == 5
    for weight in kernels:
        assert weight["distinct_values_per_channel_max"] <= weight["distinct_values"] <= 8


def test_the_integers_keep_what_was_asked_for(result):
    kernels = stored_kernels(result[-1].tflite)
    assert len(kernels) == 5
    for kernel in kernels:
        assert_sparse(kernel, 0.5)
        assert distinct(kernel) <= 8


def test_the_keras_file_opens_in_its_family_and_is_the_compressed_model(result):
    library, _, _, out, found = result
    opened = library.models.load_model(out / "model.keras")
    assert isinstance(opened, library.Model)
    assert not [layer for layer in opened.layers if "BatchNorm" in type(layer).__name__]
    data = X[:8]
    want = np.asarray(opened(data))
    steps = found.tflite.main.input_tensors[0].quantization
    integers = np.clip(np.rint(data / steps.scale) + steps.zero_point, -128, 127).astype(np.int8)
    runs = litert.run(found.tflite, [[one[None]] for one in integers])
    scale = found.tflite.main.output_tensors[0].quantization
    have = (np.concatenate([run[0] for run in runs]).astype(np.float32) - scale.zero_point) * scale.scale
    assert np.abs(want - have).max() < 0.1
    float_kernels = [value for layer in opened.layers for value in layer.get_weights() if np.ndim(value) >= 2]
    stored = stored_kernels(found.tflite)
    assert len(float_kernels) == len(stored)
    for value, tensor in zip(float_kernels, stored, strict=True):
        assert np.count_nonzero(value) == np.count_nonzero(tensor.data)


def test_without_labels_there_is_fidelity_and_no_accuracy(result):
    report = result[-1].report
    assert report.accuracy is None
    (output,) = report.fidelity.outputs
    assert output.task == "classes"
    assert 0 <= output.top1_agreement <= 1
    assert report.fidelity.samples == 8


@pytest.fixture(scope="module")
def linux():
    """A model quantized only, with labels that the original gets right, for a Linux board."""
    model = randomize(dense())
    labels = np.asarray(model(X)).argmax(axis=1)
    data = ((X, labels), (X[:30], labels[:30]))
    names = [f"class {number}" for number in range(model.output_shape[-1])]
    return compress(model, target="rpi4", data=data, labels=names, recipe=_recipe(PLAIN))


def test_a_linux_board_gets_no_sources_and_its_preferences(linux):
    report = linux.report
    assert linux.sources == {}
    assert report.files == ()
    assert report.recipe.quantize.io == "float32"
    assert linux.tflite.main.input_tensors[0].dtype == "float32"
    assert report.sizes.arena_bytes is None
    skipped = {stage.name: stage.skipped for stage in report.stages if stage.skipped}
    assert set(skipped) == {
        "equalize",
        "channels",
        "prune",
        "bits",
        "cluster",
        "round",
        "bias",
        "aware",
        "emit",
    }
    assert all(skipped.values())


def test_the_file_tells_an_app_what_it_needs(linux):
    metadata = read_metadata(linux.tflite)
    (x,), (y,) = metadata.inputs, metadata.outputs
    assert (x.mean, x.std) == ((0.0,), (1.0,))
    assert y.labels == tuple(
        f"class {number}" for number in range(linux.tflite.main.output_tensors[0].shape[-1])
    )
    recipe = json.dumps(json.loads(linux.report.model_dump_json())["recipe"], separators=(",", ":"))
    assert metadata.version == f"recipe sha256:{hashlib.sha256(recipe.encode()).hexdigest()}"


def test_names_for_another_number_of_classes_are_refused():
    with pytest.raises(DataError, match="there are 2 labels, and no output with so many values"):
        prepare(dense(), data=X, labels=["a", "b"])


def test_labels_give_accuracy_of_both_models(linux):
    accuracy = linux.report.accuracy
    assert accuracy.metric == "accuracy"
    assert accuracy.samples == linux.report.fidelity.samples == 30
    assert accuracy.float_model == 1.0
    assert accuracy.drop == pytest.approx(1 - accuracy.compressed)
    assert accuracy.compressed == pytest.approx(linux.report.fidelity.outputs[0].top1_agreement)


def _missing(report, limit, drop):
    figures = tuple(one.model_copy(update={"drop": drop}) for one in report.fidelity.figures)
    limits = report.recipe.limits.model_copy(update={"max_accuracy_drop": limit})
    return report.model_copy(
        update={
            "recipe": report.recipe.model_copy(update={"limits": limits}),
            "fidelity": report.fidelity.model_copy(update={"figures": figures}),
        }
    )


@pytest.mark.parametrize(("limit", "drop", "ok"), [(0.01, 0.02, False), (0.02, 0.02, True), (0, -0.1, True)])
def test_an_accuracy_drop_is_measured_against_the_limit(linux, limit, drop, ok):
    report = _missing(linux.report, limit, drop)
    if ok:
        raise_if_not_ok(report)
        return
    with pytest.raises(AccuracyError, match=r"accuracy: .*% -> .*%, a drop of 2\.00 points") as caught:
        raise_if_not_ok(report)
    assert caught.value.expected == "at most 1.00 points"
    assert caught.value.exit_code == 1


def test_without_a_limit_any_drop_is_allowed(linux):
    raise_if_not_ok(_missing(linux.report, None, 1.0))


def test_a_missed_limit_makes_the_report_not_ok():
    model = randomize(dense())
    raw = {
        **PLAIN,
        "prune": {"sparsity": 0.9, "first_and_last": "include"},
        "limits": {"max_accuracy_drop": 0},
    }
    found = compress(model, target="rpi4", data=X, recipe=_recipe(raw))
    assert found.report.fidelity.outputs[0].top1_agreement < 1
    assert not found.report.ok
    assert found.report.fit.ok
    with pytest.raises(AccuracyError):
        raise_if_not_ok(found.report)


def _filter():
    image = tf_keras.Input((8, 8, 3), name="image")
    model = tf_keras.Model(image, tf_keras.layers.Conv2D(3, 3, padding="same")(image), name="filter")
    return randomize(model)


@pytest.mark.parametrize(("limit", "ok"), [(0.2, True), (0.0001, False)])
def test_a_limit_on_a_model_of_values_is_one_on_its_normalized_error(limit, ok):
    recipe = _recipe(PLAIN, limits={"max_accuracy_drop": limit})
    report = compress(_filter(), target="rpi4", data=X, recipe=recipe).report
    (output,) = report.fidelity.outputs
    assert accuracy_drop(report) == pytest.approx(output.normalized_error)
    assert 0.0001 < output.normalized_error < 0.2
    assert report.ok == ok
    if ok:
        assert report.drop_before_conversion is None
        return
    assert report.drop_before_conversion < 1e-6
    with pytest.raises(AccuracyError, match=r"normalized error: 0\.00% -> .*points") as caught:
        raise_if_not_ok(report)
    assert "int16x8" in caught.value.hint


def test_int16x8_is_no_advice_where_int8_loses_nothing():
    raw = {
        **PLAIN,
        "prune": {"sparsity": 0.9, "first_and_last": "include"},
        "limits": {"max_accuracy_drop": 0.0001},
    }
    report = compress(_filter(), target="rpi4", data=X, recipe=_recipe(raw)).report
    assert report.drop_before_conversion > 0.1
    with pytest.raises(AccuracyError) as caught:
        raise_if_not_ok(report)
    assert "int16x8" not in caught.value.hint
    assert "less sparsity" in caught.value.hint


def test_a_limit_of_more_than_all_is_refused(tmp_path):
    recipe = _recipe(PLAIN, limits={"max_accuracy_drop": 2})
    with pytest.raises(RecipeError, match="more than all"):
        compress(_filter(), target="rpi4", data=X, out=tmp_path / "out", recipe=recipe)
    assert not list(tmp_path.iterdir())


def _largest(labels, outputs):
    return float(np.abs(labels - outputs).max())


_largest.higher_is_better = False


def test_the_users_own_metric_is_reported_and_limited():
    recipe = _recipe(PLAIN, limits={"max_accuracy_drop": 2})
    labels = np.random.default_rng(0).normal(size=(40, 8, 8, 3))
    report = compress(_filter(), target="rpi4", data=(X, labels), recipe=recipe, metric=_largest).report
    (own,) = [one for one in report.fidelity.figures if one.decides]
    assert (own.metric, own.unit, own.higher_is_better) == ("_largest", "own", False)
    assert own.drop == pytest.approx(own.compressed - own.original)
    assert report.ok


def test_a_metric_without_labels_is_refused_before_any_work():
    with pytest.raises(DataError, match="needs labels"):
        prepare(_filter(), data=X, metric=_largest)


def test_a_model_that_chooses_itself_is_compared_by_classes():
    scores = tf_keras.Input((6,), name="features")
    chosen = tf_keras.layers.Lambda(lambda values: tf.argmax(values, axis=-1))
    model = tf_keras.Model(scores, chosen(tf_keras.layers.Dense(5)(scores)), name="chooser")
    data = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    report = compress(randomize(model), target="rpi4", data=data, recipe=_recipe(PLAIN)).report
    (output,) = report.fidelity.outputs
    assert output.task == "ids"
    (figure,) = report.fidelity.figures
    assert (figure.metric, figure.decides) == ("accuracy", True)
    assert 0.8 < figure.compressed <= 1.0


def test_each_output_has_its_figures_by_name():
    features = tf_keras.Input((6,), name="features")
    first = tf_keras.layers.Dense(3, activation="softmax", name="kind")(features)
    second = tf_keras.layers.Dense(1, name="size")(features)
    model = randomize(tf_keras.Model(features, [first, second], name="two"))
    data = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    report = compress(model, target="rpi4", data=data, recipe=_recipe(PLAIN)).report
    named = {one.name: one.metric for one in report.fidelity.figures if one.decides}
    assert named == {"kind": "accuracy", "size": "correlation"}


def _ruined():
    """A model that int8 ruins, and its data: what counts is less than a step of the input's one scale."""
    features = tf_keras.Input((2,), name="sensors")
    scores = tf_keras.layers.Dense(2, activation="softmax", name="scores")
    model = tf_keras.Model(features, scores(features), name="ruined")
    scores.set_weights([np.float32([[0, 0], [9, -9]]), np.zeros(2, np.float32)])
    rng = np.random.default_rng(0)
    return model, np.stack([rng.uniform(0, 50_000, 100), rng.uniform(-1, 1, 100)], axis=1)


def test_a_finding_that_is_an_error_makes_the_result_not_ok():
    model, data = _ruined()
    report = compress(model, target="rpi4", data=data, recipe=_recipe(PLAIN)).report
    assert [one.code for one in report.findings if one.severity == "error"] == ["constant-output"]
    assert report.fit.ok
    assert not report.ok
    with pytest.raises(TroubleError, match="the same on all 20 samples") as caught:
        raise_if_not_ok(report)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_command_line_says_why_and_exits_with_1(tmp_path, capsys, flags):
    model, data = _ruined()
    model.save(tmp_path / "ruined.h5")
    np.savez(tmp_path / "data.npz", x=data)
    words = ["compress", tmp_path / "ruined.h5", "--target", "rpi4", "--data", tmp_path / "data.npz"]
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--out", str(tmp_path / "out"), *flags])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "does not do its job" in said.err
    assert (tmp_path / "out" / "model.tflite").exists()
    if flags:
        assert json.loads(said.out)["ok"] is False
    else:
        assert "not ok: the model does not do its job" in said.out


def _tiny_board(tmp_path, flash):
    text = (shipped_folder() / "nucleo-f446re.toml").read_text()
    text = text.replace("usable_flash_bytes = 491_520", f"usable_flash_bytes = {flash}")
    path = tmp_path / "tiny-board.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("by_path", [True, False])
def test_a_model_that_does_not_fit_is_written_and_reported(tmp_path, by_path):
    board = _tiny_board(tmp_path, 2000)
    target = str(board) if by_path else parse_target(board.read_text(), "tiny-board", str(board))
    out = tmp_path / "out"
    found = compress(randomize(dense()), target=target, data=X, out=out, recipe=_recipe(PLAIN))
    assert not found.report.ok
    assert not json.loads((out / "report.json").read_text())["ok"]
    flash = found.report.fit.flash
    assert not flash.ok
    assert flash.needed_bytes > flash.available_bytes == 2000
    with pytest.raises(FitError) as caught:
        raise_if_not_ok(found.report)
    assert caught.value.exit_code == 1


def test_a_target_that_runs_native_c_gets_a_folder_of_it(tmp_path):
    board = write_native_board(tmp_path)
    found = compress(dense(), target=str(board), data=X, out=tmp_path / "out", recipe=_recipe(PLAIN))
    assert "firmware/kernels/es_fully_connected_s8.c" in found.report.files
    assert (tmp_path / "out" / "firmware" / "Makefile").is_file()
    assert found.report.sizes.arena_bytes == found.report.fit.ram.needed_bytes
    assert "planned" in found.report.fit.ram.method
    assert found.report.fit.flash.parts["model"] < found.report.sizes.tflite_bytes


def test_a_model_that_native_c_refuses_does_not_fit(tmp_path):
    board, out = write_native_board(tmp_path), tmp_path / "out"
    recipe = _recipe(PLAIN, quantize={"mode": "float16"})
    found = compress(dense(), target=str(board), data=X, out=out, recipe=recipe)
    assert not found.report.ok
    assert not found.sources
    assert sorted(path.name for path in out.iterdir()) == [LIST, "model.keras", "model.tflite", "report.json"]
    (stage,) = (one for one in found.report.stages if one.name == "emit")
    assert "native C does not take the model" in stage.skipped
    ops = found.report.fit.ops
    assert (ops.runtime, ops.verdict, found.report.sizes.arena_bytes) == ("c", "does-not-fit", None)
    assert "float32" in {one.kind: one.reason for one in ops.missing}["FULLY_CONNECTED"]
    with pytest.raises(FitError, match="does not fit") as caught:
        raise_if_not_ok(found.report)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "rpi44"}, TargetError, "rpi4"),
        ({"data": "nowhere.npz"}, DataError, "there is no file"),
        ({"data": X[:, :4]}, DataError, "does not fit"),
        ({"model": "nothing.keras"}, UsageError, "nothing.keras"),
        ({"model": 3}, UsageError, "not a Keras model"),
        ({"recipe": _recipe(PLAIN, prune={"include": ["midle"]})}, RecipeError, "did you mean 'middle'"),
        ({"recipe": _recipe(PLAIN, finetune={"epochs": 1, "loss": "mse"}, prune={})}, RecipeError, "labels"),
    ],
)
def test_wrong_use_is_an_error_and_nothing_is_written(tmp_path, arguments, error, message):
    given = {"model": dense(), "target": "rpi4", "data": X, "recipe": _recipe(PLAIN), **arguments}
    out = tmp_path / "out"
    with pytest.raises(error, match=message):
        compress(given.pop("model"), out=out, **given)
    assert not out.exists()


def test_an_output_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        compress(dense(), target="rpi4", data=X, out=tmp_path / "file" / "out", recipe=_recipe(PLAIN))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("stage", "error"),
    [("convert", KeyboardInterrupt), ("save_model", KeyboardInterrupt), ("save_model", RuntimeError)],
)
def test_an_interruption_leaves_earlier_output_as_it_was(tmp_path, monkeypatch, stage, error):
    compress(dense(), target="rpi4", data=X, out=tmp_path, recipe=_recipe(PLAIN))
    (tmp_path / "mine.txt").write_text("mine")
    before = _content(tmp_path)

    def stop(*_, **__):
        raise error("stopped")

    monkeypatch.setattr(apply if stage == "convert" else written, stage, stop)
    with pytest.raises(error, match="stopped"):
        compress(dense(), target="nucleo-f446re", data=X, out=tmp_path, recipe=_recipe(PLAIN))
    assert _content(tmp_path) == before
    assert not list(tmp_path.glob(f"{STAGE_PREFIX}*"))


def test_a_later_run_replaces_its_files_and_leaves_others(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    model = randomize(dense())
    first = compress(model, target="rpi4", data=X, out=tmp_path, recipe=_recipe(PLAIN))
    found = compress(
        model, target="rpi4", data=X, out=tmp_path, recipe=_recipe({"quantize": {"mode": "none"}})
    )
    assert sorted(_content(tmp_path)) == [LIST, "mine.txt", "model.keras", "model.tflite", "report.json"]
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "model.tflite").read_bytes() == found.tflite.content != first.tflite.content
    assert json.loads((tmp_path / "report.json").read_text())["files"] == list(found.report.files)


def test_a_model_file_is_named_with_its_hash(tmp_path):
    import hashlib

    path = tmp_path / "given.keras"
    conv2d(keras).save(path)
    found = compress(path, target="rpi4", data=X, recipe=_recipe(PLAIN))
    assert found.report.model.name == "given.keras"
    assert found.report.model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.report.model.bridge_error < 1e-5


def test_several_inputs_and_outputs_are_compared_each_with_its_own():
    layers = tf_keras.layers
    small, large = tf_keras.Input((6,), name="z"), tf_keras.Input((6,), name="a")
    x = layers.Concatenate()([layers.Dense(5)(small), large])
    made = [layers.Dense(3, name="second")(large), layers.Dense(3, activation="softmax", name="first")(x)]
    model = randomize(tf_keras.Model([small, large], made, name="pair"))
    rng = np.random.default_rng(0)
    data = {"a": rng.uniform(-9, 9, (200, 6)), "z": rng.uniform(-2, 2, (200, 6))}
    values, scores = (np.asarray(one) for one in model([data["z"], data["a"]]))
    given = (data, [values, scores.argmax(axis=1)])
    found = compress(
        model, target="rpi4", data=given, recipe=_recipe(PLAIN, quantize={"calibration_samples": 160})
    )
    outputs = found.report.fidelity.outputs
    assert sorted(output.task for output in outputs) == ["classes", "values"]
    assert all(output.normalized_error < 0.1 for output in outputs)
    metrics = {output.accuracy.metric: output.accuracy for output in outputs}
    assert metrics["accuracy"].original == 1.0
    assert metrics["mean_absolute_error"].original < 1e-5


def test_progress_names_the_stages_in_order_and_counts_the_steps():
    seen = []
    recipe = _recipe(PLAIN, finetune={"epochs": 1, "batch_size": 4}, prune={})
    compress(dense(), target="rpi4", data=X, recipe=recipe, progress=lambda *event: seen.append(event))
    stages = list(dict.fromkeys(name for name, _, _ in seen))
    assert stages == ["load", "fold", "prune", "convert", "emit", "verify", "fit"]
    counted = [(done, total) for name, done, total in seen if name == "prune"]
    assert counted[0] == (0, 0)
    assert counted[-1] == (8, 8)


@pytest.mark.parametrize(
    ("name", "given", "mode", "io"),
    [
        ("rpi4", {}, "int8", "float32"),
        ("nucleo-f446re", {}, "int8", "int8"),
        ("rpi4", {"mode": "float16"}, "float16", "float32"),
        ("rpi4", {"io": "uint8"}, "int8", "uint8"),
    ],
)
def test_the_target_fills_in_what_the_recipe_leaves_open(name, given, mode, io):
    filled = fill_preferences(parse_recipe({"quantize": given}), load_target(name))
    assert (filled.quantize.mode, filled.quantize.io) == (mode, io)
    assert {**dict(filled), "quantize": None} == {**dict(Recipe()), "quantize": None}


def test_one_preparation_serves_many_recipes_and_none_sees_the_others():
    target = load_target("rpi4")
    clustered = _recipe(PLAIN, cluster={"clusters": 4}, finetune={"epochs": 1, "batch_size": 8})
    recipes = [_recipe(PLAIN), clustered, _recipe(PLAIN, quantize={"mode": "float16"}), clustered]
    model = randomize(conv2d())
    prepared = prepare(model, data=X)
    results = [
        judge(prepared, squeeze(prepared, fill_preferences(recipe, target)), target) for recipe in recipes
    ]
    contents = [result.tflite.content for result in results]
    assert contents[1] == contents[3]
    assert len(set(contents)) == 3
    alone = [compress(model, target=target, data=X, recipe=one) for one in recipes[:2]]
    assert [one.tflite.content for one in alone] == contents[:2]
    assert [stage.name for stage in results[1].report.stages] == STAGES
    assert [one.code for one in results[1].report.findings] == [one.code for one in alone[1].report.findings]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"data": {"scale": 2.0}}])
def test_a_recipe_that_the_model_was_not_prepared_for_is_refused(changed):
    prepared = prepare(dense(), data=X)
    recipe = fill_preferences(parse_recipe({**PLAIN, **changed}), load_target("rpi4"))
    with pytest.raises(RecipeError, match="prepared with") as caught:
        squeeze(prepared, recipe)
    assert "prepare the model again" in caught.value.hint


def test_a_model_that_cannot_be_converted_is_refused_before_it_is_trained(monkeypatch):
    monkeypatch.setattr(apply, "_apply", lambda *_: pytest.fail("it was trained"))
    image = tf_keras.Input((8, 8, 3), name="image")
    waves = tf_keras.layers.Lambda(tf.sin)(tf_keras.layers.Conv2D(2, 3)(image))
    model = tf_keras.Model(image, tf_keras.layers.Dense(2)(tf_keras.layers.Flatten()(waves)))
    with pytest.raises(FloatOperatorError) as caught:
        compress(model, target="rpi4", data=X, recipe=_recipe(RAW))
    assert "SIN" in caught.value.got


NOTHING = """
from edgesqueeze.squeeze.passes.state import Outcome


def run(state, options, setting):
    setting.train(state.model, 0)
    return Outcome(state)
"""


def test_a_pass_is_one_file_and_one_row(tmp_path, monkeypatch):
    """Passes that do nothing, everywhere in the table, have their stages and change no byte."""
    (tmp_path / "nothing_at_all.py").write_text(NOTHING)
    monkeypatch.syspath_prepend(tmp_path)
    prepared = prepare(randomize(dense()), data=X)
    asked = _recipe(
        equalize={},
        channels={"share": 0.3, "step": 1},
        bits={"include": ["last"]},
        round={},
        bias={},
        aware={},
        quantize={"calibration": "percentile"},
    )
    recipe = fill_preferences(asked, load_target("rpi4"))
    code = Lazy("nothing_at_all:run")
    nothing = [
        Pass(f"nothing{n}", "does nothing", code, options=lambda recipe: recipe.seed + 1)
        for n in range(len(PASSES) + 1)
    ]
    between = (one for pair in zip(nothing, PASSES, strict=False) for one in pair)
    seen = []
    plain = squeeze(prepared, recipe)
    more = squeeze(
        prepared,
        recipe,
        passes=(*between, nothing[-1]),
        progress=lambda *event: seen.append(event[0]),
    )
    assert more.tflite.content == plain.tflite.content
    names = [stage.name for stage in plain.stages]
    assert [name for name in seen if not name.startswith("nothing")] == names
    assert seen[::2] == [one.name for one in nothing]
    assert [stage.name for stage in more.stages] == seen


def test_a_model_without_keras_layers_is_only_quantized(tmp_path):
    model = randomize(dense())
    out = tmp_path / "out"
    compress(model, target="rpi4", data=X, out=out, recipe=_recipe(PLAIN))
    assert (out / "model.keras").exists()
    model.export(str(tmp_path / "exported"))
    found = compress(tmp_path / "exported", target="rpi4", data=X, out=out, recipe=_recipe(PLAIN))
    # What an earlier run wrote would be taken for this model's.
    assert sorted(_content(out)) == sorted(found.report.files) == [LIST, "model.tflite", "report.json"]
    assert found.report.model.source == "SavedModel without Keras layers"
    assert found.report.fidelity.outputs[0].normalized_error < 0.02

    board = load_target("rpi4")
    prepared = prepare(tmp_path / "exported", data=X, options=_recipe(PLAIN).data)
    with pytest.raises(RecipeError, match="can only be quantized") as caught:
        squeeze(prepared, fill_preferences(_recipe(), board))
    assert "prune, cluster, settle" in caught.value.got
    assert judge(prepared, squeeze(prepared, fill_preferences(_recipe(PLAIN), board)), board).report.ok
