import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli import cli
from edgesqueeze.errors import OutputError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.predict import predict
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(predict(parse_tflite(tiny_dense()), "rpi4").model_dump_json())
    return path


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.json"
    path.write_text(predict(parse_tflite(tiny_cnn()), "rpi4").model_dump_json())
    return path


def run(*arguments):
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], catch_exceptions=False)


def test_better_and_worse(small, large):
    done = run(large, small)
    assert done.exit_code == 0
    assert "2 better" in done.output
    done = run(small, large)
    assert done.exit_code == 1
    assert "2 worse" in done.output
    assert run(small, large, "--tolerance", "latency=100000%", "--tolerance", "size=1e6").exit_code == 0


def test_two_forms_in_one_file_are_refused(small, tmp_path):
    arguments = ["compare", small, small, "--markdown", tmp_path / "x", "--junit", tmp_path / "x"]
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert isinstance(done.exception, UsageError) and not (tmp_path / "x").exists()


def test_files_for_people_and_servers(small, large, tmp_path):
    files = (tmp_path / "out" / "c.md", tmp_path / "c.xml")
    done = run(small, large, "--markdown", files[0], "--junit", files[1], "--json")
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["ok"]
    assert files[0].read_text().startswith("**❌ worse**")
    assert files[1].read_text().startswith("<?xml")


def test_the_same_twice(small):
    done = run(small, small)
    assert done.exit_code == 0
    assert "2 same" in done.output


@pytest.mark.parametrize("flag", ["--markdown", "--junit"])
def test_the_flag_that_was_given_is_the_one_to_change(small, tmp_path, flag):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        run(small, small, flag, tmp_path / "file" / "below")
    assert caught.value.hint == f"name another file with {flag}, or free some space"


@pytest.mark.parametrize("flag", ["--markdown", "--junit"])
def test_a_document_that_is_read_is_not_replaced(small, large, tmp_path, flag):
    before = large.read_text()
    arguments = [
        "compare",
        small,
        large,
        "--markdown",
        tmp_path / "first.md",
        flag,
        tmp_path / "." / large.name,
    ]
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert isinstance(done.exception, OutputError) and flag in done.exception.hint
    assert large.read_text() == before and not (tmp_path / "first.md").exists()
