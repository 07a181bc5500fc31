"""A payee whose name stands nowhere any more: in no column of text, whoever had written it there."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from finance import (
    DatabaseManager,
    Ledger,
    NewAssertion,
    NewEntry,
    NewHold,
    NewPosting,
    NewPrice,
    NewRule,
    NewSchedule,
    UnitOfWork,
)
from finance.statements import StatementFile, import_statements, undo_import
from tests.factories import TODAY, Books, entry, open_books
from tests.importing.files import file, line, statement, stored_lines

NAME, ALIAS = "Zacharias Müller", "Zacher & Co."
#: As a bank writes the name, as a person does, and as another system composes it; and the alias.
LOUD, WIDE, APART = "ZACHARIASMÜLLER", "zacharias \t müller", unicodedata.normalize("NFD", NAME)
OTHER = "zacher & co."

#: What is known by its name or number, and would be another without it: `Redacted.still_named` tells of it.
STANDING = {"ledgers.name", "currencies.code", "currencies.name", "accounts.name", "statements.bank"} | {
    "statements.bank_account"
}
#: What the database writes itself, roles, codes of currencies, and words of the library's own.
WORDLESS = {
    f"{table}.{column}"
    for table, columns in {
        "accounts": ("currency", "purpose", "type"),
        "assertions": ("kind", "recorded_by"),
        "budgets": ("period", "rollover"),
        "entry_revisions": ("replaced_by",),
        "erasures": ("counts", "erased_by"),
        "holds": ("currency", "placed_by", "status"),
        "imports": ("format", "imported_by", "undone_by"),
        "journal_entries": ("kind", "recorded_by"),
        "ledgers": ("base_currency",),
        "matches": ("matched_by",),
        "postings": ("currency",),
        "prices": ("currency", "quote"),
        "rebuilds": ("rebuilt_by",),
        "reconciliations": ("reconciled_by",),
        "redacted_rows": ("row_id", "table_name"),
        "redactions": ("redacted_by",),
        "rules": ("comparison", "currency", "direction"),
        "schedules": ("rule", "weekends"),
        "statement_lines": ("currency", "kind"),
        "statements": ("currency", "format", "format_version"),
    }.items()
    for column in columns
}
_COLUMNS = """
SELECT c.table_name || '.' || c.column_name AS name
  FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
 WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> 'finance_version'
   AND (c.data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'xml', 'USER-DEFINED')
        OR (c.data_type = 'ARRAY' AND c.udt_name IN ('_text', '_varchar', '_bpchar', '_json', '_jsonb')))
