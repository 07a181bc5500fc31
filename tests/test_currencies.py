"""Currencies: of ISO 4217 on first use, or a ledger's own."""

from __future__ import annotations

from typing import Any

import pytest

from finance import UnitOfWork
from finance.errors import AlreadyExistsError, AmountError, CurrencyError, InvalidError, NotFoundError, SealedError
from tests.factories import entry


@pytest.mark.parametrize(("code", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("DEM", 2)])
async def test_an_iso_currency_is_added_on_first_use(uow: UnitOfWork, code: str, exponent: int) -> None:
    """Active or withdrawn, in capitals or not."""
    first = await uow.currencies.get_or_open(code.lower())

    assert (first.code, first.exponent) == (code, exponent)
    assert await uow.currencies.get_or_open(code) is first


async def test_an_unknown_currency_is_refused(uow: UnitOfWork) -> None:
    """It is not made up: its decimals are the owner's to say."""
    with pytest.raises(CurrencyError, match=r"'BTC': is not in ISO 4217; .*uow\.currencies\.open"):
        await uow.currencies.get_or_open("BTC")


async def test_a_ledger_may_have_currencies_of_its_own(uow: UnitOfWork) -> None:
    """They are used like any other; case matters in them."""
    bitcoin = await uow.currencies.open("BTC", exponent=8)
    await uow.currencies.open("miles", exponent=0, name="Air miles")
    wallet = await uow.accounts.open("Assets:Wallet", currency="BTC")
    shop = await uow.accounts.open("Expenses:Shop", currency="BTC")

    await uow.journal.post(entry(shop, wallet, "0.00000001"))

    assert bitcoin.name == "BTC"
    assert (await uow.currencies.get_or_open("miles")).name == "Air miles"
    assert await uow.currencies.get("MILES") is None
    with pytest.raises(AmountError):
        async with uow.savepoint():
            await uow.journal.post(entry(shop, wallet, "0.000000001"))


async def test_a_currency_is_added_once(uow: UnitOfWork) -> None:
    """In a savepoint, since the database says so."""
    await uow.currencies.open("BTC", exponent=8)

    with pytest.raises(AlreadyExistsError):
        async with uow.savepoint():
            await uow.currencies.open("BTC", exponent=8)


@pytest.mark.parametrize("exponent", [-1, 19, 2.5, "two", None])
async def test_decimals_are_from_0_to_18(uow: UnitOfWork, exponent: Any) -> None:
    """As fine as one wei."""
    with pytest.raises(CurrencyError, match="0 to 18 are possible"):
        await uow.currencies.open("BTC", exponent=exponent)


@pytest.mark.parametrize("code", ["", " BTC", "x" * 65])
async def test_a_malformed_code_is_refused(uow: UnitOfWork, code: str) -> None:
    """The error says what a code is."""
    with pytest.raises(InvalidError, match="1 to 64 characters"):
        async with uow.savepoint():
            await uow.currencies.open(code, exponent=2)


async def test_get_one_raises_where_there_is_none(uow: UnitOfWork) -> None:
    """It does not fall back on ISO 4217: the ledger has not used it."""
    with pytest.raises(NotFoundError, match="no currency 'XAU'"):
        await uow.currencies.get_one("XAU")


async def test_decimals_may_grow_and_never_shrink(uow: UnitOfWork) -> None:
    """Amounts that are stored must go on fitting."""
    currency = await uow.currencies.open("GAS", exponent=3)
    currency.exponent = 4
    await uow.session.flush()

    with pytest.raises(SealedError, match="only grow"):
        async with uow.savepoint():
            currency.exponent = 2


async def test_currencies_are_paged_in_the_order_of_their_codes(uow: UnitOfWork) -> None:
    """EUR is the shared ledger's own."""
    for code in ("USD", "CHF"):
        await uow.currencies.get_or_open(code)

    assert [currency.code for currency in (await uow.currencies.page()).items] == ["CHF", "EUR", "USD"]
