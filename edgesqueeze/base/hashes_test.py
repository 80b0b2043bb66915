import hashlib

import pytest

from edgesqueeze.base.hashes import sha256_of


def test_a_file_is_hashed_as_sha256sum_does(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_of_a_folder_names_and_contents_count(tmp_path):
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "x").write_bytes(b"1")
    (folder / "a").write_bytes(b"2")
    first = sha256_of(folder)
    (folder / "empty").mkdir()
    assert sha256_of(folder) == first
    (folder / "b" / "x").rename(folder / "b" / "y")
    second = sha256_of(folder)
    (folder / "b" / "y").write_bytes(b"3")
    assert len({first, second, sha256_of(folder)}) == 3


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        sha256_of(tmp_path / "none")
