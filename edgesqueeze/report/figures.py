"""Figures of metrics in words: what a person reads in tables, in verdicts and in errors."""

from __future__ import annotations

from edgesqueeze.checks.metrics import Figure


def title_of(figure: Figure, several: bool) -> str:
    """What a figure is about: the metric, with the output where there are several, and the label.

    Args:
        figure: the figure.
        several: whether the model has several outputs.
    """
    title = figure.title if figure.part is None else f"{figure.title}, label {figure.part}"
    if not several or figure.output is None:
        return title
    return f"{figure.name or f'output {figure.output}'}: {title}"


def value_of(figure: Figure, value: float) -> str:
    """A value in the figure's unit."""
    return f"{value:.2%}" if figure.unit == "share" else f"{value:.4g}"


def amount_of(figure: Figure, drop: float) -> str:
    """A drop, or a limit on it, in the figure's unit: shares differ by points."""
    return f"{100 * drop:.2f} points" if figure.unit == "share" else f"{drop:.4g}"


def change_of(figure: Figure) -> str:
    """By how much the figure has changed, with its sign; empty without an original."""
    if figure.original is None:
        return ""
    change = figure.compressed - figure.original
    return f"{100 * change + 0:+.2f} points" if figure.unit == "share" else f"{change:+.4g}"
