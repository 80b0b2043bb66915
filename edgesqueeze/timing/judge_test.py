from importlib import import_module

import numpy as np
import pytest

from edgesqueeze.devices.measure import Settings
from edgesqueeze.errors import ConnectError, DeviceError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.report.quantities import read_contents
from edgesqueeze.runners.samples import EvalData, random_data
from edgesqueeze.target.load import load_target
from edgesqueeze.timing.document import BenchDocument
from edgesqueeze.timing.judge import Wishes, judge_devices
from runtime_tests.support.tflite_builder import tiny_residual
from runtime_tests.support.tools import require_tool

MODULE = import_module("edgesqueeze.timing.judge")
MODEL = parse_tflite(tiny_residual(), "tiny")
QUICK = Wishes(settings=Settings(threads=(1,), min_runs=10, min_seconds=0.02, max_seconds=1))
PREDICTED = QUICK._replace(runtime="tflm")


def targets(*names):
    return [load_target(name) for name in names]


@pytest.fixture(scope="module")
def found():
    return judge_devices(MODEL, targets("rpi4", "pixel6"), ["local"], QUICK)


def test_one_document_holds_every_device(found):
    assert [(one.device, one.method) for one in found.devices] == [
        ("rpi4", "predicted"),
        ("pixel6", "predicted"),
        ("local", "measured"),
    ]
    assert (found.exit_code, found.samples, found.data, found.failures) == (0, 3, "random", ())
    assert found.reference == "tflm"
    assert all(one.parity.status in ("identical", "rounding") for one in found.devices)
    assert [one.computed_by for one in found.devices] == [
        *["LiteRT with XNNPACK, on this computer"] * 2,
        "ai-edge-litert there",
    ]
    assert BenchDocument.model_validate_json(found.model_dump_json()).root == found
    assert [finding.code for finding in found.findings] == ["no-data"]


def test_compare_reads_the_document(found, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(found.model_dump_json())
    contents = read_contents(path)
    assert contents.kind == "compared" and not contents.problems
    assert contents.quantities["rpi4, predicted: latency"].exact
    assert not contents.quantities["local, measured: latency"].exact


def test_a_microcontroller_is_emulated_and_predicted():
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "gcc"):
        require_tool(tool, tool)
    found = judge_devices(MODEL, targets("nucleo-l4r5zi"), (), QUICK._replace(build="Os"))
    assert [(one.method, one.runtime) for one in found.devices] == [("emulated", "c"), ("predicted", "tflm")]
    assert [one.timing.build for one in found.devices] == ["Os", "Os"]
    assert [one.parity.status for one in found.devices] == ["identical", "reference"]


@pytest.mark.parametrize(("error", "status"), [(ConnectError("gone"), 2), (DeviceError("it burns"), 1)])
def test_one_device_that_fails_loses_no_other(monkeypatch, error, status):
    def fail(model, session, settings):
        raise error

    monkeypatch.setattr(MODULE, "measure", fail)
    found = judge_devices(MODEL, targets("pico", "rpi4"), ["local"], PREDICTED)
    # TensorFlow Lite Micro does not run on a Raspberry Pi.
    assert [one.device for one in found.devices] == ["pico"]
    assert [one.host for one in found.failures] == ["rpi4, tflm", "local"]
    assert found.exit_code == status
    assert str(error) in found.failures[1].message


def test_wrong_outputs_of_one_device(monkeypatch):
    def wrong(session, model, samples, threads):
        return [
            [np.full_like(value, 7) for value in MODULE.RUNNERS["tflm"].run(model, [one])[0]]
            for one in samples
        ]

    monkeypatch.setattr(MODULE, "outputs_on", wrong)
    found = judge_devices(MODEL, targets("pico"), ["local"], PREDICTED)
    pico, local = found.devices
    assert pico.ok and not local.ok
    assert (local.parity.status, found.exit_code) == ("broken", 1)
    assert local.parity.first_divergence.operator == 0


def test_outputs_that_cannot_be_had_are_said(monkeypatch):
    def fail(session, model, samples, threads):
        raise DeviceError("it burns")

    monkeypatch.setattr(MODULE, "outputs_on", fail)
    (local,) = judge_devices(MODEL, (), ["local"], QUICK).devices
    assert (local.parity, local.reason, local.ok) == (None, "it burns", False)


def test_labels_tell_the_accuracy_of_every_runtime():
    data = random_data(MODEL, 8)
    scores = MODULE.RUNNERS["tflm"].run(MODEL, MODULE.data_samples(MODEL, data))
    labels = np.array([int(np.argmax(row[0])) for row in scores])
    found = judge_devices(MODEL, targets("pico"), ["local"], PREDICTED, data=EvalData(data.inputs, labels))
    assert (found.data, found.samples, found.findings) == ("given", 8, ())
    accuracies = [next(one for one in device.fidelity.figures if one.decides) for device in found.devices]
    assert [one.metric for one in accuracies] == ["accuracy"] * 2
    assert accuracies[0].compressed == 1
    unlabelled = judge_devices(MODEL, targets("pico"), (), PREDICTED, data=EvalData(data.inputs))
    assert [finding.code for finding in unlabelled.findings] == ["no-labels"]


@pytest.mark.parametrize(
    ("names", "hosts", "words"),
    [
        ((), (), "which devices"),
        (("pico", "pico"), (), "pico is named"),
        ((), ("local", "local"), "local is named"),
    ],
)
def test_devices_that_make_no_sense(names, hosts, words):
    with pytest.raises(UsageError, match=words):
        judge_devices(MODEL, targets(*names), hosts, QUICK)
