import pytest

from edgesqueeze.base.names import read_names
from edgesqueeze.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"cat\ndog\n", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\r\n red dog \r\n", ("cat", "red dog")),
        ("Müller".encode(), ("Müller",)),
    ],
)
def test_one_name_a_line(tmp_path, raw, names):
    (tmp_path / "labels.txt").write_bytes(raw)
    assert read_names(tmp_path / "labels.txt") == read_names(str(tmp_path / "labels.txt")) == names
    assert read_names(list(names)) == names


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"cat\n\ndog\n", "name 2"), (b"a\tb\n", "name 1"), (b"", "no labels"), (b"\xff\xfe", "not UTF-8")],
)
def test_what_is_no_list_of_names(tmp_path, raw, words):
    (tmp_path / "labels.txt").write_bytes(raw)
    with pytest.raises(DataError, match=words):
        read_names(tmp_path / "labels.txt")


def test_wrong_kinds(tmp_path):
    with pytest.raises(DataError, match="cannot read the labels"):
        read_names(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="wrong kind"):
        read_names([1, 2])
