"""What ``compress`` reads, and what is the user's own, is not written over: that is seen before any work."""

import pytest

from edgesqueeze.base.generated import LIST, update_of
from edgesqueeze.base.output import write_files
from edgesqueeze.errors import OutputError
from edgesqueeze.pipeline import compress

BOARD, PHONE = "nucleo-l4r5zi", "rpi4"


def _earlier(folder, *names):
    """Files that an earlier run wrote."""
    write_files(folder, update_of(folder, dict.fromkeys(names, "made earlier"), lambda name: False).files)


@pytest.mark.parametrize("way", ["plain", "around", "link"])
def test_a_model_that_is_read_is_not_replaced(tmp_path, way):
    _earlier(tmp_path / "out", "model.keras")
    model = tmp_path / "out" / "model.keras"
    if way == "around":
        model = tmp_path / "out" / ".." / "out" / "model.keras"
    elif way == "link":
        model = tmp_path / "linked.keras"
        model.symlink_to("out/model.keras")
    with pytest.raises(OutputError, match="is read here, and would be replaced"):
        compress(model, target=PHONE, data="data.npz", out=tmp_path / "out")
    assert (tmp_path / "out" / "model.keras").read_text() == "made earlier"


@pytest.mark.parametrize(
    ("target", "runtime", "own"),
    [
        (PHONE, None, "model.tflite"),
        (BOARD, None, "mine_model.cc"),
        (BOARD, "c", "firmware/main.c"),
        (BOARD, "c", "firmware/mine_weights.c"),
    ],
)
def test_a_file_of_the_users_own_is_found_before_the_work(tmp_path, target, runtime, own):
    write_files(tmp_path / "out", {own: "mine"})
    with pytest.raises(OutputError, match="has files that EdgeSqueeze did not write"):
        compress(
            tmp_path / "mine.keras", target=target, runtime=runtime, data="data.npz", out=tmp_path / "out"
        )
    assert sorted(one.name for one in tmp_path.rglob("*") if one.is_file()) == [own.rpartition("/")[2]]


def test_what_an_earlier_run_wrote_is_in_nobodys_way(tmp_path):
    _earlier(tmp_path / "out", "model.keras", "mine_model.cc")
    with pytest.raises(Exception, match="there is no file"):
        compress(tmp_path / "mine.keras", target=BOARD, data="data.npz", out=tmp_path / "out")
    assert (tmp_path / "out" / LIST).exists()
