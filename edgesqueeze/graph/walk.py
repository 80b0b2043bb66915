"""How much of an untrusted FlatBuffer may be read."""

from __future__ import annotations

from edgesqueeze.base.plain import plain

# Honest files share few vectors; a crafted one points thousands of tables at one large vector.
SHARING = 16
SLACK_BYTES = 64 * 1024


class Walk:
    """Measures every vector against the file, and all of them together against a multiple of it.

    The first stops lengths that a damaged file claims, the second bounds the time and memory that a
    crafted one can cost.

    Args:
        content: the file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._left = SHARING * len(content) + SLACK_BYTES

    def entries(self, length: int, element_bytes: int) -> range:
        """Indices of a vector that is about to be read.

        Raises:
            ValueError: it is larger than the file, or too much has been read already.
        """
        size = length * element_bytes
        if length < 0 or size > len(self.content):
            raise ValueError(f"a vector of {length} entries in a file of {len(self.content)} bytes")
        self._left -= size
        if self._left < 0:
            raise ValueError("its vectors overlap far more than those of a real model")
        return range(length)

    def text(self, raw: bytes | None) -> str:
        """A string of the file, in one line: control characters of any kind are spaces."""
        if not raw:
            return ""
        self.entries(len(raw), 1)
        return plain(raw.decode("utf-8", errors="replace"))
