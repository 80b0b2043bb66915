import dataclasses

import numpy as np
import pytest

from edgesqueeze.errors import MissingToolError, RequirementError
from edgesqueeze.runners import build_cache
from edgesqueeze.runners.host_c import available, host_program, packed, unpacked
from runtime_tests.support.native_stub import stub_source
from runtime_tests.support.tools import require_tool

SAMPLES = [[np.array([[i, i + 1, 2, -3]], np.int8)] for i in range(3)]

OUT_OF_BOUNDS = """\
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  for (int i = 0; i < 4; ++i) {
    output[i] = (int8_t)(input[i] * weights[i + (input[0] == 2 ? 1 : 0)]);
  }
}
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(build_cache, "cache_folder", lambda: tmp_path / "cache")
    require_tool("gcc", "gcc")
    return tmp_path / "cache"


@pytest.mark.parametrize("sanitize", [False, True])
def test_many_samples_in_one_process(sanitize):
    outputs = host_program(stub_source(), sanitize=sanitize).run(SAMPLES)
    assert [row[0].tolist() for row in outputs] == [[[i / 2, -i - 1, 3, 6]] for i in range(3)]
    assert outputs[0][0].dtype == np.float32


def test_no_samples():
    assert host_program(stub_source()).run([]) == []


def test_it_is_compiled_once(cache):
    first = host_program(stub_source())
    changed = first.path.stat().st_mtime_ns
    assert host_program(stub_source()).path == first.path
    assert first.path.stat().st_mtime_ns == changed
    assert host_program(stub_source(), sanitize=True).path != first.path
    assert len(list(cache.glob("*/program"))) == 2


def test_models_share_the_files_that_they_have_in_common(cache):
    host_program(stub_source())
    before = len(list(cache.glob("*/object.o")))
    source = stub_source()
    files = {**source.files, "stub.c": source.files["stub.c"].replace("0.5f", "0.25f")}
    host_program(dataclasses.replace(source, files=files))
    assert len(list(cache.glob("*/object.o"))) == before + 1


def test_a_changed_header_is_noticed():
    kernel = stub_source().files["kernels/es_double.c"].replace("* weights[i]", "* weights[i] + OFFSET")
    source = stub_source(kernel)
    results = []
    for offset in (0, 10):
        header = source.files["kernels/es_double.h"] + f"#define OFFSET {offset}\n"
        files = {**source.files, "kernels/es_double.h": header}
        results.append(host_program(dataclasses.replace(source, files=files)).run(SAMPLES)[0][0])
    assert (results[1] - results[0]).tolist() == [[5, 5, 5, 5]]


def test_a_sanitizer_objects():
    program = host_program(stub_source(OUT_OF_BOUNDS), sanitize=True)
    program.run(SAMPLES[:2])
    with pytest.raises(RequirementError) as caught:
        program.run(SAMPLES)
    assert "AddressSanitizer: global-buffer-overflow" in caught.value.got
    assert "es_double" in caught.value.got


def test_c_that_does_not_compile_leaves_nothing_behind(cache):
    with pytest.raises(RequirementError, match="does not compile") as caught:
        host_program(stub_source("int es_double(void) { return x; }\n"))
    assert "error: 'x' undeclared" in caught.value.got
    assert list(cache.glob("*/program")) == []


def test_a_program_that_fails():
    crash = """
#include <stdlib.h>
#include "es_double.h"
void es_double(const int8_t *weights, const int8_t *input, int8_t *output) {
  (void)weights, (void)input, (void)output;
  abort();
}
"""
    with pytest.raises(RequirementError, match="fails on this machine") as caught:
        host_program(stub_source(crash)).run(SAMPLES)
    assert "signal 6" in caught.value.got


def test_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="a C compiler for this machine is missing") as caught:
        host_program(stub_source())
    assert "apt-get install gcc libc6-dev" in caught.value.hint
    assert available() == "gcc not found; apt-get install gcc libc6-dev"


def test_bytes_of_samples_and_results():
    values = np.arange(4, dtype=">f4").reshape(1, 4)
    assert packed([[values], [values]], stub_source()) == 2 * values.astype("<f4").tobytes()
    assert unpacked(stub_source(), values.astype("<f4").tobytes(), 1)[0][0].tolist() == values.tolist()
    with pytest.raises(RequirementError, match="unexpected number of bytes"):
        unpacked(stub_source(), b"abc", 1)
