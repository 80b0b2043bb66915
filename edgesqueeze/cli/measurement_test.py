import json
from importlib import import_module

import jsonschema
import pytest
from click.testing import CliRunner

from edgesqueeze.base.records import Range
from edgesqueeze.cli.bench import bench
from edgesqueeze.cli.bench_test import SCHEMA
from edgesqueeze.devices.records import MeasuredLayer, SustainedSecond
from edgesqueeze.errors import ConnectError
from runtime_tests.support.measurements import LOST, WRONG, measured, run
from runtime_tests.support.tflite_builder import tiny_cnn


@pytest.fixture
def boards(monkeypatch):
    """What the boards answer, and what they were asked."""
    answers, asked = [], []
    module = import_module("edgesqueeze.timing.boards")

    def one(model, device, settings):
        asked.append((device, settings))
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr(module, "measure", one)
    monkeypatch.setattr(
        module,
        "measure_all",
        lambda model, hosts, settings: asked.append((hosts, settings)) or tuple(answers),
    )
    return answers, asked


def invoke(tmp_path, *words, columns=110):
    (tmp_path / "tiny.tflite").write_bytes(tiny_cnn())
    return CliRunner().invoke(bench, [str(tmp_path / "tiny.tflite"), *words], env={"COLUMNS": str(columns)})


def test_one_board(tmp_path, boards):
    boards[0].append(measured("pi@kitchen"))
    result = invoke(tmp_path, "--ssh", "pi@kitchen", "--threads", "1", "--threads", "2", "--sustain", "3")
    assert result.exit_code == 0, result.output
    for words in (
        "pi@kitchen: Raspberry Pi 4 Model B Rev 1.4",
        "ai-edge-litert 2.1.0",
        "brcm,bcm2711; Debian GNU/Linux 12; 64-bit Python 3.11.2; 3.6 GiB of memory, 2.8 available; "
        "at 600 MHz (ondemand); 45.0 C",
        "outputs right: the very outputs of LiteRT",
        "1.5 s besides running",
        "note: clock: the governor is ondemand",
    ):
        assert words in result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "pi@kitchen 1 4 4.4 6 3.6 7 50 1.00 1,234" in lines
    assert "2 2 2.2 3 1.8 7 50 2.00 1,234" in lines
    host, settings = boards[1][0]
    assert host.destination == "pi@kitchen"
    assert (settings.threads, settings.sustain_seconds, settings.install) == ((1, 2), 3.0, False)


def test_layers_are_shown_where_they_were_measured(tmp_path, boards):
    layer = MeasuredLayer(
        index=0,
        opcode="CONV_2D",
        name="y",
        summary="3x3: 8x8x1->8x8x4",
        macs=2304,
        weights_bytes=52,
        share=0.5,
        latency_ms=Range(estimate=2.0, low=1.9, high=2.1),
    )
    boards[0].append(measured("pi", layers=(layer,)))
    result = invoke(tmp_path, "--ssh", "pi", "--layers")
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "pi: layers, 1 thread" in lines
    assert "0 CONV_2D 3x3: 8x8x1->8x8x4 2,304 52 2 1.9 to 2.1 50.0%" in lines
    assert boards[1][0][1].layers


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_a_narrow_terminal_loses_no_digit(tmp_path, boards, columns):
    slow = run(1, 12345.6).model_copy(update={"peak_rss_bytes": 12345 * 2**20, "load_ms": 99999.0})
    boards[0].append(measured("pi@raspberrypi.local", threads=(slow, run(2, 0.00174))))
    lines = invoke(tmp_path, "--ssh", "pi", columns=columns).output.splitlines()
    (large,) = (line.split() for line in lines if "12,346" in line)
    assert large[1:8] == ["1", "12,346", "13,580", "18,518", "11,111", "99,999", "12345"]
    assert "pi@raspberrypi.local".startswith(large[0]) and len(large[0]) >= 7
    assert any("0.00174 0.00191 0.00261 0.00157 7 50" in " ".join(line.split()) for line in lines)


def test_wrong_outputs_show_and_end_with_1(tmp_path, boards):
    boards[0].append(measured("pi", outputs=WRONG))
    result = invoke(tmp_path, "--ssh", "pi")
    assert "pi: outputs WRONG: off by 90 steps" in result.output
    assert result.exit_code == 1


