"""What the texts of several formats mean alike: amounts without a sign, currencies, ids that are none.

Functions raise ValueError with a message that continues the field's name: `Amt '-1' is not ...`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from finance.money import EXPONENT_MAX, LIMIT
from finance.statements.flaw import shown

#: What banks write into a mandatory field for a reference when there is none (SWIFT and ISO 20022 usage).
_NO_REFERENCE = frozenset({"NONREF", "NOREF", "NOTPROVIDED", "NOTAVAILABLE", "NONE"})


def unsigned(text: str, pattern: re.Pattern[str], rule: str) -> Decimal:
    """Return the amount that *text* says, with the decimals as written, where *pattern* matches all of it.

    Group 1 of *pattern* is the decimals. *rule* says what the format wants, for the error.
    """
    written = pattern.fullmatch(text)
    if written is None:
        raise ValueError(f"{shown(text)} is not an amount ({rule})")
    if len(written[1] or "") > EXPONENT_MAX:
        raise ValueError(f"{shown(text)} has more than {EXPONENT_MAX} decimals")
    value = Decimal(text.replace(",", "."))
    if value >= LIMIT:
        raise ValueError(f"{shown(text)} is too large; amounts stay below {LIMIT:.0E}")
    return value


def signed(amount: Decimal, *, is_debit: bool) -> Decimal:
    """Return *amount* from the owner's side of the account: negative for a debit. There is no negative zero."""
    return amount.copy_negate() if is_debit and amount else amount


def currency(text: str) -> str:
    """Return the code in upper case; whether ISO 4217 knows it is for the importer to say."""
    text = text.strip()
    if not re.fullmatch(r"[A-Za-z]{3}", text):
        raise ValueError(f"{shown(text)} is not a currency code of three letters (ISO 4217)")
    return text.upper()


def bank_reference(text: str | None) -> str | None:
    """Return the bank's own reference, None where it says that there is none: `NONREF`, only zeros, nothing."""
    reference = (text or "").strip()
    return reference if reference.strip("0") and reference.upper() not in _NO_REFERENCE else None
