"""What the columns of an unknown table mean: told by their names, and by their values."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from finance.statements.amounts import AmountFormat, separators
from finance.statements.delimited import words
from finance.statements.delimited.dates import date_reader
from finance.statements.delimited.profile import Column, CsvColumns, CsvProfile
from finance.statements.delimited.table import Header, Row, rows_of
from finance.statements.flaw import FlawError, shown
from finance.statements.unstated import Unstated

_SEPARATORS = ("-", "/", ".", " ")
_DAY_FIRST = [f"DD{mark}MM{mark}{year}" for mark in _SEPARATORS for year in ("YYYY", "YY")]
_MONTH_FIRST = [f"MM{mark}DD{mark}{year}" for mark in _SEPARATORS for year in ("YYYY", "YY")]
_NAMED = [f"DD{mark}MMM{mark}{year}" for mark in _SEPARATORS for year in ("YYYY", "YY")] + [
    "MMM DD, YYYY",
    "MMM DD YYYY",
]
_YEAR_FIRST = ["YYYY-MM-DD", "YYYY/MM/DD", "YYYY.MM.DD", "YYYYMMDD"]
_FORMATS = _YEAR_FIRST + _DAY_FIRST + _MONTH_FIRST + _NAMED
_YEARS = range(1950, 2100)
#: How far down the table may begin.
_FARTHEST = 100
#: How many rows are looked at, and how many at the end may be no lines.
_ROWS, _LONGEST_END = 5_000, 10
_DATE_WORDS = frozenset(words.COLUMNS["date"])
_AMOUNT_WORDS = frozenset((*words.COLUMNS["amount"], *words.COLUMNS["debit"]))

_LOOSE = (
    AmountFormat(".", ","),
    AmountFormat(",", "."),
    AmountFormat(".", " "),
    AmountFormat(",", " "),
    AmountFormat(".", "'"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a table below its header, where it begins, and how many rows at its end have no date."""

    skip_lines: int
    skip_last: int
    header: Header
    has_header: bool
    rows: Sequence[Row]

    @classmethod
    def of(cls, text: str, delimiter: str, quote: str) -> Sample:
        """Find the table in *text*: by the words in its header, or else by the first row with a date and an amount.

        Raises:
            FlawError: There is no such row near the beginning, or a quote is wrong.
        """
        loose = CsvProfile(
            columns=CsvColumns(date=1, amount=2), date_format="YYYY-MM-DD", delimiter=delimiter, quote=quote
        )
        following = rows_of(text, loose)
        rows = list(itertools.islice(following, _ROWS))
        last = deque(following, maxlen=_LONGEST_END) or deque(rows[-_LONGEST_END:])
        skip_last = len(list(itertools.takewhile(lambda row: not any(map(is_date, row.cells)), reversed(last))))
        first = _first_row(rows)
        body = rows[first : len(rows) - skip_last] if last[-1] is rows[-1] else rows[first:]
        if not body:
            raise FlawError("the table has no rows")
        before = rows[first - 1] if first else None
        if before is not None and _is_header(before, body[0]):
            return cls(before.line - 1, skip_last, Header.of(before.cells), has_header=True, rows=body)
        numbers = [str(number) for number in range(1, len(body[0].cells) + 1)]
        return cls(body[0].line - 1, skip_last, Header.of(numbers), has_header=False, rows=body)

    def column(self, index: int) -> list[str]:
        """Return the different cells of a column, `""` among them if one is empty."""
        return list(dict.fromkeys(row.cells[index] if index < len(row.cells) else "" for row in self.rows))


