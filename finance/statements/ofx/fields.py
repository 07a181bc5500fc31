"""Single fields of an element, read with an error that says whose field it is and on which line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from finance.statements.flaw import FlawError
from finance.statements.ofx.tree import Element
from finance.statements.ofx.values import calendar_date

Value = TypeVar("Value")


def required(owner: str, element: Element, name: str, convert: Callable[[str], Value]) -> Value:
    """Read the child *name* of *element*.

    Raises:
        FlawError: It is missing, empty, not what *convert* accepts, or there twice.
    """
    value = optional(owner, element, name, convert)
    if value is None:
        raise FlawError(f"{owner}: {name} is missing or empty", element.line)
    return value


def optional(owner: str, element: Element, name: str, convert: Callable[[str], Value]) -> Value | None:
    """Read the child *name* of *element*; None when it is missing or empty.

    Raises:
        FlawError: It is not what *convert* accepts; or it is there twice, as when the tags between two lines are lost
            and the two have become one.
    """
    fields = [child for child in element.children if child.name == name]
    if len(fields) > 1:
        raise FlawError(f"{owner}: {name} is there {len(fields)} times", element.line)
    if not fields or not fields[0].text:
        return None
    try:
        return convert(fields[0].text)
    except ValueError as error:
        raise FlawError(f"{owner}: {name} {error}", fields[0].line) from error


def optional_date(owner: str, element: Element, name: str) -> date | None:
    """Read the child *name* as a date; None when it is missing, empty, or all zeros, as some banks write "none"."""
    text = element.value(name) or ""
    return optional(owner, element, name, calendar_date) if text.strip("0") else None
