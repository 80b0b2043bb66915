import io

import pytest

from edgesqueeze.cli.screen import Run, Screen, columns_of, escape, open_screen, parsed, width_of, wrapped


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def shown(markup, *, width=80, colours=False, wrap=False):
    stream = io.StringIO()
    Screen(stream, width, colours).print(markup, wrap=wrap)
    return stream.getvalue()


def text_of(line):
    return "".join(run.text for run in line)


def test_marks_become_colours_on_a_terminal_and_nothing_elsewhere():
    markup = "[bold red]error:[/bold red] no [green]such[/] file"
    assert shown(markup) == "error: no such file\n"
    assert shown(markup, colours=True) == "\x1b[1;31merror:\x1b[0m no \x1b[32msuch\x1b[0m file\n"


@pytest.mark.parametrize(
    "text",
    ["plain", "[bold]", "a[0]", "\\[red]", "\\\\[dim]x[/]", "[/]", "x[", "[", "\\", "[bold red]", "][\\["],
)
def test_what_is_escaped_is_shown_as_it_is(text):
    assert shown(escape(text)) == f"{text}\n"
    assert shown(f"[red]{escape(text)}[/]") == f"{text}\n"


def test_brackets_that_are_no_style_are_shown():
    assert shown("[0.1, 0.2] [blue] [int8]") == "[0.1, 0.2] [blue] [int8]\n"


def test_control_characters_do_not_reach_the_terminal():
    assert shown("a\x1b[31mb\rc\x07") == "a [31mb c\n"


def test_a_style_goes_on_in_the_next_line():
    assert parsed("[dim]a\nb[/]c") == [(Run("a", "dim"),), (Run("b", "dim"), Run("c"))]
    assert parsed("a\n\nb", "bold") == [(Run("a", "bold"),), (), (Run("b", "bold"),)]


def test_lines_are_broken_between_words():
    (line,) = parsed("one two three four")
    assert [text_of(part) for part in wrapped(line, 8)] == ["one two", "three", "four"]
    assert [text_of(part) for part in wrapped(line, 7)] == ["one two", "three", "four"]
    assert [text_of(part) for part in wrapped(line, 6)] == ["one", "two", "three", "four"]
    assert wrapped(line, 18) == [line]


def test_a_word_that_is_too_long_is_broken_itself():
    (line,) = parsed("a abcdefgh [red]ij[/]kl")
    assert [text_of(part) for part in wrapped(line, 3)] == ["a", "abc", "def", "gh", "ijk", "l"]
    assert wrapped(line, 3)[4] == (Run("ij", "red"), Run("k"))


def test_wide_characters_take_two_columns():
    assert columns_of("abc") == 3
    assert columns_of("模型") == 4
    assert columns_of("e\u0301") == 1
    (line,) = parsed("模型模型")
    assert [text_of(part) for part in wrapped(line, 5)] == ["模型", "模型"]
    assert width_of(line) == 8


def test_text_is_wrapped_only_when_asked_for():
    text = "word " * 30
    assert shown(text, width=40).count("\n") == 1
    lines = shown(text, width=40, wrap=True).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 40


def test_a_stream_that_was_closed_takes_nothing():
    Screen(None, 80, False).print("x")


def test_lines_are_drawn_in_what_the_stream_can_encode():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Screen(stream, 80, False).print("──")
    stream.flush()
    assert stream.buffer.getvalue() == b"--\n"


@pytest.mark.parametrize(
    ("environment", "terminal", "width", "colours"),
    [
        ({}, False, 100, False),
        ({"COLUMNS": "60"}, False, 60, False),
        ({"COLUMNS": "0"}, False, 100, False),
        ({"COLUMNS": "wide"}, False, 100, False),
        ({}, True, 80, True),
        ({"COLUMNS": "132"}, True, 132, True),
        ({"NO_COLOR": "1"}, True, 80, False),
        ({"TERM": "dumb"}, True, 80, False),
        ({"FORCE_COLOR": "1"}, False, 100, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, 80, False),
    ],
)
def test_width_and_colours_follow_the_environment(monkeypatch, environment, terminal, width, colours):
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    made = open_screen(stderr=True)
    made.print("[red]x")
    assert made.width == width
    assert stream.getvalue() == ("\x1b[31mx\x1b[0m\n" if colours else "x\n")
