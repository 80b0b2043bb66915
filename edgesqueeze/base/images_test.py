import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgesqueeze.base.images import size_of_image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (37, 11), (640, 480)])
def test_sizes_are_those_that_a_decoder_finds(kind, size):
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, kind)
    stream.seek(0)
    assert size_of_image(stream) == size


def test_a_progressive_jpeg_with_a_comment():
    stream = io.BytesIO()
    Image.new("L", (37, 11)).save(stream, "JPEG", progressive=True, comment=b"x" * 5000)
    stream.seek(0)
    assert size_of_image(stream) == (37, 11)


@given(st.sampled_from([b"\x89PNG", b"GIF89a", b"BM", b"\xff\xd8\xff", b""]), st.binary(max_size=60))
def test_whatever_follows_is_a_size_or_none(start, rest):
    found = size_of_image(io.BytesIO(start + rest))
    assert found is None or min(found) >= 0
