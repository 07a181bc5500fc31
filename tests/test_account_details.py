"""What identifies an account to the outside: verified, unique in its ledger, and of no cost to posting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from finance import AccountDetails, DatabaseManager, UnitOfWork
from finance.errors import AlreadyExistsError, InvalidError
from tests.conftest import Server
from tests.factories import entry, open_books

# Of the registry of IBANs: the examples that it prints.
GERMAN = "DE89 3704 0044 0532 0130 00"
NORWEGIAN = "NO93 8601 1117 947"
MALTESE = "MT84 MALT 0110 0001 2345 MTLC AST0 01S"
PLAIN = "DE89370400440532013000"


@pytest.mark.parametrize("written", [GERMAN, NORWEGIAN, MALTESE, GERMAN.lower(), f" {PLAIN}\n"])
def test_an_iban_is_kept_in_one_form(written: str) -> None:
    """In capitals and without blanks, however it was typed; a representation leaves it out."""
    details = AccountDetails(iban=written, bic="deutdeff 500")

    assert details.iban == "".join(written.split()).upper()
    assert details.bic == "DEUTDEFF500"
    assert details.iban not in repr(details)


@pytest.mark.parametrize(
    ("iban", "why"),
    [
        ("DE89370400440532013001", "check digits"),
        ("DE98370400440532013000", "check digits"),
        ("DE8937040044053201300", "21 characters; those of DE have 22"),
        ("XX00370400440532013000", "two check digits"),
        ("DE99370400440532013000", "two check digits"),
        ("89DE370400440532013000", "two letters"),
        ("DE8", "too few characters"),
        ("", "too few characters"),
        ("DE89370400440532o13ß00", "letters and digits"),
        (4711, "is a text"),
    ],
)
def test_an_iban_that_cannot_be_right_is_refused(iban: Any, why: str) -> None:
    """The error says why, and shows no more than its end."""
    with pytest.raises(InvalidError, match=why) as caught:
        AccountDetails(iban=iban)

    assert str(iban)[:-4] not in str(caught.value) or len(str(iban)) <= 4


@pytest.mark.parametrize("fields", [{"bic": "DEUTDEF"}, {"bic": "DEUTD3FF"}, {"bic": "DEUTDEFF50"}, {"number": " "},
                                    {"institution": "x" * 101}, {"number": 4711}, {"number": "1\0"}])  # fmt: skip
def test_what_has_not_the_form_is_refused(fields: Mapping[str, Any]) -> None:
    """A BIC by ISO 9362, the others by being a short text."""
    with pytest.raises(InvalidError, match=r"BIC|the number|the institution"):
        AccountDetails(**fields)


async def test_an_account_is_found_by_its_details(uow: UnitOfWork) -> None:
    """By the IBAN in any way of writing, and by institution and number together."""
    giro = await uow.accounts.open("Assets:Giro", currency="EUR", details=AccountDetails(iban=GERMAN))
    savings = await uow.accounts.open(
        "Assets:Savings", currency="EUR", details={"institution": "37040044", "number": "0532013001", "colour": "red"}
    )

    assert await uow.accounts.get_by_iban(PLAIN.lower()) is giro
    assert await uow.accounts.get_by_iban(NORWEGIAN) is None
    assert await uow.accounts.get_by_number("37040044", "0532013001") is savings
    assert await uow.accounts.get_by_number("37040045", "0532013001") is None
    assert giro.identified_by == AccountDetails(iban=PLAIN)
    with pytest.raises(InvalidError, match="check digits"):
        await uow.accounts.get_by_iban("DE88370400440532013000")


async def test_details_are_changed(uow: UnitOfWork) -> None:
    """Those that identify the account leave the free ones as they are; a mapping replaces all of them."""
    account = await uow.accounts.open("Assets:Giro", currency="EUR", details={"colour": "red", "number": "1"})

    await uow.accounts.update(account, details=AccountDetails(iban=GERMAN))
    assert account.details == {"colour": "red", "iban": PLAIN}
    await uow.accounts.update(account, details={"iban": NORWEGIAN})
    assert account.details == {"iban": "NO9386011117947"}
    with pytest.raises(InvalidError, match="check digits"):
        await uow.accounts.update(account, details={"iban": "NO9486011117947"})
    with pytest.raises(InvalidError, match="check digits"):
        account.details = {"iban": "NO9486011117947"}


@pytest.mark.parametrize(
    "details", [AccountDetails(iban=PLAIN), AccountDetails(institution="37040044", number="0532013000")]
)
async def test_details_are_of_one_account_in_a_ledger(each_db: DatabaseManager, details: AccountDetails) -> None:
    """Opened or changed; in another ledger they are free. The error does not show them."""
    ledger = await each_db.ledgers.create("One", base_currency="EUR")
    async with each_db.unit_of_work(ledger) as uow:
        await uow.accounts.open("Assets:Giro", currency="EUR", details=details)
        other = await uow.accounts.open("Assets:Other", currency="EUR", details=AccountDetails(bic="DEUTDEFF"))
        await uow.accounts.open("Assets:Third", currency="EUR", details=AccountDetails(bic="DEUTDEFF"))

    with pytest.raises(AlreadyExistsError, match="of an account") as caught:
        async with each_db.unit_of_work(ledger) as uow:
            await uow.accounts.open("Assets:Again", currency="EUR", details=details)
    assert "0532013000" not in str(caught.value)
    with pytest.raises(AlreadyExistsError, match="of an account"):
        async with each_db.unit_of_work(ledger) as uow:
            await uow.accounts.update(other, details=details)

    async with each_db.unit_of_work(await each_db.ledgers.create("Two", base_currency="EUR")) as uow:
        await uow.accounts.open("Assets:Giro", currency="EUR", details=details)


async def test_raw_sql_gives_no_iban_twice(each_db: DatabaseManager) -> None:
    """Whoever writes, and however the IBAN is written."""
    ledger = await each_db.ledgers.create("One", base_currency="EUR")
    async with each_db.unit_of_work(ledger) as uow:
        await uow.accounts.open("Assets:Giro", currency="EUR", details=AccountDetails(iban=GERMAN))
        await uow.accounts.open("Assets:Other", currency="EUR")

    with pytest.raises(AlreadyExistsError, match="IBAN of an account"):
        await each_db.execute(
            "UPDATE accounts SET metadata = jsonb_build_object('iban', $1::text) WHERE name = 'Assets:Other'",
            GERMAN.lower(),
        )


@pytest.mark.direct("reads what its own session has counted")
async def test_posting_leaves_the_indexes_alone(each_server: Server) -> None:
    """A balance changes in place, on its page (HOT), beside what identifies its account."""
    async with each_server.copy() as dsn, DatabaseManager(dsn, max_size=1) as db:
        ledger = await db.ledgers.create("One", base_currency="EUR")
        async with db.unit_of_work(ledger) as uow:
            books = await open_books(uow)
            details = AccountDetails(iban=GERMAN, institution="37040044", number="0532013000")
            await uow.accounts.update(books.checking, details=details)
        before = await _counted(db)
        for _ in range(5):
            async with db.unit_of_work(ledger) as uow:
                await uow.journal.post(entry(books.food, books.checking, "1.00"))
        after = await _counted(db)

    updates, in_place = (late - early for late, early in zip(after, before, strict=True))
    assert updates == in_place == 10


async def _counted(db: DatabaseManager) -> tuple[int, int]:
    await db.execute("SELECT pg_stat_force_next_flush()")
    row = await db.fetchrow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'accounts'")
    assert row is not None
    return row["n_tup_upd"], row["n_tup_hot_upd"]


async def test_books_with_an_iban_twice_are_not_upgraded(server: Server) -> None:
    """They stay as they were, and can be put right; the error does not show it."""
    async with server.copy("template0") as dsn, DatabaseManager(dsn) as db:
        await db.migrations.upgrade("0009")
        await db.execute("INSERT INTO ledgers (name, base_currency) VALUES ('Old', 'EUR')")
        await db.execute("INSERT INTO currencies (ledger_id, code, exponent, name) VALUES (1, 'EUR', 2, 'Euro')")
        for name, iban in (("Assets:One", GERMAN), ("Assets:Two", PLAIN)):
            await db.execute(
                "INSERT INTO accounts (ledger_id, name, type, currency, metadata)"
                " VALUES (1, $1, 'asset', 'EUR', jsonb_build_object('iban', $2::text))",
                *(name, iban),
            )

        with pytest.raises(AlreadyExistsError, match="IBAN of an account") as caught:
            await db.migrations.upgrade()
        assert "0532" not in str(caught.value)
        assert await db.migrations.current() == "0009"

        await db.execute("UPDATE accounts SET metadata = '{}' WHERE name = 'Assets:Two'")
        await db.migrations.upgrade()
