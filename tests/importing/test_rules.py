"""Rules: what they are true of, which one decides, and what becomes of lines and of what lies unsorted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from finance import NewEntry, NewPosting, NewRule, UnitOfWork
from finance.errors import AmountError, InvalidError, NotFoundError
from finance.models import JournalEntry
from finance.repositories import RuledLine
from finance.statements import apply_rules, import_statements

from .files import CHECKING, FIRST, balance, bring, count, file, line, statement, stored_lines


async def rule(uow: UnitOfWork, counter: str = "Expenses:Food", **fields: Any) -> int:
    """Add a rule that proposes an account."""
    account = await uow.accounts.get_or_open(counter, currency="EUR")
    return (await uow.rules.create(NewRule(counter=account, **fields))).id


async def decided(uow: UnitOfWork, payee: str, amount: str = "-1", memo: str = "", currency: str = "EUR") -> str | None:
    """Name the account that the rules propose for a line."""
    checking = await uow.accounts.get_by_name(CHECKING, "EUR")
    ruled = [RuledLine(7, Decimal(amount), payee, memo)]
    return next(
        (each.counter for each in (await uow.rules.propose(ruled, account=checking, currency=currency)).values()), None
    )


@pytest.mark.parametrize(
    ("fields", "true", "false"),
    [
        ({"contains": "GROCER"}, ("the grocer 12",), ("the baker",)),
        ({"contains": "straße"}, ("Hauptstrasse", "HAUPTSTRASSE"), ("Hauptstr",)),
        ({"contains": "Ä"}, ("bäcker",), ("backer",)),
        ({"contains": "50%_"}, ("save 50%_ now",), ("save 500 now",)),
        ({"equals": "rent"}, ("RENT",), ("rent may",)),
        ({"matches": "^rent( |$)"}, ("Rent", "rent may"), ("rental", "the rent")),
        ({"matches": r"\d{3}-\d{3}"}, ("no 123-456",), ("no 12-456",)),
    ],
)
async def test_text_is_compared(
    unit: UnitOfWork, fields: dict[str, str], true: tuple[str, ...], false: tuple[str, ...]
) -> None:
    """With the payee as with the memo, whatever the case; nothing in a text to contain is special."""
    await rule(unit, **fields)

    assert [await decided(unit, text) for text in true] == ["Expenses:Food"] * len(true)
    assert [await decided(unit, "x", memo=text) for text in true] == ["Expenses:Food"] * len(true)
    assert [await decided(unit, text) for text in false] == [None] * len(false)


@pytest.mark.parametrize(
    ("fields", "true", "false"),
    [
        ({"direction": "in"}, ("1", "0.01"), ("-1",)),
        ({"direction": "out"}, ("-1",), ("1",)),
        ({"minimum": 5}, ("5", "-5.00", "6"), ("4.99", "-4.99")),
        ({"maximum": "5.5"}, ("5.5", "-5.5"), ("5.51", "-6")),
        ({"minimum": 10, "maximum": 10, "direction": "out"}, ("-10.00",), ("10", "-9")),
    ],
)
async def test_amounts_are_compared_without_their_sign(
    unit: UnitOfWork, fields: dict[str, Any], true: tuple[str, ...], false: tuple[str, ...]
) -> None:
    """Both bounds are included; the sign is the direction."""
    await rule(unit, **fields)

    assert [await decided(unit, "x", amount) for amount in true] == ["Expenses:Food"] * len(true)
    assert [await decided(unit, "x", amount) for amount in false] == [None] * len(false)


async def test_account_and_currency_are_compared(unit: UnitOfWork) -> None:
    """A rule of another account is not true of a line; nor one of another currency."""
    checking = await unit.accounts.get_or_open(CHECKING, currency="EUR")
    other = await unit.accounts.get_or_open("Assets:Other", currency="EUR")
    await rule(unit, "Expenses:Never", account=other)
    assert await decided(unit, "x") is None
    await rule(unit, "Expenses:Yen", currency="jpy")
    assert (await decided(unit, "x"), await decided(unit, "x", currency="JPY")) == (None, "Expenses:Yen")
    await rule(unit, "Expenses:Here", account=checking)
    assert await decided(unit, "x") == "Expenses:Here"


async def test_first_rule_decides(unit: UnitOfWork) -> None:
    """In the order of their positions, and of their making; all conditions of a rule have to be true."""
    await rule(unit, "Expenses:A", contains="tea", minimum=100)
    await rule(unit, "Expenses:B", contains="tea")
    await rule(unit, "Expenses:C", contains="tea")
    assert [await decided(unit, "tea", amount) for amount in ("-1", "-100")] == ["Expenses:B", "Expenses:A"]

    first = await rule(unit, "Expenses:D", contains="te", position=0)
    assert await decided(unit, "tea") == "Expenses:D"
    await unit.rules.remove(await unit.rules.get_one(first))
    assert await decided(unit, "tea") == "Expenses:B"
    assert [each.position async for each in unit.rules.stream()] == [1, 2, 3]


async def test_import_books_what_rules_propose_and_says_which(unit: UnitOfWork) -> None:
    """The counter-account, payee and tags; the entry names the rule, and a dry run as well."""
    checking = await unit.accounts.get_or_open(CHECKING, currency="EUR")
    food = await unit.accounts.get_or_open("Expenses:Food", currency="EUR")
    grocer = NewRule(contains="grocer", account=checking, counter=food, payee="Grocer", tags=["daily", "shop"])
    number = (await unit.rules.create(grocer)).id
    one = file(statement(line("-42.10", "A", payee="THE GROCER 12"), line("-1", "B", payee="Baker"), line("0", "C")))

    dry = await import_statements(unit, one, dry_run=True)
    shown = [(each.counter, each.payee, each.tags, each.rule) for each in dry.statements[0].decisions]
    assert shown == [
        ("Expenses:Food", "Grocer", ("daily", "shop"), number),
        ("Expenses:Uncategorised", None, (), None),
        (None, None, (), None),
    ]
    await import_statements(unit, one)

    assert [await balance(unit, name) for name in ("Expenses:Food", "Expenses:Uncategorised")] == ["42.10", "1"]
    entry_id = (await stored_lines(unit))[0].entry_id
    assert entry_id
    entry = await unit.journal.get_one(entry_id)
    assert (entry.details, entry.payee and entry.payee.name) == ({"rule": number}, "Grocer")
    assert sorted(tag.name for tag in entry.tags) == ["daily", "shop"]


async def test_line_in_another_currency_takes_the_namesake(unit: UnitOfWork) -> None:
    """The account of the rule is in euros, the line in yen."""
    await rule(unit, contains="sushi")
    await bring(unit, line("-500", payee="Sushi"), currency="JPY")

    assert await balance(unit, "Expenses:Food", "JPY") == "500"


async def test_rule_that_names_the_bank_account_itself_proposes_no_account(unit: UnitOfWork) -> None:
    """Money does not go from an account to itself."""
    await rule(unit, CHECKING, contains="x")
    await bring(unit, line("-5", payee="x"))

    assert await balance(unit, "Expenses:Uncategorised") == "5"


async def test_rules_are_applied_to_what_lies_unsorted(unit: UnitOfWork) -> None:
    """By amending, once; texts are those of the line, the line stays matched, and a dry run writes nothing."""
    await bring(unit, line("-42.10", "A", payee="Grocer 12", memo="card"), line("-1", "B", payee="Baker"))
    original = (await stored_lines(unit))[0].entry_id
    assert original
    await unit.journal.describe(original, description="Shopping")
    await unit.journal.label(original, tags=["mine"])
    number = await rule(unit, matches="^grocer", payee="Grocer", tags=["daily"])
    entries = await count(unit, JournalEntry)

    (dry,) = await apply_rules(unit, dry_run=True)
    assert (dry.replacement_id, await count(unit, JournalEntry)) == (None, entries)
    (done,) = await apply_rules(unit)

    assert (done.entry_id, done.rule, done.counter, done.account, done.amount) == (
        original,
        number,
        "Expenses:Food",
        CHECKING,
        Decimal("-42.10"),
    )
    assert [await balance(unit, name) for name in ("Expenses:Food", "Expenses:Uncategorised")] == ["42.10", "1.00"]
    assert done.replacement_id
    entry = await unit.journal.get_one(done.replacement_id)
    assert (entry.amends_id, entry.description, entry.date) == (original, "Shopping", FIRST)
    assert (entry.details, entry.payee and entry.payee.name) == ({"rule": number}, "Grocer")
    assert sorted(tag.name for tag in entry.tags) == ["daily", "mine"]
    assert [posting.memo for posting in entry.postings] == ["card", None]
    (state,) = await unit.reconciliation.statements()
    assert (state.lines, state.unmatched) == (2, 0)
    assert await apply_rules(unit) == ()


async def test_what_rules_leave_alone(unit: UnitOfWork) -> None:
    """Entries of more postings, those reversed, and those of a closed period; a payee that somebody gave stays."""
    await bring(unit, line("-1", "A", payee="x"), line("-2", "B", payee="x"), line("-3", "C", on=date(2026, 9, 1)))
    ids = [each.entry_id for each in await stored_lines(unit)]
    assert ids[1]
    assert ids[2]
    await unit.journal.reverse(ids[1])
    await unit.journal.label(ids[2], payee="Mine")
    checking = await unit.accounts.get_by_name(CHECKING)
    unsorted = await unit.accounts.get_by_name("Expenses:Uncategorised")
    assert checking
    assert unsorted
    split = [NewPosting(unsorted, 4), NewPosting(unsorted, 5), NewPosting(checking, -9)]
    await unit.journal.post(NewEntry(date(2026, 9, 2), "x", split))
    await unit.ledgers.close_through(unit.ledger_id, FIRST)
    await unit.rules.create(NewRule(direction="out", payee="Theirs"))

    assert await apply_rules(unit) == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "condition"),
        ({"contains": "a", "payee": None}, "proposes"),
        ({"contains": "a", "equals": "b"}, "one text"),
        ({"contains": ""}, "1 to 1000"),
        ({"contains": "  "}, "blank"),
        ({"contains": "a" * 1001}, "1 to 1000"),
        ({"contains": "a\x00"}, "zero character"),
        ({"contains": "a", "direction": "up"}, "'in' or 'out'"),
        ({"contains": "a", "payee": "x" * 501}, "500"),
    ],
)
def test_rules_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidError, match=message):
        NewRule(**{"payee": "Somebody"} | fields)


def test_bounds_are_exact() -> None:
    """A float is refused."""
    with pytest.raises(AmountError):
        NewRule(payee="x", minimum=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("(", "is none"),
        ("[z-a]", "is none"),
        (r"(a*)*\1", "back reference"),
        ("((a{1,100}){1,100}){1,100}", "repeats"),
        ("(((a{90}){90}){90})", "repeats"),
    ],
)
async def test_expressions_that_are_wrong_or_cost_too_much_are_refused(
    unit: UnitOfWork, expression: str, message: str
) -> None:
    """With a typed error; the unit of work goes on behind its savepoint."""
    with pytest.raises(InvalidError, match=message):
        async with unit.savepoint():
            await unit.rules.create(NewRule(matches=expression, payee="x"))

    assert [each.id async for each in unit.rules.stream()] == []


async def test_expression_that_makes_others_backtrack_is_bounded(unit: UnitOfWork) -> None:
    """What takes Python's own engine for ever is answered."""
    await rule(unit, matches="^(a+)+$")

    assert await decided(unit, "a" * 40 + "b") is None
    assert await decided(unit, "a" * 5000) == "Expenses:Food"


async def test_range_out_of_order_and_unknown_accounts_are_refused(unit: UnitOfWork) -> None:
    """By the database, with typed errors."""
    for fields in ({"minimum": 2, "maximum": 1}, {"minimum": -1}, {"contains": "x", "account": 999_999}):
        with pytest.raises(InvalidError):
            async with unit.savepoint():
                await unit.rules.create(NewRule(payee="x", **fields))
    with pytest.raises(NotFoundError, match="no rule 0"):
        await unit.rules.get_one(0)