"""
_MONEY = (
    "SELECT id, balance, held FROM accounts WHERE ledger_id = $1 ORDER BY id",
    "SELECT * FROM monthly_totals WHERE ledger_id = $1 ORDER BY 2, 3",
    "SELECT entry_id, line, account_id, date, currency, amount FROM postings WHERE ledger_id = $1 ORDER BY 1, 2",
    "SELECT id, date, kind, reverses_id, content_hash FROM journal_entries WHERE ledger_id = $1 ORDER BY 1",
    "SELECT id, opening_balance, closing_balance, closing_on FROM statements WHERE ledger_id = $1 ORDER BY 1",
    "SELECT id, date, amount, currency, account_id, fingerprint, occurrence, entry_id, undone_at FROM statement_lines"
    " WHERE ledger_id = $1 ORDER BY 1",
    "SELECT id, account_id, date, amount, kind FROM assertions WHERE ledger_id = $1 ORDER BY 1",
    "SELECT id, account_id, amount, status FROM holds WHERE ledger_id = $1 ORDER BY 1",
    "SELECT schedule_id, line, account_id, amount FROM schedule_postings WHERE ledger_id = $1 ORDER BY 1, 2",
    "SELECT currency, quote, date, rate FROM prices WHERE ledger_id = $1 ORDER BY 1, 2, 3",
    "SELECT * FROM budgets WHERE ledger_id = $1 ORDER BY 2, 3",
    "SELECT line_id, entry_id, posting FROM matches WHERE ledger_id = $1 ORDER BY 1",
)


def _plain(text: str) -> str:
    return re.sub(r"\\[tn]|\s", "", unicodedata.normalize("NFC", text)).casefold()


async def every_column(db: DatabaseManager) -> set[str]:
    """Name every column of text or JSON of every table of the schema."""
    return {row["name"] for row in await db.fetch(_COLUMNS)}


async def columns_that_name(db: DatabaseManager, *names: str) -> set[str]:
    """Search every column of text or JSON, however the names are written there."""
    found = set()
    for name in await every_column(db):
        table, column = name.split(".")
        texts = await db.fetch(f'SELECT "{column}"::text AS text FROM "{table}" WHERE "{column}" IS NOT NULL')
        if any(_plain(name) in _plain(each["text"]) for each in texts for name in names):
            found.add(f"{table}.{column}")
    return found


async def money(db: DatabaseManager, ledger_id: int) -> Any:
    """Return what must not change, and by what a line is known again."""
    return [[tuple(row) for row in await db.fetch(query, ledger_id)] for query in _MONEY]


def bank_file() -> StatementFile:
    """Make a file of nine lines, eight of which name the payee, each in another place."""
    named = statement(
        line("-1", payee=LOUD, raw={"NAME": LOUD}),
        line("-2", memo=f"SVWZ+{WIDE}"),
        line("-3", check_number=NAME, raw={"86": f"?32{APART}\n?33x"}),
        line("-4", type=LOUD),
        line("-5", f"ID-{LOUD}", payee="Somebody"),
        line("-6", raw={"86.32": f"x\n{OTHER}"}),
        line("0", payee=NAME),
        line("-7", on=date(2026, 8, 20), payee="Matched", memo=f"of {NAME}"),
        line("-8", payee="Grocer", raw={"NAME": "Grocer"}),
        closing_balance=Decimal(-36),
    )
    return file(named, name=f"{NAME} 2026.ofx")


async def filled(db: DatabaseManager) -> Ledger:
    """Make books with the names of a payee in every place that has words, and with some others."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        bank = await uow.accounts.open("Assets:Checking:4711", currency="EUR")
        books = await open_books(uow)
        await uow.payees.merge(await uow.payees.create(ALIAS), await uow.payees.create(NAME))
        await post_entries(uow, books)
        await uow.journal.post(entry(books.food, bank, 7, on=date(2026, 8, 21), description="Typed by hand"))
        await plan(uow, books)
        await uow.holds.place(NewHold(books.checking, 5, f"Deposit, {WIDE}"))
        await uow.assertions.record(NewAssertion(books.checking, TODAY, 5, f"{LOUD} says so"))
        await uow.prices.record([NewPrice("USD", "0.9", "EUR", TODAY, NAME), NewPrice("CHF", 1, "EUR", TODAY, "ECB")])
        await uow.accounts.update(books.food, details={"owner": NAME, "number": "4711", "institution": "1234"})
        for rule in (
            NewRule(contains=LOUD, counter=books.food),
            NewRule(contains="never", payee=OTHER),
            NewRule(contains="neither", tags=[f"of {NAME}"]),
            NewRule(contains="Grocer", payee="Grocer"),
        ):
            await uow.rules.create(rule)
        first = await import_statements(uow, bank_file(), match=True)
        assert first.id is not None
        await undo_import(uow, first.id)
        again = await import_statements(uow, bank_file(), match=True)
        assert (first.statements[0].matched, again.statements[0].matched, again.added) == (1, 1, 9)
    return ledger


async def post_entries(uow: UnitOfWork, books: Books) -> None:
    """Post entries that name the payee in one place each, and one whose tag does."""

    def of(description: str, memo: str | None = None, **details: Any) -> NewEntry:
        lines = [NewPosting(books.food, 7, memo), NewPosting(books.checking, -7)]
        return NewEntry(date(2026, 9, 21), description, lines, details=details)

    given = [of("Rent"), of(f"Paid {APART} back"), of("Lent", memo=LOUD), of("Lent", who=[f"x\n{WIDE}"]), of("Lunch")]
    await uow.journal.post_many([*given, other := entry(books.food, books.salary, 3, description="Market")])
    await uow.journal.label(given[0].id, payee=ALIAS, tags=["rent"])
    await uow.journal.label(other.id, payee="Market", tags=[f"Tour with {NAME}", "food"])
    await uow.journal.describe(given[4].id, description=f"Lunch, {NAME}", details={"with": NAME})
    await uow.journal.describe(given[4].id, description="Lunch", details={})


