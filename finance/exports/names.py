"""The names that accounts, currencies and tags have in a file for beancount, which allows fewer than we do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

from finance.errors import InvalidError

ROOTS = {
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
    "income": "Income",
    "expense": "Expenses",
}
_TYPES = {root: type_ for type_, root in ROOTS.items()}

# A segment of beancount's names begins with a capital or a digit, and goes on with letters, digits and hyphens. Every
# other character, the hyphen among them, is written as its code between two hyphens. So two hyphens behind an X at the
# beginning are free to say that what follows begins otherwise, or is nothing.
_ESCAPED = re.compile(r"-([0-9a-f]+)-")
_PLAIN = re.compile(r"[A-Za-z0-9]")
_FREE = "X--"
#: The segment behind the root that says: what follows is the whole name, which has another root or none.
_WHOLE = "X--0"

# Up to 24 characters, and none of the words of the language.
_COMMODITY = re.compile(r"(?!X\.|TRUE$|FALSE$|NULL$)[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]")

#: What may follow the hash sign of a tag.
_TAG = re.compile(r"[A-Za-z0-9_/.-]+")


def beancount_account(name: str, type: str) -> str:  # noqa: A002 - the field's own word
    """Return the name that the account *name* of this type has in beancount. No two accounts share one.

    Letters and digits of ASCII stay what they are, and so does a name that beancount allows and that has no hyphen.
    """
    root, _, rest = name.partition(":")
    segments = rest.split(":") if rest and root == ROOTS[type] else [None, *name.split(":")]
    return ":".join([ROOTS[type], *(_WHOLE if each is None else _encoded(each) for each in segments)])


def original_account(name: str) -> tuple[str, str]:
    """Return the name and the type of the account that has the name *name* in beancount.

    Raises:
        InvalidError: `beancount_account()` makes no such name.
    """
    root, *segments = name.split(":")
    if root in _TYPES and segments:
        is_whole = segments[0] == _WHOLE
        with contextlib.suppress(ValueError, OverflowError):  # no such character
            names = [_decoded(each) for each in segments[is_whole:]]
            original = ":".join(names if is_whole else [root, *names])
            if beancount_account(original, _TYPES[root]) == name:
                return original, _TYPES[root]
    raise InvalidError(f"{name!r} is not the beancount name of an account that was exported")


def commodities(codes: Iterable[str]) -> dict[str, str]:
    """Return the beancount name of each currency; those that it does not allow are numbered in order of their codes."""
    names, number = {}, 0
    for code in sorted(set(codes)):
        if _COMMODITY.fullmatch(code):
            names[code] = code
        else:
            number += 1
            names[code] = f"X.{number}"
    return names


def is_tag(name: str) -> bool:
    """Tell whether beancount can write a tag of this name behind a hash sign."""
    return _TAG.fullmatch(name) is not None


def _encoded(segment: str) -> str:
    code = "".join(each if _PLAIN.fullmatch(each) else f"-{ord(each):x}-" for each in segment)
    return code if re.match(r"[A-Z0-9]", code) else _FREE + code


def _decoded(segment: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment.removeprefix(_FREE))
