"""What the READMEs say is what the program does: commands, options, keys, tables, files and links."""

import ast
import re
import subprocess

import click
import pytest

import edgesqueeze
from edgesqueeze.cli import BROKEN_PIPE_EXIT, COMMANDS, FAULT_EXIT, INTERRUPTED_EXIT, USAGE_EXIT, cli
from edgesqueeze.emit.native.kernels import FOLDER as KERNELS
from edgesqueeze.emit.native.kernels import has_own
from edgesqueeze.emit.native.lower.table import INT16, OPERATORS, REAL
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.runners.registry import RUNNERS
from runtime_tests.support.native_figures import peer
from runtime_tests.support.readmes import (
    ROOT,
    anchors,
    blocks,
    code_words,
    command_tree,
    commands,
    known_files,
    links,
    marked,
    readmes,
    rows,
    section,
)

READMES = readmes()
FIRST, INSIDE = READMES["README.md"], READMES["edgesqueeze/README.md"]
CLI = READMES["edgesqueeze/cli/README.md"]
NATIVE = READMES["edgesqueeze/kernels/README.md"]
SQUEEZE = READMES["edgesqueeze/squeeze/README.md"]
SHOWN = [(name, words) for name, text in READMES.items() for words in commands(text)]
TREE = dict(command_tree())
FIRST_PAGE_BYTES = 15_000
SETS = ("reference", "dsp", "mve")


def test_the_first_page_is_short():
    assert len(FIRST.encode()) <= FIRST_PAGE_BYTES


# --- commands and options ---------------------------------------------------------------------------------


def test_the_first_page_shows_all_main_commands():
    names = {words[1] for words in commands(FIRST) if words[0] == "edgesqueeze"}
    assert names >= {"demo", "compress", "inspect", "verify", "emit", "bench", "targets"}


@pytest.mark.parametrize(
    ("name", "words"), SHOWN, ids=[f"{name}: {' '.join(words)}" for name, words in SHOWN]
)
def test_every_command_line_parses(name, words):
    if words[0] != "edgesqueeze":
        assert words[0] in ("make", "python", "set") or words[0] in known_files()
        return
    context = cli.make_context("edgesqueeze", words[1:])
    command = cli
    # Parsing, as when it is run, but without running it.
    while isinstance(command, click.Group):
        _, command, arguments = command.resolve_command(context, [*context.protected_args, *context.args])
        context = command.make_context(command.name, list(arguments), parent=context)
    assert isinstance(command, click.Command)


@pytest.mark.parametrize("name", READMES)
def test_every_option_that_is_named_exists(name):
    known = {
        opt for command in TREE.values() for one in command.params for opt in (*one.opts, *one.secondary_opts)
    } | {"--help"}
    known |= {opt for one in cli.params for opt in one.opts}
    scripts = (*(ROOT / "scripts").iterdir(), *(ROOT / "scripts" / "benchmarks").glob("*.py"))
    for path in (*scripts, *(ROOT / "examples").glob("*/run")):
        if path.is_file():
            known |= set(re.findall(r"--[a-z][a-z-]+", path.read_text(encoding="utf-8")))
    named = {
        opt for word in code_words(READMES[name]) for opt in re.findall(r"(?<![\w-])--[a-z][a-z-]+", word)
    }
    assert named <= known


@pytest.mark.parametrize("name", TREE)
def test_every_command_and_option_has_help(name):
    command = TREE[name]
    assert command.help
    assert all(one.help for one in command.params if isinstance(one, click.Option))
    context = command.make_context(name, [], resilient_parsing=True)
    names = [
        one.opts[0] if isinstance(one, click.Option) else one.make_metavar(context) for one in command.params
    ]
    assert all(name in command.get_help(context) for name in names)


