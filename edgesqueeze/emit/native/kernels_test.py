"""Which C files a model needs: those of its core's set first, and only what is called."""

import re

import pytest

from edgesqueeze.emit.native import kernels
from edgesqueeze.emit.native.kernels import (
    ALIGNMENT,
    CORE_SETS,
    FOLDER,
    LENT,
    files_of,
    kernel_set_of,
    portable_of,
    sources_of,
)
from edgesqueeze.target.records import CORES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Made-up kernels in place of the real ones."""
    texts = {
        "include/es_types.h": "typedef int t;",
        "include/es_top.h": '#include "es_types.h"\nvoid es_declared(void);',
        "reference/es_top.c": '#include "es_top.h"\nvoid es_top(void) { es_helper(); /* es_commented */ }',
        "reference/es_helper.c": "// es_also_commented\nvoid es_helper(void) { es_unknown(); }",
        "reference/es_declared.c": "void es_declared(void) {}",
        "reference/es_commented.c": "",
        "reference/es_also_commented.c": "",
        "reference/es_inner.h": "",
        "dsp/es_helper.c": '#include "es_inner.h"\nvoid es_helper(void) { es_fast(); }',
        "dsp/es_fast.c": "void es_fast(void) { es_top(); }",
        "dsp/es_types.h": "never found: headers of include come first",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    return tmp_path


def test_what_is_called_or_included_belongs_to_it(folder):
    assert list(files_of("reference", ["es_top"])) == ["es_helper.c", "es_top.c", "es_top.h", "es_types.h"]


def test_the_sets_own_file_goes_first(folder):
    files = files_of("dsp", ["es_top"])
    assert list(files) == [
        "es_fast.c",
        "es_helper.c",
        "es_inner.h",
        "es_top.c",
        "es_top.h",
        "es_types.h",
    ]
    assert files["es_helper.c"] == (folder / "dsp" / "es_helper.c").read_text()
    assert files["es_types.h"] == "typedef int t;"


def test_no_kernels_need_no_files(folder):
    assert files_of("reference", []) == {}
    assert files_of("reference", ["es_nowhere"]) == {}


def test_kernels_that_a_set_lacks(folder):
    assert portable_of("dsp", ["es_top", "es_helper", "es_top", "es_declared"]) == ("es_declared", "es_top")
    assert portable_of("reference", ["es_top"]) == ()


def test_kernels_that_vectors_have_from_the_dsp_set():
    for name in LENT:
        files = files_of("mve", [name])
        assert files[f"{name}.c"] == (FOLDER / "dsp" / f"{name}.c").read_text(encoding="utf-8")
        assert "es_assembly_dsp.h" in files
        assert sources_of("mve")[name].parent.name == "dsp"
    assert portable_of("mve", LENT) == ()
    assert sources_of("mve")["es_fully_connected_blocks_s8"].parent.name == "reference"


@pytest.mark.parametrize(
    ("core", "kernel_set"),
    [
        (None, "reference"),
        ("cortex-m0plus", "reference"),
        ("cortex-m3", "reference"),
        ("cortex-m4", "dsp"),
        ("cortex-m33", "dsp"),
        ("cortex-m55", "mve"),
        ("cortex-a53", "reference"),
    ],
)
def test_the_set_of_a_core(core, kernel_set):
    assert kernel_set_of(core) == kernel_set


def test_cores_are_known_and_can_run_their_set():
    for core, kernel_set in CORE_SETS.items():
        assert CORES[core].microcontroller
        assert CORES[core].vectors if kernel_set == "mve" else CORES[core].dsp


def test_vectors_are_aligned_and_words_elsewhere():
    assert dict(ALIGNMENT) == {"reference": 4, "dsp": 4, "mve": 16}


@pytest.mark.parametrize("kernel_set", ALIGNMENT)
def test_every_kernel_has_all_that_it_includes(kernel_set):
    names = {path.stem for path in (FOLDER / "reference").glob("*.c")}
    files = files_of(kernel_set, names)
    for file, text in files.items():
        for included in re.findall(r'#include "(\w+\.h)"', text):
            assert included in files, f"{file} includes {included}"
    folder = FOLDER / kernel_set
    for file, text in files.items():
        if (folder / file).is_file():
            assert text == (folder / file).read_text(), file
