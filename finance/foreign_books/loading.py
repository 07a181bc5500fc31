"""Whole books of another program into a ledger: all of them that is new, or nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from finance.errors import BooksFileError, InvalidError
from finance.foreign_books.books import BookEntry, Books
from finance.foreign_books.claims import failed_assertions
from finance.foreign_books.identity import entry_ids
from finance.foreign_books.naming import Wishes, plan_currencies
from finance.foreign_books.opening import Opening, Place
from finance.foreign_books.result import LoadedBooks
from finance.foreign_books.weighing import Weighed, add_up, weigh
from finance.integrity import translated
from finance.models import AccountType, NewEntry, NewPosting
from finance.money import Amount, exact
from finance.repositories import Labels
from finance.unit_of_work import UnitOfWork

#: Entries of one statement, and prices of one.
_BATCH, _PRICES = 1000, 5000
#: The class of the advisory lock by which loads into one ledger take turns.
_LOCK_CLASS = 1179209298

_BASE_CURRENCY = "SELECT base_currency FROM ledgers WHERE id = $1"
_STORED = "SELECT id, content_hash FROM journal_entries WHERE ledger_id = $1 AND id = ANY ($2::uuid[])"
# Those that were reversed since need no longer be in the file.
_LOADED = """
SELECT e.id, e.date FROM journal_entries AS e
 WHERE e.ledger_id = $1 AND e.metadata -> 'from' = $2::jsonb
   AND NOT EXISTS (SELECT FROM journal_entries AS r WHERE r.ledger_id = $1 AND r.reverses_id = e.id)
 ORDER BY e.date, e.id
"""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An entry of the file that moves something, its id, and its lines."""

    id: UUID
    entry: BookEntry
    weighed: Weighed


async def load_books(
    uow: UnitOfWork,
    books: Books,
    *,
    currencies: Mapping[str, str] | None = None,
    decimals: Mapping[str, int] | None = None,
    types: Mapping[str, AccountType | str] | None = None,
    tolerance: Amount | None = None,
) -> LoadedBooks:
    """Bring what is new of *books* into the ledger: currencies, accounts, entries and prices, all of it or nothing.

    Entries balance in each currency: what one leaves open at cost is booked against "Equity:Conversions", what it is
    off at cost against "Equity:Rounding", and virtual postings against "Equity:Virtual". Ids are made of what an entry
    moves, so that the same file again adds nothing, and one that has grown what is new in it. Accounts that the file
    closes are closed when everything is posted. Balances that the file claims are compared with the books, and never
    enforced.

    Args:
        uow: The unit of work, for a ledger; an error undoes what this call did in it, and no more.
        books: What `read_books()` returned.
        currencies: What the ledger is to call a commodity of the file, such as {"$": "USD"}.
        decimals: More decimals for a currency of ISO 4217, where the file has finer amounts: they stay for good.
        types: What accounts are of which the file does not say it, by their first segments.
        tolerance: How far an entry may be from balancing at cost; one smallest unit of the currency unless given.

    Raises:
        BooksFileError: An entry is off by more, an amount is finer than its currency, or a name cannot be.
        InvalidError: Entries that an earlier load of this file has posted are not in it any more; an account is
            there with another type; or as `uow.journal.post()`, such as a date in a closed period.

    Database:
        Loads into one ledger take turns, by an advisory lock. A statement for each 1,000 entries, one for 5,000
        prices, one or two for each currency, one for each account to close, and about ten more.
    """
    wishes = Wishes(currencies or {}, decimals or {}, types or {}, None if tolerance is None else exact(tolerance))
    async with uow.savepoint():
        return await _Load(uow, books, wishes).run()