@pytest.mark.parametrize("name", TREE)
def test_every_command_and_option_is_in_the_reference(name):
    text = section(f"`edgesqueeze {name.split()[0]}", CLI)
    if " " in name:
        text = next(line for line in text.splitlines() if f"edgesqueeze {name}" in line)
    for option in (one for one in TREE[name].params if isinstance(one, click.Option)):
        assert f"`{option.opts[0]}" in text, f"{name} {option.opts[0]}"
        if isinstance(option.type, click.Choice):
            assert all(f"`{choice}`" in text for choice in option.type.choices), option.opts[0]


@pytest.mark.parametrize("name", [name for name in TREE if " " not in name])
def test_the_reference_has_no_option_that_is_gone(name):
    known = {opt for one in TREE[name].params for opt in (*one.opts, *one.secondary_opts)} | {"--help"}
    text = section(f"`edgesqueeze {name}", CLI)
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) <= known


def test_the_table_of_commands():
    table = CLI[: CLI.index("## ")]
    assert [re.findall(r"`(\w+)`", row[0])[0] for row in rows(table)] == list(COMMANDS)


def test_defaults_in_the_reference():
    options = {(name, one.name): one for name, command in TREE.items() for one in command.params}
    assert f"{options['verify', 'samples'].default} by default" in section("`edgesqueeze verify", CLI)
    assert f"{options['verify', 'tolerance_lsb'].default:g} by default" in section("`edgesqueeze verify", CLI)
    assert f"{options['demo', 'epochs'].default} by default" in section("`edgesqueeze demo", CLI)
    assert f"`{options['demo', 'out'].default}` by default" in section("`edgesqueeze demo", CLI)


def test_exit_statuses():
    listed = [int(row[0]) for row in rows(section("Exit status", CLI))]
    assert listed == [0, 1, USAGE_EXIT, FAULT_EXIT, INTERRUPTED_EXIT, BROKEN_PIPE_EXIT]


def test_runtimes():
    assert all(f"`{name}`" in section("`edgesqueeze verify", CLI) for name in RUNNERS)
    listed = rows(section("Parity of runtimes", READMES["edgesqueeze/checks/README.md"]))
    assert [row[0].strip("`") for row in listed][: len(RUNNERS)] == list(RUNNERS)


def test_every_schema_is_listed():
    assert all(path.name in CLI for path in (ROOT / "edgesqueeze" / "schemas").glob("*.json"))


