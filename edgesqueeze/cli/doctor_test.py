import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli import doctor_facts as doctor
from edgesqueeze.cli.doctor import command


@pytest.fixture
def without(monkeypatch):
    """Makes packages look missing."""
    real = doctor.installed_version

    def hide(*names):
        monkeypatch.setattr(
            doctor, "installed_version", lambda asked: None if asked in names else real(asked)
        )

    return hide


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table_fits(monkeypatch, without, columns):
    monkeypatch.setenv("COLUMNS", columns)
    without("tensorflow", "keras")
    result = CliRunner().invoke(command)
    assert result.exit_code == 0
    table, _, advice = result.stdout.partition("for ")
    assert max(len(line) for line in table.splitlines()) <= int(columns)
    assert "tensorflow, keras:" in result.stdout
    assert advice.count("pip install 'edgesqueeze[compress]'") == 1


def test_a_missing_core_package_fails(without):
    without("numpy")
    assert CliRunner().invoke(command).exit_code == 1


def test_json():
    document = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert document["schema_version"] == 1
    numpy = next(one for one in document["components"] if one["name"] == "numpy")
    assert (numpy["part"], numpy["state"], numpy["wanted"]) == ("core", "ok", ">=1.26,<3")
