"""The beancount file carries every posting, under names that beancount allows and that lead back to ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finance import DatabaseManager, Ledger, NewEntry, NewPosting
from finance.errors import InvalidError, UsageError
from finance.exports import beancount_account, beancount_lines, original_account

from .books import exported, make_books

BEAN_CHECK = shutil.which("bean-check", path=str(Path(sys.executable).parent)) or shutil.which("bean-check")
TYPES = ("asset", "liability", "equity", "income", "expense")

#: What beancount 2 and 3 take for an account, without letters beyond ASCII, and for a commodity.
_ACCOUNT = r"(?:Assets|Liabilities|Equity|Income|Expenses)(?::[A-Z0-9][A-Za-z0-9\-]*)+"
_COMMODITY = r"[A-Z][A-Z0-9'._\-]{0,22}[A-Z0-9]"
_STRING = r'"(?:[^"\\]|\\.)*"'
_LINE = re.compile(
    rf""";;\ .*
    | option\ "operating_currency"\ {_STRING}
    | \d{{4}}-\d\d-\d\d\ commodity\ (?P<commodity>{_COMMODITY})
    | (?P<opened>\d{{4}}-\d\d-\d\d)\ open\ (?P<open>{_ACCOUNT})\ (?P<held>{_COMMODITY}(?:,{_COMMODITY})*)
    | (?P<closed>\d{{4}}-\d\d-\d\d)\ close\ (?P<close>{_ACCOUNT})
    | (?P<day>\d{{4}}-\d\d-\d\d)\ \*\ (?P<payee>{_STRING}\ )?{_STRING}(?P<tags>(?:\ \#[A-Za-z0-9_/.\-]+)*)
    | \ \ (?P<account>{_ACCOUNT})\ \ (?P<amount>-?\d+(?:\.\d+)?)\ (?P<of>{_COMMODITY})
    | \ \ (?P<key>[a-z]+):\ (?P<value>{_STRING}|\d+)
    | \ \ \ \ memo:\ {_STRING}""",
    re.VERBOSE,
)
_NAMES = st.lists(
    st.one_of(
        st.sampled_from(
            ["Assets", "Income", "X", "X--", "X--0", "0", "-2d-", "food", "Food", "a b", "", "-", "É", "𝄞"]
        ),
        st.text(st.characters(exclude_characters=":\0", exclude_categories=["Cs"]), max_size=5),
    ),
    min_size=1,
    max_size=4,
).map(":".join)


@given(_NAMES, st.sampled_from(TYPES))
def test_every_name_has_one_that_beancount_allows(name: str, type_: str) -> None:
    """It leads back to the name and the type, so that no two accounts share one."""
    own = beancount_account(name, type_)

    assert re.fullmatch(_ACCOUNT, own)
    assert original_account(own) == (name, type_)


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("Assets:Bank:Checking", "asset", "Assets:Bank:Checking"),
        ("Liabilities:Credit Card:55", "liability", "Liabilities:Credit-20-Card:55"),
        ("Expenses:food", "expense", "Expenses:X--food"),
        ("Assets:A-1", "asset", "Assets:A-2d-1"),
        ("Kasse", "asset", "Assets:X--0:Kasse"),
        ("Assets:Loan", "liability", "Liabilities:X--0:Assets:Loan"),
        ("Equity", "equity", "Equity:X--0:Equity"),
    ],
)
def test_names_are_changed_as_little_as_can_be(name: str, type_: str, expected: str) -> None:
    """What beancount allows stays; the mapping is documented, and may not change."""
    assert beancount_account(name, type_) == expected


@pytest.mark.parametrize(
    "name", ["Assets", "Cash:A", "Assets:a", "Assets:X--0", "Assets:A-2D-b", "Assets:A-ffffffff-", ""]
)
def test_names_that_no_export_makes_are_refused(name: str) -> None:
    """Two beancount names of one account would be as bad as two accounts of one name."""
    with pytest.raises(InvalidError, match="beancount name"):
        original_account(name)


@pytest.mark.parametrize("seed", range(2))
async def test_sums_of_the_file_are_the_balances(db: DatabaseManager, seed: int) -> None:
    """Read line by line: each is well formed, each transaction balances, each account was opened before."""
    ledger = await make_books(db, seed)
    await _post_what_is_longer_than_a_batch(db, ledger)
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    open_since: dict[tuple[str, str], str] = {}
    closed: dict[str, str] = {}
    codes: dict[str, str] = {}
    rest: dict[str, Decimal] = defaultdict(Decimal)
    ids, commodity, day = [], "", ""

    for line in filter(None, (await exported(db, ledger, beancount_lines)).split("\n")):
        found = _LINE.fullmatch(line)
        assert found, line
        if found["commodity"]:
            commodity = found["commodity"]
        if found["key"] == "code":
            codes[commodity] = found["value"].strip('"')
        if found["open"]:
            open_since |= {(found["open"], code): found["opened"] for code in found["held"].split(",")}
        if found["close"]:
            closed[found["close"]] = found["closed"]
        if found["day"]:
            assert not any(rest.values())
            day = found["day"]
        if found["key"] == "id":
            ids.append(found["value"])
        if found["account"]:
            amount = Decimal(found["amount"])
            rest[found["of"]] += amount
            assert open_since[found["account"], found["of"]] <= day <= closed.get(found["account"], day)
            sums[*original_account(found["account"]), codes.get(found["of"], found["of"])] += amount

    async with db.unit_of_work(ledger) as uow:
        accounts = [each async for each in uow.accounts.stream()]
    assert not any(rest.values())
    assert sums == {
        (each.name, each.type, each.currency): each.balance
        for each in accounts
        if (each.name, each.type, each.currency) in sums
    }
    assert all(each.balance == 0 for each in accounts if (each.name, each.type, each.currency) not in sums)
    assert (
        len(set(ids))
        == len(ids)
        == await db.fetchval("SELECT count(*) FROM journal_entries WHERE ledger_id = $1", ledger.id)
    )


async def _post_what_is_longer_than_a_batch(db: DatabaseManager, ledger: Ledger) -> None:
    """Entries over several batches of rows, in a commodity that has the name that another one would be given."""
    async with db.unit_of_work(ledger) as uow:
        await uow.currencies.open("X.1", exponent=0)
        one = await uow.accounts.open("Assets:One", currency="X.1")
        two = await uow.accounts.open("Assets:Two", currency="X.1")
        lines = [NewPosting(one, 1), NewPosting(two, -1)] * 700 + [NewPosting(one, 3), NewPosting(two, -3)]
        await uow.journal.post_many([NewEntry(date(2026, 1, day), "Long", lines) for day in (1, 2, 31)])


async def test_file_has_the_form_that_the_guide_shows(db: DatabaseManager) -> None:
    """An entry with its metadata, an account with its own, texts escaped."""
    ledger = await db.ledgers.create('The "house"', base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        cash = await uow.accounts.open("Assets:Cash box", currency="EUR", minimum_balance="-20.00")
        old = await uow.accounts.open("Assets:Old", currency="EUR", opened_on=date(2026, 1, 31))
        await uow.accounts.close(old, on=date(2026, 2, 28))
        food = await uow.accounts.open("Expenses:Food", currency="EUR")
        lines = [NewPosting(food, "4.20", 'a "b"\\'), NewPosting(cash, "-4.20")]
        entry = NewEntry(date(2026, 3, 5), "Two\nlines", lines, details={"shop": "A"})
        await uow.journal.post(entry)

    assert await exported(db, ledger, beancount_lines) == "\n".join([
        ";; finance export 1: `finance load` makes the same books of it; bean-check and fava read it as it is",
        'option "operating_currency" "EUR"',
        "",
        "1970-01-01 commodity EUR",
        '  name: "Euro"',
        "  precision: 2",
        "",
        "2026-03-01 open Assets:Cash-20-box EUR",
        '  name: "Assets:Cash box"',
        '  accounts: "{\\"EUR\\":{\\"minimum_balance\\":\\"-20.00\\"}}"',
        "",
        "2026-01-31 open Assets:Old EUR",
        '  accounts: "{\\"EUR\\":{\\"closed_on\\":\\"2026-02-28\\",\\"opened_on\\":\\"2026-01-31\\"}}"',
        "2026-02-28 close Assets:Old",
        "",
        "2026-03-01 open Expenses:Food EUR",
        "",
        '2026-03-05 * "Two\\nlines"',
        f'  id: "{entry.id}"',
        '  details: "{\\"shop\\":\\"A\\"}"',
        "  Expenses:Food  4.20 EUR",
        '    memo: "a \\"b\\"\\\\"',
        "  Assets:Cash-20-box  -4.20 EUR",
        "",
    ])  # fmt: skip


async def test_days_that_beancount_cannot_read_are_refused(db: DatabaseManager) -> None:
    """It knows years of four digits that begin with 1 or 2."""
    ledger = await db.ledgers.create("Old", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        one = await uow.accounts.open("Assets:One", currency="EUR")
        two = await uow.accounts.open("Assets:Two", currency="EUR")
        await uow.journal.post(NewEntry(date(999, 3, 5), "Old", [NewPosting(one, 1), NewPosting(two, -1)]))

    with pytest.raises(InvalidError, match="0999-03-05: beancount reads"):
        await exported(db, ledger, beancount_lines)


async def test_beancount_export_needs_one_instant(db: DatabaseManager) -> None:
    """An account that is opened meanwhile would have postings and no directive."""
    ledger = await db.ledgers.create("Now", base_currency="EUR")
    async with db.unit_of_work(ledger) as uow:
        with pytest.raises(UsageError, match="repeatable_read"):
            _ = [piece async for piece in beancount_lines(uow)]


@pytest.mark.skipif(BEAN_CHECK is None, reason="bean-check is not installed (beancount is under the GPL)")
async def test_bean_check_finds_nothing(db: DatabaseManager, tmp_path: Path) -> None:
    """The program itself reads the file without a complaint."""
    path = tmp_path / "books.beancount"
    path.write_text(await exported(db, await make_books(db), beancount_lines), "utf-8", newline="")

    done = subprocess.run([str(BEAN_CHECK), str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
