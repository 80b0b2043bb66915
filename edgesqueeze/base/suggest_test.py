from __future__ import annotations

from edgesqueeze.base.suggest import nearest, nearest_name


def test_nearest() -> None:
    assert nearest_name("flsh_bytes", ["flash_bytes", "ram_bytes"]) == "flash_bytes"
    assert nearest("flsh_bytes", ["flash_bytes"]) == "; did you mean 'flash_bytes'?"


def test_nothing_is_near() -> None:
    assert nearest_name("zzz", ["flash_bytes"]) == ""
    assert nearest("", ["flash_bytes"]) == ""
