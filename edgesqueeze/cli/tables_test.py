import pytest

from edgesqueeze.base.findings import Finding
from edgesqueeze.cli import tables


def test_a_pipe_is_as_wide_as_it_is_told_to_be(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert tables.console().width == tables.PIPE_WIDTH
    monkeypatch.setenv("COLUMNS", "60")
    assert tables.console().width == 60


def test_columns_wrap_only_where_they_may(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    made = tables.table("name", "bytes", "why", right=("bytes",), fold=("why",))
    made.add_row("first", "1,234", "several words that need more room")
    tables.console().print(made)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].split() == ["name", "bytes", "why"]
    assert lines[2].split()[:3] == ["first", "1,234", "several"]
    assert len(lines) > 3


def test_findings_are_one_line_each_and_no_markup(capsys):
    tables.print_findings(
        tables.console(),
        [
            Finding(code="a", subject="conv;relu;bias", message="is [bold]", severity="warning"),
            Finding(code="b", subject="", message="well " * 60, severity="note"),
        ],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "warning: conv: is [bold]"
    assert lines[1].rstrip() == "note: " + ("well " * 60).rstrip()
    assert len(lines) == 2


def test_a_reader_that_went_away_is_the_command_lines_business():
    with pytest.raises(BrokenPipeError):
        tables.console().on_broken_pipe()


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "0"), (1234567, "1,234,567")])
def test_counts(value, text):
    assert tables.count(value) == text


@pytest.mark.parametrize(("share", "text"), [(None, "-"), (0.0, "0.0%"), (0.12345, "12.3%"), (1.0, "100.0%")])
def test_shares(share, text):
    assert tables.percent(share) == text


@pytest.mark.parametrize(("shape", "text"), [((), "scalar"), ((1, 49, 10), "1x49x10"), ((-1, 3), "?x3")])
def test_shapes(shape, text):
    assert tables.shape_text(shape) == text
