import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.calibrate import calibrate as command
from edgesqueeze.devices.records import Boards
from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.correction import corrected
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.load import load_target, uncovered_figures
from edgesqueeze.timing.calibrate_from import calibrate_from
from edgesqueeze.timing.verdict import DeviceVerdict, Verdicts
from runtime_tests.support.measurements import LOST, measured
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual

MODELS = [parse_tflite(content, name) for name, content in (("cnn", tiny_cnn()), ("res", tiny_residual()))]


def record(model, target="rpi4", host="pi", factor=2.0):
    """A measurement that took so many times as long as predicted."""
    prediction = predict(model, load_target(target))
    span = prediction.latency_ms.model_copy(update={"estimate": factor * prediction.latency_ms.estimate})
    one = measured(host, model=model.name, latency_ms=span, target=target)
    return one.model_copy(update={"predicted": corrected(prediction, span, host)})


@pytest.fixture
def stored(tmp_path):
    def store(*documents):
        paths = []
        for number, document in enumerate(documents):
            paths.append(tmp_path / f"{number}.json")
            paths[-1].write_text(document.model_dump_json())
        return paths

    return store


def test_a_profile_of_the_device_is_made_of_measured_models(stored, tmp_path):
    boards = Boards(boards=(record(MODELS[1]),))
    made = calibrate_from(stored(record(MODELS[0]), boards), folder=tmp_path / "mine", name="kitchen")
    assert made.target == load_target(str(tmp_path / "mine" / "kitchen.toml"))
    assert uncovered_figures(made.target) == ()
    for model in MODELS:
        before, after = (predict(model, target).latency_ms for target in (load_target("rpi4"), made.target))
        assert after.estimate / before.estimate == pytest.approx(2, rel=0.1)
    assert "corrected by 2 latencies that this device measured (cnn, res)" in made.target.latency.basis
    assert made.target.title.startswith("Raspberry Pi 4")


def verdict(timing, name):
    return DeviceVerdict(
        device=name,
        method=timing.method,
        runtime=timing.runtime,
        latency_ms=timing.latency_ms,
        ok=True,
        computed_by=name,
        timing=timing,
    )


def compared(model, *timings):
    devices = tuple(verdict(timing, str(number)) for number, timing in enumerate(timings))
    head = {"model": model.name, "sha256": model.sha256, "data": "random", "samples": 3, "reference": "tflm"}
    return Verdicts(**head, devices=devices)


def test_compared_devices_are_measurements_beside_predictions(stored, tmp_path):
    one = record(MODELS[0])
    alone = one.model_copy(update={"predicted": None})
    predictions = [predict(MODELS[0], load_target(name)) for name in ("rpi4", "pico")]
    many = compared(MODELS[0], *predictions, alone)
    (way, other) = (
        calibrate_from(stored(document), folder=tmp_path, name="kitchen").target.latency
        for document in (many, one)
    )
    assert way.float32 == other.float32
    assert way.int8 == other.int8
    for documents in ((compared(MODELS[0], *predictions),), (compared(MODELS[0], alone),)):
        with pytest.raises(UsageError, match="holds no measurement beside a prediction"):
            calibrate_from(stored(*documents), folder=tmp_path)


def test_what_bench_says_of_its_failure_is_told(tmp_path):
    path = tmp_path / "failed.json"
    path.write_text(json.dumps({"schema_version": 1, "error": {"problem": "local cannot\x1b run it"}}))
    with pytest.raises(UsageError, match="bench failed, says") as raised:
        calibrate_from([path], folder=tmp_path)
    assert raised.value.got.startswith("local cannot")
    assert "\x1b" not in raised.value.got


def test_the_command(stored, tmp_path):
    paths = [str(path) for path in stored(record(MODELS[0]), record(MODELS[1]))]
    result = CliRunner().invoke(command, ["--from", *paths, "--name", "kitchen", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "now: edgesqueeze bench MODEL.tflite --target" in result.output
    assert (tmp_path / "kitchen.toml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--from", "a.json", "--local"), "--from measures nothing"), (("a.json",), "files are for --from")],
)
def test_options_that_do_not_go_together(words, said):
    result = CliRunner().invoke(command, [*words])
    assert said in result.exception.problem


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ((measured("pi"),), "does not say what was predicted for tiny"),
        ((record(MODELS[0]), record(MODELS[0], "rpi5")), "are of 2 targets"),
        ((record(MODELS[0]), record(MODELS[0], host="zero")), "are of 2 devices"),
        ((predict(MODELS[0], load_target("rpi4")),), "holds no measurement"),
        ((Boards(boards=(), failures=(LOST,)),), "no measurement was given"),
        ((record(parse_tflite(tiny_dense()), "pico"),), "has no costs of operators"),
    ],
)
def test_documents_that_say_nothing(stored, tmp_path, documents, words):
    with pytest.raises(UsageError, match=words):
        calibrate_from(stored(*documents), folder=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_model_that_was_measured_again_is_one_latency(stored, tmp_path):
    again = [record(MODELS[0], factor=factor) for factor in (1.9, 2.0, 2.4)]
    made = calibrate_from(stored(*again), folder=tmp_path / "mine").target.latency
    once = calibrate_from(stored(again[1]), folder=tmp_path / "mine").target.latency
    assert "corrected by one latency that this device measured (cnn)" in made.basis
    assert made.basis == once.basis
    assert made.interval.high == pytest.approx(once.interval.high, rel=1e-3)


def test_measurements_of_a_model_that_contradict_each_other(stored, tmp_path):
    with pytest.raises(UsageError, match="measurements of cnn contradict each other"):
        calibrate_from(stored(record(MODELS[0]), record(MODELS[0], factor=5.0)), folder=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_file_that_is_no_document(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UsageError, match="is no document of bench"):
        calibrate_from([tmp_path / "a.json"])
    with pytest.raises(UsageError, match="cannot read"):
        calibrate_from([tmp_path / "none.json"])
