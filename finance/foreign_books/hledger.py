"""Journals of hledger (https://hledger.org/hledger.html), parsed by hledger itself.

`hledger print -O json` has exact quantities, the amounts that it infers, and the place of each entry; declared types
come from `hledger accounts`, prices from `hledger prices`. Its balance assertions are left to us: where one does not
hold hledger would refuse the file, and we tell by how much.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from finance.errors import BooksFileError
from finance.foreign_books.books import BookAccount, BookAssertion, BookEntry, BookPosting, Books
from finance.foreign_books.programs import run
from finance.foreign_books.values import day, number, product
from finance.models import AccountType, NewPrice
from finance.money import total

_REMEDY = "install hledger 1.25 or later (apt install hledger, brew install hledger, or https://hledger.org/install)"
#: https://hledger.org/hledger.html#account-types; cash is an asset, conversion is equity.
_TYPES = {
    "A": AccountType.ASSET,
    "C": AccountType.ASSET,
    "L": AccountType.LIABILITY,
    "E": AccountType.EQUITY,
    "V": AccountType.EQUITY,
    "R": AccountType.INCOME,
    "X": AccountType.EXPENSE,
}
_DECLARED = re.compile(r"(?P<name>.*?)\s*; type: ?(?P<type>[A-Z]?)\s*")
_PRICE = re.compile(
    r"P (?P<on>[0-9-]{10}) (?:\"(?P<quoted>[^\"]*)\"|(?P<plain>\S+)) (?P<rate>-?[0-9.]+)(?: (?P<quote>.+))?"
)
#: A price however it is written: what is no number in it is what it is in.
_QUOTE = re.compile(r"P \S+ (?:\"[^\"]*\"|\S+) (?:-?[0-9][0-9.,' ]*)?(?P<code>[^0-9]*?)(?:-?[0-9][0-9.,' ]*)?")
#: The first line of a complaint: /folder/x.journal:12:3: or, until 1.25, "/folder/x.journal" (lines 12-14).
_PLACE = re.compile(r"(?:hledger: )?(?:Error: )?\"?(?P<file>[^\"]+?)\"?(?::| \(lines? )(?P<line>[0-9]+).*")
#: What it quotes of the file.
_QUOTED = re.compile(r"\s*[0-9]*\s*\|.*")
_NO_CONFIGURATION_FROM = (1, 40)


def read_hledger(path: Path, *, timeout: float) -> Books:
    """Have hledger read the journal at *path*, with what it includes.

    Raises:
        ProgramMissingError: hledger is not installed.
        BooksFileError: hledger complains about the journal, or takes too long.
    """
    program = _Hledger(path, timeout)
    entries = _Entries(path.name)
    for transaction in json.loads(program.ask("print", "--explicit", "--output-format", "json")):
        entries.take(transaction)
    currencies = sorted({posting.currency for entry in entries.made for posting in entry.postings})
    return Books(
        path.name,
        "hledger",
        accounts=tuple(_accounts(program.ask("accounts", "--types"))),
        entries=tuple(entries.made),
        prices=tuple(_prices(program.prices(currencies), path.name)),
        assertions=tuple(entries.assertions()),
        remarks=tuple(entries.remarks()),
    )


class _Hledger:
    """hledger on one journal, whatever its own configuration says."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        version = re.search(r"hledger ([0-9]+)\.([0-9]+)", self._run(["--version"]))
        is_configured = version is not None and tuple(map(int, version.groups())) >= _NO_CONFIGURATION_FROM
        # The prefix says what the file is, whatever it is called; the path is absolute, so that it is no option.
        self._options = ["-f", f"journal:{path.absolute()}", "-I", *(["-n"] if is_configured else [])]

    def ask(self, command: str, *options: str) -> str:
        """Run a command on the journal, and return what it writes."""
        return self._run([command, *self._options, *options])

    def prices(self, currencies: Iterable[str]) -> str:
        """Return its prices, written as 1234.5 with the currency behind, however the journal writes them."""
        quotes = (_QUOTE.fullmatch(line) for line in self.ask("prices").splitlines())
        known = {*currencies, *(quote["code"].strip(' "') for quote in quotes if quote)}
        return self.ask("prices", *(f"-c1000.00 {_quoted(currency)}" for currency in sorted(known) if currency))

    def _run(self, arguments: Sequence[str]) -> str:
        ran = run(["hledger", *arguments], file=self._path.name, timeout=self._timeout, remedy=_REMEDY)
        if ran.status != 0:
            raise self._complaint(ran.complaints)
        return ran.output

    def _complaint(self, text: str) -> BooksFileError:
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip() and not _QUOTED.fullmatch(line)]
        place = _PLACE.fullmatch(lines[0]) if lines else None
        said = lines[1:3] if place else lines[:2]
        reason = " ".join(said).removeprefix("hledger: ")[:200] or "it says nothing"
        name = Path(place["file"]).name if place else self._path.name
        return BooksFileError(name, f"hledger: {reason}", line=int(place["line"]) if place else None)