async def plan(uow: UnitOfWork, books: Books) -> None:
    """Make a schedule that names the payee and goes on, and a budget."""
    lines = [NewPosting(books.food, 1, f"for {NAME}"), NewPosting(books.checking, -1)]
    start, details = date(2026, 1, 10), {"payee": NAME, "flat": 3}
    made = await uow.schedules.create(NewSchedule(f"Rent of {LOUD}", lines, "FREQ=MONTHLY", start, details=details))
    await uow.schedules.change(made.id, date(2026, 2, 10), description=f"Changed by {NAME}")
    await uow.budgets.set(books.food, 100, starts_on=start)


async def test_no_column_names_a_payee_that_was_redacted(each_db: DatabaseManager) -> None:
    """Every column that could is searched, and had the name before: a new one is found, and has to be thought of."""
    db = each_db
    ledger = await filled(db)
    before = await money(db, ledger.id)
    assert await columns_that_name(db, NAME, ALIAS) == await every_column(db) - STANDING - WORDLESS

    redacted = await db.ledgers.redact(ledger, payee=OTHER)

    assert await columns_that_name(db, NAME, ALIAS) == set()
    assert await money(db, ledger.id) == before
    # Of the tags "rent" has no entry any more.
    assert (redacted.payees, redacted.tags, redacted.rules, redacted.still_named) == (2, 2, 3, {})
    assert redacted.lines == 16
    found = await db.verify(ledger)
    assert (found.problems, found.redacted) == ((), redacted.entries)
    assert await db.fetchval("SELECT count(*) FROM redactions WHERE ledger_id = $1", ledger.id) == 1


async def test_what_does_not_name_the_payee_keeps_its_words(db: DatabaseManager) -> None:
    """Lines, entries, rules and the details of an account beside those that go; and a plan goes on."""
    ledger = await filled(db)

    await db.ledgers.redact(ledger, payee=NAME)

    async with db.unit_of_work(ledger) as uow:
        kept = [each for each in await stored_lines(uow) if each.payee]
        assert [(each.payee, each.raw) for each in kept] == [("Grocer", {"NAME": "Grocer"})] * 2
        assert [rule.payee async for rule in uow.rules.stream()] == ["Grocer"]
        assert sorted([payee.name async for payee in uow.payees.stream()]) == ["Grocer", "Market"]
        food = await uow.accounts.get_by_name("Expenses:Food")
        assert food is not None
        assert food.details == {"number": "4711", "institution": "1234"}
        (schedule,) = [each async for each in uow.schedules.stream()]
        assert (schedule.description, schedule.details) == ("[redacted]", {"flat": 3})
        due = await uow.schedules.post_due(through=date(2026, 3, 31))
        assert len(due.posted) == 3
    assert (await db.verify(ledger)).problems == ()


async def test_a_file_that_names_a_redacted_payee_adds_nothing_when_it_comes_again(db: DatabaseManager) -> None:
    """What a line is known by again is kept as a hash, also of lines whose bank's id had to go."""
    ledger = await filled(db)
    await db.ledgers.redact(ledger, payee=NAME)
    before = await money(db, ledger.id)

    async with db.unit_of_work(ledger) as uow:
        again = await import_statements(uow, bank_file())

    assert again.added == 0
    assert await money(db, ledger.id) == before
    assert await columns_that_name(db, NAME, ALIAS) == set()


#: A name, a text, and whether the name stands in it.
STANDS = [
    ("Anna", "Hannah's shop", False),
    ("Anna", "SVWZ+ANNA", True),
    ("Anna", "?32anna?33", True),
    ("Anna", "Annas", False),
    ("Studio 1", "Studio 12", True),
    ("Kino 1", "Kino 12", False),
    ("1&1", "11.1.2026", False),
    ("1&1", "Rechnung 1&1.", True),
    ("C++", "Vitamin C", False),
    ("Jürg", "JÜRG", True),
    ("Ömer", "SÖMERDA", False),
    ("Straße 9", "STRASSE 9", True),
    ("Mustermann", "KARTEMUSTERMANNGMBH", True),
    ("Max Mustermann", "MAXMUSTERMANN", True),
    ("Max Mustermann", "Max\n Mustermann", True),
    ("Max Mustermann", "Max\u00a0Mustermann", True),
    ("Max Mustermann", "Max M", False),
    ("王明", "付款给王明先生", True),
    ("Jo\u3000Lee", "JO\u3000LEE", True),
    ("Jo\u202fLee", "to JO LEE.", True),
    ("a.b*c", "axbbc", False),
    ("(x) [y] {z}", "to (X) [Y] {Z}", True),
    (r"back\slash", r"a BACK\SLASH here", True),
]


