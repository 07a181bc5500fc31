"""What a bank sent of an event loses its words with it, whatever became of the lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import asyncpg
import pytest

from finance import DatabaseManager, Ledger, NewAssertion, NewEntry, NewPosting, UnitOfWork
from finance.errors import InvalidError, NotFoundError, SealedError
from finance.models.forgetting import REDACTED
from finance.statements import StatementLine, import_statements, undo_import

from .files import CHECKING, FIRST, file, line, statement, stored_lines

SECRET = "Geheim"


def secret(amount: str) -> StatementLine:
    """Make a line with words in every place."""
    return line(amount, payee=SECRET, memo=f"of {SECRET}", check_number=SECRET, raw={"NAME": SECRET})


async def bring(uow: UnitOfWork, *amounts: str, match: bool = False) -> int:
    """Import lines of these amounts; return the id of the import."""
    found = await import_statements(uow, file(statement(*map(secret, amounts))), match=match)
    assert found.id is not None
    return found.id


async def typed(uow: UnitOfWork, amount: str) -> NewEntry:
    """Post an entry on the bank's account by hand."""
    bank = await uow.accounts.get_or_open(CHECKING, currency="EUR")
    food = await uow.accounts.get_or_open("Expenses:Food", currency="EUR")
    line = NewPosting(bank, amount)
    new = NewEntry(FIRST, f"Typed, {SECRET}", [line, NewPosting(food, line.value.copy_negate())])
    await uow.journal.post(new)
    return new


async def words(db: DatabaseManager) -> dict[str, list[str]]:
    """Give what is left of words, by the amounts of lines and of entries on the bank's account."""
    rows = await db.fetch(
        "SELECT trim_scale(amount)::text AS amount, concat_ws('|', payee, memo, check_number, raw) AS text"
        "  FROM statement_lines"
        " UNION ALL "
        "SELECT trim_scale(p.amount)::text, e.description FROM postings AS p"
        "  JOIN journal_entries AS e ON e.id = p.entry_id JOIN accounts AS a ON a.id = p.account_id"
        " WHERE a.name LIKE 'Assets:%'"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["amount"].removeprefix("-"), []).append("secret" if SECRET in row["text"] else row["text"])
    return {amount: sorted(set(texts)) for amount, texts in found.items()}


GONE = [REDACTED, "{}"]


async def test_a_line_that_was_undone_and_came_again_is_redacted_each_time(db: DatabaseManager, books: Ledger) -> None:
    """With what it became before, and its reversal; a line of another event keeps its words."""
    async with db.unit_of_work(books) as uow:
        for _ in range(2):
            await undo_import(uow, await bring(uow, "-1", "-2"))
        await bring(uow, "-1", "-2")
        entry_id = (await stored_lines(uow))[-2].entry_id
        assert entry_id is not None

    redacted = await db.ledgers.redact(books, entries=[entry_id])

    assert await words(db) == {"1": GONE, "2": ["secret"]}
    assert (redacted.entries, redacted.lines) == (5, 3)
    assert (await db.verify(books)).problems == ()


async def test_a_line_that_was_matched_with_what_was_typed_is_redacted_with_it(
    db: DatabaseManager, books: Ledger
) -> None:
    """With the entry that its import had posted beside that."""
    async with db.unit_of_work(books) as uow:
        await bring(uow, "-1", "-2")
        entries = [await typed(uow, "-1"), await typed(uow, "-2")]
        (first, _) = await stored_lines(uow)
        await uow.reconciliation.match(first.id, entries[0].id, replace=True)

    redacted = await db.ledgers.redact(books, entries=[entries[0].id])

    assert await words(db) == {"1": GONE, "2": ["secret"]}
    assert (redacted.entries, redacted.lines) == (3, 1)


async def test_a_line_is_redacted_with_what_amended_its_entry(db: DatabaseManager, books: Ledger) -> None:
    """And so are the entry itself and its reversal, whichever of them is named."""
    async with db.unit_of_work(books) as uow:
        await bring(uow, "-1", "-2")
        stored, _ = await stored_lines(uow)
        entry_id = stored.entry_id
        assert entry_id is not None
        amended = await uow.journal.amend(entry_id, replace(await typed(uow, "-3"), id=uuid4()))

    redacted = await db.ledgers.redact(books, entries=[amended.id])

    assert await words(db) == {"1": GONE, "2": ["secret"], "3": [REDACTED, "secret"]}
    assert (redacted.entries, redacted.lines) == (3, 1)


async def test_an_equal_line_is_another_event(db: DatabaseManager, books: Ledger) -> None:
    """Two coffees of one day are two: who names one means one."""
    async with db.unit_of_work(books) as uow:
        await bring(uow, "-1", "-1")
        first, second = await stored_lines(uow)
        assert first.entry_id is not None

    await db.ledgers.redact(books, entries=[first.entry_id])

    async with db.unit_of_work(books) as uow:
        assert [each.payee for each in await stored_lines(uow)] == [None, second.payee]