@pytest.mark.parametrize("name", ["bench", "demo", "lint", "schemas", "test"])
def test_every_script_has_help(name, tmp_path, monkeypatch):
    # An environment that is not there: help must not make one.
    monkeypatch.setenv("EDGESQUEEZE_VENV", str(tmp_path / "venv"))
    done = subprocess.run([ROOT / "scripts" / name, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"scripts/{name}" in done.stdout
    assert not (tmp_path / "venv").exists()


def test_every_benchmark_is_described():
    text = READMES["scripts/benchmarks/README.md"]
    script = (ROOT / "scripts" / "bench").read_text(encoding="utf-8")
    names = re.findall(r"^#   ([a-z]+) {2,}\S", script, re.MULTILINE)
    assert len(names) > 5
    listed = [re.findall(r"`(\w+)`", row[0])[0] for row in rows(text)[: len(names) - 1]]
    assert [*listed, "all"] == names
    for name in listed:
        assert section(name, text).strip()
        assert (ROOT / "scripts" / "benchmarks" / f"{name}.py").is_file()


# --- rooms and tables -------------------------------------------------------------------------------------


def test_rooms_are_those_of_the_linter():
    project = recipe_toml((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    table = rows(section("The rooms", INSIDE))
    assert [re.findall(r"`([\w.]+)`", row[0])[0].removesuffix(".py") for row in table] == layers
    assert all(row[1].endswith(".") and len(row[1].split()) >= 6 for row in table)
    folders = ("kernels", "schemas")
    package = {
        path.stem for path in (ROOT / "edgesqueeze").iterdir() if not path.name.startswith(("_", "README"))
    }
    assert {name for name in package if not name.endswith("_test") and name != "py"} == {*layers, *folders}


def recipe_toml(text):
    from edgesqueeze.base.toml import tomllib

    return tomllib.loads(text)


def test_tables_are_where_it_says():
    listed = [row for row in rows(section("The tables", INSIDE)) if row[0].startswith("`")]
    assert len(listed) > 5
    for names, file, *_ in listed:
        text = (ROOT / "edgesqueeze" / file.strip("`")).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^{name}\b.*=", text, re.MULTILINE), f"{name} in {file}"


def test_recipe_keys_and_defaults():
    (text,) = blocks("toml", section("Recipe", SQUEEZE))
    shown = recipe_toml(text)
    parsed = parse_recipe(shown)
    assert set(shown) == set(Recipe.model_fields)
    for name in set(Recipe.model_fields) - {"seed"}:
        record = type(getattr(parsed, name))
        # What stands in place of another key is shown as a comment.
        instead = set(re.findall(r"^ +# (\w+) = ", text, re.MULTILINE)) & set(record.model_fields)
        assert set(shown[name]) | instead == set(record.model_fields), name
        for key, field in record.model_fields.items():
            if field.default is not None:
                assert getattr(getattr(parsed, name), key) == field.default, f"{name}.{key}"


def test_operators_of_native_c():
    listed = section("Operators", NATIVE).strip().split("\n")[0].rstrip(".").split(", ")
    assert sorted(listed) == list(OPERATORS)
    assert f"[{len(listed)} operators]" in FIRST


def test_operators_on_real_numbers_of_native_c():
    (line,) = re.findall(r"^On float32, behind an inner DEQUANTIZE: (.*)\.$", NATIVE, re.MULTILINE)
    assert line.split(", ") == sorted(REAL)


def test_operators_on_int16_of_native_c():
    (line,) = re.findall(r"^On int16 activations [^:]*: (.*)\.$", NATIVE, re.MULTILINE)
    assert line.split(", ") == sorted(INT16)


INNER = (
    "es_sum_s8",
    "es_dot_4_s8",
    "es_real_pair_f32",
    "es_pair_s32",
    "es_dot_4_s16",
    "es_depthwise_pixel_s16",
    "es_depthwise_pixels_s16",
)
"""What only kernels call."""


def test_kernels_of_each_set():
    declared = "".join(path.read_text(encoding="utf-8") for path in (KERNELS / "include").glob("*.h"))
    callable_ = {
        name
        for name in re.findall(r"^void (es_cast|es_\w+_(?:s8|s16|s32|f32))\(", declared, re.MULTILINE)
        if (KERNELS / "reference" / f"{name}.c").is_file() and name not in INNER
    }
    listed = {
        name: row for row in rows(marked("kernels", NATIVE)) for name in re.findall(r"`(es_\w+)`", row[0])
    }
    assert set(listed) == callable_
    for name, row in listed.items():
        assert [cell == "yes" for cell in row[2:]] == [has_own(one, name) for one in SETS]
    operators = {word for row in listed.values() for word in re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", row[1])}
    # These need no kernel: the output is the input, or nothing runs.
    no_kernel = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "RELU", "CALL_ONCE", "VAR_HANDLE"}
    assert operators - {"RELU"} >= {*OPERATORS} - no_kernel


CORES = {"Cortex-M3": "m3", "Cortex-M4": "m4", "Cortex-M7": "m7", "Cortex-M55": "m55"}


def test_figures_of_the_peer_and_gains():
    shown = {}
    for table in re.findall(r"^\| (Cortex-M\d+) \|.*\n\|[ :|-]+\n((?:\|.*\n)+)", NATIVE, re.MULTILINE):
        for row in rows(f"| \n| --- |\n{table[1]}"):
            shown[table[0], row[0]] = row[1:]
    assert len(shown) == 4 * 8
    for (core, model), cells in shown.items():
        instructions, theirs, code, their_code, _, their_ram = (
            int(cells[i].replace(",", "")) for i in (0, 1, 3, 4, 5, 6)
        )
        found = peer(model, CORES[core])
        assert (found.instructions, found.code_bytes["O3"], found.arena_bytes) == (
            theirs,
            their_code,
            their_ram,
        )
        assert cells[2] == f"{theirs / instructions:.2f}"
        assert code < their_code / 2
    first = rows(section("Measured", FIRST))[:4]
    for row in first:
        ours = [cell.removesuffix(" x") for cell in row[1:]]
        assert ours == shown["Cortex-M4", row[0]]


def test_every_finding_is_described():
    text = section("Findings", READMES["edgesqueeze/report/README.md"])
    listed = {code for row in rows(text) for code in re.findall(r"`([\w-]+)`", row[0])}
    found = set()
    for path in (ROOT / "edgesqueeze").rglob("*.py"):
        if not path.name.endswith("_test.py"):
            found |= finding_codes(ast.parse(path.read_text(encoding="utf-8")))
    assert found == listed


def finding_codes(tree):
    """Codes of the findings that a module makes, by itself or through a function that returns one."""
    makers = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Finding"
    }
    codes = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        values = [one.value for one in call.keywords if one.arg == "code" and name == "Finding"]
        values += call.args[:1] if name in makers else []
        codes |= {one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        # Passes name what they left out after themselves.
        codes |= {
            f"{task}-skipped"
            for one in values
            if isinstance(one, ast.JoinedStr)
            for task in ("prune", "cluster")
        }
    return codes


def test_the_number_of_targets():
    assert f"one of {len(list((ROOT / 'targets').glob('*.toml')))} shipped" in FIRST


def test_python_uses_what_is_public():
    (code,) = blocks("python", FIRST)
    tree = ast.walk(ast.parse(code))
    used = {
        node.attr
        for node in tree
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "edgesqueeze"
    }
    assert used
    assert used <= set(edgesqueeze.__all__)


# --- links and files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name):
    for link in links(READMES[name]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


USERS = frozenset({"main.c", "my-board.toml", "hook.h", "digits_model.h", "recipe.toml", "front.csv"})
"""Names that stand for a user's own files, or for what is generated."""


@pytest.mark.parametrize("name", READMES)
def test_files_that_are_named_exist(name):
    for word in code_words(READMES[name]):
        # Upper case stands for something: `pack/SET.py`.
        if re.fullmatch(r"(?:\.\./)*[a-z0-9_./-]+\.(?:py|toml|md|csv|c|h|j2|sh)", word) and word not in USERS:
            assert word.removeprefix("../") in known_files(), word


SOURCES = [
    path
    for folder in ("edgesqueeze", "examples", "runtime_tests", "scripts", "targets")
    for path in (ROOT / folder).rglob("*")
    if path.is_file()
    and (path.suffix in (".py", ".toml", ".c", ".h", ".j2") or path.parent.name == "scripts")
]


def test_modules_that_sources_name_exist():
    sources = [one for one in SOURCES if not one.name.endswith("_test.py") and one.parent.name != "support"]
    named = {
        (str(path.relative_to(ROOT)), word)
        for path in sources
        for word in re.findall(r"(?<![\w$])[A-Za-z][\w/-]*\.py\b", path.read_text(encoding="utf-8"))
    }
    assert [one for one in sorted(named) if one[1] not in known_files()] == []


@pytest.mark.parametrize("room", ["checks", "devices", "report", "timing"])
def test_every_module_of_a_room_is_described(room):
    words = " ".join(code_words(READMES[f"edgesqueeze/{room}/README.md"]))
    modules = {path.name for path in (ROOT / "edgesqueeze" / room).glob("*.py")} - {"__init__.py"}
    modules = {name for name in modules if not name.endswith("_test.py")}
    assert modules
    assert {name for name in modules if not re.search(rf"\b{re.escape(name)}\b", words)} == set()
