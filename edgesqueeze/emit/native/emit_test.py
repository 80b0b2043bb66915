"""The generated folder: what is in it, what it promises, and what is refused."""

import random
import re
import subprocess

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native, try_native
from edgesqueeze.emit.native.kernels import CORE_SETS, FOLDER, files_of
from edgesqueeze.errors import EdgeSqueezeError, UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.random_layers import random_convolutions
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_compiled,
    tiny_dense,
    tiny_lstm,
    tiny_residual,
    tiny_two_heads,
)
from runtime_tests.support.tools import require_tool

MODELS = {
    "cnn": tiny_cnn(),
    "cnn_uint8": tiny_cnn(io="uint8"),
    "cnn_float32": tiny_cnn(io="float32"),
    "dense": tiny_dense(),
    "residual": tiny_residual(),
    "two_heads": tiny_two_heads(),
}


def samples_of(model, count=5):
    rng = np.random.default_rng(0)
    return [
        [
            rng.normal(0, 2, tensor.shape).astype(np.float32)
            if tensor.dtype == "float32"
            else rng.integers(0, 256, tensor.shape).astype(np.uint8).view(tensor.dtype)
            for tensor in model.main.input_tensors
        ]
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_tflm_under_sanitizers(name):
    require_tool("gcc", "gcc")
    model = parse_tflite(MODELS[name], name)
    samples = samples_of(model)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("core", [None, *CORE_SETS])
def test_folder_has_what_the_model_needs_and_no_more(core):
    source = emit_native(parse_tflite(tiny_cnn(), "tiny"), core=core)
    assert {"tiny.h", "tiny.c", "tiny_weights.c", "main.c", "Makefile", "CMakeLists.txt"} <= set(source.files)
    names = {path.removeprefix("kernels/") for path in source.files if path.startswith("kernels/")}
    assert "es_softmax_s8.c" in names
    assert not {"es_add_s8.c", "es_resize_bilinear_s8.c"} & names
    for path, text in source.files.items():
        assert set(re.findall(r'#include "([^"]+)"', text)) <= names | {"tiny.h", "tiny_weights.h"}, path


def test_generated_code_says_where_it_comes_from():
    model = parse_tflite(tiny_cnn(), "tiny")
    source = emit_native(model)
    for name in ("tiny.h", "tiny.c", "tiny_weights.c"):
        assert model.sha256 in source.files[name]
    assert f"TINY_ARENA_BYTES {source.arena_bytes}u" in source.files["tiny.h"]
    assert "es_conv2d_s8(&conv_2d_0" in source.files["tiny.c"]


def test_names_of_tensors_cannot_break_out_of_comments():
    graph = GraphBuilder()
    x = graph.fully_connected(graph.input((1, 4), name="*/ #error"), 2, name="a */ int x; /* b\\")
    text = emit_native(parse_tflite(graph.build([x]), "evil")).files["evil.c"]
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert "#error" not in plain
    assert "int x;" not in plain


def test_same_model_gives_the_same_files():
    model = parse_tflite(tiny_residual(), "again")
    assert emit_native(model, core="cortex-m4") == emit_native(model, core="cortex-m4")


@pytest.mark.parametrize("name", ["while", "9lives", "a-b", "main", "", "string", "stdint", "all", "es_conv"])
def test_names_that_are_not_valid_in_c_are_refused(name):
    with pytest.raises(UsageError, match="name in C"):
        emit_native(parse_tflite(tiny_cnn()), name=name)


def test_all_that_is_not_supported_is_named_at_once():
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 2))
    y = graph.tensor((1, 4, 4, 2), "int8", 0.1, 0)
    graph.op("COS", [x], [y])
    z = graph.tensor((1, 4, 4, 2), "int8", 0.1, 0)
    graph.op("FLOOR", [y], [z])
    wide = graph.unary("ELU", graph.input((1, 4, 4, 2), "int16"))
    with pytest.raises(UnsupportedModelError) as caught:
        emit_native(parse_tflite(graph.build([z, wide])))
    for words in ("COS: operator 0", "FLOOR: operator 1", "ELU: operator 2", "is int16"):
        assert words in str(caught.value)


