import json
import shutil

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.base.hashes import sha256_of, sha256_of_files
from edgesqueeze.cli.compress import command
from edgesqueeze.errors import FitError, TargetError, UsageError
from edgesqueeze.pipeline import compress
from edgesqueeze.pipeline.recheck import recheck
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.made import read_made, runtime_meant
from edgesqueeze.squeeze.opening import saved_model
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.load import load_target

RECIPE = {"prune": {"sparsity": 0.5}, "finetune": {"epochs": 0}, "quantize": {"calibration_samples": 8}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, data, and what became of them."""
    folder = tmp_path_factory.mktemp("gate")
    keras.utils.set_random_seed(1)
    layers = [keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    keras.Sequential(layers).save(folder / "model.keras")
    x = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32)
    np.savez(folder / "data.npz", x_train=x[:20], x_test=x[20:])
    out = folder / "out"
    compress(
        folder / "model.keras", target="pico", data=folder / "data.npz", out=out, recipe=parse_recipe(RECIPE)
    )
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def check(folder, *more):
    arguments = [
        str(folder / "model.keras"),
        "--data",
        str(folder / "data.npz"),
        "--check",
        str(folder / "out"),
    ]
    return CliRunner().invoke(command, [*arguments, *more])


def wrong(found):
    return {(one.kind, one.name): one.verdict for one in found.compared if one.verdict != "same"}


def test_a_report_has_the_hashes_of_what_it_was_made_from(made):
    report = json.loads((made / "out" / "report.json").read_text())
    told = report["provenance"]
    assert told["model"] == report["model"]["sha256"] == sha256_of(made / "model.keras")
    assert told["data"] == sha256_of(made / "data.npz")
    assert told["outputs"]["model.tflite"] == sha256_of(made / "out" / "model.tflite")
    assert set(told["outputs"]) == set(report["files"]) - {"model.keras", "report.json", "edgesqueeze.sha256"}


def test_the_same_inputs_give_the_same_bytes(folder):
    # The report alone is enough, and the recipe is that of the report.
    for path in (folder / "out").iterdir():
        if path.name != "report.json":
            path.unlink()
    result = check(folder)
    assert result.exit_code == 0, result.output
    assert "same: the same inputs give the same bytes" in " ".join(result.stdout.split())
    assert [one.name for one in (folder / "out").iterdir()] == ["report.json"]


def test_the_path_of_the_report_is_as_good_as_its_folder(folder):
    (folder / "data.npz").write_bytes(b"another")
    by_path, by_folder = (
        recheck(place, folder / "model.keras", data=folder / "data.npz")
        for place in (folder / "out" / "report.json", folder / "out")
    )
    assert by_path == by_folder
    assert wrong(by_path) == {("input", "data"): "changed"}


def test_a_model_for_another_runtime_of_the_target(folder):
    """TensorFlow Lite Micro has no GELU; C without a runtime has."""
    layers = [keras.Input((6,)), keras.layers.Dense(8, activation="gelu"), keras.layers.Dense(3)]
    keras.Sequential(layers).save(folder / "model.keras")
    arguments = [folder / "model.keras", "--target", "pico", "--data", folder / "data.npz", "--epochs", "0"]
    shutil.rmtree(folder / "out")
    for runtime, error in (
        ([], FitError),
        (["--runtime", "litert"], TargetError),
        (["--runtime", "c"], None),
    ):
        ran = CliRunner().invoke(command, [*map(str, arguments), "--out", str(folder / "out"), *runtime])
        assert ran.exit_code == 0 if error is None else isinstance(ran.exception, error), ran.output
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["fit"]["ops"]["runtime"] == "c"
    assert "firmware/main.c" in report["files"]
    assert check(folder).exit_code == 0
    assert check(folder, "--runtime", "tflm").exit_code == 1
    made = read_made(folder / "out")
    pico = load_target("pico")
    assert runtime_meant(made.report, pico, "") == "c"
    assert runtime_meant(made.report, pico, "tflm") == "tflm"
    assert runtime_meant(made.report, with_runtime(pico, "c"), "") == ""
    assert runtime_meant(made.report, None, "") == ""


def test_an_output_that_comes_out_different_is_named(folder):
    path = folder / "out" / "report.json"
    report = json.loads(path.read_text())
    report["provenance"]["outputs"]["model.tflite"] = "0" * 64
    report["environment"]["python"] = "3.0"
    path.write_text(json.dumps(report))
    (folder / "out" / "model.tflite").unlink()
    result = check(folder, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["ok"], found["made_again"]) == (False, True)
    differs = {(one["kind"], one["name"]) for one in found["compared"] if one["verdict"] != "same"}
    assert differs == {("output", "model.tflite"), ("version", "python")}


@pytest.mark.parametrize("name", ["model.keras", "data.npz", "out/model.tflite"])
def test_what_has_changed_is_named_and_nothing_is_made(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b"x")
    found = recheck(folder / "out", folder / "model.keras", data=folder / "data.npz")
    kind = ("file", "model.tflite") if "out" in name else ("input", name.split(".")[0])
    assert wrong(found) == {kind: "changed"}
    assert not found.ok and not found.made_again


def test_another_recipe_target_or_labels_are_named(folder):
    assert wrong(
        recheck(
            folder / "out",
            folder / "model.keras",
            data=folder / "data.npz",
            target="rpi4",
            recipe=parse_recipe({}),
            labels=("a", "b", "c"),
        )
    ) == {("input", one): "changed" for one in ("recipe", "target", "labels")}


def test_a_report_without_hashes_cannot_be_checked(folder):
    path = folder / "out" / "report.json"
    report = json.loads(path.read_text())
    del report["provenance"]
    path.write_text(json.dumps(report))
    with pytest.raises(UsageError, match="has no hashes"):
        recheck(folder / "out", folder / "model.keras", data=folder / "data.npz")


def test_a_target_that_was_a_file_has_to_be_given(folder):
    path = folder / "out" / "report.json"
    path.write_text(path.read_text().replace('"target": "pico"', '"target": "mine"', 1))
    with pytest.raises(TargetError) as caught:
        recheck(folder / "out", folder / "model.keras", data=folder / "data.npz")
    assert "--target" in caught.value.hint


@pytest.mark.parametrize("arguments", [["--out", "x"], []])
def test_options_that_are_missing_or_too_many(arguments, tmp_path):
    more = ["--check", str(tmp_path)] if arguments else []
    result = CliRunner().invoke(command, ["model.keras", "--data", "data.npz", *arguments, *more])
    assert result.exit_code == 2
    assert "leave out --out" in result.output if arguments else "--target" in result.output


def test_a_folder_of_a_model_has_one_hash_everywhere(tmp_path):
    for name in ("saved_model.pb", "variables/variables.index", "assets/a", "b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert sha256_of(tmp_path) == sha256_of_files(tmp_path, saved_model.files_of(tmp_path))
