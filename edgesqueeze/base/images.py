"""How large an image says that it is, from its first bytes: what a decoder would believe."""

from __future__ import annotations

from typing import IO

HEAD_BYTES = 26
MOST_SEGMENTS = 1000
# Start of frame, of all processes; not DHT (C4), JPG (C8) and DAC (CC).
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def size_of_image(file: IO[bytes]) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, BMP or JPEG, in pixels.

    Args:
        file: open for reading, at its first byte.

    Returns:
        None if it does not say so where it should.
    """
    head = file.read(HEAD_BYTES)
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith(b"GIF8") and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head.startswith(b"BM") and len(head) == HEAD_BYTES:
        width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
        return abs(width), abs(height)
    if head.startswith(b"\xff\xd8"):
        file.seek(2)
        return _size_of_jpeg(file)
    return None


def _size_of_jpeg(file: IO[bytes]) -> tuple[int, int] | None:
    for _ in range(MOST_SEGMENTS):
        marker = file.read(2)
        while marker[:1] == b"\xff" and marker[1:] == b"\xff":
            marker = b"\xff" + file.read(1)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        if marker[1] in STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker[1] in FRAMES:
            frame = file.read(5)
            if len(frame) < 5:
                return None
            return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
        if length < 2:
            return None
        file.seek(length - 2, 1)
    return None
