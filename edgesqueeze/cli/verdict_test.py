import json
from importlib import import_module

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.base.records import Range
from edgesqueeze.checks.records import LayerDifference, RuntimeParity
from edgesqueeze.cli.bench import bench
from edgesqueeze.cli.bench_test import SCHEMA
from edgesqueeze.timing.verdict import DeviceVerdict, Verdicts
from runtime_tests.support.measurements import LOST, measured
from runtime_tests.support.tflite_builder import tiny_cnn

LAYER = LayerDifference(operator=3, kind="CONV_2D", tensor="y", max_lsb=40, within_tolerance=False)
BROKEN = RuntimeParity(
    runtime="device",
    title="ai-edge-litert there",
    status="broken",
    ok=False,
    reason="an operator alone is off by more than rounding",
    first_divergence=LAYER,
)
RECORD = Verdicts(
    model="tiny",
    sha256="0" * 64,
    data="random",
    samples=3,
    reference="tflm",
    devices=(
        DeviceVerdict(
            device="pi@kitchen",
            method="measured",
            runtime="ai-edge-litert",
            latency_ms=Range(estimate=4.0, low=3.6, high=4.4),
            ok=False,
            computed_by="ai-edge-litert there",
            parity=BROKEN,
            timing=measured("pi@kitchen"),
        ),
        DeviceVerdict(
            device="local",
            method="measured",
            runtime="ai-edge-litert",
            latency_ms=Range(estimate=1.0, low=0.9, high=1.1),
            ok=True,
            computed_by="ai-edge-litert there",
            reason="it burns",
            timing=measured("local"),
        ),
    ),
    failures=(LOST,),
)


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def fake(model, targets, hosts, wishes, **options):
        calls.append(([target.name for target in targets], len(hosts), wishes, options))
        return RECORD

    monkeypatch.setattr(import_module("edgesqueeze.timing.judge"), "judge_devices", fake)
    return calls


def invoke(tmp_path, *words):
    (tmp_path / "tiny.tflite").write_bytes(tiny_cnn())
    return CliRunner().invoke(bench, [str(tmp_path / "tiny.tflite"), *words], env={"COLUMNS": "120"})


def test_one_table_and_who_differs_where(tmp_path, asked):
    result = invoke(tmp_path, "--target", "rpi4", "--target", "pico", "--ssh", "pi@kitchen", "--local")
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    for words in (
        "tiny: 3 random inputs on every device, compared with tflm",
        "pi@kitchen measured ai-edge-litert 4 3.6 to 4.4 WRONG",
        "local measured ai-edge-litert 1 0.9 to 1.1 not compared",
        "pi@kitchen, measured: an operator alone is off by more than rounding; the first operator that "
        "differs is 3, CONV_2D, by 40 steps",
        "local, measured: outputs not compared: it burns",
        "zero: the connection to zero was lost",
    ):
        assert words in " ".join(lines)
    names, hosts, wishes, options = asked[0]
    assert (names, hosts, options["data"]) == (["rpi4", "pico"], 2, None)
    assert wishes.settings.threads == (1,)


def test_the_document(tmp_path, asked):
    result = invoke(tmp_path, "--target", "rpi4", "--target", "pico", "--build", "Os", "--json")
    document = json.loads(result.stdout)
    assert document == json.loads(RECORD.model_dump_json())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()), jsonschema.Draft202012Validator)
    assert asked[0][2].build == "Os"


def test_data_are_picked_for_one_device_too(tmp_path, asked):
    shape = (100, 8, 8, 1)
    np.savez(tmp_path / "data.npz", x_test=np.zeros(shape, np.float32), y_test=np.zeros(100, int))
    invoke(tmp_path, "--target", "rpi4", "--data", str(tmp_path / "data.npz"), "--samples", "10")
    assert len(asked[0][3]["data"].inputs[0]) == 10
    invoke(tmp_path, "--local", "--data", str(tmp_path / "data.npz"))
    assert len(asked[1][3]["data"].inputs[0]) == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--target", "rpi4", "--target", "pico", "--plot", "a.svg"),
            "--plot does not go with several devices",
        ),
        (("--target", "rpi4", "--samples", "3"), "--samples without --data"),
        (("--local", "--recipe", "a.toml"), "--recipe without --data"),
        (("--target", "rpi4", "--target", "pico", "--threads", "1", "--threads", "2"), "several --threads"),
        (("--local", "--data", "a.npz", "--build", "Os"), "--build does not go with"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, asked, words, said):
    result = invoke(tmp_path, *words)
    assert said in str(result.exception.problem)
    assert not asked
