from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgesqueeze.cli.targets import targets
from edgesqueeze.errors import TargetError
from edgesqueeze.target import load as module
from edgesqueeze.target.load import Target, list_targets


def run(*arguments: str) -> Result:
    return CliRunner().invoke(targets, arguments)


@pytest.fixture(autouse=True)
def no_user_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module.ENVIRONMENT_VARIABLE, raising=False)


def test_list_fits_100_columns() -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines) <= 100
    for target in list_targets():
        assert any(line.split()[:1] == [target.name] for line in lines)


def test_list_json() -> None:
    content = json.loads(run("list", "--json").stdout)
    assert content["schema_version"] == 1
    assert [one["name"] for one in content["targets"]] == [target.name for target in list_targets()]


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_show_prints_every_figure_with_a_source(target: Target) -> None:
    result = run("show", target.name)
    assert result.exit_code == 0
    for section in ("cpu", "memory", "runtime", "preferences"):
        for field in getattr(target, section).model_fields_set - {"note"}:
            row = next(line for line in result.stdout.splitlines() if f" {section}.{field} " in line)
            assert row.rstrip().endswith("]")
    for source in target.sources:
        assert source.document in result.stdout
    assert (
        target.memory.usable_ram_bytes
        == json.loads(run("show", target.name, "--json").stdout)["target"]["memory"]["usable_ram_bytes"]
    )


def test_show_unknown() -> None:
    assert isinstance(run("show", "picoo").exception, TargetError)


def test_check(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((module.shipped_folder() / "pico.toml").read_text().split("[[sources]]")[0])
    result = run("check", str(file))
    assert result.exit_code == 0
    assert "valid target named mine" in result.stdout
    assert "warning: cpu.clock_mhz" in result.stderr


def test_broken_user_profile_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.toml").write_text("x = 1")
    monkeypatch.setenv(module.ENVIRONMENT_VARIABLE, str(tmp_path))
    result = run("list", "--json")
    assert result.exit_code == 0
    assert "broken.toml" in result.stderr
    assert len(json.loads(result.stdout)["targets"]) == len(list_targets())


def test_list_imports_nothing_heavy() -> None:
    code = (
        "import sys; from edgesqueeze.cli.targets import targets; targets(standalone_mode=False); "
        "heavy = {'tensorflow', 'keras', 'numpy', 'ai_edge_litert'} & set(sys.modules); assert not heavy"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, "list"], check=True, capture_output=True, env=environment)
