import subprocess

import pytest

from edgesqueeze.base.worker import as_told, environment, from_told, module_command
from edgesqueeze.errors import TargetError


def test_an_error_comes_back_as_it_was_told():
    error = from_told(as_told(TargetError("no such thing", expected="one", got="none", hint="look")))
    assert type(error) is TargetError
    assert (error.problem, error.expected, error.got, error.hint) == ("no such thing", "one", "none", "look")


@pytest.mark.parametrize("told", [{}, {"error": "annotations"}, {"error": "TargetError"}, {"error": 3}])
def test_what_is_no_error_is_refused(told):
    with pytest.raises(ValueError, match="no error"):
        from_told(told)


@pytest.mark.parametrize("name", ["runpy", "json", "numpy", "edgesqueeze"])
def test_modules_of_the_current_folder_are_not_taken(tmp_path, name):
    """The folder may have come with a stranger's model."""
    (tmp_path / f"{name}.py").write_text("raise SystemExit('code from the folder ran')")
    command = module_command("edgesqueeze.runners.litert_worker")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert "code from the folder ran" not in done.stderr
    assert "missing 4 required positional arguments" in done.stderr
