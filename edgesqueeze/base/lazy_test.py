import sys

import pytest

from edgesqueeze.base.lazy import Lazy


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module ``late`` that counts how often it is imported."""
    (tmp_path / "late.py").write_text(
        "import builtins\nbuiltins.late_imports = getattr(builtins, 'late_imports', 0) + 1\n"
        "NUMBER = 7\n\n\ndef add(one, other=1):\n    return one + other\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.late_imports", 0, raising=False)
    yield "late"
    sys.modules.pop("late", None)


def imports():
    import builtins

    return builtins.late_imports


def test_nothing_is_imported_before_its_use(module):
    number, add = Lazy(f"{module}:NUMBER"), Lazy(f"{module}:add")
    assert (imports(), module in sys.modules) == (0, False)
    assert number.load() == 7
    assert (add(2), add(2, other=3)) == (3, 5)
    assert imports() == 1


@pytest.mark.parametrize("path", ["late", "late.NUMBER", ":NUMBER", "late:"])
def test_a_path_needs_module_and_attribute(module, path):
    with pytest.raises(ValueError, match=r"expected 'package\.module:attribute', got '"):
        Lazy(path).load()


def test_what_is_not_there(module):
    with pytest.raises(AttributeError, match="missing"):
        Lazy(f"{module}:missing").load()
    with pytest.raises(ModuleNotFoundError, match="earlier"):
        Lazy("earlier:NUMBER").load()


def test_what_is_named_is_looked_up_at_each_use(module, monkeypatch):
    add = Lazy(f"{module}:add")
    add(1)
    monkeypatch.setattr("late.add", lambda one: f"another {one}")
    assert add(1) == "another 1"
