from pathlib import Path

import pytest

from edgesqueeze.base.user_folders import cache_folder, config_folder


@pytest.mark.parametrize(
    ("folder", "variable", "usual"),
    [(config_folder, "XDG_CONFIG_HOME", ".config"), (cache_folder, "XDG_CACHE_HOME", ".cache")],
)
def test_where_they_are(monkeypatch, tmp_path, folder, variable, usual):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(variable, raising=False)
    assert folder() == tmp_path / usual / "edgesqueeze"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv(variable, ignored)
        assert folder() == tmp_path / usual / "edgesqueeze"
    monkeypatch.setenv(variable, "/elsewhere")
    assert folder() == Path("/elsewhere/edgesqueeze")
