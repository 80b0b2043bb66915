"""Generated C on every core: it compiles without a warning, computes what TFLM computes, and is fast."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import FOLDER
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.mltk_models import MODELS
from runtime_tests.support.native_figures import PROCESSORS, measure, peer, tensor_bytes
from runtime_tests.support.random_layers import random_convolutions, random_inputs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_residual, tiny_two_heads
from runtime_tests.support.tools import require_tool

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic", "-ffreestanding", "-c")
ARCHITECTURES = {
    "host": ("", ""),
    "thumbv6m": ("-mcpu=cortex-m0plus -mfloat-abi=soft", "thumbv6m-none-eabi"),
    "thumbv7m": ("-mcpu=cortex-m3 -mfloat-abi=soft", "thumbv7m-none-eabi"),
    "thumbv7em": ("-mcpu=cortex-m4 -mfloat-abi=soft", "thumbv7em-none-eabi"),
    "thumbv7em+fp": ("-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard", "thumbv7em-none-eabihf"),
    "thumbv8m.main": ("-mcpu=cortex-m33 -mfloat-abi=soft", "thumbv8m.main-none-eabi"),
    "thumbv8.1m.main+mve": (
        "-march=armv8.1-m.main+mve.fp+fp.dp -mfloat-abi=hard",
        "thumbv8.1m.main-none-eabihf",
    ),
}
"""Name -> options of GCC, and the triple for Clang."""
SETS = {
    "reference": tuple(ARCHITECTURES),
    "dsp": ("thumbv7em", "thumbv7em+fp", "thumbv8m.main"),
    "mve": ("thumbv8.1m.main+mve",),
}
# Clang brings no C library for Cortex-M; this is where Debian has newlib's headers.
NEWLIB = ("-isystem", "/usr/include/newlib")
# Without optimization a compiler sees what it does not see with it, such as an operand of an instruction that
# is no constant. Between architectures that a set does not know apart there is no difference then.
BARE = {"reference": ("host", "thumbv6m", "thumbv7em+fp"), "dsp": ("thumbv7em+fp",), "mve": SETS["mve"]}
CASES = [
    (kernels, name, level)
    for level, sets in (("-O0", BARE), ("-O2", SETS))
    for kernels, names in sets.items()
    for name in names
]
CORE_OF_SET = {"reference": None, "dsp": "cortex-m4", "mve": "cortex-m55"}


def compiler_command(compiler, architecture):
    gcc_options, triple = ARCHITECTURES[architecture]
    if compiler == "clang":
        command = [require_tool("clang", "clang")]
        return [*command, f"--target={triple}", *gcc_options.split(), *NEWLIB] if triple else command
    name, package = ("arm-none-eabi-gcc", "gcc-arm-none-eabi") if triple else ("gcc", "gcc")
    return [
        require_tool(name, package),
        *gcc_options.replace(" -mthumb", "").split(),
        *(["-mthumb"] * bool(triple)),
    ]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(("kernels", "architecture", "level"), CASES)
def test_everything_compiles_without_a_warning(kernels, architecture, compiler, level, tmp_path):
    for name, text in emit_native(
        parse_tflite(tiny_two_heads(), "heads"), core=CORE_OF_SET[kernels]
    ).files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    generated = [str(path) for path in tmp_path.glob("*.c")]
    if architecture == "host":
        generated = [path for path in generated if not path.endswith("main.c")]  # it prints
    paths = [str(path) for path in sorted((FOLDER / kernels).glob("*.c"))]
    includes = [f"-I{FOLDER / name}" for name in ("include", kernels, "reference")]
    # Clang warns before it optimizes: the same of pure C on every core, but for what its headers differ in.
    alike = compiler == "clang" and kernels == "reference" and architecture not in BARE[kernels]
    how = [level, *["-fsyntax-only"] * alike]
    command = [*compiler_command(compiler, architecture), *STRICT, *how, *includes, *paths, *generated]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def run_on(core, content, samples, level):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, processor = parse_tflite(content), PROCESSORS[core]
    source = emit_native(model, core=processor.kernel_core)
    return run_firmware(build_firmware(source, processor, level), samples).outputs


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("core", PROCESSORS)
def test_random_layers_on_each_core_equal_tflm(core, seed):
    content = random_convolutions(seed, 28)
    model = parse_tflite(content)
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    got = run_on(core, content, samples, "O3" if seed % 2 else "Os")
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for operator, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"{core}, seed {seed}, {operator}")


def every_accumulator():
    """A 1x1 convolution that meets every sum from -16,384 to 16,256, and all pairs of int8 that make them.

    Scales are powers of two (every other boundary is a tie) and others; outputs saturate at both ends.
    """
    graph = GraphBuilder(0, name="sums")
    x = graph.input((1, 256, 256, 2), "int8", 0.5, 0)
    scales = [2.0**-6, 2.0**-7, 2.0**-9, 0.013, 0.0049, 0.00303, 2.0**-16, 0.4]
    weights = np.array([[127, 1]] * len(scales), np.int8).reshape(-1, 1, 1, 2)
    kernel = graph.tensor(weights.shape, "int8", scales, [0] * len(scales), data=weights)
    offsets = np.array([0, 1, -1, 77, -5000, 3, 0, 9], np.int32)
    bias = graph.tensor((len(scales),), "int32", [0.5 * s for s in scales], [0] * len(scales), data=offsets)
    y = graph.tensor((1, 256, 256, len(scales)), "int8", 1.0, -3)
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    graph.op("CONV_2D", [x, kernel, bias], [y], version=3, padding="SAME", **options)
    return graph.build([y])


@pytest.mark.parametrize("core", PROCESSORS)
def test_requantization_of_every_accumulator(core):
    content = every_accumulator()
    model = parse_tflite(content)
    values = np.arange(-128, 128, dtype=np.int8)
    pairs = np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1)[None]
    (got,) = run_on(core, content, [[pairs]], "O2")
    (expected,) = tflm.run(model, [[pairs]])
    assert len(np.unique(expected)) > 200
    np.testing.assert_array_equal(got[0], expected[0])


@pytest.mark.parametrize("core", PROCESSORS)
@pytest.mark.parametrize("make", [tiny_cnn, tiny_residual])
def test_small_models_on_each_core_equal_tflm(core, make):
    content = make()
    model = parse_tflite(content)
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 5)
    got = run_on(core, content, samples, "O2")
    np.testing.assert_array_equal(got, tflm.run(model, samples))


@pytest.fixture(scope="module")
def figures():
    """Core -> model -> what it costs at -O3."""
    for name, package in (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("qemu-system-arm", "qemu-system-arm")):
        require_tool(name, package)
    return {core: {name: measure(name, core) for name in MODELS} for core in ("m4", "m55", "m3")}


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("keyword_spotting", 3_000_000),
        ("image_classification", 11_500_000),
        ("visual_wake_words", 6_100_000),
        ("anomaly_detection", 300_000),
    ],
)
def test_instructions_on_cortex_m4(figures, model, most):
    assert figures["m4"][model].instructions <= most


@pytest.mark.parametrize(("core", "gain"), [("m4", 2.6), ("m55", 3.2), ("m3", 1.7)])
def test_fewer_instructions_than_the_peer(figures, core, gain):
    gains = [peer(name, core).instructions / ours.instructions for name, ours in figures[core].items()]
    assert min(gains) > 1.4
    assert np.exp(np.mean(np.log(gains))) >= gain


@pytest.mark.parametrize("core", ["m4", "m55", "m3"])
def test_whole_models_are_exact_and_small(figures, core):
    for name, ours in figures[core].items():
        other = peer(name, core)
        assert ours.exact, name
        assert ours.code_bytes <= other.code_bytes["O3"] / 3
        assert ours.weights_bytes <= 1.06 * tensor_bytes(name)
        assert ours.ram_bytes < other.arena_bytes
    shares = [ours.ram_bytes / peer(name, core).arena_bytes for name, ours in figures[core].items()]
    assert np.exp(np.mean(np.log(shares))) <= 0.5


def test_counts_are_deterministic(figures):
    assert measure("tflite_micro_magic_wand", "m4") == figures["m4"]["tflite_micro_magic_wand"]


def test_kernels_are_in_the_package():
    assert (Path(FOLDER) / "include" / "es_types.h").is_file()
