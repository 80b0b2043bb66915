from click.testing import CliRunner

from edgesqueeze.cli.report import command
from runtime_tests.support.compressed import regressor, write_compressed


def test_the_page_goes_into_the_folder_or_where_it_is_wanted(tmp_path):
    write_compressed(tmp_path, regressor(), target="rpi4")
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == f"wrote {tmp_path / 'report.html'}\n"
    other = tmp_path / "new" / "page.html"
    assert CliRunner().invoke(command, [str(tmp_path), "--html", str(other)]).exit_code == 0
    assert other.read_bytes() == (tmp_path / "report.html").read_bytes()
