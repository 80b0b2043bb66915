import json
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from edgesqueeze.base.records import Range
from edgesqueeze.cli.bench import bench
from edgesqueeze.timing.emulation import EmulatedLayer, EmulatedMemory, Emulation, EmulationSetup
from runtime_tests.support.tflite_builder import tiny_compiled, tiny_dense, tiny_hybrid

SCHEMA = Path(__file__).parents[1] / "schemas" / "bench.schema.json"


def span(estimate):
    return Range(estimate=estimate, low=estimate * 0.8, high=estimate * 1.2)


RECORD = Emulation(
    model="door",
    sha256="0" * 64,
    target="nucleo-l4r5zi",
    core="cortex-m4",
    clock_mhz=120,
    build="O3",
    opt="O3",
    latency_ms=span(12.345),
    instructions=1_234_567,
    cycles=span(1_481_400),
    macs=1_000_000,
    layers=(
        EmulatedLayer(
            index=0,
            opcode="CONV_2D",
            name="conv",
            summary="3x3: 8x8x4 -> 8x8x8",
            kernels=("es_conv2d_s8",),
            macs=1_000_000,
            instructions=1_234_000,
            classes={"alu": 1_234_000},
            cycles=span(1_480_000),
            share=0.999,
            weights_bytes=20_000,
            ram_bytes=1024,
        ),
        EmulatedLayer(
            index=1,
            opcode="SOFTMAX",
            name="scores",
            summary="4 -> 4",
            kernels=("es_softmax_s8",),
            macs=0,
            instructions=500,
            classes={"alu": 500},
            cycles=span(1400),
            share=0.001,
            weights_bytes=0,
            ram_bytes=16,
        ),
    ),
    memory=EmulatedMemory(
        flash_code_bytes=9000,
        flash_model_bytes=20500,
        flash_weights_bytes=20000,
        flash_parameters_bytes=500,
        flash_bytes=29500,
        ram_arena_bytes=8000,
        ram_static_bytes=0,
        ram_stack_bytes=200,
        ram_bytes=8200,
    ),
    emulation=EmulationSetup(
        machine="mps2-an386",
        core="cortex-m4",
        emulator="QEMU emulator version 7.2.22",
        compiler="arm-none-eabi-gcc 12.2.1",
        flags="-mcpu=cortex-m4 -O3",
        kernel_set="dsp",
        checked_samples=3,
        reference="tflm",
    ),
    basis=("instructions: counted exactly", "cycles: a manual"),
)


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def fake(model, target, **options):
        calls.append((model.name, target.name, options))
        return RECORD

    # The package may have put the function in the place of the module of the same name.
    monkeypatch.setattr(import_module("edgesqueeze.timing.bench"), "bench", fake)
    return calls


def invoke(tmp_path, *arguments, columns="120"):
    (tmp_path / "door.tflite").write_bytes(tiny_dense())
    words = [str(tmp_path / "door.tflite"), "--target", "nucleo-l4r5zi", *arguments]
    result = CliRunner().invoke(bench, words, env={"COLUMNS": columns}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_person_sees_layers_and_totals(tmp_path, asked):
    lines = [" ".join(line.split()) for line in invoke(tmp_path).splitlines()]
    assert asked == [
        ("door", "nucleo-l4r5zi", {"runtime": "", "build": None, "optimize": None, "threads": 1})
    ]
    for line in (
        "door on nucleo-l4r5zi (cortex-m4, 120 MHz), native C, -O3: emulated",
        "0 CONV_2D 3x3: 8x8x4 -> 8x8x8 1,000,000 1,234,000 1.23 99.9% 20,000 1,024",
        "1 SOFTMAX 4 -> 4 - 500 - 0.1% - 16",
        "all 1,000,000 1,234,567 1.23 100% 20,000 8,000",
        "latency 12.3 (9.88 to 14.8) ms at 120 MHz",
        "flash 29,500 bytes: weights 20,000, code 9,000, parameters 500",
        "RAM 8,200 bytes: arena 8,000, stack 200, variables 0",
        "outputs equal to TensorFlow Lite Micro's, and to those of the portable C, on 3 random inputs",
        "cycles: a manual",
    ):
        assert line in lines


def test_the_portable_c_alone(tmp_path, asked, monkeypatch):
    emulation = RECORD.emulation.model_copy(update={"reference": "c"})
    alone = RECORD.model_copy(update={"emulation": emulation})
    monkeypatch.setattr(import_module("edgesqueeze.timing.bench"), "bench", lambda *_, **__: alone)
    assert "outputs  equal to those of the portable C on 3 random inputs" in invoke(tmp_path)


@pytest.mark.parametrize("columns", ["40", "60", "77", "80", "100", "200"])
def test_no_number_is_broken(tmp_path, monkeypatch, columns):
    names = {"opcode": "DEPTHWISE_CONV_2D", "summary": "10x4: 100x100x16->50x50x128"}
    wide = RECORD.model_copy(update={"layers": (RECORD.layers[0].model_copy(update=names),)})
    monkeypatch.setattr(import_module("edgesqueeze.timing.bench"), "bench", lambda *_, **__: wide)
    text = invoke(tmp_path, columns=columns)
    rows = text[: text.index("latency")].splitlines()[1:]
    words = {word for row in rows for word in row.split()}
    assert {"operator", "shapes", "MACs", "instr.", "/MAC", "time"} <= words
    assert {"DEPTHWISE_CONV_2D", "10x4:", "1,000,000", "1,234,000", "1.23", "99.9%"} <= words
    assert {"100x100x16->50x50x128"} <= words or {"100x100x16->", "50x50x128"} <= words
    if int(columns) >= 77:
        assert max(map(len, rows)) <= int(columns)
    assert ("flash" in words) == (int(columns) >= 100)


def test_options_and_json(tmp_path, asked):
    document = json.loads(invoke(tmp_path, "--build", "Os", "--optimize", "size", "--json"))
    assert asked[0][2] == {"runtime": "", "build": "Os", "optimize": "size", "threads": 1}
    assert document == json.loads(RECORD.model_dump_json())
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("words", [("--build", "O9"), ("--runtime", "tvm")])
def test_an_unknown_level_or_runtime(tmp_path, words):
    (tmp_path / "a.tflite").write_bytes(tiny_dense())
    result = CliRunner().invoke(bench, [str(tmp_path / "a.tflite"), "--target", "pico", *words])
    assert result.exit_code == 2
    assert f"Invalid value for '{words[0]}'" in result.output


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (tiny_compiled(), (), "was compiled for an Arm Ethos-U"),
        (tiny_compiled(), ("--runtime", "tflm"), "was compiled for an Arm Ethos-U"),
        (tiny_hybrid(), (), "does not fit"),
        (tiny_hybrid(), ("--runtime", "tflm"), "tflm does not run it"),
    ],
)
def test_what_the_device_does_not_run_is_one_exit_status(tmp_path, content, words, said):
    (tmp_path / "a.tflite").write_bytes(content)
    result = CliRunner().invoke(bench, [str(tmp_path / "a.tflite"), "--target", "nucleo-l4r5zi", *words])
    assert said in result.exception.problem
    assert result.exception.exit_code == 1
