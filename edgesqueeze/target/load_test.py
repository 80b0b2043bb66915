from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgesqueeze.base.toml import MAX_FILE_BYTES, tomllib
from edgesqueeze.errors import TargetError
from edgesqueeze.target import load as module
from edgesqueeze.target.load import check_file, list_targets, load_target, parse_target
from edgesqueeze.target.records import CORES, Target
from edgesqueeze.target.runtimes import OPERATOR_SETS

SHIPPED = sorted(path.stem for path in module.shipped_folder().glob("*.toml"))
PROMISED = {
    "alif-e7",
    "b-u585i-iot02a",
    "cy8cproto-062-4343w",
    "ek-ra6m4",
    "ek-ra8d1",
    "android-low",
    "android-mid",
    "corstone-300",
    "nano33ble-sense",
    "nrf5340dk",
    "nucleo-f446re",
    "nucleo-g0b1re",
    "nucleo-h7a3zi-q",
    "nucleo-l4r5zi",
    "nucleo-u385rg-q",
    "nucleo-u575zi-q",
    "pico",
    "pico2",
    "pixel",
    "pixel2",
    "pixel3",
    "pixel3a",
    "pixel6",
    "pixel8",
    "rpi-zero2w",
    "rpi-zerow",
    "rpi2",
    "rpi3b-plus",
    "rpi4",
    "rpi5",
    "stm32f746g-disco",
    "stm32h747i-disco",
    "stm32n6570-dk",
}
GOOD = (module.shipped_folder() / "nucleo-f446re.toml").read_text()


@pytest.fixture(autouse=True)
def no_user_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module.ENVIRONMENT_VARIABLE, raising=False)


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(module.ENVIRONMENT_VARIABLE, str(tmp_path))
    return tmp_path


def fails(text: str) -> str:
    with pytest.raises(TargetError) as caught:
        parse_target(text, "board", "folder/board.toml")
    assert caught.value.problem.startswith("folder/board.toml: ")
    return str(caught.value)


class TestShipped:
    def test_all_promised_are_there(self) -> None:
        assert set(SHIPPED) == PROMISED

    @pytest.mark.parametrize("name", SHIPPED)
    def test_is_complete(self, name: str) -> None:
        target = load_target(name)
        assert target.name == name
        assert module.uncovered_figures(target) == ()
        assert target.cpu.core in CORES
        assert target.runtime.operators in OPERATOR_SETS
        assert target.memory.usable_ram_bytes <= target.memory.contiguous_ram_bytes <= target.memory.ram_bytes
        if target.is_mcu:
            assert target.memory.flash_bytes and target.memory.usable_flash_bytes
            assert target.memory.usable_flash_bytes <= target.memory.flash_bytes
            assert (target.preferences.quantization, target.preferences.io) == ("int8", "int8")
        else:
            assert target.memory.flash_bytes is None
        assert 1 <= target.preferences.threads <= target.cpu.cores

    @pytest.mark.parametrize("name", SHIPPED)
    def test_check_finds_nothing(self, name: str) -> None:
        assert check_file(module.shipped_folder() / f"{name}.toml")[1] == ()

    def test_names_and_aliases_are_unique(self) -> None:
        names = [name for target in list_targets() for name in (target.name, *target.aliases)]
        assert len(names) == len(set(names))

    def test_every_source_says_where(self) -> None:
        for target in list_targets():
            assert target.sources, target.name
            assert all(source.document and source.where for source in target.sources)

    def test_known_figures(self) -> None:
        board = load_target("nucleo-l4r5zi")
        assert (board.cpu.core, board.cpu.clock_mhz) == ("cortex-m4", 120)
        assert (board.memory.flash_bytes, board.memory.ram_bytes) == (2048 * 1024, 640 * 1024)
        assert load_target("stm32h747i-disco").memory.contiguous_ram_bytes == 512 * 1024
        assert load_target("pico").cpu.fpu == "none"

    def test_readme_lists_them(self) -> None:
        text = (module.shipped_folder() / "README.md").read_text()
        assert [name for name in SHIPPED if f"`{name}`" not in text] == []


