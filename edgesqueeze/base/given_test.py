from pathlib import Path

import pytest

from edgesqueeze.base.given import expect, path_of, wrong_kind
from edgesqueeze.errors import UsageError


class Odd:
    def __fspath__(self):
        return b"bytes"


@pytest.mark.parametrize("given", ["a/b", Path("a/b")])
def test_text_and_paths_are_paths(given):
    assert path_of(given, "a path") == Path("a/b")


@pytest.mark.parametrize("given", ["", "a\0b", Odd()])
def test_what_looks_like_a_path_and_is_none(given):
    with pytest.raises(UsageError, match="that cannot be a path") as caught:
        path_of(given, "the path of a house")
    assert caught.value.expected == "the path of a house"


@pytest.mark.parametrize("given", [None, 3, b"a/b", ["a"]])
def test_no_path(given):
    with pytest.raises(UsageError) as caught:
        path_of(given, "the path of a house", "build one")
    error = caught.value
    assert (error.expected, error.hint) == ("the path of a house", "build one")
    assert error.got == f"{type(given).__name__}: {given!r}"


def test_the_kind_that_is_expected():
    given = [1]
    assert expect(given, list, "a list") is given
    with pytest.raises(UsageError) as caught:
        expect(given, tuple, "a tuple")
    assert caught.value.got == "list: [1]"


def test_long_arguments_are_cut():
    assert len(wrong_kind("x" * 1000, "less").got) <= len("str: ") + 80
