"""Sentences of a result as a list: what the commands print, in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable

from IPython.display import HTML


def say(sentences: Iterable[str]) -> HTML:
    """A line a sentence."""
    return HTML("".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences))