def test_float_models_are_refused():
    with pytest.raises(UnsupportedModelError, match="not an int8 model"):
        emit_native(parse_tflite(tiny_dense(dtype="float32")))


def test_tensors_that_nothing_computes_are_refused():
    graph = GraphBuilder()
    x = graph.input((1, 8))
    unknown = graph.tensor((1, 8), "int8", 0.02, 0, name="lost")
    with pytest.raises(UnsupportedModelError, match="has what native C") as caught:
        emit_native(parse_tflite(graph.build([graph.add(x, unknown)])))
    assert "'lost' is not computed before" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "named", "unsaid"),
    [
        (tiny_lstm(), ("UNIDIRECTIONAL_SEQUENCE_LSTM (operator 0)",), "before"),
        (tiny_compiled(), ("it is a program for an Arm Ethos-U",), "before"),
    ],
)
def test_what_keeps_state_is_refused_by_its_name(content, named, unsaid):
    made = try_native(parse_tflite(content))
    said = "; ".join(map(str, made.refusals))
    assert all(words in said for words in named)
    assert unsaid not in said


def test_of_names_that_the_converter_joined_the_first_is_said():
    graph = GraphBuilder()
    x = graph.input((1, 8), "float32", name="net/dense/Relu;net/dense/BiasAdd")
    said = str(try_native(parse_tflite(graph.build([graph.fully_connected(x, 4)]))).refusals[-1])
    assert "FULLY_CONNECTED (operator 0): net/dense/Relu is float32, expected int8" in said


def test_constants_as_inputs_are_refused():
    graph = GraphBuilder()
    x = graph.tensor((1, 8), "int8", 0.02, 0, data=np.arange(8, dtype=np.int8).reshape(1, 8))
    y = graph.add(graph.fully_connected(x, 8), graph.input((1, 8)))
    with pytest.raises(UnsupportedModelError) as caught:
        emit_native(parse_tflite(graph.build([y])))
    assert "input is a constant" in str(caught.value)


@pytest.mark.parametrize("opcode", ["ADD", "MUL", "SUB"])
def test_an_operand_that_is_a_part_of_the_other_stays_whole(opcode):
    """The output must not run over the first operand while its part is still to be read."""
    require_tool("gcc", "gcc")
    graph = GraphBuilder(1)
    x = graph.fully_connected(graph.input((1, 16)), 32)
    rows = graph.reshape(x, (4, 8))
    parts = [graph.tensor((1, 8), "int8", graph.scale_of(x), -1) for _ in range(4)]
    axis = graph.constant(np.array(0, np.int32))
    graph.op("SPLIT", [axis, rows], parts, numSplits=4)
    y = graph.tensor((4, 8), "int8", 0.09, 3)
    graph.op(opcode, [rows, parts[0]], [y])
    model = parse_tflite(graph.build([y]))
    samples = samples_of(model)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    np.testing.assert_array_equal(got, tflm.run(model, samples))


def test_operators_that_only_compute_shapes_are_left_out():
    graph = GraphBuilder()
    x = graph.fully_connected(graph.input((1, 6)), 4)
    shape = graph.tensor((2,), "int32")
    graph.op("SHAPE", [x], [shape])
    y = graph.tensor((1, 2, 2), "int8", graph.scale_of(x), -1)
    graph.op("RESHAPE", [x, shape], [y])
    source = emit_native(parse_tflite(graph.build([y])))
    assert [layer.opcode for layer in source.layers] == ["FULLY_CONNECTED"]


def test_damaged_models_are_refused_or_make_sound_code():
    """Flipped bytes: only our errors, whatever they hit."""
    originals = [*MODELS.values(), random_convolutions(1, 7)]
    generator = random.Random(5)
    emitted = 0
    for _ in range(400):
        damaged = bytearray(generator.choice(originals))
        for _ in range(generator.choice([1, 1, 2, 4])):
            values = [0, 1, 2, 3, 127, 128, 255, generator.randrange(256)]
            damaged[generator.randrange(len(damaged))] = generator.choice(values)
        try:
            emit_native(parse_tflite(bytes(damaged), "damaged"))
            emitted += 1
        except EdgeSqueezeError:
            continue
    assert emitted > 50


