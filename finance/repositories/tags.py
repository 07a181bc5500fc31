"""The tags of a ledger: words that entries are marked with."""

from __future__ import annotations

from finance.models import Tag
from finance.repositories.named import NamedRepository

_MOVE = """
INSERT INTO entry_tags (ledger_id, entry_id, tag_id)
SELECT ledger_id, entry_id, $3 FROM entry_tags WHERE ledger_id = $1 AND tag_id = $2 ORDER BY entry_id
ON CONFLICT DO NOTHING
"""
_REMOVE = "DELETE FROM entry_tags WHERE ledger_id = $1 AND tag_id = $2 AND $3::bigint IS NOT NULL"


class TagRepository(NamedRepository[Tag]):
    """The tags of this ledger, in order of their names without regard to case."""

    model = Tag
    order = (Tag.key,)
    moves = (_MOVE, _REMOVE)
