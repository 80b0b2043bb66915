import pytest

from edgesqueeze.base.records import Range, read_record


def test_a_record_is_read():
    assert read_record(b'{"estimate": 1, "low": 0.5, "high": 2}', Range) == Range(estimate=1, low=0.5, high=2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "Expecting"),
        (b"[1]", "valid dictionary"),
        (b'{"estimate": 1, "low": 1}', "high: Field required"),
        (b"[" * 100_000, "nested too deeply"),
        (b"TFL3" + bytes(range(128, 256)), "no text"),
        (b'{"estimate": 1%s, "low": 1, "high": 1}' % (b"0" * 400), "a whole number of 401 digits"),
        (b'{"estimate": 1%s, "low": 1, "high": 1}' % (b"0" * 5000), "digits"),
    ],
)
def test_what_is_no_such_record_says_so_in_one_line(content, said):
    with pytest.raises(ValueError, match=said) as caught:
        read_record(content, Range)
    assert len(str(caught.value).splitlines()) == 1
