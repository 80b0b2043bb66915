"""The command line: the table of commands, and every error's way to an exit status.

A command's module is imported when the command runs, so that ``--help`` answers at once and a command
that needs TensorFlow does not slow the others down.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

import click

from edgesqueeze.base.lazy import Lazy

if TYPE_CHECKING:
    from edgesqueeze.errors import EdgeSqueezeError

SCHEMA_VERSION = 1
TRACEBACK_VARIABLE = "EDGESQUEEZE_TRACEBACK"
COLLECT_AFTER = 400_000
"""So many more objects than before have the garbage collector look."""
USAGE_EXIT = 2
# EX_SOFTWARE of sysexits.h, and what shells report for SIGINT and SIGPIPE.
FAULT_EXIT = 70
SIGNAL_EXIT = 128
INTERRUPTED_EXIT = 130
BROKEN_PIPE_EXIT = 141
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What no write gets over: the disk is full, and nothing in here is at fault."""


class Entry(NamedTuple):
    """One command.

    Attributes:
        command: the click command, imported when it is used.
        summary: what ``edgesqueeze --help`` says.
    """

    command: Lazy
    summary: str


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "compress": Entry(
            Lazy("edgesqueeze.cli.compress:command"), "Make a Keras model small and convert it for a device."
        ),
        "search": Entry(
            Lazy("edgesqueeze.cli.search:command"), "Search the best recipe for a device, within limits."
        ),
        "emit": Entry(
            Lazy("edgesqueeze.cli.emit:emit"), "Turn a .tflite into C or C++ sources for firmware."
        ),
        "inspect": Entry(
            Lazy("edgesqueeze.cli.inspect:command"),
            "Show what is in a .tflite, and whether it fits a device.",
        ),
        "verify": Entry(
            Lazy("edgesqueeze.cli.verify:verify"),
            "Run a .tflite on every runtime, and compare it with its original.",
        ),
        "bench": Entry(
            Lazy("edgesqueeze.cli.bench:bench"),
            "Say how long an inference takes: emulated, predicted or measured.",
        ),
        "report": Entry(
            Lazy("edgesqueeze.cli.report:command"), "Show what was made and found on one page of HTML."
        ),
        "compare": Entry(
            Lazy("edgesqueeze.cli.compare:command"),
            "Show what became better or worse between two results, for CI.",
        ),
        "calibrate": Entry(
            Lazy("edgesqueeze.cli.calibrate:calibrate"),
            "Measure a device once, so that predictions for it are better.",
        ),
        "targets": Entry(
            Lazy("edgesqueeze.cli.targets:targets"), "List, show and check the devices that are known."
        ),
        "doctor": Entry(
            Lazy("edgesqueeze.cli.doctor:command"), "Show what is installed, and how to install the rest."
        ),
        "demo": Entry(
            Lazy("edgesqueeze.cli.demo:command"),
            "Train a small model, compress and verify it, to see how it goes.",
        ),
    }
)
"""All commands, in the order of the help text."""


class Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for an unknown name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = entry.command.load()
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one gets a suggestion."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from edgesqueeze.base.suggest import nearest

            ctx.fail(f"there is no command {name!r}{nearest(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader that went away, as in ``| head``, ends it quietly."""
        from edgesqueeze.base.scratch import scratch_folder

        try:
            with scratch_folder():
                result = super().invoke(ctx)
            # Python has none where the caller closed it, as with >&-.
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            _give_up_stdout()
            ctx.exit(BROKEN_PIPE_EXIT)
        return result


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from edgesqueeze.base.versions import own_version

    click.echo(f"edgesqueeze {own_version()}")
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done; 1 the model or the device fails a requirement; 2 wrong use or bad input.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Make a trained Keras model small, turn it into a .tflite or firmware C, and prove that it still works.

    `edgesqueeze demo` shows the whole way in a minute; `edgesqueeze COMMAND --help` explains a command.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: the only place where errors become exit statuses.

    Args:
        arguments: those of the process by default.
    """
    from edgesqueeze.base.signals import Stopped, ending_in_order, left_by
    from edgesqueeze.errors import EdgeSqueezeError

    if arguments is None:
        _start_quickly()
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        # Without standalone mode click returns the code of an early exit and raises everything else.
        with ending_in_order():
            status = cli.main(words, prog_name="edgesqueeze", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except EdgeSqueezeError as error:
        _show(error)
        _finish(error.exit_code, as_json, _fields(error))
    except click.ClickException as error:
        error.show()
        _finish(USAGE_EXIT, as_json, {"type": "UsageError", "problem": error.format_message()})
    except (click.Abort, KeyboardInterrupt) as stop:
        # Click makes an exception of its own of Ctrl-C's.
        click.echo(f"interrupted; {left_by(stop.__cause__ or stop)}", err=True)
        _finish(INTERRUPTED_EXIT, as_json, {"type": "Interrupted", "problem": "interrupted"})
    except Stopped as stop:
        click.echo(f"ended by {stop.signal.name}; {left_by(stop)}", err=True)
        _finish(SIGNAL_EXIT + stop.signal, as_json, {"type": "Interrupted", "problem": str(stop)})
    except Exception as error:
        _trace()
        known = _explained(error)
        if isinstance(error, OSError) and error.errno in FULL:
            _give_up_stdout()
        _show(known)
        status = FAULT_EXIT if type(known) is EdgeSqueezeError else known.exit_code
        _finish(status, as_json, _fields(known))


def _give_up_stdout() -> None:
    """Have what could not be written forgotten: the interpreter flushes once more, and must not fail too."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no stdout, or none of a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _start_quickly() -> None:
    """Spare this process what only costs time.

    A command makes many objects when it starts, keeps them, and ends: looking through them for garbage took a
    fifth of its time. Pydantic looks for plugins, of which a command wants none, in the metadata of every
    installed package; what reads those takes long to import, so an empty loader stands in for it.
    """
    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    loader = ModuleType("pydantic.plugin._loader")
    loader.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules.setdefault(loader.__name__, loader)


def _finish(status: int, as_json: bool, error: Mapping[str, str]) -> None:
    """Exit; where a program reads stdout, give it a document too."""
    if as_json:
        import json

        document = {"schema_version": SCHEMA_VERSION, "error": {**error, "exit_code": status}}
        # Where stdout is what broke, the exit status has to do.
        with contextlib.suppress(OSError):
            click.echo(json.dumps(document, indent=2))
    sys.exit(status)


def _fields(error: EdgeSqueezeError) -> dict[str, str]:
    return {
        "type": type(error).__name__,
        "problem": error.problem,
        "expected": error.expected,
        "got": error.got,
        "hint": error.hint,
    }


def _show(error: EdgeSqueezeError) -> None:
    from edgesqueeze.cli.screen import escape, open_screen

    err = open_screen(stderr=True)
    err.print(f"[bold red]error:[/bold red] {escape(error.problem)}")
    for label, text, colour in (
        ("expected", error.expected, "green"),
        ("got", error.got, "yellow"),
        ("what to do", error.hint, "cyan"),
    ):
        if text:
            err.print(f"  [{colour}]{label}:[/{colour}] {escape(text)}")


def _trace() -> None:
    if os.environ.get(TRACEBACK_VARIABLE) == "1":
        import traceback

        traceback.print_exc()


def _explained(error: Exception) -> EdgeSqueezeError:
    """What to say about an exception that nobody expected."""
    from edgesqueeze.errors import EdgeSqueezeError, MissingToolError, OutputError

    if isinstance(error, OSError) and error.errno in FULL:
        return OutputError(
            f"cannot write {error.filename or 'what was printed, or a temporary file'}",
            expected="room for it",
            got=error.strerror or str(error),
            hint="free some space; the environment variable TMPDIR names another folder for temporary files",
        )
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if name is not None:
        return MissingToolError(
            f"this command needs {name}, which is not installed",
            hint="`edgesqueeze doctor` shows what is missing and how to install it",
        )
    return EdgeSqueezeError(
        f"something went wrong inside EdgeSqueeze: {type(error).__name__}: {error}",
        hint=f"please report it, with what the same command prints when {TRACEBACK_VARIABLE}=1 is set",
    )
