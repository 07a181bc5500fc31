"""Payees and tags of posted entries: set one by one, or for many entries in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from uuid import UUID

from finance.errors import EntryNotFoundError, InvalidError
from finance.models import Payee, Tag
from finance.repositories.accounts import UNSET, Unset
from finance.repositories.base import Scope
from finance.repositories.named import clean_name
from finance.repositories.payees import PayeeRepository
from finance.repositories.tags import TagRepository

# In one order whoever labels them, so that two who label the same entries do not wait for each other in a circle.
_LOCK = """
SELECT id FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_SET_PAYEES = """
UPDATE journal_entries AS e SET payee_id = n.payee_id
  FROM unnest($2::uuid[], $3::bigint[]) AS n(id, payee_id)
 WHERE e.ledger_id = $1 AND e.id = n.id AND e.payee_id IS DISTINCT FROM n.payee_id
"""
_DROP_TAGS = """
DELETE FROM entry_tags AS t
 WHERE t.ledger_id = $1 AND t.entry_id = ANY ($2::uuid[])
   AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::bigint[]) AS n(entry_id, tag_id)
                    WHERE n.entry_id = t.entry_id AND n.tag_id = t.tag_id)
"""
_ADD_TAGS = """
INSERT INTO entry_tags (ledger_id, entry_id, tag_id)
SELECT $1, n.entry_id, n.tag_id FROM unnest($2::uuid[], $3::bigint[]) AS n(entry_id, tag_id) ORDER BY 2, 3
ON CONFLICT DO NOTHING
"""
# What an amendment does not say for itself.
_INHERIT = """
WITH tagged AS (
    INSERT INTO entry_tags (ledger_id, entry_id, tag_id)
    SELECT ledger_id, $3, tag_id FROM entry_tags WHERE ledger_id = $1 AND entry_id = $2
    ON CONFLICT DO NOTHING
)
UPDATE journal_entries AS e SET payee_id = o.payee_id FROM journal_entries AS o
 WHERE o.ledger_id = $1 AND o.id = $2 AND o.payee_id IS NOT NULL
   AND e.ledger_id = $1 AND e.id = $3 AND e.payee_id IS NULL
"""


@dataclass(frozen=True, slots=True)
class Labels:
    """The payee and the tags to give to an entry; what is not given stays as it is.

    Args:
        payee: A payee or a name, which is made where it is missing; None for no payee.
        tags: Tags or names, all that the entry shall have.

    Raises:
        InvalidError: A name has no or more than 500 characters, or the tags are one string.
    """

    payee: Payee | str | Unset | None = UNSET
    tags: Iterable[Tag | str] | Unset = UNSET

    def __post_init__(self) -> None:
        if isinstance(self.tags, str):
            raise InvalidError("give the tags of an entry as a list of names")
        if not isinstance(self.tags, Unset):
            object.__setattr__(self, "tags", tuple(self.tags))
            for tag in self.tags:
                if not isinstance(tag, Tag):
                    clean_name("tag", tag)
        if not isinstance(self.payee, (Payee, Unset, NoneType)):
            clean_name("payee", self.payee)


async def label(scope: Scope, labels: Mapping[UUID, Labels]) -> None:
    """Give each entry its labels, as `JournalRepository.label_many()` says."""
    payees = {entry: each.payee for entry, each in labels.items() if not isinstance(each.payee, Unset)}
    tags = {entry: tuple(each.tags) for entry, each in labels.items() if not isinstance(each.tags, Unset)}
    # Names first: whoever merges locks those, and then entries.
    payee_ids = await PayeeRepository(scope).ids_of(name for name in payees.values() if isinstance(name, str))
    tag_ids = await TagRepository(scope).ids_of(
        name for each in tags.values() for name in each if isinstance(name, str)
    )
    await _lock(scope, labels)
    if payees:
        ids = [payee_ids[each] if isinstance(each, str) else each and each.id for each in payees.values()]
        await scope.connection.execute(_SET_PAYEES, scope.ledger_id, list(payees), ids)
    if tags:
        pairs = [
            (entry, tag_ids[each] if isinstance(each, str) else each.id)
            for entry, some in tags.items()
            for each in some
        ]
        await _set_tags(scope, list(tags), [entry for entry, _ in pairs], [tag_id for _, tag_id in pairs])


async def inherit(scope: Scope, original: UUID, amendment: UUID) -> None:
    """Give the labels of the entry *original* to the one that has replaced it."""
    await scope.connection.execute(_INHERIT, scope.ledger_id, original, amendment)


async def _lock(scope: Scope, entries: Iterable[UUID]) -> None:
    wanted = list(entries)
    rows = await scope.connection.fetch(_LOCK, scope.ledger_id, wanted)
    found = {row["id"] for row in rows}
    for entry_id in wanted:
        if entry_id not in found:
            raise EntryNotFoundError(entry_id)


async def _set_tags(scope: Scope, tagged: list[UUID], entries: list[UUID], tags: list[int]) -> None:
    await scope.connection.execute(_DROP_TAGS, scope.ledger_id, tagged, entries, tags)
    if entries:
        await scope.connection.execute(_ADD_TAGS, scope.ledger_id, entries, tags)
