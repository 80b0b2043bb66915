import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli
from edgesqueeze.cli import demo as module
from edgesqueeze.cli import demo_job as demo
from edgesqueeze.errors import MissingToolError


def test_the_defaults_are_those_of_the_demo():
    assert demo.EPOCHS == module.EPOCHS
    assert str(module.OUT) == demo.OUT


def test_what_is_missing_is_said_with_the_command(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else real(name))
    with pytest.raises(MissingToolError, match="scikit-learn") as caught:
        CliRunner().invoke(cli, ["demo"], catch_exceptions=False)
    assert caught.value.hint == "pip install 'edgesqueeze[demo]'"


@pytest.mark.slow
def test_the_whole_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "TRAIN_EPOCHS", 6)
    done = CliRunner().invoke(cli, ["demo", "--out", "it", "--epochs", "8", "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    schema = Path(demo.__file__).parents[1] / "schemas" / "demo.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert document["ok"]
    report = document["report"]
    assert report["accuracy"]["float_model"] > 0.9
    assert report["accuracy"]["drop"] < 0.05
    pruned = [one for one in report["weights"] if one["role"] == "weights"][1:]
    assert all(one["sparsity"] > 0.59 and one["distinct_values"] <= demo.CLUSTERS for one in pruned)
    written = {path.relative_to(tmp_path / "it").as_posix() for path in (tmp_path / "it").rglob("*.*")}
    assert written >= {"digits.keras", "digits.npz", "compressed/model.tflite", "compressed/digits_model.cc"}
    assert document["verification"]["sha256"]
    # The commands that it shows do the same.
    shown = document["commands"][1].split()[1:]
    again = CliRunner().invoke(cli, [*shown, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout) == document["verification"]
    assert "--sparsity 0.6 --clusters 16 --epochs 8" in document["commands"][0]
