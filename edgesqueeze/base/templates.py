"""Text files from templates: one way to set jinja2 up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from markupsafe import Markup

from edgesqueeze.base.plain import plain

NO_FILTERS: Mapping[str, Callable[..., str]] = MappingProxyType({})


def rendered(
    template: Path,
    values: Mapping[str, Any],
    *,
    filters: Mapping[str, Callable[..., str]] = NO_FILTERS,
    xml: bool = False,
) -> str:
    """The text of a template. A line that holds only a block's tag leaves nothing behind.

    Args:
        template: its file; what it includes is looked for in the same folder.
        values: what it may name.
        filters: functions for its expressions, by name.
        xml: whether the values are text that XML must not take for markup, and in which nothing but what can
            be printed may stand.

    Raises:
        jinja2.TemplateError: the template names something that is not among the values, or is malformed.
    """
    environment = _environment(template.parent, tuple(filters.items()), xml)
    return environment.get_template(template.name).render(values)


@cache
def _environment(
    folder: Path, filters: tuple[tuple[str, Callable[..., str]], ...], xml: bool
) -> jinja2.Environment:
    """Kept, because it keeps the templates that it has compiled."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=xml,
        finalize=_printable if xml else None,
    )
    environment.filters.update(filters)
    return environment


def _printable(value: Any) -> Any:
    """Text in one line without control characters; what is markup already stays."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
