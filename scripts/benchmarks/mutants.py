"""Small faults put into Python source, one at a time: what a module's tests should notice.

A mutant differs from the module in one place. Strings, type hints, decorators and raised errors stay as they
are: no test has to know their every detail. So do assertions and the ``strict`` of a ``zip``, which only say
what cannot be.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
"""What takes the place of a comparison."""

OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons whose replacement is their negation."""

OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
"""What takes the place of an arithmetic operator."""

UNTOUCHED = (ast.Raise, ast.Assert, ast.JoinedStr)
ANNOTATIONS = ("annotation", "returns", "decorator_list")


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        line: where it is, from 1.
        kind: what was changed, in one or two words.
        start: where the changed expression begins in the module, in bytes.
        stop: where it ends, in bytes.
        text: what stands there instead.
    """

    line: int
    kind: str
    start: int
    stop: int
    text: str

    def applied_to(self, source: bytes) -> bytes:
        """The module with this fault."""
        return source[: self.start] + self.text.encode() + source[self.stop :]

    def shown(self, source: bytes) -> tuple[str, str]:
        """The lines of the module that the fault is in, before and after, each as one line."""
        first = source.rfind(b"\n", 0, self.start) + 1
        last = (source + b"\n").index(b"\n", self.stop)
        after = source[first : self.start] + self.text.encode() + source[self.stop : last]
        return _one_line(source[first:last]), _one_line(after)


class _Change(NamedTuple):
    """An expression or a statement, and what shall stand in its place."""

    kind: str
    node: ast.expr | ast.stmt
    replacement: ast.expr | ast.stmt


def mutants_of(source: bytes) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines; no two are the same text.

    Args:
        source: the module, UTF-8.

    Raises:
        SyntaxError: it is not Python.
    """
    starts = _line_starts(source)
    found: dict[bytes, Mutant] = {}
    for node in _nodes(ast.parse(source)):
        for change in _changes(node):
            mutant = _mutant(change, starts)
            found.setdefault(mutant.applied_to(source), mutant)
    return sorted(found.values(), key=lambda one: (one.start, one.stop))


def sample(mutants: Mapping[str, Sequence[Mutant]], count: int, seed: int) -> dict[str, list[Mutant]]:
    """So many mutants, taken from the modules in turn, by chance within each.

    Args:
        mutants: of each module, by its name.
        count: how many to take together; fewer where there are no more.
        seed: the same seed chooses the same mutants of the same source.

    Returns:
        Those chosen of each module, in the order of their lines.
    """
    queues = {name: random.Random(f"{seed} {name}").sample(all_, len(all_)) for name, all_ in mutants.items()}
    chosen: dict[str, list[Mutant]] = {name: [] for name in mutants}
    left = min(count, sum(map(len, queues.values())))
    while left:
        for name, queue in queues.items():
            if queue and left:
                chosen[name].append(queue.pop())
                left -= 1
    return {name: sorted(some, key=lambda one: (one.start, one.stop)) for name, some in chosen.items()}


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that may be changed."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ANNOTATIONS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _untouched(child):
                yield from _nodes(child)


def _untouched(node: ast.AST) -> bool:
    """Whether nothing in it is changed: see the head of this module."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "cast"
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    return isinstance(node, UNTOUCHED)


def _changes(node: ast.AST) -> Iterator[_Change]:
    """What is tried at one node."""
    for kind, found in _BY_NODE.items():
        if isinstance(node, kind):
            yield from found(node)


def _comparison(node: ast.Compare) -> Iterator[_Change]:
    for index, operator in enumerate(node.ops):
        ops = [*node.ops]
        ops[index] = COMPARISONS[type(operator)]()
        yield _Change("comparison", node, _with(node, ops=ops))


def _arithmetic(node: ast.BinOp | ast.AugAssign) -> Iterator[_Change]:
    other = OPERATORS.get(type(node.op))
    text = isinstance(node, ast.BinOp) and (_is_text(node.left) or _is_text(node.right))
    if other and not text:
        yield _Change("operator", node, _with(node, op=other()))


def _sign(node: ast.UnaryOp) -> Iterator[_Change]:
    if isinstance(node.op, ast.USub):
        yield _Change("sign", node, node.operand)
    elif isinstance(node.op, ast.Invert | ast.Not):
        yield _Change("negation", node, node.operand)


def _logic(node: ast.BoolOp) -> Iterator[_Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield _Change("and/or", node, _with(node, op=other))


def _constant(node: ast.Constant) -> Iterator[_Change]:
    value = node.value
    if isinstance(value, bool):
        yield _Change("constant", node, ast.Constant(not value))
    elif isinstance(value, int):
        yield _Change("constant", node, ast.Constant(value + 1))
        yield _Change("constant", node, ast.Constant(value - 1))
    elif isinstance(value, float):
        yield _Change("constant", node, ast.Constant(2 * value or 1.0))


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[_Change]:
    yield from _negated(node.test)


def _filter(node: ast.comprehension) -> Iterator[_Change]:
    for test in node.ifs:
        yield from _negated(test)


def _negated(test: ast.expr) -> Iterator[_Change]:
    """A condition turned round, unless another change does the same."""
    turned = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], OPPOSITES)
    if not turned and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        yield _Change("condition", test, ast.UnaryOp(ast.Not(), test))


def _returned(node: ast.Return) -> Iterator[_Change]:
    if node.value is not None:
        nothing = isinstance(node.value, ast.Constant) and node.value.value is None
        yield _Change("return", node.value, ast.Constant(0 if nothing else None))


_BY_NODE: Mapping[Any, Callable[[Any], Iterator[_Change]]] = {
    ast.Compare: _comparison,
    ast.BinOp: _arithmetic,
    ast.AugAssign: _arithmetic,
    ast.UnaryOp: _sign,
    ast.BoolOp: _logic,
    ast.Constant: _constant,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _condition,
    ast.comprehension: _filter,
    ast.Return: _returned,
}


def _with(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _line_starts(source: bytes) -> list[int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _mutant(change: _Change, starts: Sequence[int]) -> Mutant:
    node = change.node
    assert node.end_lineno is not None and node.end_col_offset is not None
    text = ast.unparse(change.replacement)
    return Mutant(
        line=node.lineno,
        kind=change.kind,
        start=starts[node.lineno - 1] + node.col_offset,
        stop=starts[node.end_lineno - 1] + node.end_col_offset,
        # In parentheses an expression means the same wherever it is put; a constant needs none.
        text=f"({text})" if isinstance(node, ast.expr) and not text.isalnum() else text,
    )


def _one_line(source: bytes) -> str:
    return " ".join(source.decode().split())
