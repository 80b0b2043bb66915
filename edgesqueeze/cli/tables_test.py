import io

import pytest

from edgesqueeze.base.findings import Finding
from edgesqueeze.cli.screen import Screen
from edgesqueeze.cli.tables import Table, count, percent, print_findings, shape_text


def drawn(table, width=80, colours=False):
    stream = io.StringIO()
    Screen(stream, width, colours).print(table)
    return stream.getvalue()


@pytest.fixture
def boards():
    table = Table("name", "device", "bytes", right=("bytes",), fold=("device",))
    table.add_row("pico", "Raspberry Pi Pico with two cores", "264,000")
    table.add_section()
    table.add_row("all", "", "1")
    return table


def test_columns_stand_left_or_right_under_a_line(boards):
    assert drawn(boards).splitlines() == [
        "",
        " name  device                              bytes",
        " ───────────────────────────────────────────────",
        " pico  Raspberry Pi Pico with two cores  264,000",
        " ───────────────────────────────────────────────",
        " all                                           1",
        "",
    ]


def test_what_may_fold_takes_several_lines_and_nothing_else_does(boards):
    assert drawn(boards, 32).splitlines() == [
        "",
        " name  device             bytes",
        " ──────────────────────────────",
        " pico  Raspberry Pi     264,000",
        "       Pico with two",
        "       cores",
        " ──────────────────────────────",
        " all                          1",
        "",
    ]
    # Too narrow for the rest: the terminal breaks the line, and no figure loses a digit.
    assert " pico  Raspberry Pi  264,000" in drawn(boards, 10).splitlines()


def test_widths_are_known_before(boards):
    assert boards.widest == 49
    assert boards.narrowest == 29
    assert max(map(len, drawn(boards).splitlines())) == boards.widest - 1
    assert max(map(len, drawn(boards, 1).splitlines())) == boards.narrowest - 1


def test_titles_are_bold_and_rows_can_have_a_style():
    table = Table("a", "b")
    table.add_row("[red]1[/]", "2", style="dim")
    header, _, row = drawn(table, colours=True).splitlines()[1:4]
    assert header == " \x1b[1ma\x1b[0m  \x1b[1mb\x1b[0m"
    assert row == " \x1b[31m1\x1b[0m  \x1b[2m2\x1b[0m"


def test_a_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match="expected 2 cells, got 1"):
        Table("a", "b").add_row("1")


def test_findings_are_one_line_each_and_no_markup():
    stream = io.StringIO()
    findings = [
        Finding(code="x", subject="conv[0];relu;bias", message="is [bold]", severity="warning"),
        Finding(code="y", subject="", message="well " * 60),
    ]
    print_findings(Screen(stream, 80, False), findings)
    assert stream.getvalue() == f"warning: conv[0]: is [bold]\nnote: {('well ' * 60).rstrip()}\n"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "0"), (1234567, "1,234,567")])
def test_counts(value, text):
    assert count(value) == text


@pytest.mark.parametrize(("share", "text"), [(None, "-"), (0.0, "0.0%"), (0.12345, "12.3%"), (1.0, "100.0%")])
def test_shares(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("shape", "text"), [((), "scalar"), ((1, 49, 10), "1x49x10"), ((-1, 3), "?x3")])
def test_shapes(shape, text):
    assert shape_text(shape) == text
