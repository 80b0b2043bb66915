import pytest

from runtime_tests.support import virtual_pi


@pytest.fixture
def no_tool(monkeypatch, tmp_path):
    monkeypatch.setattr(virtual_pi, "KEYRING", tmp_path / "keyring")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_what_it_needs_it_is_skipped(no_tool, monkeypatch, tmp_path):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install"):
        virtual_pi.virtual_pi()
    # Nothing half-made stays.
    assert list(tmp_path.rglob("python3*")) == []


def test_in_ci_it_fails(no_tool, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"no virtual Raspberry Pi: .*apt-get install"):
        virtual_pi.virtual_pi()


def test_mirror_comes_from_this_machines_apt(monkeypatch):
    monkeypatch.setattr(virtual_pi, "_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "trixie"})
    monkeypatch.setattr(virtual_pi, "_tool", lambda name: name)
    listed = (
        "'https://a.example/security/dists/trixie-security/InRelease' a 0\n"
        "'https://b.example/debian/dists/trixie/InRelease' b 0\n"
        "'https://b.example/debian/dists/trixie-updates/InRelease' c 0\n"
    )
    monkeypatch.setattr(virtual_pi, "_run", lambda command: listed)
    assert virtual_pi._mirror() == "https://b.example/debian"


def test_mirror_comes_from_debootstrap_elsewhere(monkeypatch, tmp_path):
    script = tmp_path / "debootstrap"
    script.write_text('#!/bin/sh\nset -e\nDEF_MIRROR="https://c.example/debian"\n')
    monkeypatch.setattr(virtual_pi, "_os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    monkeypatch.setattr(virtual_pi, "_tool", lambda name: str(script))
    assert virtual_pi._mirror() == "https://c.example/debian"
