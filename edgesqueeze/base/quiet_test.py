import os

import pytest

from edgesqueeze.base.quiet import quiet


def test_what_native_code_says_is_kept_back(capfd):
    os.write(2, b"before ")
    with quiet():
        os.write(2, b"hidden ")
        print("shown")
    os.write(2, b"after")
    captured = capfd.readouterr()
    assert captured.err == "before after"
    assert captured.out == "shown\n"


def test_an_error_ends_the_silence(capfd):
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
