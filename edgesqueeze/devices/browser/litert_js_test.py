"""LiteRT.js is taken only if it is what npm published; npm itself is played by a script."""

import io
import stat
import tarfile

import pytest

from edgesqueeze.devices.browser import litert_js as module
from edgesqueeze.devices.browser.litert_js import PACKAGES, VERSION, litert_js, unpacked
from edgesqueeze.errors import MissingToolError, UsageError


def archive(names):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(f"package/{name}")
            content = b'{"version": "%s"}' % VERSION.encode()
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that gives archives of ours, whose hashes are expected."""
    import base64
    import hashlib

    own = []
    for package in PACKAGES:
        content = archive(package.files)
        (tmp_path / f"litertjs-{package.name}-{VERSION}.tgz").write_bytes(content)
        own.append(package._replace(integrity=base64.b64encode(hashlib.sha512(content).digest()).decode()))
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n[ $1 = pack ] || {{ echo 10.0.0; exit; }}\n"
        f"echo $2 >> {tmp_path}/asked\ncp {tmp_path}/*.tgz .\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "PACKAGES", tuple(own))
    return tmp_path


def test_it_is_fetched_once(npm):
    assert not module.is_kept()
    found = litert_js()
    assert found.version == VERSION
    assert all(path.is_file() for path in found.files.values())
    assert module.is_kept()
    assert litert_js() == found
    asked = (npm / "asked").read_text().split()
    assert asked == [f"@litertjs/{package.name}@{VERSION}" for package in PACKAGES]


def test_another_archive_is_refused():
    content = archive(PACKAGES[1].files)
    with pytest.raises(MissingToolError, match="npm gave another @litertjs/wasm-utils"):
        unpacked(PACKAGES[1], content)


def test_nothing_is_kept_of_another_archive(npm):
    (npm / f"litertjs-wasm-utils-{VERSION}.tgz").write_bytes(archive(PACKAGES[1].files[:1]))
    with pytest.raises(MissingToolError, match="npm gave another"):
        litert_js()
    assert not module.is_kept()


def test_without_npm_or_network(npm, monkeypatch):
    (npm / "bin" / "npm").write_text("#!/bin/sh\necho 'npm error 404 Not Found' >&2\nexit 1\n")
    with pytest.raises(MissingToolError, match="npm cannot fetch") as error:
        litert_js()
    assert "404 Not Found" in str(error.value)
    monkeypatch.setenv("PATH", str(npm / "nothing"))
    with pytest.raises(MissingToolError, match="there is no npm to fetch it") as error:
        litert_js()
    assert "--litert-js DIR" in str(error.value)


def test_a_folder_of_the_users_own(npm, tmp_path):
    litert_js()
    kept = module.kept_folder()
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "@litertjs").symlink_to(kept)
    assert litert_js(modules).version == litert_js(kept).version == VERSION
    with pytest.raises(UsageError, match="has not all of"):
        litert_js(tmp_path)