class TestLoad:
    @pytest.mark.parametrize("name", ["raspberry-pi-4", "RPI4", "Raspberry Pi 4", "raspberry_pi_4"])
    def test_by_alias_and_loose_spelling(self, name: str) -> None:
        assert load_target(name).name == "rpi4"

    def test_by_path(self, tmp_path: Path) -> None:
        file = tmp_path / "my-board.toml"
        file.write_text(GOOD)
        assert load_target(str(file)).name == "my-board"

    def test_unknown_name_suggests_the_nearest(self) -> None:
        with pytest.raises(TargetError, match="there is no target 'nucleo-l4r5zl'") as caught:
            load_target("nucleo-l4r5zl")
        assert "did you mean 'nucleo-l4r5zi'" in str(caught.value)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../x", "no/such.toml", "x\0.toml", "\0", "a" * 5000, "/"]
    )
    def test_odd_names(self, name: str) -> None:
        with pytest.raises(TargetError):
            load_target(name)

    def test_not_text(self, tmp_path: Path) -> None:
        file = tmp_path / "board.toml"
        file.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(TargetError, match="no profile"):
            load_target(str(file))

    def test_too_large(self, tmp_path: Path) -> None:
        file = tmp_path / "board.toml"
        file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
        with pytest.raises(TargetError, match="no profile"):
            load_target(str(file))

    def test_file_name_must_be_a_target_name(self, tmp_path: Path) -> None:
        file = tmp_path / "My Board.toml"
        file.write_text(GOOD)
        with pytest.raises(TargetError, match="lower case"):
            load_target(str(file))

    def test_is_frozen(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            load_target("pico").title = "other"  # type: ignore[misc]

    def test_reads_one_file_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original, read = module.read_toml, []
        monkeypatch.setattr(module, "read_toml", lambda *given: read.append(given) or original(*given))
        load_target("nucleo-l4r5zi")
        assert [path.name for path, _ in read] == ["nucleo-l4r5zi.toml"]

    def test_imports_neither_numpy_nor_tensorflow(self) -> None:
        code = "import sys, edgesqueeze.target.load as t; t.list_targets(); print('numpy' in sys.modules)"
        environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        assert run.stdout.strip() == "False"


class TestErrors:
    def test_unknown_field_names_file_field_and_nearest(self) -> None:
        message = fails(GOOD.replace("clock_mhz", "clok_mhz"))
        assert "unknown key 'cpu.clok_mhz'; did you mean 'clock_mhz'?" in message
        assert "clock_mhz" in message.split("expected:")[1]

    def test_unknown_section(self) -> None:
        assert "unknown key 'memroy'; did you mean 'memory'?" in fails(GOOD.replace("[memory]", "[memroy]"))

    def test_unknown_field_in_a_source(self) -> None:
        message = fails(GOOD.replace("document =", "dokument =", 1))
        assert "'sources.0.dokument'; did you mean 'document'?" in message

    def test_host_names_are_refused(self) -> None:
        assert "unknown key 'target.host'" in fails(GOOD.replace("[cpu]", 'host = "10.0.0.7"\n[cpu]', 1))

    def test_missing_field(self) -> None:
        message = fails(GOOD.replace("clock_mhz = 180\n", ""))
        assert "the key 'cpu.clock_mhz' is missing" in message

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ('"cortex-m4"', '"cortex-m44"', "unknown core 'cortex-m44'; did you mean 'cortex-m4'?"),
            (
                'architecture = "armv7e-m"',
                'architecture = "armv8-a"',
                "architecture of cortex-m4 is armv7e-m",
            ),
            ('fpu = "single"', 'fpu = "half"', "'none', 'single' or 'double'"),
            ("dsp = true", 'dsp = "yes"', "cpu.dsp is not valid"),
            ("dsp = true", 'dsp = true\nmve = "float"', "cortex-m4 has no MVE"),
            ("clock_mhz = 180", "clock_mhz = -1", "greater than 0"),
            ("clock_mhz = 180", "clock_mhz = nan", "finite"),
            ("clock_mhz = 180", 'clock_mhz = "180"', "got: '180'"),
            (
                "usable_ram_bytes = 114_688",
                "usable_ram_bytes = 1_000_000",
                "larger than contiguous_ram_bytes",
            ),
            ("usable_flash_bytes = 491_520", "usable_flash_bytes = 600_000", "larger than flash_bytes"),
            ('name = "tflm"', 'name = "tlfm"', "unknown runtime 'tlfm'; did you mean 'tflm'?"),
            ('operators = "tflm"', 'operators = "tfl"', "unknown operator set 'tfl'; did you mean 'tflm'?"),
            ('class = "mcu"', 'class = "linux"', "does not go with the core cortex-m4"),
            ('fields = ["preferences"]', 'fields = ["preferences.jo"]', "did you mean 'preferences.io'?"),
            ("[cpu]", "[cpu", "cannot"),
        ],
    )
    def test_values(self, old: str, new: str, expected: str) -> None:
        assert old in GOOD
        message = fails(GOOD.replace(old, new, 1))
        assert expected in message or (expected == "cannot" and "TOML" in message)

    def test_clusters_must_add_up(self) -> None:
        text = (module.shipped_folder() / "pixel6.toml").read_text()
        assert "clusters have 9" in fails(text.replace("count = 4", "count = 5"))
        assert "no cluster has cortex-x1 cores at 3000 MHz" in fails(
            text.replace("clock_mhz = 2802", "clock_mhz = 3000", 1)
        )