async def test_the_record_of_a_line_outlives_its_match(db: DatabaseManager, books: Ledger) -> None:
    """It is matched with another entry later, and verification still knows why it has no words."""
    async with db.unit_of_work(books) as uow:
        entry_id = (await typed(uow, "-1")).id
        await bring(uow, "-1", match=True)
    await db.ledgers.redact(books, entries=[entry_id])

    async with db.unit_of_work(books) as uow:
        (stored,) = await stored_lines(uow)
        assert (stored.payee, stored.entry_id) == (None, None)
        await uow.reconciliation.unmatch(stored.id)

    assert (await db.verify(books)).problems == ()


async def test_redacting_through_a_day_takes_the_notes_of_assertions(db: DatabaseManager, books: Ledger) -> None:
    """Of those up to the day; what they claim stays."""
    async with db.unit_of_work(books) as uow:
        bank = await uow.accounts.open(CHECKING, currency="EUR")
        for day, note in ((1, SECRET), (2, ""), (3, SECRET)):
            await uow.assertions.record(NewAssertion(bank, date(2026, 1, day), day, note))

    await db.ledgers.redact(books, through=date(2026, 1, 2))

    rows = await db.fetch("SELECT amount::int AS amount, note FROM assertions ORDER BY date")
    assert [tuple(row) for row in rows] == [(1, REDACTED), (2, ""), (3, SECRET)]


NAMED = "INSERT INTO redactions (ledger_id) VALUES ({ledger});"
ROWS = "INSERT INTO redacted_rows SELECT l.ledger_id, 'statement_lines', l.id::text, max(r.id)"
OF_LINES = " FROM statement_lines AS l, redactions AS r WHERE l.amount = -1 GROUP BY l.ledger_id, l.id;"
LINE = NAMED + ROWS + OF_LINES


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE assertions SET note = '[redacted]'",
        NAMED + "UPDATE assertions SET note = '[redacted]'",
        NAMED + "UPDATE imports SET file_name = '[redacted]'",
        NAMED + "UPDATE statements SET file_name = '[redacted]'",
        LINE + "UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{{}}'",
        LINE + "UPDATE statement_lines SET amount = 1 WHERE payee IS NULL",
        LINE + "UPDATE statement_lines SET bank_id = 'x' WHERE payee IS NULL",
        LINE + "UPDATE statement_lines SET payee = 'x' WHERE payee IS NULL",
        LINE + "UPDATE assertions SET note = '[redacted]'",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01');"
        "UPDATE assertions SET note = '[redacted]', amount = amount + 1",
        "INSERT INTO redactions (ledger_id, through) VALUES ({ledger}, '2030-01-01'); UPDATE assertions SET note = 'x'",
        ROWS + OF_LINES,
        LINE + "UPDATE redacted_rows SET row_id = '0'",
        LINE + "DELETE FROM redacted_rows",
        "TRUNCATE redacted_rows",
    ],
)
async def test_only_what_is_named_loses_its_words_and_nothing_else(
    db: DatabaseManager, books: Ledger, sql: str
) -> None:
    """Not even the owner's statement does more, nor takes the record away."""
    async with db.unit_of_work(books) as uow:
        await bring(uow, "-1", "-2")
        bank = await uow.accounts.get_or_open(CHECKING, currency="EUR")
        await uow.assertions.record(NewAssertion(bank, FIRST, 1, "note"))
    await db.ledgers.redact(books, through=date(1999, 1, 1))

    with pytest.raises(SealedError):
        async with db.transaction() as connection:
            await connection.execute(sql.format(ledger=books.id))

    assert await words(db) == {"1": ["secret"], "2": ["secret"]}


async def test_a_row_that_is_not_there_is_not_redacted(db: DatabaseManager, books: Ledger) -> None:
    """Nor one of a table that has no words to lose: a record is true."""
    for table, kind in (("holds", NotFoundError), ("statement_lines", NotFoundError), ("postings", InvalidError)):
        row = UUID(int=0) if table == "holds" else 0
        with pytest.raises(kind):
            async with db.transaction() as connection:
                await connection.execute(NAMED.format(ledger=books.id))
                await connection.execute(
                    f"INSERT INTO redacted_rows SELECT {books.id}, '{table}', '{row}', max(id) FROM redactions"
                )


@pytest.mark.direct("it sets what a session replicates")
@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("UPDATE statement_lines SET payee = 'x' WHERE id = $1", "redacted statement line with words"),
        ("UPDATE statement_lines SET raw = '{\"a\": 1}' WHERE id = $1", "redacted statement line with words"),
        ("DELETE FROM redacted_rows WHERE row_id = $1::bigint::text", "statement line without its words"),
        (
            "UPDATE statement_lines SET payee = NULL, memo = NULL, check_number = NULL, raw = '{}' WHERE id = $1 + 1",
            "statement line without its words",
        ),
    ],
)
async def test_a_line_that_was_tampered_with_is_told_from_a_redacted_one(
    db: DatabaseManager, dsn: str, books: Ledger, sql: str, rule: str
) -> None:
    """Words that are gone without a record, and words that came back."""
    async with db.unit_of_work(books) as uow:
        entry_id = (await typed(uow, "-1")).id
        await bring(uow, "-1", "-2", match=True)
        stored = (await stored_lines(uow))[0].id
    await db.ledgers.redact(books, entries=[entry_id])
    assert (await db.verify(books)).problems == ()

    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(sql, stored)
    await connection.close()

    assert {problem.rule for problem in (await db.verify(books)).problems} == {rule}
