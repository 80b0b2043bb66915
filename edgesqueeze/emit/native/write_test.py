"""Where a generated folder goes, nothing of the user's is lost."""

import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.write import write_native
from edgesqueeze.errors import OutputError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


def test_a_later_run_replaces_an_earlier_one(tmp_path):
    write_native(tmp_path, emit_native(parse_tflite(tiny_cnn(), "tiny"), core="cortex-m4"))
    assert (tmp_path / "kernels" / "es_conv_core_dsp.c").is_file()
    (tmp_path / "kernels" / "mine.c").write_text("int mine;")
    dense = emit_native(parse_tflite(tiny_dense(), "tiny"))
    write_native(tmp_path, dense)
    kernels = {f"kernels/{path.name}" for path in (tmp_path / "kernels").iterdir()}
    assert kernels == {name for name in dense.files if "/" in name} | {"kernels/mine.c"}


@pytest.mark.parametrize("name", ["main.c", "Makefile", "CMakeLists.txt", "tiny.h"])
def test_files_of_the_user_are_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        write_native(tmp_path, emit_native(parse_tflite(tiny_dense(), "tiny")))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
