"""Names that are valid in C and C++, whatever a model's file is called."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from edgesqueeze.errors import UsageError

MAX_LENGTH = 63
"""Characters of a name that every C compiler tells apart."""

_C = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile
    while alignas alignof bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual
"""
_CPP = """
    asm catch char8_t char16_t char32_t class co_await co_return co_yield concept consteval constinit
    const_cast decltype delete dynamic_cast explicit export friend mutable namespace new noexcept operator
    private protected public reinterpret_cast requires static_cast template this throw try typeid typename
    using virtual wchar_t
"""
_TOKENS = "and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq"
# Not keywords, but taken: by the language, by its library, by compilers as macros, by TFLite Micro.
_TAKEN = "main std posix tflite linux unix i386 arm errno assert stdin stdout stderr"
# A model's header is called after it, and must not hide one of the C library's.
_HEADERS = """
    complex ctype fenv float inttypes iso646 limits locale malloc math memory setjmp signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd
    wchar wctype
"""
# What build systems call their own targets.
_BUILD = "all clean help install package test"

RESERVED = frozenset(f"{_C} {_CPP} {_TOKENS} {_TAKEN} {_HEADERS} {_BUILD}".split())
"""Names that C, C++ or their surroundings keep for themselves."""

KERNEL_PREFIX = "es_"
"""What the names of the kernels of native C start with."""


def c_name(stem: str) -> str:
    """A valid name that resembles a file's stem: lower case, ASCII, never reserved, never empty."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if not name:
        name = "model" if not stem.strip() else f"model_{_digest(stem)}"
    if name[0].isdigit() or name in RESERVED or name.startswith(KERNEL_PREFIX):
        name = f"model_{name}"
    # Two long names that differ at the end only must not become one.
    return name if len(name) <= MAX_LENGTH else f"{name[: MAX_LENGTH - 9].rstrip('_')}_{_digest(stem)}"


def check_c_name(name: str) -> str:
    """The name that a user gave, if it is valid as it is.

    Raises:
        UsageError: it is not; says which rule it breaks, and suggests one that is valid.
    """
    broken = _broken_rule(name)
    if broken:
        raise UsageError(
            f"{name!r} cannot be a name in C",
            expected=broken,
            got=name,
            hint=f"{c_name(name)} would do",
        )
    return name


def module_name(name: str) -> str:
    """What a model's files and its namespace are called: the name, with ``_model`` at its end."""
    return name if re.search(r"(^|_)model$", name) else f"{name}_model"


def camel_case(text: str) -> str:
    """A tensor's name as a part of a C++ constant's name: ``accel/x:0`` becomes ``AccelX0``."""
    return "".join(part[0].upper() + part[1:] for part in c_name(text).split("_") if part)


def _broken_rule(name: str) -> str:
    if not name:
        return "at least one character"
    if not re.fullmatch(r"[A-Za-z0-9_]*", name):
        return "letters a to z, digits and underscores only"
    if name[0].isdigit():
        return "a name that does not start with a digit"
    if name.startswith("_"):
        return "a name that does not start with an underscore; those are reserved"
    if "__" in name:
        return "no two underscores in a row; such names are reserved in C++"
    if name in RESERVED:
        return (
            "a name that is not a keyword, nor taken by C, C++, their headers, build systems or TFLite Micro"
        )
    if name.startswith(KERNEL_PREFIX):
        return f"a name that does not start with {KERNEL_PREFIX}, as those of kernels do"
    return f"at most {MAX_LENGTH} characters" if len(name) > MAX_LENGTH else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
