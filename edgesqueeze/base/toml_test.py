from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from edgesqueeze.base.records import Record
from edgesqueeze.base.toml import MAX_FILE_BYTES, FileKind, check_record, parse_toml, read_toml
from edgesqueeze.errors import RecipeError

KIND = FileKind("menu", RecipeError, "see the menu's manual", "look on the shelf")


class Soup(Record):
    kind: Literal["soup"]
    litres: float = 1.0


class Bread(Record):
    kind: Literal["rye", "wheat"]
    slices: Annotated[int, Field(ge=1)]


class Guest(Record):
    name: str
    bites: tuple[int, int] = (1, 2)


class Menu(Record):
    title: str
    on_day: int | None = Field(default=None, alias="day")
    course: Annotated[Soup | Bread, Field(discriminator="kind")] | None = None
    guests: tuple[Guest, ...] = ()
    by_table: dict[Annotated[str, Field(pattern="^[a-z]+$")], Guest] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_empty(self) -> Menu:
        if not self.title:
            raise ValueError("a menu needs a title")
        return self


def refused(text: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        check_record(parse_toml(text, "my.toml", KIND), Menu, "my.toml", KIND)
    assert caught.value.hint == "see the menu's manual"
    return caught.value


def test_a_good_file_becomes_the_record(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('title = "Été"\nday = 3\n[course]\nkind = "rye"\nslices = 2\n', encoding="utf-8")
    for given in (path, str(path)):
        menu = check_record(read_toml(given, KIND), Menu, "my.toml", KIND)
        assert menu == Menu.model_validate({"title": "Été", "day": 3, "course": {"kind": "rye", "slices": 2}})


@pytest.mark.parametrize(
    ("text", "problem", "expected"),
    [
        ('titel = "x"', "unknown key 'titel'; did you mean 'title'? (and 1 more)", "by_table, course, day"),
        ('title = "x"\non_day = 3', "unknown key 'on_day'", "one of by_table, course, day, guests, title"),
        (
            'title = "x"\n[course]\nkind = "soup"\nliters = 2.0',
            "unknown key 'course.liters'; did you mean 'litres'?",
            "one of kind, litres",
        ),
        (
            'title = "x"\n[course]\nkind = "wheat"\nslice = 2',
            "unknown key 'course.slice'; did you mean 'slices'? (and 1 more)",
            "one of kind, slices",
        ),
        (
            'title = "x"\n[[guests]]\nname = "A"\n[[guests]]\nname = "B"\nnane = "C"',
            "unknown key 'guests.1.nane'; did you mean 'name'?",
            "one of bites, name",
        ),
        ('title = "x"\n[by_table.left]\nnam = "A"', "unknown key 'by_table.left.nam'", "one of bites, name"),
        ('title = "x"\n[by_table.UP]\nname = "A"', "by_table.UP is not valid", "match pattern"),
        ('title = "x"\n[[guests]]', "the key 'guests.0.name' is missing", ""),
        ('title = "x"\n[course]\nkind = "wheat"', "the key 'course.slices' is missing", ""),
        ('title = "x"\n[course]\nkind = "cake"', "course.kind does not say", "one of soup, rye, wheat"),
        ('title = "x"\n[course]', "course.kind does not say", "one of soup, rye, wheat"),
        ('title = "x"\ncourse = 3', "course is not valid", "a table"),
        ('title = "x"\n[course]\nkind = "rye"\nslices = 0', "course.slices is not valid", "greater than"),
        ('title = "x"\nguests = [{name = "A", bites = [1]}]', "guests.0.bites is not valid", "at least 2"),
        ('title = "x"\nguests = [{name = "A", bites = [1, "b"]}]', "guests.0.bites.1 is not", "integer"),
        ('title = ""', "a menu needs a title", ""),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_file(text: str, problem: str, expected: str) -> None:
    error = refused(text)
    assert error.problem.startswith(f"my.toml: {problem}")
    assert expected in error.expected
    assert bool(expected) == bool(error.expected)


def test_what_came_is_shown_and_cut_where_it_is_long() -> None:
    assert refused("title = 7").got == "7"
    long = refused(f'title = "x"\nday = "{"y" * 500}"').got
    assert len(long) == 100
    assert long.endswith("yyy...")


@pytest.mark.parametrize("text", ["a =", "[a\n", "x = " + "[" * 5000])
def test_what_is_no_toml_names_the_file(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^my\.toml: ") as caught:
        parse_toml(text, "my.toml", KIND)
    assert "TOML" in caught.value.expected


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no menu") as caught:
        read_toml(tmp_path / "none.toml", KIND)
    assert caught.value.hint == "look on the shelf"
    with pytest.raises(RecipeError, match="cannot read"):
        read_toml(tmp_path, KIND)
    with pytest.raises(RecipeError, match="cannot read"):
        read_toml("a\0b.toml", KIND)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"bytes\.toml is no menu"):
        read_toml(tmp_path / "bytes.toml", KIND)


@pytest.mark.parametrize(("size", "is_read"), [(MAX_FILE_BYTES, True), (MAX_FILE_BYTES + 1, False)])
def test_a_file_may_have_so_many_bytes(tmp_path: Path, size: int, is_read: bool) -> None:
    path = tmp_path / "long.toml"
    path.write_text("#" * size)
    if is_read:
        assert read_toml(path, KIND) == {}
    else:
        with pytest.raises(RecipeError, match=r"long\.toml is no menu"):
            read_toml(path, KIND)
