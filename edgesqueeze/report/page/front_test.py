import re

import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.report.page.page import write_page
from edgesqueeze.report.page.page_test import Reader
from runtime_tests.support.compressed import write_front


def read(folder):
    return Reader(write_page(folder).read_text(encoding="utf-8"))


def test_the_best_comes_first_and_then_what_was_made(tmp_path):
    write_front(tmp_path)
    page = read(tmp_path)
    assert page.words[1:3] == ["model.keras on ST NUCLEO-L4R5ZI: search", "ok"]
    assert page.words[3].startswith("the best is trial 0: ")
    assert page.headings[:3] == ["What was found", "The best: trial 0", "Before and after"]


def test_every_trial_and_finalist_is_a_point_with_its_figures(tmp_path):
    write_front(tmp_path, trials=7)
    hints = read(tmp_path).hints
    assert (
        sum(
            re.match(r"trial 3, trained: [\d.]+ ms, [\d.]+ KiB of flash, 20 KiB of RAM, a drop of", hint)
            is not None
            for hint in hints
        )
        == 2
    )
    assert len([hint for hint in hints if hint.startswith(("trial ", "finalist "))]) == 2 * (7 + 3)
    assert any("prune sparsity=0.35" in hint for hint in hints)


def test_where_nothing_keeps_to_the_limits_the_reason_comes_first(tmp_path):
    write_front(tmp_path, best=False)
    page = read(tmp_path)
    assert page.words[2:4] == ["not ok", "max_flash of 10 KiB cannot be met: the nearest takes 31 KiB"]
    assert page.headings == ["What was found", "Versions"]


def test_a_front_of_another_version_is_refused(tmp_path):
    (tmp_path / "front.json").write_text('{"finalists": []}')
    with pytest.raises(UsageError, match="no front of this version"):
        write_page(tmp_path)