def _first_row(rows: Sequence[Row]) -> int:
    for index, row in enumerate(rows[:_FARTHEST], start=1):
        names = {words.normal(cell) for cell in row.cells}
        if names & _DATE_WORDS and names & _AMOUNT_WORDS and index < len(rows):
            return index
    for index, row in enumerate(rows[:_FARTHEST]):
        if any(map(is_date, row.cells)) and any(is_amount(cell) for cell in row.cells if not is_date(cell)):
            return index
    raise FlawError("no row has a date and an amount in columns of their own")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a profile says of the columns, and what of it is not sure."""

    columns: CsvColumns
    date_format: str
    amounts: AmountFormat
    debits_are_negative: bool
    debit_words: tuple[str, ...]
    credit_words: tuple[str, ...]
    unsure: tuple[str, ...]


def is_date(text: str) -> bool:
    """Tell whether *text* is a date in any form that a proposal knows."""
    return len(text) <= 40 and any(_fits(each, text) for each in _FORMATS)


def is_amount(text: str) -> bool:
    """Tell whether *text* is an amount in any form."""
    return any(_converts(each.amount, text) for each in _LOOSE)


def meaning_of(sample: Sample, unstated: Unstated) -> Meaning:
    """Tell what the columns of *sample* mean.

    Raises:
        FlawError: No column holds dates, or amounts; or the order of day and month is open.
    """
    return _Finder(sample, unstated).run()


class _Finder:
    def __init__(self, sample: Sample, unstated: Unstated) -> None:
        self._sample = sample
        self._unstated = unstated
        self._unsure: list[str] = []
        self._taken: dict[str, int] = {}
        columns = [sample.column(index) for index in range(len(sample.header.names))]
        self._cells = [list(filter(None, cells)) for cells in columns]
        self._are_full = ["" not in cells for cells in columns]

    def run(self) -> Meaning:
        self._find_date()
        written = self._date_format(self._cells[self._taken["date"]])
        self._find_amounts()
        if self._sample.skip_last:
            self._unsure.append("skip_last: the last rows of this file have no date; is it so in every file?")
        for role in ("balance", "currency", "account", "bank_id", "check_number", "payee", "memo"):
            self._take(role, _TESTS.get(role, bool))
        debit_words, credit_words = self._sign_words()
        self._tell_of_absent()
        return Meaning(
            columns=self._columns(),
            date_format=written,
            amounts=self._amount_format(),
            debits_are_negative=self._all_negative("debit"),
            debit_words=debit_words,
            credit_words=credit_words,
            unsure=tuple(self._unsure),
        )

    # --- columns -----------------------------------------------------------------------------------

    def _take(self, role: str, fits: Callable[[str], bool]) -> bool:
        """Take the column whose name is among the words of *role* and whose values fit it."""
        found = [index for index in self._by_words(role) if self._cells[index] and all(map(fits, self._cells[index]))]
        if not found:
            return False
        self._taken[role] = found[0]
        if len(found) > 1 and role in ("date", "amount", "balance"):
            others = ", ".join(repr(self._name(index)) for index in found[1:])
            self._unsure.append(f"columns.{role}: {self._name(found[0])!r} is taken, and {others} could be it")
        if role == "bank_id":
            self._unsure.append(
                f"columns.bank_id: take {self._name(found[0])!r} out, unless it is the same in every export of a line"
            )
        return True

    def _by_words(self, role: str) -> Iterator[int]:
        known = [words.normal(name) for name in self._sample.header.names]
        for word in words.COLUMNS[role]:
            yield from (index for index, name in enumerate(known) if name == word and index not in self._taken.values())

    def _find_date(self) -> None:
        if not self._take("date", is_date):
            self._by_values("date", is_date)

    def _find_amounts(self) -> None:
        # Many banks fill only one of the two, so that either may be empty altogether.
        pair = [next(self._by_words(role), None) for role in ("debit", "credit")]
        if self._take("amount", is_amount):
            return
        if None not in pair and all(is_amount(cell) for index in pair for cell in self._cells[index or 0]):
            self._taken |= {
                role: index for role, index in zip(("debit", "credit"), pair, strict=True) if index is not None
            }
            return
        self._by_values("amount", is_amount)

    def _by_values(self, role: str, fits: Callable[[str], bool]) -> None:
        found = [
            index
            for index, cells in enumerate(self._cells)
            if index not in self._taken.values() and self._are_full[index] and all(map(fits, cells))
        ]
        if not found:
            raise FlawError(f"no column holds {'dates' if role == 'date' else 'amounts'} in every row")
        self._taken[role] = found[0]
        others = ", ".join(repr(self._name(index)) for index in found[1:])
        also = f", and {others} could be it" if others else ""
        self._unsure.append(f"columns.{role}: {self._name(found[0])!r} is taken because of its values{also}")

    def _name(self, index: int) -> Column:
        """Return the name of a column, or its number where it has none or shares it."""
        header = self._sample.header
        name = header.names[index]
        is_alone = len(header.positions.get(name.casefold(), ())) == 1
        return name if self._sample.has_header and name and is_alone else index + 1

    def _columns(self) -> CsvColumns:
        return CsvColumns(**{role: self._name(index) for role, index in self._taken.items()})

    # --- values ------------------------------------------------------------------------------------

    def _date_format(self, cells: Sequence[str]) -> str:
        fitting = [each for each in _FORMATS if all(_fits(each, cell) for cell in cells)]
        if not fitting:
            raise FlawError(f"the dates in column {self._name(self._taken['date'])!r} have no one form")
        days, months = (next((each for each in fitting if each in of), None) for of in (_DAY_FIRST, _MONTH_FIRST))
        if days is None or months is None or _are_same(days, months, cells):
            return fitting[0]
        if self._unstated.date_order is None:
            raise FlawError(
                f"nothing says whether dates such as {shown(cells[0])} have the day or the month first:"
                " say date_order='dmy' or 'mdy', or --date-order"
            )
        return days if self._unstated.date_order == "dmy" else months

    def _amount_format(self) -> AmountFormat:
        roles = [role for role in ("amount", "debit", "credit", "balance") if role in self._taken]
        found = separators(itertools.chain.from_iterable(self._cells[self._taken[role]] for role in roles))
        decimal = self._unstated.decimal or next(iter(found.decimals), None)
        if decimal is None or len(found.decimals) > 1:
            why = (
                f"{found.ambiguous!r} may have decimals or thousands"
                if found.ambiguous
                else "the amounts do not decide it"
            )
            self._unsure.append(f"decimal, thousands: {why}")
        decimal = decimal or "."
        other = "," if decimal == "." else "."
        return AmountFormat(decimal, found.thousands if found.thousands not in ("", decimal) else other)

    def _sign_words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take a column of debit or credit, where amounts have no sign of their own."""
        if "amount" not in self._taken or any(_is_negative(cell) for cell in self._cells[self._taken["amount"]]):
            return (), ()
        if not self._take("sign", _is_sign_word):
            self._unsure.append(
                "negate: no amount has a minus; are they written the other way round, or is a sign missing?"
            )
            return (), ()
        used = {cell.casefold() for cell in self._cells[self._taken["sign"]]}
        sides = [tuple(sorted(used & set(side))) for side in (words.DEBIT_WORDS, words.CREDIT_WORDS)]
        if all(sides):
            return sides[0], sides[1]
        self._unsure.append("debit_words, credit_words: the file has words of one side only")
        return sides[0] or words.DEBIT_WORDS, sides[1] or words.CREDIT_WORDS

    def _all_negative(self, role: str) -> bool:
        cells = self._cells[self._taken[role]] if role in self._taken else []
        return bool(cells) and all(_is_negative(cell) or not any(c in "123456789" for c in cell) for cell in cells)

    def _tell_of_absent(self) -> None:
        if "currency" not in self._taken and self._unstated.currency is None:
            self._unsure.append("currency: no column says it, and without it the file is not imported")
        if "account" not in self._taken:
            self._unsure.append("account: no column says it; give it here, or name the account with each import")
        if "payee" not in self._taken:
            self._unsure.append("columns.payee: no column has a name that is known")