class _Load:
    def __init__(self, uow: UnitOfWork, books: Books, wishes: Wishes) -> None:
        self._uow = uow
        self._books = books
        self._wishes = wishes
        self._opening = Opening(uow, books, wishes)
        self._source = {"program": books.program, "file": books.file}

    async def run(self) -> LoadedBooks:
        await self._take_turn()
        exponents = await self._opening.open_currencies(plan_currencies(self._books, self._wishes).values())
        every = self._weighed(exponents)
        ready = [each for each in every if each.weighed.lines]
        await self._require_complete(ready)
        base_currency = await self._uow.connection.fetchval(_BASE_CURRENCY, self._uow.ledger_id)
        accounts = await self._opening.open_accounts((each.weighed for each in ready), base_currency)
        stored = await self._stored(ready)
        new = [each for each in ready if each.id not in stored]
        await self._opening.reopen((line.account, line.currency) for each in new for line in each.weighed.lines)
        for start in range(0, len(new), _BATCH):
            await self._post(new[start : start + _BATCH], accounts)
        await self._opening.close()
        prices = await self._record_prices()
        claims = [replace(each, currency=self._code(each.currency)) for each in self._books.assertions]
        known = [each for each in ready if each.id in stored]
        return LoadedBooks(
            self._books.file,
            self._books.program,
            entries=len(new),
            postings=sum(len(each.weighed.lines) for each in new),
            known=len(known),
            reworded=sum(self._entry(each, accounts).content_hash() != stored[each.id] for each in known),
            empty=len(every) - len(ready),
            zeros=sum(not posting.amount for each in every for posting in each.entry.postings),
            accounts=self._opening.opened,
            prices=prices,
            assertions=len(claims),
            failed=await failed_assertions(self._uow, claims, accounts),
            residuals=add_up(each.weighed.residuals for each in every),
            remarks=(*self._books.remarks, *self._opening.remarks()),
        )

    async def _take_turn(self) -> None:
        with translated():
            await self._uow.session.execute(
                select(func.pg_advisory_xact_lock(_LOCK_CLASS, func.hashint8(self._uow.ledger_id)))
            )

    def _weighed(self, exponents: Mapping[str, int]) -> list[_Ready]:
        entries = (
            [self._renamed(each) for each in self._books.entries] if self._wishes.currencies else self._books.entries
        )
        ids = entry_ids(self._books.entries)  # of what the file says, whatever its currencies are called here
        return [
            _Ready(entry_id, entry, weigh(entry, exponents, self._wishes.tolerance))
            for entry_id, entry in zip(ids, entries, strict=True)
        ]

    def _renamed(self, entry: BookEntry) -> BookEntry:
        postings = (
            replace(
                each,
                currency=self._code(each.currency),
                weight_currency=None if each.weight_currency is None else self._code(each.weight_currency),
            )
            for each in entry.postings
        )
        return replace(entry, postings=tuple(postings))

    def _code(self, currency: str) -> str:
        return self._wishes.code_of(currency, self._books.file, None)

    async def _require_complete(self, ready: Sequence[_Ready]) -> None:
        """Refuse a file in which an entry was changed or removed that is in the books: it would stay there."""
        rows = await self._uow.connection.fetch(_LOADED, self._uow.ledger_id, json.dumps(self._source))
        ids = {each.id for each in ready}
        missing = [row for row in rows if row["id"] not in ids]
        if missing:
            raise InvalidError(
                f"{self._books.file}: entries that were loaded from it before are not in it any more, or move something"
                f" else now: {len(missing)}, the first of them {missing[0]['id']} of {missing[0]['date']};"
                " reverse them, or load the file into a new ledger"
            )

    async def _stored(self, ready: Sequence[_Ready]) -> dict[UUID, bytes | None]:
        ids = [each.id for each in ready]
        rows = await self._uow.connection.fetch(_STORED, self._uow.ledger_id, ids)
        return {row["id"]: row["content_hash"] for row in rows}

    def _entry(self, ready: _Ready, accounts: Mapping[Place, int]) -> NewEntry:
        entry = ready.entry
        try:
            return NewEntry(
                entry.date,
                entry.description,
                [NewPosting(accounts[name, code], amount, memo) for name, amount, code, memo in ready.weighed.lines],
                id=ready.id,
                details=dict(self._details(ready)),
            )
        except InvalidError as error:
            raise BooksFileError(entry.file, f"{error}", line=entry.line) from error

    def _details(self, ready: _Ready) -> Iterator[tuple[str, Any]]:
        """Yield what the journal has no columns for: where the entry is from, its words, its lots and its residuals."""
        yield "from", self._source
        if ready.entry.details:
            yield self._books.program, dict(ready.entry.details)
        moving = (each for each in ready.entry.postings if each.amount)
        lots = [{"line": number, **each.lot} for number, each in enumerate(moving, 1) if each.lot]
        if lots:
            yield "lots", lots
        if ready.weighed.residuals:
            yield "residuals", {code: f"{amount:f}" for code, amount in ready.weighed.residuals.items()}

    async def _post(self, ready: Sequence[_Ready], accounts: Mapping[Place, int]) -> None:
        try:
            await self._uow.journal.post_many([self._entry(each, accounts) for each in ready])
        except InvalidError as error:
            entry_id = getattr(error, "entry_id", None)
            found = next((each.entry for each in ready if each.id == entry_id), None)
            if found is None:
                raise
            raise BooksFileError(found.file, f"{error}", line=found.line) from error
        await self._uow.journal.label_many(dict(_labels(ready)))

    async def _record_prices(self) -> int:
        """Record the prices, of each pair and day the last one, and return how many were new or other than before."""
        last = {}
        for each in self._books.prices:
            price = replace(each, currency=self._code(each.currency), quote=self._code(each.quote))
            last[price.currency, price.quote, price.date] = price
        prices = list(last.values())
        return sum([await self._uow.prices.record(prices[at : at + _PRICES]) for at in range(0, len(prices), _PRICES)])


def _labels(ready: Iterable[_Ready]) -> Iterator[tuple[UUID, Labels]]:
    for each in ready:
        if each.entry.payee is not None or each.entry.tags:
            # What no payee or tag can be called stays in the entry's details only.
            with contextlib.suppress(InvalidError):
                yield each.id, Labels(payee=each.entry.payee, tags=each.entry.tags)
