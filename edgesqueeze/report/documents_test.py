import json
from pathlib import Path

import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.report.documents import find_document, read_document
from runtime_tests.support.compressed import regressor, write_compressed, write_front


def test_a_folder_and_the_document_in_it_mean_the_same(tmp_path):
    write_compressed(tmp_path / "made", regressor(), target="rpi4")
    write_front(tmp_path / "searched")
    for folder, name in (("made", "report.json"), ("searched", "front.json")):
        file = find_document(tmp_path / folder)
        assert file == find_document(file) == tmp_path / folder / name
        assert read_document(file).target


def test_a_document_may_have_another_name(tmp_path):
    write_front(tmp_path)
    (tmp_path / "front.json").rename(tmp_path / "monday.json")
    assert read_document(find_document(tmp_path / "monday.json")).model == "model.keras"


def test_a_folder_of_folders_names_them(tmp_path):
    for name in ("a", "b"):
        write_compressed(tmp_path / name, regressor(), target="rpi4")
    with pytest.raises(UsageError, match=r"there is none in .*, and no front\.json") as caught:
        find_document(tmp_path)
    assert caught.value.hint == f"give one of the folders in it: {tmp_path / 'a'}, {tmp_path / 'b'}"


def test_an_empty_folder_and_one_with_two_documents(tmp_path):
    with pytest.raises(UsageError, match="there is none in"):
        find_document(tmp_path)
    write_compressed(tmp_path, regressor(), target="rpi4")
    write_front(tmp_path)
    with pytest.raises(UsageError, match=r"has a report\.json and a front\.json"):
        find_document(tmp_path)


def test_a_model_names_the_report_beside_it(tmp_path):
    write_compressed(tmp_path, regressor(), target="rpi4")
    with pytest.raises(UsageError, match=r"model\.tflite is no document") as caught:
        read_document(tmp_path / "model.tflite")
    assert caught.value.hint == f"give {tmp_path / 'report.json'}, or its folder"


def test_the_field_that_is_wrong_is_named(tmp_path):
    write_front(tmp_path)
    file = tmp_path / "front.json"
    told = json.loads(file.read_text())
    told["finalists"][1]["takes"]["latency_ms"] = "fast"
    file.write_text(json.dumps(told))
    with pytest.raises(UsageError) as caught:
        read_document(file)
    assert caught.value.got.startswith("finalists.1.takes.latency_ms: ")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_document(find_document(tmp_path / "nothing"))


def test_a_file_without_an_end_is_no_document():
    with pytest.raises(UsageError, match="cannot read /dev/zero: it has more than"):
        read_document(Path("/dev/zero"))
