import importlib.util
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.emit import tflm_values
from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.tflm import emit_tflm
from edgesqueeze.errors import UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners.arena import find_arena
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_compiled,
    tiny_dense,
    tiny_lstm,
    tiny_residual,
    tiny_sum,
    tiny_svdf,
    tiny_two_heads,
)
from runtime_tests.support.tools import require_tool

STUB = Path(__file__).parent / "testdata" / "tflm_stub"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti", f"-I{STUB}"]
ARENA = Arena(
    bytes=2960, measured_bytes=2448, scratch_bytes=256, margin_bytes=256, measured_on="here", method=""
)
M4_ARENA = ARENA.model_copy(update={"core": "cortex-m4"})


def write(folder, source):
    for name, text in source.files.items():
        (folder / name).write_text(text)


def example_of(header):
    """The code in the header's usage comment."""
    comment = header[: header.index("#ifndef")]
    return re.sub(r"^//   ?", "", comment[comment.index("//   #include") :], flags=re.MULTILINE)


def run(*command, cwd):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


MODELS = {
    "cnn": tiny_cnn(),
    "float_io": tiny_cnn(io="float32"),
    "uint8_io": tiny_cnn(io="uint8"),
    "residual": tiny_residual(),
    "two heads": tiny_two_heads(),
    "lstm": tiny_lstm(),
    "svdf": tiny_svdf(),
    "variables": tiny_sum(),
}


