"""The commands that measure over SSH: on this machine, and on an emulated Raspberry Pi."""

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli
from edgesqueeze.devices import measure
from edgesqueeze.latency.microbenchmarks import benchmarks
from edgesqueeze.target.load import load_target
from edgesqueeze.timing import microbench_run as calibrate
from runtime_tests.support.loopback_sshd import ALIAS, loopback_device
from runtime_tests.support.measuring import rests
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.virtual_pi import CLOCK_MHZ, MODEL

pytestmark = pytest.mark.usefixtures("no_client_stays")

SCHEMAS = Path(__file__).resolve().parents[1] / "edgesqueeze" / "schemas"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    brief = {"min_runs": 10, "min_seconds": 0.05, "max_seconds": 0.5}
    monkeypatch.setattr(measure.Settings, "__init__", _with(measure.Settings.__init__, brief))


def _with(init, defaults):
    return lambda self, **given: init(self, **{**defaults, **given})


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words], env={"COLUMNS": "120"})


def test_a_board_in_a_table_and_as_json(board, model):
    words = ("bench", model, "--ssh", ALIAS, "--ssh-config", board.config, "--threads", 1)
    shown = run(*words)
    assert shown.exit_code == 0, shown.output
    assert "outputs right" in shown.output
    assert "ai-edge-litert" in shown.output
    result = run(*words, "--json")
    document = json.loads(result.stdout)
    schema = json.loads((SCHEMAS / "bench.schema.json").read_text())
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert (document["method"], document["host"], document["outputs"]["exact"]) == ("measured", ALIAS, True)
    assert document["threads"][0]["runs"] >= 10
    assert rests(board)


def test_the_emulated_pi_beside_its_prediction(pi, model):
    words = ("bench", model, "--ssh", ALIAS, "--ssh-config", pi.config, "--threads", 1, "--target", "rpi4")
    shown = run(*words)
    assert shown.exit_code == 0, shown.output
    assert MODEL in shown.output
    assert f"{CLOCK_MHZ} MHz" in shown.output
    assert "tflite-runtime 2.14" in shown.output
    assert "predicted for rpi4" in shown.output
    assert rests(pi)


def test_a_board_that_does_not_let_us_in_is_wrong_use(tmp_path, model):
    with loopback_device(tmp_path / "device") as device:
        device.refuse_key()
        result = run("bench", model, "--ssh", ALIAS, "--ssh-config", device.config)
    assert result.exception.exit_code == 2
    assert "ssh" in str(result.exception)


def test_forgetting_leaves_nothing(board, model):
    words = ("bench", model, "--ssh", ALIAS, "--ssh-config", board.config, "--threads", 1, "--forget")
    assert run(*words).exit_code == 0
    assert not [path for path in board.home.rglob("*") if "edgesqueeze" in path.name]


@pytest.mark.parametrize("device", ["board", "pi"])
def test_a_calibrated_device_is_a_target(device, request, tmp_path, monkeypatch, model):
    """With few microbenchmarks and one round: whether it works, not how well."""
    there = request.getfixturevalue(device)
    few = {}
    for arithmetic in ("float32", "int8"):
        small = [one for one in benchmarks(arithmetic) if len(one.content) < 60_000]
        networks = [one for one in small if one.network]
        # What the emulated board runs takes a hundred times as long.
        few[arithmetic] = [*small[::4], *networks] if device == "board" else [*small[::12], *networks[::3]]
    monkeypatch.setattr(calibrate, "benchmarks", few.__getitem__)
    monkeypatch.setattr(calibrate, "ROUNDS", 1)
    monkeypatch.setattr(calibrate, "MOST_ROUNDS", 1)
    monkeypatch.setattr(calibrate, "MOST_THREADS", 1)
    words = ("calibrate", "--ssh", ALIAS, "--ssh-config", there.config, "--name", "here", "--out", tmp_path)
    done = run(*words)
    assert done.exit_code == 0, done.output
    target = load_target(str(tmp_path / "here.toml"))
    assert target.cpu.core == ("cortex-a72" if device == "pi" else target.cpu.core)
    assert target.latency.runtime == ("tflite-runtime" if device == "pi" else "litert")
    result = run("bench", model, "--target", tmp_path / "here.toml", "--json")
    assert json.loads(result.stdout)["latency_ms"]["estimate"] > 0
    assert rests(there)