@pytest.mark.parametrize("kernel_set", ["reference", "dsp", "mve"])
def test_kernels_follow_the_rules(kernel_set):
    """Every file says what it is, has functions of ours only, and takes no memory of its own."""
    for path in sorted((FOLDER / kernel_set).glob("*.c")):
        text = path.read_text()
        assert text.startswith("/* "), path.name
        assert "SPDX-License-Identifier: Apache-2.0" in text, path.name
        assert not re.search(r"\b(malloc|calloc|free|printf|memcpy_s)\s*\(", text), path.name
        assert not re.findall(r"^(?:void|int32_t|int) (?!es_)(\w+)\(", text, flags=re.MULTILINE), path.name


def test_set_of_files_is_closed():
    files = files_of("dsp", ["es_lstm_s8"])
    assert "es_dot_4_s8.c" in files
    assert files["es_dot_4_s8.c"] == (FOLDER / "dsp" / "es_dot_4_s8.c").read_text()
    assert files["es_lstm_s8.c"] == (FOLDER / "reference" / "es_lstm_s8.c").read_text()


@pytest.fixture
def folder(tmp_path):
    """A generated folder, outside of the repository."""
    for path, text in emit_native(parse_tflite(tiny_cnn(), "tiny")).files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_makefile_builds_a_library_and_a_program(folder):
    tmp_path = folder
    make = require_tool("make", "make")
    require_tool("gcc", "gcc")
    done = subprocess.run([make, "-C", str(tmp_path), "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\d: ", done.stdout, flags=re.MULTILINE)) == 4
    assert (tmp_path / "build" / "libtiny.a").is_file()


def test_cmake_builds_a_library_and_a_program(folder):
    cmake = require_tool("cmake", "cmake")
    require_tool("gcc", "gcc")
    for step in (["-S", ".", "-B", "out", "-DTINY_EXAMPLE=ON"], ["--build", "out"]):
        done = subprocess.run([cmake, *step], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
    done = subprocess.run([folder / "out" / "tiny_example"], capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 4


def test_two_models_in_one_firmware(tmp_path):
    """Libraries of two models link into one program, though both bring the same kernels."""
    make = require_tool("make", "make")
    require_tool("gcc", "gcc")
    models = {"one": tiny_cnn(), "two": tiny_residual()}
    for name, content in models.items():
        for path, text in emit_native(parse_tflite(content, name)).files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        subprocess.run([make, "-C", str(tmp_path / name)], capture_output=True, check=True)
    calls = "".join(
        f"{name}_model {name}; static uint8_t {name}_arena[{name.upper()}_ARENA_BYTES] "
        f"{name.upper()}_ARENA_ALIGNED; bad |= {name}_init(&{name}, {name}_arena, sizeof {name}_arena); "
        f"{name}_invoke(&{name});"
        for name in models
    )
    includes = "".join(f'#include "{name}/{name}.h"\n' for name in models)
    (tmp_path / "both.c").write_text(f"{includes}int main(void) {{ int bad = 0; {calls} return bad; }}")
    libraries = [f"{name}/build/lib{name}.a" for name in models]
    command = ["gcc", "-Wall", "-Werror", "-I.", "both.c", *libraries, "-o", "both"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "both"], check=False).returncode == 0


def test_init_refuses_an_arena_that_is_small_or_misaligned(folder):
    require_tool("gcc", "gcc")
    (folder / "check.c").write_text(
        '#include "tiny.h"\n'
        "static uint8_t arena[TINY_ARENA_BYTES + 16] TINY_ARENA_ALIGNED;\n"
        "int main(void) {\n"
        "  tiny_model model;\n"
        "  if (tiny_init(&model, arena, TINY_ARENA_BYTES) != 0) { return 1; }\n"
        "  if (tiny_init(&model, arena, TINY_ARENA_BYTES - 1) != -1) { return 2; }\n"
        "  return tiny_init(&model, arena + 4, TINY_ARENA_BYTES) == -1 ? 0 : 3;\n"
        "}\n"
    )
    sources = [str(path) for path in folder.rglob("*.c") if path.name != "main.c"]
    command = ["gcc", "-I", ".", "-I", "kernels", *sources, "-o", "check"]
    subprocess.run(command, cwd=folder, check=True)
    assert subprocess.run([folder / "check"], check=False).returncode == 0