@pytest.mark.parametrize("name", MODELS)
def test_code_and_its_example_compile_for_arm_without_a_warning(tmp_path, name):
    compiler = require_tool("arm-none-eabi-g++", "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    source = emit_tflm(parse_tflite(MODELS[name], name=name), M4_ARENA)
    write(tmp_path, source)
    header = next(text for file, text in source.files.items() if file.endswith(".h"))
    (tmp_path / "example.cc").write_text(example_of(header))
    cpu = ["-mcpu=cortex-m4", "-mthumb", "-Os", "-c"]
    run(compiler, "-std=c++14", *cpu, *WARNINGS, "example.cc", *tmp_path.glob("*_model.cc"), cwd=tmp_path)


@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_the_header_needs_nothing_else(tmp_path, standard):
    compiler = require_tool("g++", "g++")
    write(tmp_path, emit_tflm(parse_tflite(tiny_two_heads(), name="heads"), ARENA))
    (tmp_path / "shapes.cc").write_text(
        '#include "heads_model.h"\n#include "heads_model.h"\n'
        'static_assert(heads_model::kInput1Shape[1] == 6, "");\n'
        'static_assert(heads_model::kGyroInputIndex == 1 && heads_model::kInput1ZeroPoint == 3, "");\n'
        'static_assert(sizeof(g_heads_model_data) == g_heads_model_data_size, "");\n'
    )
    options = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-c"]
    run(compiler, f"-std={standard}", *options, "shapes.cc", "heads_model.cc", cwd=tmp_path)


PROGRAM = r"""
#include <cstdio>
#include <cstdint>

#include "one_model.h"
#include "two_model.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

template <unsigned int N>
using Resolver = tflite::MicroMutableOpResolver<N>;

template <unsigned int N, typename Register>
int Show(const unsigned char* data, std::size_t size, Register register_ops) {
  Resolver<N> resolver;
  if (register_ops(resolver) != kTfLiteOk || resolver.count != N) return 1;
  for (const char* name : resolver.names) std::printf("%s ", name);
  std::printf("%zu\n", reinterpret_cast<std::uintptr_t>(data) % 16);
  for (std::size_t i = 0; i < size; ++i) std::printf("%02x", data[i]);
  std::printf("\n");
  return 0;
}

int main() {
  return Show<one_model::kOperatorCount>(
             g_one_model_data, g_one_model_data_size,
             [](Resolver<one_model::kOperatorCount>& r) { return one_model::RegisterOps(r); }) +
         Show<two_model::kOperatorCount>(
             g_two_model_data, g_two_model_data_size,
             [](Resolver<two_model::kOperatorCount>& r) { return two_model::RegisterOps(r); });
}
"""


def test_two_models_in_one_program_give_back_their_bytes_and_operators(tmp_path):
    compiler = require_tool("g++", "g++")
    contents = {"one": tiny_cnn(), "two": tiny_residual()}
    for name, content in contents.items():
        write(tmp_path, emit_tflm(parse_tflite(content), ARENA, name=name))
    (tmp_path / "main.cc").write_text(PROGRAM)
    run(compiler, "-std=c++14", *WARNINGS, *tmp_path.glob("*.cc"), "-o", "program", cwd=tmp_path)

    lines = run(tmp_path / "program", cwd=tmp_path).decode().splitlines()

    assert (
        lines[0] == "AddAveragePool2D AddConv2D AddDepthwiseConv2D AddFullyConnected AddReshape AddSoftmax 0"
    )
    assert lines[2] == "AddAdd AddConv2D AddFullyConnected AddMaxPool2D AddReshape 0"
    assert bytes.fromhex(lines[1]) == contents["one"]
    assert bytes.fromhex(lines[3]) == contents["two"]


def test_a_resolver_that_is_too_small_is_noticed(tmp_path):
    compiler = require_tool("g++", "g++")
    write(tmp_path, emit_tflm(parse_tflite(tiny_cnn()), ARENA, name="one"))
    (tmp_path / "main.cc").write_text(
        '#include "one_model.h"\n#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n'
        "int main() {\n  tflite::MicroMutableOpResolver<one_model::kOperatorCount - 1> small;\n"
        "  return one_model::RegisterOps(small) == kTfLiteError ? 0 : 1;\n}\n"
    )
    run(compiler, "-std=c++14", *WARNINGS, *tmp_path.glob("*.cc"), "-o", "program", cwd=tmp_path)
    run(tmp_path / "program", cwd=tmp_path)


def test_the_header_says_what_it_is_made_of():
    model = parse_tflite(tiny_cnn(), name="Türsensor 2")
    source = emit_tflm(model, M4_ARENA)
    assert source.name == "tursensor_2"
    assert list(source.files) == ["tursensor_2_model.h", "tursensor_2_model.cc"]
    header = source.files["tursensor_2_model.h"]
    for text in (
        model.sha256,
        tflm_values.generator(),
        "T\\u00fcrsensor 2, for TensorFlow Lite Micro",
        "constexpr std::size_t kArenaBytes = 2960;",
        "2448  measured in here",
        "256  scratch memory for CMSIS-NN's kernels on Cortex-M4",
        "256  for safety",
        "constexpr int kInputShape[] = {1, 8, 8, 1};",
        "constexpr float kOutputScale = 0.00390625f;",
        "constexpr int kOutputZeroPoint = -128;",
        "using InputType = std::int8_t;",
    ):
        assert text in header
    assert max(map(len, header.splitlines())) <= 90
    assert not any(line.endswith((" ", "\\")) for line in header.splitlines())


def test_the_same_model_gives_the_same_bytes():
    model = parse_tflite(tiny_cnn(), name="same")
    assert emit_tflm(model, ARENA).files == emit_tflm(model, ARENA).files


def test_scales_survive_asfloat_literals():
    for value in (0.02, 1 / 3, 1e-9, 123456.0, 1.0, 3.4e38, np.float32(0.1)):
        text = tflm_values.float_literal(value)
        assert re.fullmatch(r"[0-9.]+(e[+-]?\d+)?f", text) and ("." in text or "e" in text)
        assert np.float32(text[:-1]) == np.float32(value)


@pytest.mark.parametrize(
    "name", ["ends with \\", "what??/", "a */ b", "line\nbreak", 'quo"te', "tab\t", "%s%n", "{{ 7 * 7 }}"]
)
def test_odd_model_and_tensor_names_do_no_harm(tmp_path, name):
    compiler = require_tool("g++", "g++")
    graph = GraphBuilder()
    left, right = graph.input((1, 4), name=name), graph.input((1, 4), name=name + "!")
    model = parse_tflite(graph.build([graph.add(left, right, name=name)]), name=name)
    source = emit_tflm(model, ARENA)
    write(tmp_path, source)
    run(
        compiler,
        "-std=c++14",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-trigraphs",
        "-c",
        *tmp_path.glob("*.cc"),
        cwd=tmp_path,
    )
    assert "49" not in next(iter(source.files.values())).split("#ifndef")[0].split("SHA-256")[0]


def test_a_name_from_the_user_must_be_valid():
    with pytest.raises(UsageError, match="model_3d would do"):
        emit_tflm(parse_tflite(tiny_dense()), ARENA, name="3d")


def test_operators_that_tflm_lacks_are_named_all_at_once():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    for kind in ("SEGMENT_SUM", "RANK"):
        y = graph.activation((1, 4), "int8")
        graph.op(kind, [x], [y])
        x = y
    y = graph.activation((1, 4), "int8")
    graph.op("CUSTOM", [x], [y], custom_name="MyOp")
    with pytest.raises(UnsupportedModelError, match="MyOp, RANK, SEGMENT_SUM"):
        emit_tflm(parse_tflite(graph.build([y])), ARENA)


def test_custom_operators_of_tflm_are_registered():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    y = graph.activation((1, 4), "int8")
    graph.op("CUSTOM", [x], [y], custom_name="CIRCULAR_BUFFER")
    assert emit_tflm(parse_tflite(graph.build([y])), ARENA).operators == ("AddCircularBuffer",)


def test_a_model_without_operators_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    with pytest.raises(UnsupportedModelError, match="no operators"):
        emit_tflm(parse_tflite(graph.build([x])), ARENA)


def test_an_input_type_that_cpp_lacks_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float16")
    y = graph.tensor((1, 4), "float32")
    graph.op("DEQUANTIZE", [x], [y])
    with pytest.raises(UnsupportedModelError, match="float16"):
        emit_tflm(parse_tflite(graph.build([y])), ARENA)


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is for x86-64 Linux only"
)
def test_with_the_real_interpreter():
    model = parse_tflite(tiny_cnn())
    source = emit_tflm(model, find_arena(model, "cortex-m4"))
    assert f"kArenaBytes = {source.arena.bytes};" in source.files["model.h"]
    assert f"{source.arena.measured_bytes}  measured in TFLite Micro" in source.files["model.h"]


