"""What README.md says is what the program does: its commands, options, recipe keys and links."""

import ast
import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import edgesqueeze
from edgesqueeze import recipe
from edgesqueeze.base.toml import tomllib
from edgesqueeze.cli import cli, main
from edgesqueeze.runners.registry import RUNNERS
from runtime_tests.support.tflite_builder import tiny_cnn
from runtime_tests.support.tools import require_tool

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shown_commands(text=README):
    """The command lines in console blocks, as words without the prompt."""
    lines = "".join(blocks("console", text)).replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def section(title):
    """The text under a heading, up to the next one of its level or above."""
    match = re.search(
        rf"^(#+) {re.escape(title)}.*?\n(.*?)(?=^#{{1,3}} |\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert match, f"README.md has no section {title}"
    return match[2]


def command_tree():
    """All commands by name: ``targets list`` and so on; groups themselves left out."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def test_there_are_commands():
    names = {words[1] for words in shown_commands() if words[0] == "edgesqueeze"}
    assert names >= {"demo", "compress", "inspect", "verify", "emit", "bench", "calibrate", "targets"}


@pytest.mark.parametrize("words", shown_commands(), ids=" ".join)
def test_every_command_line_parses(words):
    assert words[0] == "edgesqueeze"
    context = cli.make_context("edgesqueeze", words[1:])
    command = cli
    # Parsing, as when it is run, but without running it.
    while isinstance(command, click.Group):
        _, command, arguments = command.resolve_command(context, [*context.protected_args, *context.args])
        context = command.make_context(command.name, list(arguments), parent=context)
    assert isinstance(command, click.Command)


@pytest.mark.parametrize("name", [name for name, _ in command_tree()])
def test_every_command_and_option_is_in_the_reference(name):
    command = dict(command_tree())[name]
    text = section(f"`edgesqueeze {name.split()[0]}")
    if " " in name:
        text = next(line for line in text.splitlines() if f"edgesqueeze {name}" in line)
    for option in (one for one in command.params if isinstance(one, click.Option)):
        assert f"`{option.opts[0]}" in text, f"{name} {option.opts[0]}"
        if isinstance(option.type, click.Choice):
            assert all(f"`{choice}`" in text for choice in option.type.choices), option.opts[0]


@pytest.mark.parametrize("name", [name for name, _ in command_tree()])
def test_the_reference_has_no_option_that_is_gone(name):
    known = {opt for one in dict(command_tree())[name].params for opt in one.opts} | {"--help"}
    text = section(f"`edgesqueeze {name.split()[0]}")
    if " " not in name:
        assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) <= known


def test_defaults_in_the_reference():
    options = {(name, one.name): one for name, command in command_tree() for one in command.params}
    assert f"{options['verify', 'samples'].default} by default" in section("`edgesqueeze verify")
    assert f"{options['verify', 'tolerance_lsb'].default:g} by default" in section("`edgesqueeze verify")
    assert f"{options['demo', 'epochs'].default} by default" in section("`edgesqueeze demo")
    assert f"`{options['demo', 'out'].default}` by default" in section("`edgesqueeze demo")
    assert all(f"`{name}`" in section("`edgesqueeze verify") for name in RUNNERS)


def test_recipe_keys_and_defaults():
    (text,) = blocks("toml", section("Recipe"))
    shown = tomllib.loads(text)
    parsed = recipe.parse_recipe(shown)
    assert set(shown) == set(recipe.Recipe.model_fields)
    for name, record in recipe.SECTIONS.items():
        assert set(shown[name]) == set(record.model_fields), name
        for key, field in record.model_fields.items():
            if field.default is not None:
                assert getattr(getattr(parsed, name), key) == field.default, f"{name}.{key}"


def test_python_uses_what_is_public():
    (code,) = blocks("python")
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "edgesqueeze"
    }
    assert used
    assert used <= set(edgesqueeze.__all__)


def anchors(text):
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists(), link
        if anchor:
            text = (ROOT / path).read_text(encoding="utf-8") if path else README
            assert anchor in anchors(text), link


def test_every_schema_is_listed():
    assert all(path.name in README for path in (ROOT / "edgesqueeze" / "schemas").glob("*.json"))


def test_the_number_of_targets():
    assert f"{len(list((ROOT / 'targets').glob('*.toml')))} are shipped" in README


def test_predictions_need_nothing_but_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out/model.tflite").write_bytes(tiny_cnn())
    lines = [words for words in shown_commands(section("How fast on the device")) if "--ssh" not in words]
    shipped = [words for words in lines if "my-pi" not in words]
    assert len(shipped) == 2
    for words in shipped:
        done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "predicted" in done.output
    assert Path("layers.svg").read_text(encoding="utf-8").startswith("<svg")


def test_bad_input_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "nowhere.tflite"])
    assert caught.value.code == 2


def test_a_model_that_does_not_fit_exits_with_1(tmp_path, capsys):
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    profile = (ROOT / "targets" / "pico.toml").read_text(encoding="utf-8")
    small = re.sub(r"^usable_ram_bytes = .*", "usable_ram_bytes = 16", profile, flags=re.MULTILINE)
    (tmp_path / "small.toml").write_text(small, encoding="utf-8")
    (tmp_path / "tiny.tflite").write_bytes(tiny_cnn())
    with pytest.raises(SystemExit) as caught:
        main(["inspect", str(tmp_path / "tiny.tflite"), "--target", str(tmp_path / "small.toml")])
    assert caught.value.code == 1
    assert "does not fit" in capsys.readouterr().out


@pytest.mark.slow
def test_the_main_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
    for name, package in (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("qemu-system-arm", "qemu-system-arm")):
        require_tool(name, package)
    from runtime_tests.support import tiny_keras

    monkeypatch.chdir(tmp_path)
    tiny_keras.randomize(tiny_keras.conv2d()).save("model.keras")
    np.savez("data.npz", x=tiny_keras.images(), y=np.arange(48) % tiny_keras.CLASSES)
    lines = shown_commands(section("A model of your own"))
    assert [words[1] for words in lines] == ["targets", "compress", "inspect", "verify", "emit", "bench"]
    for words in lines:
        done = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    report = json.loads(Path("out/report.json").read_text())
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(report["files"])
    assert report["files"][:3] == ["model.tflite", "model.keras", "report.json"]
    written = {path.name for path in Path("firmware").iterdir()}
    assert written >= {"my_model.h", "my_model.c", "my_model_weights.c", "Makefile", "kernels"}