class TestUserFolder:
    def test_is_found_and_wins(self, user_folder: Path) -> None:
        (user_folder / "mine.toml").write_text(GOOD.replace("[", "[", 1))
        (user_folder / "pico.toml").write_text(GOOD.replace("ST NUCLEO-F446RE", "My Pico"))
        assert load_target("pico").title == "My Pico"
        listed = {target.name: target for target in list_targets()}
        assert listed["pico"].title == "My Pico"
        assert set(listed) == PROMISED | {"mine"}

    def test_broken_file_hides_nothing_and_is_reported(self, user_folder: Path) -> None:
        (user_folder / "broken.toml").write_text("[target]\ntitel = 1")
        scan = module.scan_targets()
        assert {target.name for target in scan.targets} == PROMISED
        assert [problem.subject for problem in scan.problems] == ["broken.toml"]
        with pytest.raises(TargetError, match=r"broken\.toml"):
            load_target("broken")
        with pytest.raises(TargetError, match="could not be read"):
            load_target("no-such-board-at-all")

    def test_missing_folder_is_reported(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        folders = os.pathsep.join([str(tmp_path / "nowhere"), str(tmp_path)])
        monkeypatch.setenv(module.ENVIRONMENT_VARIABLE, folders)
        scan = module.scan_targets()
        assert [problem.code for problem in scan.problems] == ["no-target-folder"]
        assert len(scan.targets) == len(PROMISED)


class TestCheckFile:
    def test_missing_sources_are_warnings(self, tmp_path: Path) -> None:
        file = tmp_path / "bare.toml"
        file.write_text(GOOD.split("[[sources]]")[0])
        target, findings = check_file(file)
        assert isinstance(target, Target)
        subjects = {finding.subject for finding in findings if finding.code == "figure-without-source"}
        assert {"cpu.clock_mhz", "memory.flash_bytes", "runtime.operators", "preferences.io"} <= subjects
        assert "memory.note" not in subjects

    def test_taken_alias_is_a_warning(self, tmp_path: Path) -> None:
        file = tmp_path / "board.toml"
        file.write_text(GOOD.replace('["stm32f446re"]', '["pico", "stm32-f446"]'))
        assert [(one.code, one.subject) for one in check_file(file)[1]] == [("name-taken", "pico")]


def _paths(table: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        found.append((*prefix, key))
        if isinstance(value, dict | list):
            found += _paths(value, (*prefix, key))
    return found


RAW = tomllib.loads(GOOD)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copy(one) for key, one in value.items()}
    return [copy(one) for one in value] if isinstance(value, list) else value


def only_target_errors(raw: Any) -> None:
    try:
        module._checked(raw, "board", "board.toml")
    except TargetError as error:
        assert str(error).startswith("board.toml: ")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(path=st.sampled_from(_paths(RAW)), value=VALUES)
def test_any_value_is_taken_or_refused(path: tuple[Any, ...], value: Any) -> None:
    raw = copy(RAW)
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    only_target_errors(raw)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(path=st.sampled_from(_paths(RAW)), name=st.text(max_size=12), value=SCALARS)
def test_any_key_is_taken_or_refused(path: tuple[Any, ...], name: str, value: Any) -> None:
    raw = copy(RAW)
    place = raw
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, dict):
        place[name] = value
    only_target_errors(raw)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(alphabet=st.sampled_from("[]{}=.\"#\n ,-_09azcpu\\'\x00é"), max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for content in (text, GOOD + "\n" + text, GOOD.replace("180", text or "1")):
        with contextlib.suppress(TargetError):
            parse_target(content, "board")


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "9" * 5000, "a." * 3000 + "b = 1"])
def test_hostile_toml(text: str) -> None:
    with pytest.raises(TargetError):
        parse_target(text, "board")