def test_several_boards_share_a_table_and_a_failure_hides_nothing(tmp_path, boards):
    boards[0].extend([measured("pi@kitchen"), measured("local"), LOST])
    result = invoke(tmp_path, "--ssh", "pi@kitchen", "--ssh", "zero", "--local")
    assert result.exit_code == 1
    assert result.output.count("median ms") == 1
    assert "the connection to zero was lost" in result.output
    assert "local" in result.output


def test_the_error_of_a_single_board_is_the_error_of_the_command(tmp_path, boards):
    boards[0].append(ConnectError("there is no host zero"))
    result = invoke(tmp_path, "--ssh", "zero")
    assert isinstance(result.exception, ConnectError)


def test_measured_and_predicted_are_compared(tmp_path, boards):
    boards[0].append(measured("pi@kitchen", latency_ms=Range(estimate=40.0, low=30, high=50)))
    result = invoke(tmp_path, "--ssh", "pi@kitchen", "--target", "rpi4")
    assert "measured 40 ms, predicted for rpi4" in result.output
    assert "OUTSIDE the bounds" in result.output


def test_a_sustained_run_shows_its_drift(tmp_path, boards):
    seconds = tuple(
        SustainedSecond(
            t_seconds=n, median_ms=4 + n / 10, temperature_c=50.0 + n, clock_mhz=1500, throttled=n > 20
        )
        for n in range(31)
    )
    boards[0].append(measured("pi", sustained=seconds, sustained_threads=2))
    result = invoke(tmp_path, "--ssh", "pi", "--sustain", "30")
    assert "sustained, 2 threads" in result.output
    assert "from the first seconds to the last +61.9%" in result.output
    assert "80.0 C" in result.output and "yes" in result.output


def test_json_of_one_and_of_several(tmp_path, boards):
    schema = json.loads(SCHEMA.read_text())
    boards[0].append(measured("pi"))
    one = json.loads(invoke(tmp_path, "--ssh", "pi", "--target", "rpi4", "--json").output)
    jsonschema.validate(one, schema, jsonschema.Draft202012Validator)
    assert (one["method"], one["target"], one["latency_ms"]["estimate"]) == ("measured", "rpi4", 4.0)
    boards[0].append(LOST)
    result = invoke(tmp_path, "--ssh", "pi", "--ssh", "zero", "--json")
    several = json.loads(result.output)
    jsonschema.validate(several, schema, jsonschema.Draft202012Validator)
    assert [board["host"] for board in several["boards"]] == ["pi"]
    assert several["failures"][0]["message"] == "the connection to zero was lost"
    assert result.exit_code == 1


def test_forgetting_never_hides_the_measurement(tmp_path, boards, monkeypatch):
    def fail(host):
        raise ConnectError("gone")

    monkeypatch.setattr(import_module("edgesqueeze.timing.boards"), "forget", fail)
    boards[0].append(measured("pi"))
    result = invoke(tmp_path, "--ssh", "pi", "--forget")
    assert result.exit_code == 0
    assert "warning: pi: what measuring left there could not be removed: gone" in result.output
    assert "outputs right" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "which device?"),
        (("--ssh", "pi", "--plot", "x.svg"), "--plot does not go with --ssh"),
        (("--ssh", "pi", "--runtime", "c"), "--runtime does not go with --ssh"),
        (("--ssh", "pi", "--build", "O3"), "--build does not go with --ssh"),
        (("--target", "rpi4", "--sustain", "3"), "--sustain only goes with --ssh"),
        (("--target", "rpi4", "--install"), "--install only goes with --ssh"),
        (("--target", "rpi4", "--forget"), "--forget only goes with --ssh"),
        (("--target", "rpi4", "--threads", "1", "--threads", "2"), "several --threads only goes with --ssh"),
        (("--local", "--ssh-config", "x"), "--ssh-config"),
        (("--ssh", "-oProxyCommand=x"), "host"),
        (("--ssh", "pi", "--ssh", "zero", "--ssh", "pi"), "pi is named more than once"),
        (("--ssh", "pi", "--sustain", "nan"), "times from 0"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, boards, words, message):
    boards[0].append(measured("pi"))
    result = invoke(tmp_path, *words)
    assert result.exit_code == 1 and result.exception.exit_code == 2
    assert message in str(result.exception)
    assert not boards[1]