class _Entries:
    """Makes entries of transactions, and assertions of the balances that they claim."""

    def __init__(self, file: str) -> None:
        self.made: list[BookEntry] = []
        self._file = file
        self._claims: list[tuple[int, BookAssertion]] = []
        self._own_dates = self._totals = 0

    def take(self, transaction: Mapping[str, Any]) -> None:
        """Take what hledger prints of a transaction."""
        file, line = _place(transaction, self._file)
        on = day(transaction["tdate"], file, line)
        postings: list[BookPosting] = []
        for each in transaction["tpostings"]:
            postings += _postings(each, file, line)
            self._own_dates += each["pdate"] not in (None, transaction["tdate"])
            self._claim(each, on, file, line)
        description, details = transaction["tdescription"], _details(transaction)
        payee, bar, _ = description.partition("|")  # without a bar, nothing says whether it is whom or what
        self.made.append(
            BookEntry(
                on, description, tuple(postings), file, line, details=details,
                payee=payee.strip() or None if bar else None, tags=tuple(details.get("tags", ())),
            )
        )  # fmt: skip

    def remarks(self) -> Iterator[str]:
        """Yield what was not taken over."""
        if self._own_dates:
            yield f"postings that have another date than their entry, booked on the entry's: {self._own_dates}"
        if self._totals:
            yield f"assertions of a total (==), of which the currency that they name is checked: {self._totals}"

    def assertions(self) -> Iterator[BookAssertion]:
        """Yield the assertions, each with what the same day books behind it."""
        # hledger looks at them in order of date, then of the file.
        order = sorted(range(len(self.made)), key=lambda index: self.made[index].date)
        place = {index: rank for rank, index in enumerate(order)}
        moved: dict[tuple[str, Any], list[tuple[int, BookPosting]]] = defaultdict(list)
        for index, entry in enumerate(self.made):
            for posting in entry.postings:
                moved[posting.currency, entry.date].append((place[index], posting))
        for index, claim in self._claims:
            behind = [
                posting.amount
                for rank, posting in moved[claim.currency, claim.on]
                if rank > place[index] and _is_of(posting.account, claim)
            ]
            yield replace(claim, later=total(behind)) if behind else claim

    def _claim(self, posting: Mapping[str, Any], on: Any, file: str, line: int | None) -> None:
        claimed = posting["pbalanceassertion"]
        if claimed is None:
            return
        self._totals += claimed["batotal"]
        amount = claimed["baamount"]
        line = claimed["baposition"].get("sourceLine", line)
        claim = BookAssertion(
            posting["paccount"],
            amount["acommodity"],
            _quantity(amount),
            on,
            file,
            line,
            with_children=claimed["bainclusive"],
        )
        self._claims.append((len(self.made), claim))


def _is_of(account: str, claim: BookAssertion) -> bool:
    return account == claim.account or (claim.with_children and account.startswith(f"{claim.account}:"))


def _postings(posting: Mapping[str, Any], file: str, line: int | None) -> Iterator[BookPosting]:
    """Yield a posting for each currency of one of hledger's, which may have several."""
    for amount in posting["pamount"]:
        if "aquantity" not in amount:
            raise BooksFileError(file, "hledger leaves an amount open", line=line)
        weight, currency, lot = _weight(amount)
        yield BookPosting(
            posting["paccount"],
            _quantity(amount),
            amount["acommodity"],
            weight,
            currency,
            posting["pcomment"].strip() or None,
            is_virtual=posting["ptype"] != "RegularPosting",
            lot=lot,
        )


def _weight(amount: Mapping[str, Any]) -> tuple[Decimal | None, str | None, dict[str, str]]:
    """Return what an amount counts for by its price: that of one unit, or of all, which has no sign."""
    price = amount.get("acost") or amount.get("aprice")  # the word since hledger 1.33, and the one before
    if price is None:
        return None, None, {}
    rate, currency = _quantity(price["contents"]), price["contents"]["acommodity"]
    quantity = _quantity(amount)
    if price["tag"] in ("UnitPrice", "UnitCost"):
        return product(quantity, rate), currency, {"price": f"{rate:f} {currency}"}
    # Some versions give it the sign of the quantity, others none.
    total_price = rate.copy_abs()
    return total_price.copy_sign(quantity), currency, {"total": f"{total_price:f} {currency}"}


def _quantity(amount: Mapping[str, Any]) -> Decimal:
    quantity = amount["aquantity"]
    return number(f"{quantity['decimalMantissa']:d}E-{quantity['decimalPlaces']:d}", "hledger")


def _place(transaction: Mapping[str, Any], file: str) -> tuple[str, int | None]:
    source = transaction.get("tsourcepos")
    first = source[0] if isinstance(source, list) and source else None
    if isinstance(first, dict) and "sourceLine" in first:
        return Path(first["sourceName"]).name, first["sourceLine"]
    return file, None


def _details(transaction: Mapping[str, Any]) -> dict[str, Any]:
    status = {"Cleared": "*", "Pending": "!"}.get(transaction["tstatus"])
    words = {
        "status": status,
        "code": transaction["tcode"],
        "date2": transaction["tdate2"],
        "comment": transaction["tcomment"].strip(),
        "tags": [f"{name}:{value}" for name, value in transaction["ttags"]],
    }
    return {key: value for key, value in words.items() if value}


def _accounts(text: str) -> Iterator[BookAccount]:
    for line in text.splitlines():
        found = _DECLARED.fullmatch(line)
        if found:
            yield BookAccount(found["name"], _TYPES.get(found["type"]))


def _prices(text: str, file: str) -> Iterator[NewPrice]:
    for line in text.splitlines():
        found = _PRICE.fullmatch(line.rstrip())
        if found is None:
            raise BooksFileError(file, "hledger writes a price in a way that is not understood")
        currency, quote = found["quoted"] or found["plain"], (found["quote"] or "").strip('"')
        rate = number(found["rate"], file)
        if rate > 0 and quote and currency != quote:
            yield NewPrice(currency, rate, quote, day(found["on"], file), "hledger")


def _quoted(currency: str) -> str:
    return currency if re.fullmatch(r"[^\s0-9;,.@*\"+(){}=-]+", currency) else f'"{currency}"'
