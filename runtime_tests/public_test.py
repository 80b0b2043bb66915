"""The names that ``import edgesqueeze`` offers, and what they take."""

import ast
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgesqueeze as es
from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.devices import BOARD, COSTS
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.tools import require_tool

SOURCE = Path(es.__file__).read_text(encoding="utf-8")
KINDS = [str, Path]
LITERT = ("litert-reference",)
MODEL = parse_tflite(tiny_cnn())

EVERY_MODULE = """
import importlib, inspect, json, pkgutil, sys
import edgesqueeze
failed = []
for module in pkgutil.walk_packages(edgesqueeze.__path__, 'edgesqueeze.'):
    if not module.name.endswith(('_test', 'conftest')):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed.append(f'{module.name}: {error.name}')
modules = [name for name in edgesqueeze.__all__ if inspect.ismodule(getattr(edgesqueeze, name))]
uncallable = [name for name in edgesqueeze.__all__ if not callable(getattr(edgesqueeze, name))]
print(json.dumps([failed, modules, uncallable, len(sys.modules)]))
"""


def printed(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


def test_no_public_name_is_a_module_whatever_was_imported():
    failed, modules, uncallable, count = printed(EVERY_MODULE)
    # It runs in an environment of its own, which need not be there.
    assert failed in ([], ["edgesqueeze.runners.tflite_runtime_worker: tflite_runtime"])
    assert (modules, uncallable) == ([], [])
    assert count > 500


def test_importing_the_package_costs_nothing():
    code = "import json, sys\nbefore = set(sys.modules)\nimport edgesqueeze\n"
    new = printed(code + "print(json.dumps(sorted(set(sys.modules) - before)))")
    heavy = {"numpy", "pydantic", "dataclasses", "inspect", "importlib.metadata"}
    assert not heavy & set(new)
    assert [name for name in new if name.startswith("edgesqueeze")] == [
        "edgesqueeze",
        "edgesqueeze.base",
        "edgesqueeze.base.lazy",
        "edgesqueeze.errors",
    ]


def test_the_errors_are_there_without_an_import_of_their_own():
    assert printed("import json, edgesqueeze as es\nprint(json.dumps(es.errors.FitError.exit_code))") == 1


def test_type_checkers_see_the_table():
    imports = [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.ImportFrom)]
    typed = {
        alias.asname: f"{node.module}:{alias.name}"
        for node in imports
        for alias in node.names
        if alias.asname is not None and node.module != "edgesqueeze"
    }
    assert typed == {name: one.path for name, one in es._PUBLIC.items()}


def test_the_documentation_lists_every_name():
    listed = {line.split()[0] for line in es.__doc__.splitlines() if line.startswith("    ")}
    assert listed == set(es.__all__)
    for name in es.__all__:
        assert getattr(es, name).__doc__, name


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        es.compres  # noqa: B018
    assert set(es.__all__) <= set(dir(es))


@pytest.mark.parametrize("kind", KINDS)
def test_models_come_by_path(kind, model):
    path = kind(model)
    assert es.read_tflite(path).name == "tiny"
    assert es.emit_native(path).name == "tiny"
    assert es.needs_of(path) == es.needs_of(es.read_tflite(path))
    assert es.fit_to(path, "rpi4") == es.fit_to(es.read_tflite(path), "rpi4")
    assert es.predict(path, "rpi4").latency_ms.estimate > 0
    assert es.bench(path, "rpi4") == es.predict(path, "rpi4")


@pytest.mark.parametrize("kind", KINDS)
def test_firmware_for_tflm_from_a_path(kind, model):
    pytest.importorskip("tflite_micro")
    arena = es.find_arena(kind(model), "cortex-m4")
    source = es.emit_tflm(kind(model), arena)
    assert any(str(arena.bytes) in text for text in source.files.values())
    smaller = es.emit_tflm(kind(model), arena, content=es.tflm_array(kind(model)).content)
    assert smaller.array_bytes < source.array_bytes == model.stat().st_size


@pytest.mark.parametrize("kind", KINDS)
def test_an_emulation_from_paths(kind, model):
    for tool, package in (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("qemu-system-arm", "qemu-system-arm")):
        require_tool(tool, package)
    assert es.emulate(kind(model), "pico", build="Os").instructions > 0


