"""Pages: cursors that come back from the web, and lists that change between two pages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from finance import UnitOfWork
from finance.errors import InvalidError
from finance.pagination import PAGE_SIZE_MAX, decode_cursor, encode_cursor, require_limit


def forged(*values: Any) -> str:
    """Make a cursor as the library would, of values that it would not take."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize("key", [[1], ["Assets:Ümläut 🙂", "EUR", 7], ["2026-11-22", "0199"]])
def test_a_cursor_holds_its_key(key: list[str | int]) -> None:
    """It may stand in a URL as it is."""
    cursor = encode_cursor("accounts", key)

    assert decode_cursor(cursor, "accounts") == key
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


GARBAGE = [
    "",
    "x",
    "ünïcode",
    "====",
    "e30=",
    forged(),
    forged("ledgers", 1),
    "bnVsbA==",
    "MQ==",
    "/../../etc/passwd",
    "A" * 9999,
]
DEEP = base64.urlsafe_b64encode(b"[" * 100_000).decode()


@pytest.mark.parametrize("cursor", [*GARBAGE, DEEP], ids=range(len(GARBAGE) + 1))
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str) -> None:
    """Whatever it is instead, another list's cursor included."""
    with pytest.raises(InvalidError, match="pass on the next_cursor of its last page"):
        decode_cursor(cursor, "accounts")


@pytest.mark.parametrize("limit", [0, -1, PAGE_SIZE_MAX + 1, 2.5, "10", None, True])
def test_a_page_has_1_to_1000_items(limit: Any) -> None:
    """The error names what was asked for."""
    with pytest.raises(InvalidError, match=r"limit .*: a page has 1 to 1000 items"):
        require_limit(limit)


FORGED = {
    "too short": ["Assets:A"],
    "too long": ["Assets:A", "EUR", 1, 2],
    "no number": ["Assets:A", "EUR", "one"],
    "infinity": ["Assets:A", "EUR", float("inf")],
    "not a number": ["Assets:A", "EUR", float("nan")],
    "a list": ["Assets:A", "EUR", [1]],
    "nothing": ["Assets:A", "EUR", None],
    "too large": ["Assets:A", "EUR", 2**70],
}


@pytest.mark.parametrize("values", FORGED.values(), ids=FORGED)
async def test_a_forged_cursor_of_this_list_is_refused(uow: UnitOfWork, values: list[Any]) -> None:
    """Nothing of it reaches the server."""
    with pytest.raises(InvalidError):
        await uow.accounts.page(after=forged("accounts", *values))

    assert (await uow.accounts.page()).next_cursor is None


@pytest.mark.parametrize("values", [["2026-13-45", "x"], [5, "0199"], ["2026-11-22", "no uuid"], ["2026-11-22", 5]])
async def test_a_forged_cursor_of_the_journal_is_refused(uow: UnitOfWork, values: list[Any]) -> None:
    """Dates and ids are read like numbers."""
    with pytest.raises(InvalidError, match="cursor"):
        await uow.journal.page(after=forged("journal_entries", *values))


async def test_what_is_written_meanwhile_neither_repeats_nor_hides_a_row(uow: UnitOfWork) -> None:
    """The next page starts behind the last row of the one before, not after a number of rows."""
    for name in ("B", "C", "D"):
        await uow.accounts.open(f"Assets:{name}", currency="EUR")
    first = await uow.accounts.page(limit=2)
    await uow.accounts.open("Assets:A", currency="EUR")
    await uow.accounts.remove(first.items[1])

    second = await uow.accounts.page(limit=2, after=first.next_cursor)

    assert [row.name for row in second.items] == ["Assets:D"]


async def test_the_last_page_has_no_cursor(uow: UnitOfWork) -> None:
    """Also when it is full, and when there is nothing at all."""
    assert (await uow.accounts.page()).next_cursor is None
    await uow.accounts.open("Assets:A", currency="EUR")

    page = await uow.accounts.page(limit=1)

    assert (len(page.items), page.next_cursor) == (1, None)
