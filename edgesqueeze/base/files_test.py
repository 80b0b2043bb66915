import os
import threading
from pathlib import Path

import pytest

from edgesqueeze.base.files import open_regular, read_file, read_stream, size_of


def test_a_regular_file_and_a_link_to_it(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        assert read_file(tmp_path / name, 7) == b"content"
        with open_regular(tmp_path / name) as file:
            assert size_of(file) == 7


def test_more_than_is_allowed_is_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(OSError, match="more than 6 bytes"):
        read_file(tmp_path / "file", 6)


@pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "pipe", "link to a device", "."])
def test_what_is_no_regular_file_is_not_read(tmp_path, what):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a device").symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"not a regular file|directory"):
        read_file(tmp_path / what, 100)


def test_a_missing_file_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none", 100)


def test_what_has_no_end_is_read_no_further_than_allowed(tmp_path):
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        read_stream(Path("/dev/zero"), 1000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(b"{}",), daemon=True).start()
    assert read_stream(pipe, 1000) == b"{}"