LATENCY = """
[latency]
runtime = "tflm"
version = "x"
cycles_per_instruction = { products = 1.5, weights = 2.0, other = 2.0 }
interval = { low = 0.8, high = 1.2 }
dense_interval = { low = 0.8, high = 1.2 }
float32_interval = { low = 0.5, high = 2.0 }
basis = "a guess"
"""


class TestLatency:
    BARE = GOOD[: GOOD.index("[latency]")]

    @pytest.mark.parametrize("name", SHIPPED)
    def test_shipped_microcontrollers_have_one(self, name: str) -> None:
        target = load_target(name)
        if target.is_mcu:
            assert target.latency and target.latency.runtime == "tflm"

    def test_it_may_be_absent(self) -> None:
        assert parse_target(self.BARE, "board").latency is None

    def test_every_figure_of_it_needs_a_source(self) -> None:
        target = parse_target(self.BARE + LATENCY, "board")
        missing = {path for path in module.uncovered_figures(target) if path.startswith("latency.")}
        assert missing == {f"latency.{field}" for field in type(target.latency).model_fields}
        source = '\n[[assumptions]]\nfields = ["latency"]\nreason = "r"\n'
        covered = module.uncovered_figures(parse_target(self.BARE + LATENCY + source, "board"))
        assert not [path for path in covered if path.startswith("latency.")]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("version", "versoin", "unknown key 'latency.versoin'; did you mean 'version'"),
            ("products =", "product =", "unknown key 'latency.cycles_per_instruction.product'"),
            ('basis = "a guess"', "", "the key 'latency.basis' is missing"),
            ("low = 0.5", "low = 1.5", "latency.float32_interval.low is not valid"),
            ("weights = 2.0", "weights = -1.0", "latency.cycles_per_instruction.weights is not valid"),
            ('"tflm"', '"tfml"', "latency.runtime does not say what the section is for"),
            ('runtime = "tflm"', "", "latency.runtime does not say what the section is for"),
        ],
    )
    def test_what_is_wrong_is_named(self, old: str, new: str, message: str) -> None:
        assert message in fails(self.BARE + LATENCY.replace(old, new))

    def test_a_source_of_a_field_that_does_not_exist(self) -> None:
        source = '\n[[assumptions]]\nfields = ["latency.intervall"]\nreason = "r"\n'
        assert "did you mean 'latency.interval'" in fails(self.BARE + LATENCY + source)

    def test_the_runtime_goes_with_the_class(self) -> None:
        phone = (module.shipped_folder() / "pixel6.toml").read_text().split("\n[latency]")[0]
        phone = phone[: phone.index("[[sources]]")] if "[[sources]]" in phone else phone
        assert "latency.runtime 'tflm' does not go with 'android'" in fails(phone + LATENCY)
