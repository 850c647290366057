"""A list or dict that has become text, as templates make one: the one place that reads it."""

from __future__ import annotations

import ast
import json
import re
from typing import Any


def literal_in(text: str) -> Any:
    """Return what is written in a text, as JSON or Python writes it.

    :raises ValueError: it is neither
    """
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise ValueError(
        'it begins like a list or a dict and cannot be read as one: write it as JSON, such as ["…", "…"]'
    )


def words_in(text: str) -> Any:
    """Return the words of a list as text: JSON's or Python's, or with commas or blanks between them.

    :return: a list; or what else is written in the text, as JSON or Python writes it
    :raises ValueError: it begins like a list and is none
    """
    try:
        return literal_in(text)
    except ValueError:
        if text.lstrip().startswith(("[", "(", "{")):
            raise
    return [word for word in re.split(r"[,\s]+", text) if word]
