"""The committed schemas are those of the records, and what commands print satisfies them."""

import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli, main
from runtime_tests.support.tflite_builder import tiny_cnn

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "edgesqueeze" / "schemas"


@pytest.fixture(scope="module")
def script():
    loader = importlib.machinery.SourceFileLoader("schemas_script", str(ROOT / "scripts" / "schemas"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    # pydantic looks the module up to understand its annotations.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    yield module
    monkeypatch.undo()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


def require_valid(name, text):
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(text)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    return document


def printed(*arguments):
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_committed_schemas_are_those_of_the_records(script):
    made = script.generate()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, text in made.items():
        committed = json.loads((FOLDER / name).read_text())
        assert committed == json.loads(text), f"{name}: run scripts/schemas"


def test_every_command_with_json_has_a_schema(script):
    context = cli.make_context("edgesqueeze", ["doctor"])
    names = set()
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        for inner, one in getattr(command, "commands", {"": command}).items():
            if any("--json" in parameter.opts for parameter in one.params):
                names.add(f"{name} {inner}".strip().replace(" ", "-"))
    # compress prints a report, and with --check something else.
    assert names == {*script.SCHEMAS, "compress"} - {"report", "check", "error"}


def descriptions(node, place=""):
    """Every description in a schema, with its place."""
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield place, node["description"]
        for name, inner in node.items():
            yield from descriptions(inner, f"{place}/{name}")
    elif isinstance(node, list):
        for inner in node:
            yield from descriptions(inner, place)


def fields(node, place=""):
    """Every field of every object in a schema, with its place."""
    if isinstance(node, dict):
        for name, field in node.get("properties", {}).items():
            yield f"{place}/{name}", field
        for name, inner in node.items():
            yield from fields(inner, f"{place}/{name}")


# A description that begins so makes sense only behind another one.
FRAGMENTS = ("of ", "the same", "see ", "as ", "...")


def is_fragment(text):
    return text.lower().startswith(FRAGMENTS) or "see there" in text.lower() or len(text.split()) < 3


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name.split(".")[0])
def test_descriptions_stand_alone(path):
    schema = json.loads(path.read_text())
    assert [f"{place}: {text}" for place, text in descriptions(schema) if is_fragment(text)] == []
    assert [place for place, field in fields(schema) if "description" not in field] == []


@pytest.mark.parametrize("text", ["of it.", "The same for floats.", "its name.", "RAM; see there, please."])
def test_fragments_are_found(text):
    nested = {"$defs": {"A": {"properties": {"b": {"anyOf": [{"description": text}]}}}}}
    assert [is_fragment(found) for _, found in descriptions(nested)] == [True]
    assert not is_fragment("median time of one inference, in milliseconds.")


def test_fields_are_described():
    schema = json.loads((FOLDER / "report.schema.json").read_text())
    assert schema["description"] == "Everything that `compress` did and found."
    assert all("description" in field for field in schema["properties"].values())


def test_targets():
    listed = require_valid("targets-list", printed("targets", "list", "--json"))
    shown = require_valid("targets-show", printed("targets", "show", "pico", "--json"))
    assert shown["target"] in listed["targets"]


def test_doctor():
    require_valid("doctor", printed("doctor", "--json"))


def test_inspect(model):
    require_valid("inspect", printed("inspect", model, "--json"))
    require_valid("inspect", printed("inspect", model, "--target", "pico", "--json"))


def test_verify(model, tmp_path):
    inputs = np.random.default_rng(0).uniform(-2, 2, (12, 8, 8, 1))
    np.savez(tmp_path / "data.npz", x=inputs, y=np.arange(12) % 4)
    arguments = ("verify", model, "--runtime", "litert", "--json")
    require_valid("verify", printed(*arguments))
    require_valid("verify", printed(*arguments, "--data", tmp_path / "data.npz", "--against", model))


def test_compare(model, tmp_path):
    (tmp_path / "bench.json").write_text(printed("bench", model, "--target", "rpi4", "--json"))
    require_valid("compare", printed("compare", tmp_path / "bench.json", tmp_path / "bench.json", "--json"))


def test_emit(model, tmp_path):
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    arguments = ("--target", "pico", "--format", "tflm", "--out", tmp_path / "out", "--json")
    document = require_valid("emit", printed("emit", model, *arguments))
    assert all(Path(file).is_file() for file in document["files"])


@pytest.mark.parametrize("arguments", [["inspect", "nowhere", "--json"], ["inspect", "--jsn", "--json"]])
def test_errors(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    require_valid("error", capsys.readouterr().out)


def test_a_missing_field_is_noticed():
    with pytest.raises(jsonschema.ValidationError, match="is a required property"):
        require_valid("demo", "{}")


@pytest.mark.slow
def test_compress(tmp_path):
    from runtime_tests.support import tiny_keras

    tiny_keras.randomize(tiny_keras.conv2d()).save(tmp_path / "tiny.keras")
    np.savez(tmp_path / "data.npz", x=tiny_keras.images(), y=np.arange(48) % tiny_keras.CLASSES)
    flags = ("--sparsity", "0.5", "--clusters", "16", "--epochs", "1", "--json")
    arguments = ("--target", "pico", "--data", tmp_path / "data.npz", "--out", tmp_path / "out", *flags)
    document = require_valid("report", printed("compress", tmp_path / "tiny.keras", *arguments))
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == document
