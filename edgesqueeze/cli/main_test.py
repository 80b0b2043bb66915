import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from edgesqueeze import cli as module
from edgesqueeze.base.lazy import Lazy
from edgesqueeze.base.signals import say_left
from edgesqueeze.cli import COMMANDS, Entry, cli, main
from edgesqueeze.errors import EdgeSqueezeError, FitError, TargetError
from runtime_tests.support.tflite_builder import tiny_dense

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def status_of(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


@pytest.fixture
def failing(monkeypatch):
    """A command ``fail`` that raises what it is given."""

    def install(error):
        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        def command(as_json):
            raise error

        monkeypatch.setitem(sys.modules, "fail", SimpleNamespace(command=command))
        row = Entry(Lazy("fail:command"), "Fails.")
        monkeypatch.setattr(module, "COMMANDS", {**COMMANDS, "fail": row})

    return install


def commands_that_exist():
    """Names and commands of the whole tree, with those of groups."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield name, command
        for inner, child in getattr(command, "commands", {}).items():
            yield f"{name} {inner}", child


def test_every_command_and_option_has_help():
    found = dict(commands_that_exist())
    assert {"emit", "inspect", "verify", "targets", "targets list", "doctor"} <= set(found)
    for name, command in found.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_help_imports_no_command_and_nothing_heavy():
    code = (
        "import sys\nfrom edgesqueeze.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = ('edgesqueeze.cli.', 'numpy', 'pydantic', 'rich', 'jinja2')\n"
        "print([name for name in sys.modules if name.startswith(heavy)], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.summary.split()[0] in done.stdout


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        ("targets list", "numpy"),
        ("targets show pico", "numpy"),
        ("inspect MODEL", ""),
        ("bench MODEL --target rpi4", "edgesqueeze.latency.tflm edgesqueeze.timing.emulation"),
        ("bench MODEL --target pico --runtime tflm", "edgesqueeze.latency.litert"),
    ],
)
def test_a_command_imports_what_it_uses_only(tmp_path, words, unwanted):
    """``scripts/bench startup`` says what that saves."""
    (tmp_path / "a.tflite").write_bytes(tiny_dense())
    code = (
        "import sys\nfrom edgesqueeze.cli import cli\n"
        "cli.main(sys.argv[2:], standalone_mode=False)\n"
        "heavy = 'tensorflow keras tf_keras tflite_micro ai_edge_litert.interpreter jinja2 rich subprocess'\n"
        "print({*heavy.split(), *sys.argv[1].split()} & set(sys.modules), file=sys.stderr)\n"
    )
    given = words.replace("MODEL", str(tmp_path / "a.tflite")).split()
    done = subprocess.run(
        [sys.executable, "-c", code, unwanted, *given],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "set()"


def test_what_a_process_is_spared(monkeypatch):
    """Only where the process is the program: whoever calls ``main`` keeps their own settings."""
    code = (
        "import gc, os, sys\nfrom edgesqueeze.cli import COLLECT_AFTER, main\n"
        "before = gc.get_threshold()\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert gc.get_threshold() == before\n"
        "assert 'PYDANTIC_DISABLE_PLUGINS' not in os.environ\n"
        "assert 'pydantic.plugin._loader' not in sys.modules\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert gc.get_threshold()[0] == COLLECT_AFTER\n"
        "assert os.environ['PYDANTIC_DISABLE_PLUGINS'] == '__all__'\n"
        "from edgesqueeze.base.records import Range\n"
        "assert Range(estimate=2, low=1, high=3).contains(2)\n"
        "assert 'importlib.metadata' not in sys.modules\n"
    )
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("PYDANTIC")}
    subprocess.run([sys.executable, "-c", code, "--help"], env=environment, check=True, capture_output=True)


def test_as_a_module(tmp_path):
    model = tmp_path / "a.tflite"
    model.write_bytes(tiny_dense())
    command = [sys.executable, "-m", "edgesqueeze", "inspect", str(model)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "full int8" in done.stdout


@pytest.mark.parametrize(("error", "status"), [(TargetError("no such thing"), 2), (FitError("too large"), 1)])
def test_errors_have_their_exit_status(failing, capsys, error, status):
    failing(error)
    assert status_of("fail") == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: {error.problem}\n"


def test_an_error_is_told_in_full_and_is_not_markup(failing, capsys):
    failing(TargetError("bad [red]name", expected="[a-z]+", got="[X]", hint="rename it"))
    assert status_of("fail") == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: bad [red]name",
        "  expected: [a-z]+",
        "  got: [X]",
        "  what to do: rename it",
    ]


def test_long_messages_are_not_broken(failing, capsys):
    failing(EdgeSqueezeError("x" * 500))
    status_of("fail")
    assert "x" * 500 in capsys.readouterr().err


def test_with_json_stdout_has_a_document_too(failing, capsys):
    failing(TargetError("no such thing", hint="look"))
    assert status_of("fail", "--json") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: no such thing")
    assert json.loads(captured.out) == {
        "schema_version": 1,
        "error": {
            "type": "TargetError",
            "problem": "no such thing",
            "expected": "",
            "got": "",
            "hint": "look",
            "exit_code": 2,
        },
    }


def test_an_interruption_is_told_in_one_line(failing, capsys):
    failing(KeyboardInterrupt())
    assert status_of("fail") == 130
    assert capsys.readouterr().err.strip() == "interrupted; no file was changed"


def test_an_interruption_tells_what_is_left(failing, capsys):
    error = KeyboardInterrupt()
    say_left(error, "--resume goes on")
    failing(error)
    assert status_of("fail") == 130
    assert capsys.readouterr().err.strip() == "interrupted; --resume goes on"


def test_a_fault_asks_for_a_report(failing, capsys, monkeypatch):
    monkeypatch.delenv(module.TRACEBACK_VARIABLE, raising=False)
    failing(ZeroDivisionError("by zero"))
    assert status_of("fail") == 70
    text = capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in text
    assert "EDGESQUEEZE_TRACEBACK=1" in text
    assert "Traceback" not in text


def test_a_fault_shows_its_traceback_when_asked(failing, capsys, monkeypatch):
    monkeypatch.setenv(module.TRACEBACK_VARIABLE, "1")
    failing(ZeroDivisionError("by zero"))
    assert status_of("fail") == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_package_leads_to_the_doctor(failing, capsys):
    failing(ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow"))
    assert status_of("fail") == 2
    text = capsys.readouterr().err
    assert "needs tensorflow" in text
    assert "edgesqueeze doctor" in text


def test_a_misspelt_command_gets_a_suggestion(capsys):
    assert status_of("inspct") == 2
    assert "did you mean 'inspect'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--no-such-option", "x"], []])
def test_wrong_use(capsys, arguments):
    assert status_of(*arguments) == 2
    assert "Usage: edgesqueeze" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "words"), [(["--help"], "Commands:"), (["--version"], "edgesqueeze ")])
def test_asking_is_no_error(capsys, arguments, words):
    assert status_of(*arguments) == 0
    assert words in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_fault():
    # Many lines, written when nobody reads any more.
    code = (
        "import click, sys\nfrom edgesqueeze import cli\n"
        "@click.command()\ndef command():\n"
        "    for number in range(200000):\n        click.echo(number)\n"
        "sys.modules['talker'] = type('M', (), {'command': command})\n"
        "cli.COMMANDS = {'talk': cli.Entry(cli.Lazy('talker:command'), 'Talks.')}\n"
        "cli.main(['talk'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(300) == 141
    assert errors == ""


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGINT, 130, "interrupted; no file was changed"),
        (signal.SIGTERM, 143, "ended by SIGTERM; no file was changed"),
        (signal.SIGHUP, 129, "ended by SIGHUP; no file was changed"),
    ],
)
def test_signals_end_a_real_process_and_leave_nothing(tmp_path, number, status, words):
    code = (
        "import click, signal, sys, tempfile, time\nfrom edgesqueeze import cli\n"
        # A job in the background is started with Ctrl-C switched off, another one without SIGHUP.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "@click.command()\ndef command():\n    tempfile.mkdtemp()\n"
        "    click.echo('ready')\n    time.sleep(300)\n"
        "sys.modules['sleeper'] = type('M', (), {'command': command})\n"
        "cli.COMMANDS = {'sleep': cli.Entry(cli.Lazy('sleeper:command'), 'Sleeps.')}\n"
        "cli.main(['sleep'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**ENVIRONMENT, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    assert list(tmp_path.iterdir())
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == status
    assert errors.strip() == words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "m.keras", "--target", "rpi4", "--data", "d.npz", "--out", ""],
        ["emit", "m.tflite", "--target", "rpi4", "--format", "c", "--out", " "],
        ["demo", "--out", ""],
        ["calibrate", "--local", "--out", ""],
        ["bench", "m.tflite", "--target", "rpi4", "--plot", ""],
        ["inspect", ""],
    ],
)
def test_an_empty_path_is_wrong_use(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert status_of(*arguments) == 2
    assert "got an empty one" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("where", "status", "said"), [(">/dev/full", 2, "No space left on device"), (">&-", 0, "")]
)
def test_where_nothing_can_be_printed(where, status, said):
    line = f"{shlex.quote(sys.executable)} -m edgesqueeze targets list {where}"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, said in done.stderr) == (status, True)
    assert "inside EdgeSqueeze" not in done.stderr and "Traceback" not in done.stderr
