"""The peers that post: each as its own documentation would have it written, prepared and warm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

#: The schema of their tables: those of the books with their indexes and checks, without triggers and foreign keys.
SCHEMA = "peers"


class Transfer(NamedTuple):
    """What both sides are given: an amount that goes to one account out of another. Each makes its own id for it."""

    date: date
    description: str
    debit: int
    credit: int
    amount: Decimal


class Peer(Protocol):
    """A way to post, connected and warm."""

    async def post(self, caller: int, transfer: Transfer, /) -> None:
        """Post *transfer* durably, on behalf of one of the callers, which are numbered from 0."""

    async def post_many(self, transfers: Sequence[Transfer]) -> None:
        """Post all of *transfers* durably."""


TABLES = ("ledgers", "currencies", "accounts", "journal_entries", "postings")


def statements() -> list[str]:
    """Return the statements that copy the books' tables into `SCHEMA`, and the accounts with them."""
    copies = [f"CREATE TABLE {SCHEMA}.{table} (LIKE {table} INCLUDING ALL)" for table in TABLES]
    return [
        f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE",
        f"CREATE SCHEMA {SCHEMA}",
        *copies,
        # LIKE takes every property along but this one.
        f"ALTER TABLE {SCHEMA}.accounts SET (fillfactor = 75)",
        f"INSERT INTO {SCHEMA}.accounts OVERRIDING SYSTEM VALUE SELECT * FROM accounts",
        f"UPDATE {SCHEMA}.accounts SET balance = 0",
        f"ANALYZE {SCHEMA}.accounts",
    ]
