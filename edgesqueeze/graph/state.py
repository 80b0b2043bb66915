"""Whether a model keeps something from one inference to the next, and what to do about it between samples.

Samples are independent of each other: a runtime must forget the last one before the next. Only models that
take one step of a sequence per inference (streaming) are tested on a sequence: there the state is the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, TfliteModel

Between = Literal["nothing", "reset", "restart"]
"""What a runtime does before each sample but the first.

    nothing    it goes on: there is no state, or the samples are a sequence
    reset      it sets variable tensors to their first values, as every runtime can
    restart    it loads the model anew: what else keeps state, no reset reaches in all runtimes
"""

STEPPING = frozenset({"SVDF", "RNN", "LSTM"})
"""Operators that take one step of a sequence per inference and keep the rest in variable tensors."""
STREAMING = frozenset(
    {"CIRCULAR_BUFFER", "SignalDelay", "SignalFramer", "SignalOverlapAdd", "SignalStacker"}
    | {"SignalFilterBankSpectralSubtraction", "SignalPCAN"}
)
"""Custom operators of TFLite Micro that keep state of their own, for streaming."""


@dataclass(frozen=True)
class State:
    """What a model keeps from one inference to the next.

    Attributes:
        variables: names of the operators that keep variable tensors, each once.
        resources: resource variables that some operator assigns to while the model runs.
        streaming: names of the custom operators that keep state of their own, each once.
    """

    variables: tuple[str, ...]
    resources: int
    streaming: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is any state."""
        return bool(self.variables or self.resources or self.streaming)

    @property
    def carries(self) -> bool:
        """Whether the samples in their order are one sequence: the model takes one step per inference."""
        return bool(self.resources or self.streaming or STEPPING.intersection(self.variables))

    def between(self, carry_state: bool | None = None) -> Between:
        """What a runtime does between two samples.

        Args:
            carry_state: whether the state goes on from sample to sample; as ``carries`` if None.
        """
        if not self or (self.carries if carry_state is None else carry_state):
            return "nothing"
        return "restart" if self.resources or self.streaming else "reset"

    def is_sequence(self, carry_state: bool | None = None) -> bool:
        """Whether the samples are run as one sequence; ``carry_state`` as for ``between``."""
        return bool(self) and self.between(carry_state) == "nothing"

    def describe(self) -> str:
        """What keeps the state, in words."""
        variables = f"{self.resources} resource variable{'' if self.resources == 1 else 's'}"
        parts = ((variables,) if self.resources else ()) + self.variables + self.streaming
        return ", ".join(parts)


def state_of(model: TfliteModel) -> State:
    """What a model keeps from one inference to the next."""
    first = first_graphs(model)
    graphs = [graph for number, graph in enumerate(model.graphs) if number not in first]
    operators = [(graph, operator) for graph in graphs for operator in graph.operators]
    variables = [
        operator.kind
        for graph, operator in operators
        if any(index != NO_TENSOR and graph.tensors[index].variable for index in operator.inputs)
    ]
    return State(
        variables=tuple(dict.fromkeys(variables)),
        resources=len({name for graph in graphs for name in _assigned(graph)}),
        streaming=tuple(dict.fromkeys(op.kind for _, op in operators if op.kind in STREAMING)),
    )


def first_graphs(model: TfliteModel) -> frozenset[int]:
    """Positions of the graphs that run once, before the first inference (CALL_ONCE): no control flow."""
    calls = (operator for operator in model.operators if operator.opcode == "CALL_ONCE")
    named = {operator.options.get("init_subgraph_index", 0) for operator in calls}
    return frozenset(number for number in named if 0 < number < len(model.graphs))


def resource_variables(model: TfliteModel) -> int:
    """How many resource variables the whole file names: what TFLite Micro must make room for."""
    handles = (operator for operator in model.operators if operator.opcode == "VAR_HANDLE")
    return len({_name(operator) for operator in handles})


def handles_of(graph: Graph) -> dict[int, str]:
    """Tensor that is a handle -> the name of its resource variable, as the graph's own VAR_HANDLE give it."""
    return {
        operator.outputs[0]: _name(operator)
        for operator in graph.operators
        if operator.opcode == "VAR_HANDLE" and operator.outputs
    }


def _assigned(graph: Graph) -> set[str]:
    """Names of the resource variables that a graph assigns to; a handle that comes from outside has none."""
    handles = handles_of(graph)
    assignments = (operator for operator in graph.operators if operator.opcode == "ASSIGN_VARIABLE")
    return {handles.get(operator.inputs[0], "") for operator in assignments if operator.inputs}


def _name(handle: Operator) -> str:
    return f"{handle.options.get('container', '')}/{handle.options.get('shared_name', '')}"
