import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.report import command
from edgesqueeze.errors import OutputError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.report.details import Details, LayerError
from runtime_tests.support.compressed import regressor, write_compressed, write_front


def test_the_page_goes_into_the_folder_or_where_it_is_wanted(tmp_path):
    write_compressed(tmp_path, regressor(), target="rpi4")
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == f"wrote {tmp_path / 'report.html'}\n"
    other = tmp_path / "new" / "page.html"
    assert CliRunner().invoke(command, [str(tmp_path), "--html", str(other)]).exit_code == 0
    assert other.read_bytes() == (tmp_path / "report.html").read_bytes()


def test_node_data_are_written_by_tensor(tmp_path):
    errors = (LayerError(operator=1, tensor="y", error=0.25),)
    details = Details(plain=None, layer_errors=errors, samples=8)
    write_compressed(tmp_path / "out", regressor(), target="rpi4", details=details)
    arguments = [str(tmp_path / "out"), "--model-explorer", str(tmp_path / "nodes")]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert not (tmp_path / "out" / "report.html").exists()
    graph = parse_tflite(regressor()).main
    names = [graph.tensors[one.outputs[0]].name for one in graph.operators]
    told = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "nodes").iterdir()}
    assert set(told) == {"latency", "error", "sparsity"}
    assert list(told["latency"]["results"]) == names
    assert all(one["value"] > 0 for one in told["latency"]["results"].values())
    assert told["error"]["results"] == {names[1]: {"value": 0.25}}
    assert [one["stop"] for one in told["sparsity"]["gradient"]] == [0, 1]


def run(*arguments):
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def test_the_path_of_a_document_is_as_good_as_its_folder(tmp_path):
    write_compressed(tmp_path / "made", regressor(), target="rpi4")
    write_front(tmp_path / "searched")
    for file in (tmp_path / "made" / "report.json", tmp_path / "searched" / "front.json"):
        assert run(file).stdout == f"wrote {file.with_name('report.html')}\n"


def test_a_front_alone_has_a_page_too(tmp_path):
    write_front(tmp_path / "searched")
    (tmp_path / "front.json").write_bytes((tmp_path / "searched" / "front.json").read_bytes())
    assert run(tmp_path).exit_code == 0
    assert "The folder best is not beside front.json" in (tmp_path / "report.html").read_text()


def test_node_data_of_a_search_are_those_of_the_best(tmp_path):
    write_front(tmp_path / "a")
    assert run(tmp_path / "a", "--model-explorer", tmp_path / "nodes").exit_code == 0
    assert run(tmp_path / "a" / "best", "--model-explorer", tmp_path / "same").exit_code == 0
    assert (tmp_path / "nodes" / "latency.json").read_bytes() == (
        tmp_path / "same" / "latency.json"
    ).read_bytes()
    write_front(tmp_path / "b", best=False)
    with pytest.raises(UsageError, match="found no model"):
        run(tmp_path / "b", "--model-explorer", tmp_path / "more")


def test_a_report_without_its_model(tmp_path):
    write_compressed(tmp_path, regressor(), target="rpi4")
    (tmp_path / "model.tflite").unlink()
    with pytest.raises(UsageError, match=r"there is no .*model\.tflite, the model that the report is about"):
        run(tmp_path)


@pytest.mark.parametrize("flag", ["--html", "--model-explorer"])
def test_the_flag_that_was_given_is_the_one_to_change(tmp_path, flag):
    write_compressed(tmp_path / "out", regressor(), target="rpi4")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        run(tmp_path / "out", flag, tmp_path / "file" / "below")
    assert flag in caught.value.hint and "--out" not in caught.value.hint


def test_a_page_of_the_users_own_stays(tmp_path):
    write_compressed(tmp_path, regressor(), target="rpi4")
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError) as caught:
        run(tmp_path)
    assert "--html" in caught.value.hint
    assert (tmp_path / "report.html").read_text() == "mine"
