import pytest

from edgesqueeze.emit.native.for_target import emit_for
from edgesqueeze.emit.native.write import write_native
from edgesqueeze.errors import OutputError
from edgesqueeze.pipeline import compress, run
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.folder import FILES
from edgesqueeze.target.load import load_target
from runtime_tests.support.native_board import write_native_board
from runtime_tests.support.tiny_keras import dense, images

X = images(20)
PLAIN = {"finetune": {"epochs": 0}, "quantize": {"calibration_samples": 16}}


def _compress(target, out):
    return compress(dense(), target=target, data=X, out=out, recipe=parse_recipe(PLAIN))


def _content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("name", [*FILES, "sources"])
def test_a_file_of_the_users_own_is_not_replaced(tmp_path, monkeypatch, name):
    if name == "sources":
        found = _compress("nucleo-f446re", tmp_path / "elsewhere")
        name = next(iter(found.sources))
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with monkeypatch.context() as patch:
        if name in FILES:
            patch.delattr(run, "prepare")  # it is found out before the work
        with pytest.raises(OutputError, match="did not write") as caught:
            _compress("nucleo-f446re", out)
    assert caught.value.got == name
    assert _content(out) == {name: "mine"}


def test_a_written_file_that_was_changed_is_the_users(tmp_path):
    _compress("rpi4", tmp_path)
    (tmp_path / "report.json").write_text("with notes of mine")
    with pytest.raises(OutputError, match=r"changed since[\s\S]*report\.json"):
        _compress("rpi4", tmp_path)
    assert (tmp_path / "report.json").read_text() == "with notes of mine"


def test_emit_may_replace_what_compress_wrote(tmp_path):
    board = write_native_board(tmp_path)
    found = _compress(str(board), tmp_path / "out")
    source = emit_for(found.tflite, load_target(str(board)), name="other")
    kernels = {path.name for path in (tmp_path / "out/firmware/kernels").iterdir()}
    write_native(tmp_path / "out" / "firmware", source)
    assert {path.name for path in (tmp_path / "out/firmware/kernels").iterdir()} == kernels
    again = _compress(str(board), tmp_path / "out")
    assert again.report.files == found.report.files
