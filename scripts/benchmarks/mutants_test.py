import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutants import mutants_of, sample


def changed(text):
    """The module as every mutant leaves it."""
    source = text.encode()
    return {one.applied_to(source).decode() for one in mutants_of(source)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = a < b", {"x = (a <= b)"}),
        ("x = a < b > c", {"x = (a <= b > c)", "x = (a < b >= c)"}),
        ("x = a is not None", {"x = (a is None)"}),
        ("x = a not in b", {"x = (a in b)"}),
        ("x = a - b", {"x = (a + b)"}),
        ("x = a << b", {"x = (a >> b)"}),
        ("x += a", {"x -= a"}),
        ("x = -a", {"x = a"}),
        ("x = not a", {"x = a"}),
        ("x = a and b and c", {"x = (a or b or c)"}),
        ("x = 7", {"x = 8", "x = 6"}),
        ("x = 0", {"x = 1", "x = (-1)"}),
        ("x = 0.25", {"x = (0.5)"}),
        ("x = 0.0", {"x = (1.0)"}),
        ("x = True", {"x = False"}),
        ("x: int = 7", {"x: int = 8", "x: int = 6"}),
        ("x = a if b else c", {"x = a if (not b) else c"}),
        ("x = [a for a in b if c(a)]", {"x = [a for a in b if (not c(a))]"}),
        ("x = [a for a in b if a in c]", {"x = [a for a in b if (a not in c)]"}),
        ("while a:\n    b()", {"while (not a):\n    b()"}),
        ("if not a:\n    b()", {"if a:\n    b()"}),
        ("def f(a):\n    return a", {"def f(a):\n    return None"}),
        ("def f(a):\n    return None", {"def f(a):\n    return 0"}),
    ],
)
def test_what_is_changed(text, expected):
    assert changed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""What 1 + 1 is."""',
        'x = "a" + b',
        'x = f"{1 + 1} is 2"',
        'raise ValueError(f"{a}", 1 + 1)',
        "assert a < 3, 1",
        "def f(a: Literal[1]) -> Literal[2]:\n    return",
        "@cached(3)\ndef f():\n    pass",
        "x = cast(Literal[1], a)",
        "x = zip(a, b, strict=True)",
        "if TYPE_CHECKING:\n    x = 1",
        "from a import b",
    ],
)
def test_what_stays_as_it_is(text):
    assert changed(text) == set()


def test_text_is_replaced_where_bytes_and_characters_differ():
    assert changed('x = "µ", a < b') == {'x = "µ", (a <= b)'}


def test_a_fault_over_several_lines_is_shown_on_one():
    source = b"y = 1.0\nx = f(\n    a\n    < b,\n    c,\n)\n"
    (mutant,) = (one for one in mutants_of(source) if one.kind == "comparison")
    assert mutant.line == 3
    assert mutant.shown(source) == ("a < b,", "(a <= b),")
    assert mutant.applied_to(source) == b"y = 1.0\nx = f(\n    (a <= b),\n    c,\n)\n"


def test_every_mutant_of_this_tool_is_python_and_no_two_are_the_same():
    source = Path(__file__).with_name("mutants.py").read_bytes()
    mutants = mutants_of(source)
    assert len(mutants) > 50
    trees = {ast.dump(ast.parse(one.applied_to(source))) for one in mutants}
    assert len(trees) == len(mutants)
    assert ast.dump(ast.parse(source)) not in trees


def test_a_sample_takes_the_modules_in_turn_and_is_the_same_for_a_seed():
    mutants = {"long": mutants_of(b"x = 5\n" * 20), "short": mutants_of(b"x = a < b")}
    chosen = sample(mutants, 8, 3)
    assert {name: len(some) for name, some in chosen.items()} == {"long": 7, "short": 1}
    assert set(chosen["long"]) <= set(mutants["long"])
    assert [one.start for one in chosen["long"]] == sorted(one.start for one in chosen["long"])
    assert sample(mutants, 8, 3) == chosen
    assert sample(mutants, 8, 4) != chosen
    assert sample({"short": mutants["short"]}, 8, 3)["short"] == mutants["short"]
