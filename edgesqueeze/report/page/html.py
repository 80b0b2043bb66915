"""A page that holds all it needs: its style, its script, and a rule that it may load nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from edgesqueeze.base.templates import rendered
from edgesqueeze.base.versions import own_version

FOLDER = Path(__file__).with_name("templates")
STYLE, SCRIPT = FOLDER / "page.css", FOLDER / "page.js"


def html(template: str, values: Mapping[str, Any]) -> str:
    """The text of a page.

    Args:
        template: name of the template, which extends ``base.html.j2``.
        values: what it may name besides the style, the script and the version.
    """
    script = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    whole = {
        "style": Markup(STYLE.read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": digest,
        "version": own_version(),
        **values,
    }
    return rendered(FOLDER / template, whole, xml=True)