def _is_header(row: Row, below: Row) -> bool:
    named = [cell for cell in row.cells if cell]
    known = set(itertools.chain.from_iterable(words.COLUMNS.values()))
    enough = len(row.cells) >= len(below.cells) - 1 and len(named) >= 2
    has_words = any(words.normal(cell) in known for cell in named)
    return enough and not any(is_date(cell) for cell in named) and (has_words or not any(map(is_amount, named)))


def _is_negative(text: str) -> bool:
    return any(_converts(each.amount, text) and each.amount(text) < 0 for each in _LOOSE)


def _is_sign_word(text: str) -> bool:
    return text.casefold() in words.DEBIT_WORDS or text.casefold() in words.CREDIT_WORDS


def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha()


_TESTS: dict[str, Callable[[str], bool]] = {"balance": is_amount, "currency": _is_code}


def _fits(form: str, text: str) -> bool:
    try:
        return date_reader(form)(text).year in _YEARS
    except ValueError:
        return False


def _converts(convert: Callable[[str], object], text: str) -> bool:
    try:
        convert(text)
    except ValueError:
        return False
    return True


def _are_same(one: str, other: str, cells: Iterable[str]) -> bool:
    def both(cell: str) -> tuple[date, date]:
        return date_reader(one)(cell), date_reader(other)(cell)

    return all(first == second for first, second in map(both, cells))
