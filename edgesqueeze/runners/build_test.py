import stat

import pytest

from edgesqueeze.errors import RequirementError
from edgesqueeze.runners import build, build_cache
from edgesqueeze.runners.build import Sources, with_harness
from edgesqueeze.runners.build import build as build_program
from edgesqueeze.runners.toolchain import Tool
from runtime_tests.support.native_stub import stub_source

FILES = {
    "one.c": '#include "kernels/b.h"\nint one;\n',
    "kernels/two.c": "int two;\n",
    "kernels/b.h": '  #  include "a.h"\n',
    "a.h": "#include <stdio.h>\n",
    "c.h": "int c;\n",
}
SOURCES = Sources("toy", FILES, ("one.c", "kernels/two.c"), (".", "kernels"))


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A program that says ``compile`` or ``link`` in a log, and writes the names of what it was given."""
    monkeypatch.setattr(build_cache, "cache_folder", lambda: tmp_path / "cache")
    program, log = tmp_path / "gcc", tmp_path / "log"
    program.write_text(
        "#!/bin/sh\n"
        'case " $* " in *" -c "*) kind=compile ;; *) kind=link ;; esac\n'
        f'echo "$kind $*" >> {log}\n'
        'for last; do :; done\nls -R > "$last"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    tool = Tool(str(program), "gcc 12.2.1")

    def steps(sources=SOURCES, tool=tool, flags=("-O2",), link_flags=()):
        """Build; the steps that it took, each with its arguments, in alphabetical order."""
        log.write_text("")
        path = build_program(sources, tool, flags, link_flags)
        assert path.is_file()
        return path, sorted(line.split(" ", 1) for line in log.read_text().splitlines())

    steps.tool = tool
    return steps


def names(taken):
    return [kind for kind, _ in taken]


def compilations(taken):
    return [arguments for kind, arguments in taken if kind == "compile"]


def changed(name, text):
    return Sources("toy", {**FILES, name: text}, SOURCES.compiled, SOURCES.include_folders)


def test_a_build_compiles_each_file_and_links_once(compiler):
    path, taken = compiler(link_flags=("-lm",))
    assert names(taken) == ["compile", "compile", "link"]
    assert all("-iquote . -iquote kernels" in arguments for arguments in compilations(taken))
    assert {arguments.split(" -c ")[1] for arguments in compilations(taken)} == {
        "one.c -o object.o",
        "kernels/two.c -o object.o",
    }
    assert taken[2][1] == "-O2 one.c.o kernels/two.c.o -lm -o program"
    assert [one.name for one in path.parent.iterdir()] == ["program"]


def test_what_was_built_is_not_built_again(compiler):
    path, _ = compiler()
    assert compiler() == (path, [])


@pytest.mark.parametrize(
    ("name", "text", "compiled"),
    [
        ("one.c", "int other;\n", ["one.c"]),
        ("a.h", "int a;\n", ["one.c"]),
        ("kernels/b.h", "\n", ["one.c"]),
        ("kernels/two.c", "\n", ["kernels/two.c"]),
        ("c.h", "\n", []),
    ],
)
def test_only_what_depends_on_a_change_is_compiled(compiler, name, text, compiled):
    before, _ = compiler()
    path, taken = compiler(changed(name, text))
    assert path != before
    assert [
        arguments.split(" -c ")[1].split()[0] for kind, arguments in taken if kind == "compile"
    ] == compiled
    assert names(taken)[-1] == "link"


def test_other_flags_and_another_compiler_build_everything(compiler):
    compiler()
    assert names(compiler(flags=("-O3",))[1]) == ["compile", "compile", "link"]
    newer = Tool(compiler.tool.path, "gcc 13.1.0")
    assert names(compiler(tool=newer)[1]) == ["compile", "compile", "link"]
    assert names(compiler(link_flags=("-lm",))[1]) == ["link"]


def test_a_header_of_the_flags_belongs_to_every_file(compiler):
    flags = ("-include", "c.h")
    compiler(flags=flags)
    assert names(compiler(changed("c.h", "\n"), flags=flags)[1]) == ["compile", "compile", "link"]


def test_a_program_that_was_cut_off_is_not_found(compiler, tmp_path):
    broken = Tool(str(tmp_path / "cc"), "cc 1.0")
    (tmp_path / "cc").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "cc").chmod(0o755)
    with pytest.raises(RequirementError, match="the C of toy does not compile") as caught:
        build_program(SOURCES, broken, ())
    assert caught.value.got == "it gave no reason"
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_first_errors_are_told(compiler, tmp_path):
    said = "\n".join(["In file one.c:", *(f"one.c:{line}: error: {line}" for line in range(1, 6))])
    (tmp_path / "cc").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    with pytest.raises(RequirementError) as caught:
        build_program(SOURCES, Tool(str(tmp_path / "cc"), "cc 1.0"), ())
    assert caught.value.got == "one.c:1: error: 1; one.c:2: error: 2; one.c:3: error: 3"
    assert str(tmp_path / "cc") in caught.value.hint


def test_what_the_linker_says_is_told(compiler, tmp_path):
    said = "ld: cannot find one.c.o: No such file or directory\ncollect2: error: ld returned 1 exit status"
    (tmp_path / "cc").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    with pytest.raises(RequirementError) as caught:
        build_program(SOURCES, Tool(str(tmp_path / "cc"), "cc 1.0"), ())
    assert caught.value.got == said.splitlines()[0]


def test_a_compiler_that_does_not_end(compiler, tmp_path, monkeypatch):
    (tmp_path / "cc").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setattr(build, "COMPILE_SECONDS", 0.1)
    with pytest.raises(RequirementError, match="compiling the C of toy took more than"):
        build_program(SOURCES, Tool(str(tmp_path / "cc"), "cc 1.0"), ())


def test_the_harness_stands_beside_the_model():
    source = stub_source()
    sources = with_harness(source, "port_host.c", "es_bench_marks.h")
    added = {path: text for path, text in sources.files.items() if path not in source.files}
    assert set(added) == {
        "es_bench/es_bench_port.h",
        "es_bench/port_host.c",
        "es_bench/es_bench_marks.h",
        "es_bench/harness.c",
    }
    assert sources.compiled == (*source.sources, "es_bench/port_host.c", "es_bench/harness.c")
    assert '#include "stub.h"' in added["es_bench/harness.c"]
    assert "port_read(stub_input(model), 4u)" in added["es_bench/harness.c"]
    assert "static float output_0[4];" in added["es_bench/harness.c"]
    assert len(set(sources.include_folders)) == len(sources.include_folders)
