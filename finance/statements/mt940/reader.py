"""From the fields of MT940 and MT942 messages to statements (SWIFT Standards MT, category 9).

A message is one statement, or one page of it: pages stay apart, with the balances that they state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from finance.statements.flaw import FlawError
from finance.statements.mt940.fields import Field, Message, decode, messages
from finance.statements.mt940.lines import grouped, is_expected, read_line
from finance.statements.mt940.values import Balance, balance, subfields
from finance.statements.statement import Statement, StatementFile
from finance.statements.values import currency

_OPENING = ("60F", "60M", "60")
_CLOSING = ("62F", "62M", "62")
#: Fields that only an MT942 has: the least amount that it reports, and when it was made.
_INTERIM = ("34F", "13D", "13")
_TOTALS = {"90D": "SUM_DEBIT_ENTRIES", "90C": "SUM_CREDIT_ENTRIES"}


def read_mt940(data: bytes, name: str) -> StatementFile:
    """Read *data*, the bytes of the MT940 or MT942 file called *name*.

    Raises:
        FlawError: The file is damaged, or says something that cannot be right.
        ConfigurationError: The extra `statements` is not installed.
    """
    found = messages(decode(data))
    return StatementFile(
        name=name,
        format="mt942" if all(map(_is_interim, found)) else "mt940",
        version=None,
        sha256=hashlib.sha256(data).hexdigest(),
        institution=None,
        statements=tuple(map(_statement, found)),
    )


def _is_interim(message: Message) -> bool:
    return bool(message.all(*_INTERIM)) and not message.all(*_OPENING, *_CLOSING)


def _statement(message: Message) -> Statement:
    opening, closing = _balance(message, *_OPENING), _balance(message, *_CLOSING)
    _check_whole(message)
    code = _currency(message, opening, closing)
    groups = list(grouped(message.fields))
    booked = [group for group in groups if not is_expected(group[0])]
    lines = tuple(read_line(group, number, code) for number, group in enumerate(booked, 1))
    statement = Statement(
        bank=_bank(message),
        branch=None,
        account=_account(message),
        account_kind=None,
        currency=code,
        lines=lines,
        starts_on=opening.day if opening else None,
        ends_on=closing.day if closing else None,
        opening_balance=opening.amount if opening else None,
        closing_balance=closing.amount if closing else None,
        closing_on=closing.day if closing else None,
        pending=len(groups) - len(booked),
    )
    _check_last_digits(message, statement)
    return statement


def _balance(message: Message, *tags: str) -> Balance | None:
    field = message.one(*tags)
    if field is None:
        return None
    if field is not message.fields[-1] and (more := [line for line in field.lines[1:] if line.strip()]):
        raise FlawError(f"field :{field.tag}: is followed by {len(more)} lines that belong to no field", field.line)
    return balance(field)


def _check_whole(message: Message) -> None:
    """Refuse a message whose end is missing: what an MT940 closes with, or what an MT942 ends with."""
    last = message.fields[-1]
    if _is_interim(message):
        if not message.is_ended and not message.all(*_TOTALS):
            raise FlawError("the message ends without :90D:, :90C: or a line -; the file was cut off", last.line)
    elif not message.all(*_CLOSING):
        raise FlawError("the message has no closing balance (:62F:); the file was cut off", last.line)


def _check_last_digits(message: Message, statement: Statement) -> None:
    """Refuse a file that ends within its last balance, as far as that can be told.

    A wrong balance of the bank's is no flaw. But where the file ends in the middle of a line, and that is a closing
    balance which its own figures contradict, the rest of its digits is missing.
    """
    last = message.fields[-1]
    if message.is_cut and last.tag in _CLOSING and statement.adds_up is False:
        raise FlawError(
            "the file ends within its last line, a closing balance that its lines do not lead to; it was cut off",
            last.line,
        )


def _account(message: Message) -> str:
    field = message.one("25", "25P")
    if field is None or not field.text.strip():
        raise FlawError("the message names no account: :25: is missing or empty", message.fields[0].line)
    return field.text.strip()


def _bank(message: Message) -> str | None:
    """Return the BIC on the second line of :25P:. What :25: writes before a slash is part of the account's number."""
    field = message.one("25P")
    return next((line.strip() for line in field.lines[1:] if line.strip()), None) if field else None


def _currency(message: Message, *balances: Balance | None) -> str:
    """Return the currency of the balances, or where there are none, of the floor limit and the totals."""
    codes = {each.currency for each in balances if each} or {_stated(each) for each in _with_currency(message)}
    if len(codes) != 1:
        how = f"several currencies, {' and '.join(sorted(codes))}" if codes else "no currency"
        raise FlawError(f"the message states {how}", message.fields[0].line)
    return codes.pop()


def _with_currency(message: Message) -> Sequence[Field]:
    return message.all("34F", *_TOTALS)


def _stated(field: Field) -> str:
    parts = subfields(field, field.text, _TOTALS.get(field.tag, "FLOOR_LIMIT_INDICATOR"))
    try:
        return currency(parts["currency"] or "")
    except ValueError as error:
        raise FlawError(f"field :{field.tag}: {error}", field.line) from error
