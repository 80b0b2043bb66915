import pytest

from edgesqueeze.squeeze.opening.faults import damaged, first_line


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("it is cut off or damaged (no zip)", "'m.keras' is cut off or damaged (no zip)"),
        ("its part 'a' is damaged", "'m.keras' is cut off or damaged: its part 'a' is damaged"),
    ],
)
def test_that_a_file_is_damaged_is_said_once(said, told):
    assert damaged("m.keras", ValueError(said)).problem == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("two failed. One:\n\nLayer a is empty\nand more", "two failed. One: Layer a is empty"),
        ("one\nand more", "one"),
        ("that is it:", "that is it:"),
        ("", "ValueError"),
    ],
)
def test_a_line_that_announces_the_next_one_goes_with_it(said, told):
    assert first_line(ValueError(said)) == told
