"""Which lines of a file are new, told by counting lines that are equal.

Two rules of other programs lose money. "The bank's id of a line (FITID) is unique": banks repeat one id for a
payment and its fee, use it again next year, or leave it out. "Equal lines are one line": two coffees on one day
are two. So a line has a fingerprint of what makes it the same line in another file, and an occurrence: it is
the how-manieth of its kind in its file. It is new if the books do not hold that one. A file that comes again, or one
that overlaps, then adds exactly what was not there, and two equal lines of one file are both kept.

What the rule cannot know: a bank that makes up new ids for old lines in each file has its lines taken as new,
and so has one that changes the amount or the date of a line later.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from finance.models.new_entry import plain
from finance.statements.statement import StatementLine

#: Part of what is hashed. A fingerprint is stored for ever: another form would need another version.
_VERSION = "finance.statement-line.1"


def fingerprint(line: StatementLine) -> bytes:
    """Return the SHA-256, 32 bytes, of what makes *line* the same line in another file of its account.

    With an id of the bank that is the id, the date, the amount and the kind: the id alone is not enough, and texts are
    not part of it, because banks complete them later. Without one it is everything that the line says.
    """
    amount = plain(line.amount) if line.amount else "0"
    marks = [line.bank_id] if line.bank_id else [line.type, line.payee, line.memo, line.check_number]
    by = "id" if line.bank_id else "content"
    content = [_VERSION, by, line.date.isoformat(), amount, line.kind, *marks]
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


@dataclass(frozen=True, slots=True)
class CountedLine:
    """A line, its fingerprint, and the how-manieth with this fingerprint it is in its file."""

    line: StatementLine
    fingerprint: bytes
    occurrence: int


def counted(lines: Iterable[StatementLine], seen: Counter[bytes]) -> list[CountedLine]:
    """Count equal lines.

    Args:
        lines: The lines of one statement.
        seen: How often each fingerprint was in the earlier statements of the same file and account; it is counted on.
    """
    found = []
    for line in lines:
        key = fingerprint(line)
        seen[key] += 1
        found.append(CountedLine(line, key, seen[key]))
    return found
