import json
import shutil
import subprocess

import numpy as np
import pytest

from edgesqueeze.emit.scaling import Scaling, scaling_header
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.tflite_builder import tiny_cnn

MODEL = parse_tflite(tiny_cnn(), name="*/ evil\\")
MEANS = tuple(float(i) / 7 for i in range(13))


def test_nothing_is_written_where_nothing_is_done():
    assert scaling_header(MODEL, "m", ()) == {}
    assert scaling_header(MODEL, "m", [Scaling("x", (1.0,), (0.0,))]) == {}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize(("suffix", "standard"), [("c", "-std=c99"), ("cc", "-std=c++11")])
def test_the_header_computes_what_the_data_were_given(tmp_path, suffix, standard):
    several = [Scaling("mfcc", (0.5,), MEANS), Scaling("more */", (2.0, 3.0), (1e-7,))]
    for name, text in scaling_header(MODEL, "m", several).items():
        (tmp_path / name).write_text(text)
    (tmp_path / f"main.{suffix}").write_text(
        '#include "m_scaling.h"\n#include <stdio.h>\nint main(void) {\n'
        "  for (unsigned i = 0; i < 2 * M_MFCC_FEATURES; i++)\n"
        '    printf("%s%.9g", i ? "," : "[", m_mfcc_scaled(1.5f, i));\n'
        '  printf(",%.9g,%.9g]", m_more_scaled(1.0f, 0), m_more_scaled(1.0f, 3));\n  return 0;\n}\n'
    )
    compiler = "gcc" if suffix == "c" else "g++"
    options = [standard, "-Wall", "-Wextra", "-Werror", "-o", "main"]
    subprocess.run([compiler, *options, f"main.{suffix}"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    wanted = np.float32(1.5) * np.float32(0.5) + np.tile(np.asarray(MEANS, np.float32), 2)
    np.testing.assert_allclose(json.loads(told)[:-2], wanted, rtol=1e-6)
    np.testing.assert_allclose(json.loads(told)[-2:], [2.0, 3.0], rtol=1e-6)


def test_one_input_has_a_plain_name():
    ((name, text),) = scaling_header(MODEL, "kws", [Scaling("serving_default_x:0", (0.1,), MEANS)]).items()
    assert name == "kws_scaling.h"
    assert "static const float kws_input_scale[KWS_INPUT_FEATURES]" in text
    assert "static const float kws_input_offset[KWS_INPUT_FEATURES]" in text
    assert text.count("0.1f") == 13
