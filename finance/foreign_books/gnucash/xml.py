"""GnuCash's XML (https://wiki.gnucash.org/wiki/GnuCash_XML_format), read as a stream."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from finance.errors import BooksFileError
from finance.foreign_books.books import Books
from finance.foreign_books.gnucash.records import (
    AccountRecord,
    BooksOfGnuCash,
    CommodityRecord,
    PriceRecord,
    SplitRecord,
    TransactionRecord,
)
from finance.statements.flaw import FlawError
from finance.statements.markup import Element, stream

_GNC = "{http://www.gnucash.org/XML/gnc}"
_TAGS = (f"{_GNC}commodity", f"{_GNC}account", f"{_GNC}transaction", "{}price", f"{_GNC}template-transactions")
_PREFIXES = " ".join(
    f'xmlns:{prefix}="http://www.gnucash.org/XML/{prefix}"'
    for prefix in (
        "act", "addr", "billterm", "bgt", "book", "bt-days", "bt-prox", "cd", "cmdty", "cust", "employee", "entry",
        "fs", "gnc", "gnc-act", "invoice", "job", "lot", "order", "owner", "price", "recurrence", "slot", "split",
        "sx", "taxtable", "trn", "ts", "tte", "vendor",
    )
).encode()  # fmt: skip
_HEAD = 4096
#: Tags and attributes; a transaction of two splits has about 60.
_MOST_MARKS = 8_000_000
_FRACTION = re.compile(r"(-?[0-9]{1,30})(?:/([0-9]{1,30}))?")


def is_gnucash_xml(head: bytes) -> bool:
    """Tell by its beginning whether a file is GnuCash's XML, version 2."""
    return re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>)?\s*<gnc-v2\b", head) is not None


def read_xml(data: bytes, file: str) -> Books:
    """Read the books in *data*, the XML of the file called *file*.

    Raises:
        BooksFileError: It is damaged, or says what GnuCash does not.
        ConfigurationError: The extra `statements` is not installed.
    """
    if b"xmlns:gnc=" not in data[:_HEAD]:  # files of the first versions do not say what their prefixes stand for
        data = data.replace(b"<gnc-v2", b"<gnc-v2 " + _PREFIXES, 1)
    try:
        return _read(data, file)
    except FlawError as flaw:
        raise BooksFileError(file, flaw.reason, line=flaw.line) from flaw


def _read(data: bytes, file: str) -> Books:
    commodities: dict[str, CommodityRecord] = {}
    accounts: list[AccountRecord] = []
    transactions: list[TransactionRecord] = []
    prices: list[PriceRecord] = []
    templates: set[str] = set()
    for element in stream(data, _TAGS, what="a file of GnuCash", most_marks=_MOST_MARKS):
        above = element.parent
        is_template = above is not None and above.name == "template-transactions"
        if element.name == "commodity":
            units = element.text_of("fraction")
            key = _key(element)
            commodities[key] = _commodity(key, element.text_of("name"), units)
        elif element.name == "account":
            account = _account(element)
            accounts.append(account)
            if is_template and account.type == "ROOT":
                templates.add(account.guid)
        elif element.name == "transaction" and not is_template:
            transactions.append(_transaction(element))
        elif element.name == "price":
            prices.append(_price(element))
    used = {each.currency for each in transactions}
    # Old files do not list their currencies.
    for named in [*(each.commodity for each in accounts), *used, *(each.currency for each in prices)]:
        if named and named not in commodities:
            commodities[named] = _commodity(named)
    return BooksOfGnuCash(file, commodities.values(), accounts, templates).finished(transactions, prices)


def _commodity(key: str, name: str | None = None, units: str | None = None) -> CommodityRecord:
    namespace, _, mnemonic = key.partition("\n")
    return CommodityRecord(key, namespace, mnemonic, name, int(units) if units and units.isdecimal() else None)


def _key(element: Element | None) -> str:
    """Return namespace and mnemonic of the commodity that an element names."""
    space = element.text_of("space") if element else None
    mnemonic = element.text_of("id") if element else None
    if not space or not mnemonic:
        raise FlawError("a commodity has no namespace or no id", element.line if element else None)
    return f"{space}\n{mnemonic}"


def _account(element: Element) -> AccountRecord:
    commodity = element.child("commodity")
    type_ = _text(element, "type")
    words = {
        "guid": _text(element, "id"),
        "code": element.text_of("code"),
        "description": element.text_of("description"),
        "gnucash_type": type_,
        **_slots(element),
    }
    return AccountRecord(
        _text(element, "id"),
        element.text_of("name") or "",
        type_,
        None if commodity is None else _key(commodity),
        element.text_of("parent"),
        {key: value for key, value in words.items() if value},
        element.line,
    )


def _slots(element: Element) -> dict[str, Any]:
    """Return the slots of an element that people have written: notes, and whether an account is a placeholder."""
    found: dict[str, Any] = {}
    for slot in element.children("slots", "slot"):
        key, value = slot.text_of("key"), slot.text_of("value")
        if key == "notes":
            found[key] = value
        elif key in ("placeholder", "hidden"):
            found[key] = value == "true"
    return found


def _transaction(element: Element) -> TransactionRecord:
    words = {"number": element.text_of("num"), "notes": _slots(element).get("notes")}
    return TransactionRecord(
        _text(element, "id"),
        _key(element.child("currency")),
        _posted_on(element),
        element.text_of("description") or "",
        [_split(split) for split in element.children("splits", "split")],
        {key: value for key, value in words.items() if value},
        element.line,
    )


def _split(element: Element) -> SplitRecord:
    return SplitRecord(
        _text(element, "account"),
        _pair(element, "value"),
        _pair(element, "quantity"),
        element.text_of("memo") or "",
        element.text_of("action") or "",
    )


def _price(element: Element) -> PriceRecord:
    return PriceRecord(
        _key(element.child("commodity")),
        _key(element.child("currency")),
        _day(element.text_of("time", "date"), element),
        _pair(element, "value"),
        element.text_of("source") or "",
    )


def _text(element: Element, name: str) -> str:
    text = element.text_of(name)
    if text is None:
        raise FlawError(f"an element <{element.name}> has no <{name}>", element.line)
    return text


def _pair(element: Element, name: str) -> tuple[int, int]:
    found = _FRACTION.fullmatch(_text(element, name))
    if found is None:
        raise FlawError(f"<{name}> is no fraction such as 1250/100", element.line)
    return int(found[1]), int(found[2] or 1)


def _posted_on(element: Element) -> date:
    """Return the day of a transaction: of an instant other than 10:59 in UTC it was kept beside it, as in SQLite."""
    text = element.text_of("date-posted", "date")
    on = _day(text, element)
    if _is_neutral(text or ""):
        return on
    stated = (slot for slot in element.children("slots", "slot") if slot.text_of("key") == "date-posted")
    kept = next((slot.text_of("value", "gdate") for slot in stated), None)
    return on if kept is None else _day(kept, element)


def _is_neutral(text: str) -> bool:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC).time() == time(10, 59)
    except (OverflowError, ValueError):
        return False


def _day(text: str | None, element: Element) -> date:
    """Return the day of an instant as it was where it was written: 2014-11-30 00:00:00 +0100."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError as error:
        raise FlawError(f"{(text or '')[:40]!r} is no date of GnuCash", element.line) from error
