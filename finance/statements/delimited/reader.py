"""From a CSV file and its profile to statements."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import deque
from collections.abc import Iterator

from finance.statements.decoding import decoded
from finance.statements.delimited.balances import check_balances
from finance.statements.delimited.cells import Booked, CellReader
from finance.statements.delimited.profile import CsvProfile
from finance.statements.delimited.table import Header, Row, rows_of
from finance.statements.flaw import FlawError
from finance.statements.statement import Statement, StatementFile


def read_csv(data: bytes, name: str, profile: CsvProfile, currency: str | None = None) -> StatementFile:
    """Read *data*, the content of the file *name*, as *profile* says.

    There is one statement for each account and currency, in the order in which they appear. Where the profile names a
    column of balances, each is compared with the amounts, and the opening and the closing balance follow from it.

    Args:
        data: The whole content of the file.
        name: Of the file.
        profile: How the file is written.
        currency: Where neither the file nor the profile says it.

    Raises:
        FlawError: Something does not fit the profile. No row is left out but those that the profile skips.
    """
    text = decoded(data, profile.encoding, "say the profile's `encoding`")
    groups: dict[tuple[str, str | None], list[Booked]] = {}
    for booked in _booked(text, profile, currency):
        groups.setdefault((booked.account, booked.currency), []).append(booked)
    if not groups:
        raise FlawError("the table has no rows")
    statements = tuple(_statement(profile, *key, lines) for key, lines in groups.items())
    return StatementFile(name, "csv", None, hashlib.sha256(data).hexdigest(), None, statements)


def _booked(text: str, profile: CsvProfile, currency: str | None) -> Iterator[Booked]:
    rows = rows_of(text, profile)
    first = next(rows, None)
    if first is None:
        return
    header = Header.of(first.cells if profile.has_header else [str(index + 1) for index in range(len(first.cells))])
    reader = CellReader(profile, header, currency)
    last: deque[Row] = deque()
    for row in rows if profile.has_header else itertools.chain([first], rows):
        last.append(row)
        if len(last) > profile.skip_last:
            yield reader.read(last.popleft())
    for row in last:
        if reader.has_date(row):
            raise FlawError("the row has a date, and skip_last would leave it out; correct the profile", row.line)


def _statement(profile: CsvProfile, account: str, currency: str | None, lines: list[Booked]) -> Statement:
    balances = check_balances(lines)
    return Statement(
        bank=profile.bank,
        branch=None,
        account=account,
        account_kind=profile.account_kind,
        currency=currency,
        lines=tuple(dataclasses.replace(each.line, number=number) for number, each in enumerate(lines, start=1)),
        opening_balance=balances.opening,
        closing_balance=balances.closing,
        closing_on=balances.closing_on,
        daily_balances=balances.daily,
    )
