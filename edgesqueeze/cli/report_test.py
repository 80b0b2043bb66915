import json

from click.testing import CliRunner

from edgesqueeze.cli.report import command
from edgesqueeze.graph import parse_tflite
from edgesqueeze.report.details import Details, LayerError
from runtime_tests.support.compressed import regressor, write_compressed


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