def header_of(content, name="m"):
    return emit_tflm(parse_tflite(content), ARENA, name=name).files[f"{name}_model.h"]


def test_resource_variables_are_counted_and_given_to_the_interpreter():
    header = header_of(tiny_sum())
    assert "kResourceVariableCount = 1;" in header
    assert "MicroResourceVariables::Create(allocator," in example_of(header)
    assert "MicroResourceVariables" not in header_of(tiny_lstm()) + header_of(tiny_cnn())


@pytest.mark.parametrize(
    ("content", "resets", "said"),
    [
        (tiny_lstm(), True, "keeps state from one Invoke() to the next"),
        (tiny_svdf(), False, "only where a new sequence starts"),
        (tiny_sum(), False, "1 resource variable"),
        (tiny_cnn(), False, ""),
    ],
)
def test_the_header_says_when_to_reset(content, resets, said):
    header = header_of(content)
    comment = " ".join(header[: header.index("#ifndef")].replace("//", "").split())
    assert said in comment
    assert ("interpreter.Reset() != kTfLiteOk" in header) is resets
    assert ("state" in comment) is bool(said)


def test_a_model_for_an_ethos_u_registers_it():
    source = emit_tflm(parse_tflite(tiny_compiled("ethos-u")), ARENA)
    assert source.operators == ("AddEthosU",)
