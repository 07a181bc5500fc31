"""Where the names of a payee stand: patterns for the server that find them, the same in each locale."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: A shorter name is found only where it stands alone: "Anna" is not in "Hannah".
_ALONE = 8

#: Names of one pattern. The server keeps 32 compiled ones, and would compile more of them anew for each row.
_NAMES = 16

# Each blank of Unicode, as `str.split()` knows them: those that do not break a line are none to the server, and in a
# database of locale C neither is any beyond ASCII.
_BLANK = f"[{''.join(filter(str.isspace, map(chr, range(1, 0x3001))))}]"


def patterns(names: Iterable[str], *, encoding: str) -> list[str]:
    """Return regular expressions of PostgreSQL that are found in the texts in which one of *names* stands.

    It stands there in whatever case, its accents composed or not, and with any blanks where it has some. A name of less
    than eight characters stands alone: no other letter touches its letters, and no other digit its digits. A longer one
    may be written together with what is around it, and its words with each other, as banks do.

    The letters are spelt out in both cases: in a database of locale C, `lower()` and `~*` know those of ASCII only.
    Where the *encoding* of the database is not UTF8, it may lack some of them, and its own `~*` has to do.
    """
    is_spelt = encoding == "UTF8"
    found = [_pattern(name, is_spelt=is_spelt) for name in names]
    batches = (found[start : start + _NAMES] for start in range(0, len(found), _NAMES))
    return [("" if is_spelt else "(?i)") + "|".join(batch) for batch in batches]


def _pattern(name: str, *, is_spelt: bool) -> str:
    name = unicodedata.normalize("NFC", name) if is_spelt else name
    is_alone = len(name) < _ALONE
    words = ("".join(map(_spelt if is_spelt else _escaped, word)) for word in name.split())
    pattern = f"{_BLANK if is_spelt else '[[:space:]]'}{'+' if is_alone else '*'}".join(words)
    return f"{_edge(name[0])}{pattern}{_edge(name[-1], at_end=True)}" if is_alone else pattern


def _edge(character: str, *, at_end: bool = False) -> str:
    """Return what stands beside the first or last *character* of a name that stands alone.

    Scripts without cases do not part words by blanks either.
    """
    if character.isdigit():
        kind = "digit"
    elif character.lower() != character.upper():
        kind = "alpha"
    else:
        return ""
    return f"(?:[^[:{kind}:]]|$)" if at_end else f"(?:^|[^[:{kind}:]])"


def _spelt(character: str) -> str:
    """Return what finds *character* in each of its cases, composed and decomposed."""
    cases = {character, character.lower(), character.upper(), character.title(), character.casefold()}
    forms = sorted(cases | {unicodedata.normalize("NFD", form) for form in cases})
    if len(forms) == 1:
        return _escaped(forms[0])
    return f"(?:{'|'.join(''.join(map(_escaped, form)) for form in forms)})"


def _escaped(character: str) -> str:
    return re.sub(r"[!-/:-@\[-`{-~]", r"\\\g<0>", character)