async def test_where_a_name_stands(each_db: DatabaseManager) -> None:
    """A short one by itself, a longer one anywhere; in any case and with any blanks, whatever the locale."""
    found = []
    for number, (name, text, _) in enumerate(STANDS):
        ledger = await each_db.ledgers.create(str(number), base_currency="EUR")
        async with each_db.unit_of_work(ledger) as uow:
            books = await open_books(uow)
            await uow.payees.create(name)
            await uow.journal.post(entry(books.food, books.checking, 1, description=text))
        found.append((name, text, (await each_db.ledgers.redact(ledger, payee=name)).entries == 1))

    assert found == STANDS


async def test_what_the_library_calls_its_details_is_no_word_of_an_entry(db: DatabaseManager) -> None:
    """A payee may be called as a key of details that each entry of a schedule has, and each that a rule decided."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        for name in ("Rule", "Schedule", "Occurs_On", "Program", "Book.xml"):
            await uow.payees.create(name)
        lines = [NewPosting(books.food, 1), NewPosting(books.checking, -1)]
        details = {"rule": 1, "schedule": "x", "occurs_on": "y", "from": {"program": "gnucash", "file": "book.xml"}}
        await uow.journal.post(NewEntry(TODAY, "Something", lines, details=details))

    found = [
        (await db.ledgers.redact(ledger, payee=name, dry_run=True)).entries
        for name in ("Rule", "Schedule", "Occurs_On", "Program", "Book.xml")
    ]

    assert found == [0, 0, 0, 0, 1]


async def test_a_dry_run_tells_and_takes_nothing(db: DatabaseManager) -> None:
    """The same counts as when it is done, and the books are as they were."""
    ledger = await filled(db)
    before = await columns_that_name(db, NAME, ALIAS)

    told = await db.ledgers.redact(ledger, payee=NAME, dry_run=True)

    assert await columns_that_name(db, NAME, ALIAS) == before
    assert await db.fetchval("SELECT count(*) FROM redactions") == 0
    done = await db.ledgers.redact(ledger, payee=NAME)
    assert replace(told, id=done.id, redacted_at=done.redacted_at) == done


async def test_a_payee_whose_name_has_the_other_in_it_goes_with_it(db: DatabaseManager) -> None:
    """And the entries that have it; an alias of somebody else goes alone."""
    ledger = await db.ledgers.create("Household", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        books = await open_books(uow)
        await uow.payees.create("Zacharias")
        await uow.payees.merge(await uow.payees.create("Old Zacharias"), await uow.payees.create("Market"))
        first, second = entry(books.food, books.checking, 1), entry(books.food, books.checking, 2)
        await uow.journal.post_many([first, second])
        await uow.journal.label(first.id, payee="Zacharias junior")
        await uow.journal.label(second.id, payee="Market")

    redacted = await db.ledgers.redact(ledger, payee="zacharias")

    assert (redacted.entries, redacted.payees) == (1, 3)
    async with db.unit_of_work(ledger) as uow:
        kept = (await uow.journal.get_one(second.id)).payee
        assert kept is not None
        assert kept.name == "Market"


async def test_what_is_known_by_the_name_is_told(db: DatabaseManager) -> None:
    """Accounts, the ledger, currencies and banks keep their names: they would be others."""
    ledger = await db.ledgers.create(f"Books of {NAME}", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        await uow.payees.create(NAME)
        await uow.accounts.open(f"Liabilities:{NAME}", currency="EUR")
        await uow.accounts.update(
            await uow.accounts.open("Assets:Bank", currency="EUR"), details={"institution": NAME, "number": "1"}
        )
        await uow.currencies.open("ZMX", exponent=0, name=f"Shares of {NAME}")
        await import_statements(uow, file(statement(line("1"), bank=NAME)))

    redacted = await db.ledgers.redact(ledger, payee=NAME)

    assert redacted.still_named == {"ledgers": 1, "currencies": 1, "accounts": 2, "statements": 1}
    assert await columns_that_name(db, NAME) <= STANDING | {"accounts.metadata"}