@pytest.mark.parametrize("kind", KINDS)
def test_verification_from_paths(kind, model, tmp_path):
    x = np.random.default_rng(0).uniform(-2, 2, (12, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x_test=x, y_test=np.arange(12) % 4)
    found = es.verify(kind(model), data=kind(tmp_path / "data.npz"), against=kind(model), runtimes=LITERT)
    assert (found.data, found.samples, found.ok) == ("given", 12, True)
    assert found.fidelity.outputs[0].top1_agreement == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_from_a_path(kind, model):
    settings = es.Settings(threads=(1,), min_runs=1, min_seconds=0.0, max_seconds=0.0)
    assert es.measure(kind(model), "local", settings).outputs.ok
    (found,) = es.measure_all(kind(model), ["local"], settings)
    assert found.outputs.ok


@pytest.mark.parametrize("kind", KINDS)
def test_recipes_and_targets_come_by_path(kind, tmp_path):
    (tmp_path / "r.toml").write_text("[cluster]\nclusters = 8\n")
    assert es.load_recipe(kind(tmp_path / "r.toml")).cluster.clusters == 8
    shipped = Path(__file__).resolve().parents[1] / "targets" / "pico.toml"
    assert es.load_target(kind(shipped)) == es.load_target("pico") == es.load_target(Path("pico"))
    fits = es.check_fit(kind(shipped), es.ModelNeeds(model_bytes=1000, operators=()))
    assert (fits.target, fits.ok) == ("pico", True)


@pytest.mark.parametrize("kind", KINDS)
def test_folders_and_files_of_devices(kind, tmp_path, monkeypatch):
    class Board(es.Session):
        def __init__(self):
            self.device = BOARD

    monkeypatch.setattr("edgesqueeze.timing.calibrate.measure_latency", lambda session, progress: COSTS)
    made = es.calibrate(Board(), name="mine", folder=kind(tmp_path / "targets"))
    assert made.path == tmp_path / "targets" / "mine.toml"
    (tmp_path / "config").touch()
    assert es.parse_host("me@pi", kind(tmp_path / "config")).config == tmp_path / "config"


# What each function says that it takes, called with something else.
WRONG = {
    "read_tflite": (lambda wrong: es.read_tflite(wrong), "path of a .tflite"),
    "emit_native": (lambda wrong: es.emit_native(wrong), "path of a .tflite"),
    "emit_tflm": (lambda wrong: es.emit_tflm(wrong, None), "path of a .tflite"),
    "emit_tflm arena": (lambda wrong: es.emit_tflm(MODEL, wrong), "Arena"),
    "find_arena": (lambda wrong: es.find_arena(wrong), "path of a .tflite"),
    "tflm_array": (lambda wrong: es.tflm_array(wrong), "path of a .tflite"),
    "fit_to": (lambda wrong: es.fit_to(wrong, "rpi4"), "path of a .tflite"),
    "fit_to target": (lambda wrong: es.fit_to(MODEL, wrong), "name of a target"),
    "needs_of": (lambda wrong: es.needs_of(wrong), "path of a .tflite"),
    "predict": (lambda wrong: es.predict(wrong, "rpi4"), "path of a .tflite"),
    "predict target": (lambda wrong: es.predict(MODEL, wrong), "name of a target"),
    "bench": (lambda wrong: es.bench(wrong, "rpi4"), "path of a .tflite"),
    "bench target": (lambda wrong: es.bench(MODEL, wrong), "name of a target"),
    "emulate": (lambda wrong: es.emulate(wrong, "pico"), "path of a .tflite"),
    "emulate target": (lambda wrong: es.emulate(MODEL, wrong), "name of a target"),
    "emulate_program": (lambda wrong: es.emulate_program(wrong, "pico"), "texts of C"),
    "emulate_program target": (lambda wrong: es.emulate_program({}, wrong), "name of a target"),
    "verify": (lambda wrong: es.verify(wrong), "path of a .tflite"),
    "verify data": (lambda wrong: es.verify(MODEL, data=wrong, runtimes=LITERT), "EvalData"),
    "verify against": (lambda wrong: es.verify(MODEL, against=wrong, runtimes=LITERT), "the original"),
    "measure": (lambda wrong: es.measure(wrong, "local"), "path of a .tflite"),
    "measure device": (lambda wrong: es.measure(MODEL, wrong), "a Session, a Host"),
    "measure settings": (lambda wrong: es.measure(MODEL, "local", wrong), "Settings"),
    "measure_all": (lambda wrong: es.measure_all(wrong, ["local"]), "path of a .tflite"),
    "measure_all hosts": (lambda wrong: es.measure_all(MODEL, [wrong]), "a Host"),
    "open_session": (lambda wrong: entered(es.open_session(wrong)), "a Host"),
    "parse_host": (lambda wrong: es.parse_host(wrong), "name of a host"),
    "parse_host config": (lambda wrong: es.parse_host("pi", wrong), "ssh configuration"),
    "calibrate": (lambda wrong: es.calibrate(wrong), "a Session"),
    "load_recipe": (lambda wrong: es.load_recipe(wrong), "path of a recipe"),
    "parse_recipe": (lambda wrong: es.parse_recipe(wrong), "nested dictionaries"),
    "load_target": (lambda wrong: es.load_target(wrong), "name of a target"),
    "check_fit": (lambda wrong: es.check_fit(wrong, es.ModelNeeds(model_bytes=1, operators=())), "target"),
    "check_fit needs": (lambda wrong: es.check_fit("pico", wrong), "ModelNeeds"),
    "compress target": (lambda wrong: es.compress("m.keras", target=wrong, data="d"), "name of a target"),
    "compress recipe": (
        lambda wrong: es.compress("m.keras", target="pico", data="d", recipe=wrong),
        "a Recipe, or the path",
    ),
    "compress out": (lambda wrong: es.compress("m.keras", target="pico", data="d", out=wrong), "a folder"),
    "compress": (lambda wrong: es.compress(wrong, target="pico", data="d"), "path of a model file"),
    "search": (lambda wrong: es.search("m.keras", target=wrong, data="d", out="o"), "name of a target"),
    "search out": (lambda wrong: es.search("m.keras", target="pico", data="d", out=wrong), "a folder"),
    "search limits": (
        lambda wrong: es.search("m.keras", target="pico", data="d", out="o", limits=wrong),
        "SearchLimits",
    ),
    "run": (lambda wrong: es.run(wrong, np.zeros((1, 8, 8, 1))), "path"),
    "litert_js": (lambda wrong: es.litert_js(wrong), "a folder"),
    "read_metadata": (lambda wrong: es.read_metadata(wrong), "path of a .tflite"),
    "measure_browsers": (lambda wrong: es.measure_browsers(wrong, show=print), "path of a .tflite"),
    "measure_browsers page": (
        lambda wrong: es.measure_browsers(MODEL, wrong, show=print),
        "a Page",
    ),
    "raise_if_not_ok": (lambda wrong: es.raise_if_not_ok(wrong), "report"),
}


def entered(context):
    with contextlib.ExitStack() as stack:
        return stack.enter_context(context)


@pytest.mark.parametrize("call", WRONG)
def test_the_wrong_kind_of_argument(call):
    function, expected = WRONG[call]
    for wrong in (3, object()):
        with pytest.raises(UsageError) as caught:
            function(wrong)
        assert expected in caught.value.expected
        assert repr(wrong) in caught.value.got or type(wrong).__name__ in caught.value.got


def test_every_function_is_tried_with_the_wrong_kind():
    functions = {name for name in es.__all__ if name.islower()}
    assert {name.split()[0] for name in WRONG} == functions - {"list_targets", "open_local"}


@pytest.mark.parametrize("core", ["cortex-m44", "", 4])
def test_a_core_that_does_not_exist_is_not_taken_for_any(core):
    for find in (lambda: es.emit_native(MODEL, core=core), lambda: es.find_arena(MODEL, core)):
        with pytest.raises(UsageError, match="there is no core") as caught:
            find()
        assert "cortex-m4, " in caught.value.expected
        assert caught.value.got == repr(core)


@pytest.mark.parametrize("path", ["", "\0"])
def test_text_that_cannot_be_a_path(path):
    for read in (es.read_tflite, es.needs_of, es.load_recipe):
        with pytest.raises(UsageError, match="cannot be a path"):
            read(path)
