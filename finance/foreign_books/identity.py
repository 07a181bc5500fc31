"""The ids of entries: made of what an entry moves, so that a file that is loaded again adds nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from uuid import UUID

from finance.foreign_books.books import BookEntry
from finance.models.new_entry import plain


def entry_ids(entries: Iterable[BookEntry]) -> Iterator[UUID]:
    """Yield an id for each entry, the same whenever and wherever its file is loaded.

    It is made of the program's own id for the entry, if it has one, its date, and account, amount, currency, weight
    and kind of each posting, in order; of equal entries also of the number among them. Words are no part of it: who
    mends a description has the same entry.
    """
    times: Counter[bytes] = Counter()
    for entry in entries:
        content = hashlib.sha256(_canonical(entry).encode()).digest()
        times[content] += 1
        yield _uuid(entry, hashlib.sha256(content + times[content].to_bytes(8)).digest())


def _canonical(entry: BookEntry) -> str:
    postings = [
        (
            each.account,
            plain(each.amount),
            each.currency,
            None if each.weight is None else plain(each.weight),
            each.weight_currency,
            each.is_virtual,
        )
        for each in entry.postings
    ]
    content = (entry.key, entry.date.isoformat(), postings)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _uuid(entry: BookEntry, digest: bytes) -> UUID:
    """Return a UUID of version 8 (RFC 9562): the day in front, which keeps the journal's index in order."""
    rest = int.from_bytes(digest[:10])
    return UUID(
        int=entry.date.toordinal() << 80 | 0x8000 << 64 | (rest >> 62 & 0xFFF) << 64 | 1 << 63 | rest & (1 << 62) - 1
    )
