"""What is common to changes of a .tflite by the objects of its schema."""

from __future__ import annotations

from typing import Any


def listed(found: Any) -> list[Any]:
    """What a file has many of; a list that is empty may be missing."""
    return [] if found is None else list(found)


def kind_of(model: Any, operator: Any) -> int:
    """An operator's number in ``schema.BuiltinOperator``."""
    return kind_of_code(model.operatorCodes[operator.opcodeIndex])


def kind_of_code(code: Any) -> int:
    """The number that an operator's code stands for; old files have it in another field."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def drop_unused_codes(model: Any) -> None:
    """Leave out the codes of operators that there are no more: calibration refuses such files."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[one] for one in used]
