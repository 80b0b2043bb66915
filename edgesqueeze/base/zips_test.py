import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.base.zips import Members, ZipError

CONTENT = {"a.txt": b"some text " * 20, "b/c.bin": bytes(range(256))}


def packed(method=zipfile.ZIP_STORED, content=CONTENT):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return stream.getvalue()


def members(content, most_bytes=1 << 20):
    return Members(io.BytesIO(content), most_bytes)


def streamed():
    """As it is written to a pipe: sizes stand behind the members."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, block):
            self.content += bytes(block)
            return len(block)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    return pipe.content


@pytest.mark.parametrize("make", [packed, lambda: packed(zipfile.ZIP_DEFLATED), streamed])
def test_members_are_read(make):
    found = members(make())
    assert {name: found.read(name) for name in found.infos} == CONTENT
    assert found.head("a.txt", 9) == b"some text"
    place = bytearray(246)
    found.read_into("b/c.bin", memoryview(place), skip=10)
    assert bytes(place) == CONTENT["b/c.bin"][10:]


def test_an_archive_without_members_is_one():
    assert members(packed(content={})).infos == {}


def _edited(content, name, offset, value, size=2):
    """With a number changed in a member's local header and in the directory."""
    data = bytearray(content)
    local = data.find(b"PK\x03\x04")
    while data[local + 30 : local + 30 + len(name)] != name:
        local = data.find(b"PK\x03\x04", local + 1)
    central = data.find(b"PK\x01\x02")
    while data[central + 46 : central + 46 + len(name)] != name:
        central = data.find(b"PK\x01\x02", central + 1)
    for place in (local + offset, central + offset + 2):
        data[place : place + size] = value.to_bytes(size, "little")
    return bytes(data)


def _overlapping():
    """Two names for the same bytes."""
    data = bytearray(packed(content={"a": b"x" * 100, "b": b"y" * 100}))
    second = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, second + 42, 0)
    return bytes(data)


BROKEN = {
    "a prefix": b"MZ program" + packed(),
    "an HDF5 file before it": b"\x89HDF\r\n\x1a\n" + bytes(504) + packed(),
    "a suffix": packed() + b"more",
    "a second archive": packed() + packed(),
    "encrypted": _edited(packed(), b"a.txt", 6, 0x1),
    "method 99": _edited(packed(), b"a.txt", 8, 99),
    "bzip2": packed(zipfile.ZIP_BZIP2),
    "lzma": packed(zipfile.ZIP_LZMA),
    "a size too large": _edited(packed(), b"a.txt", 22, 1 << 30, 4),
    "both sizes too large": _edited(_edited(packed(), b"a.txt", 22, 900, 4), b"a.txt", 18, 900, 4),
    "overlapping": _overlapping(),
    "twice the same": packed().replace(b"b/c.bin", b"a.txt\0\0"),
    "no archive": b"PK\x03\x04 not one",
    "nothing": b"",
    **{
        f"a name: {name!r}": packed(content={name: b"x"})
        for name in ("../evil", "/etc/passwd", "a/../../b", "c:\\evil", "\\evil", ".")
    },
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_none_of_ours_has_is_refused(what):
    with pytest.raises(ZipError):
        found = members(BROKEN[what])
        for name in found.infos:
            found.read(name)


def test_a_comment_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"x")
        archive.comment = b"hidden"
    with pytest.raises(ZipError, match="behind"):
        members(stream.getvalue())


def test_what_unpacks_to_too_much_is_refused_unread():
    bomb = packed(zipfile.ZIP_DEFLATED, {"zeros": bytes(10 << 20)})
    assert len(bomb) < 20_000
    with pytest.raises(ZipError, match="10,485,760 bytes"):
        members(bomb)


def test_too_many_members_are_refused():
    with pytest.raises(ZipError, match="parts, more than"):
        members(packed(content={str(number): b"" for number in range(10_001)}))


def test_a_member_that_unpacks_to_more_than_it_says_is_refused():
    lying = _edited(packed(zipfile.ZIP_DEFLATED), b"a.txt", 22, 10, 4)
    with pytest.raises(ZipError, match=r"'a\.txt'"):
        members(lying).read("a.txt")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans(), st.integers(0, 40))
def test_damage_is_an_error_of_ours_or_harmless(place, value, deflated, cut):
    data = bytearray(packed(zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED))
    data[place % len(data)] = value
    try:
        found = members(bytes(data[: len(data) - cut]))
        for name in found.infos:
            found.read(name)
    except ZipError:
        pass
