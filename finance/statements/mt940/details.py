"""Who and what for: the text of a field :86:, which SWIFT leaves to the banks.

Two ways of writing it are known, and everything else is a memo: the numbered subfields of German and Polish banks
(the Deutsche Kreditwirtschaft's DFÜ-Abkommen, annex 3, chapter 8: `166?00GUTSCHRIFT?20SVWZ+...?32NAME`, the fourth
character being the separator), and the code words of Dutch banks (`/BENM//NAME/.../REMI/...`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_NUMBERED = re.compile(r"\s*([0-9]{3})([?>~^<@+*|])(?=[0-9]{2})")
_PURPOSE = ("20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "60", "61", "62", "63")
_POSTING_TEXT = "00"
#: The length at which a subfield is full, and its text goes on in the next one inside of a word.
_FULL = 27
_NAME = ("32", "33")
#: SEPA's text inside the purpose, up to the next of its key words.
_SEPA_TEXT = re.compile(r"SVWZ\+(.*?)(?=(?:EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|ABWA|ABWE|IBAN|BIC)\+|$)")
_CODE_WORD = re.compile(r"/(NAME|REMI)/(.*?)(?=/[A-Z]{3,4}/|$)")


@dataclass(frozen=True, slots=True)
class Details:
    """What a field :86: says; `parts` has its subfields by their numbers, as written."""

    payee: str | None = None
    memo: str | None = None
    parts: dict[str, str] = field(default_factory=dict)


def read_details(lines: Sequence[str]) -> Details:
    """Read the *lines* of a field :86:, or of several that follow each other."""
    # Banks fold such a text at 65 characters, inside of words and subfields.
    folded = "".join(lines)
    if numbered := _NUMBERED.match(folded):
        return _numbered(numbered[1], folded[numbered.end(2) - 1 :], numbered[2])
    if folded.startswith("/") and (words := dict(_CODE_WORD.findall(folded))):
        return Details(_words(words.get("NAME")), _words(words.get("REMI", "").strip("/")) or _words(folded))
    return Details(memo=_words(" ".join(lines)))


def _numbered(code: str, text: str, separator: str) -> Details:
    pieces = re.split(rf"{re.escape(separator)}([0-9]{{2}})", text)
    numbered = list(zip(pieces[1::2], pieces[2::2], strict=True))
    parts = {"code": code} | keyed(numbered)
    purpose = _joined(piece for number, piece in numbered if number in _PURPOSE)
    sepa = _SEPA_TEXT.search(purpose)
    memo = _words(sepa[1]) if sepa else None
    name = _joined(piece for number, piece in numbered if number in _NAME)
    return Details(_words(name), memo or _words(purpose) or _words(parts.get(_POSTING_TEXT)), parts)


def _joined(pieces: Iterable[str]) -> str:
    return "".join(piece if len(piece) >= _FULL else f"{piece} " for piece in pieces)


def keyed(pieces: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the texts of *pieces* by their names, of which a repeated one is `"20[2]"`."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name, text in pieces:
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name}[{seen[name]}]"] = text
    return found


def _words(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None
