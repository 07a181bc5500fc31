"""Listings for people, made from the same documents that `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence

from finance.cli.documents import Document
from finance.cli.terminal import Column, Listing

_AGREES = {True: "agrees", False: "differs", None: ""}


def accounts(documents: Sequence[Document]) -> Listing:
    """List accounts."""
    return Listing(
        [
            Column("Account"),
            Column("Type"),
            Column("Balance", is_amount=True),
            Column("Currency"),
            Column("Closed", is_day=True),
        ],
        [
            [each["name"], each["type"], each["balance"], each["currency"], each["closed_on"] or ""]
            for each in documents
        ],
    )


def identities(documents: Sequence[Document]) -> Listing:
    """List what identifies accounts to the outside."""
    names = ("iban", "bic", "institution", "number")
    return Listing(
        [Column(title) for title in ("Account", "Currency", "IBAN", "BIC", "Institution", "Number")],
        [[each["name"], each["currency"], *(str(each[name] or "") for name in names)] for each in documents],
    )


def balances(documents: Sequence[Document]) -> Listing:
    """List balances."""
    return Listing(
        [Column("Account"), Column("Balance", is_amount=True), Column("Currency")],
        [[each["account"], each["balance"], each["currency"]] for each in documents],
    )


def register(document: Document, *, totals: bool) -> Listing:
    """List the postings of an account; for a program (without *totals*) with the memo, currency and entry of each."""
    if not totals:
        return _register_rows(document)
    return Listing(
        [
            Column("Date", is_day=True),
            Column("Description"),
            Column("Amount", is_amount=True),
            Column(f"Balance {document['currency']}", is_amount=True),
        ],
        [
            [line["date"], _described(line["description"], line["memo"]), line["amount"], line["balance"]]
            for line in document["lines"]
        ],
    )


def _register_rows(document: Document) -> Listing:
    names = ("date", "description", "memo", "amount", "balance", "entry")
    return Listing(
        [*(Column(name.capitalize()) for name in names), Column("Currency")],
        [[*(line[name] or "" for name in names), document["currency"]] for line in document["lines"]],
    )


def imported(document: Document) -> Listing:
    """List what became of the statements of a file."""
    return Listing(
        [
            Column("Account"),
            Column("Currency"),
            Column("Lines", is_amount=True),
            Column("New", is_amount=True),
            Column("Sum", is_amount=True),
            Column("Closing", is_amount=True),
            Column("Books"),
        ],
        [
            [
                each["account"],
                each["currency"] or "",
                str(each["lines"]),
                str(each["added"]),
                each["sum"],
                each["closing_balance"] or "",
                _AGREES[each["closing_balance_matches"]],
            ]
            for each in document["statements"]
        ],
    )


def decisions(document: Document) -> Listing:
    """List what an import would do with each line of a file, and why."""
    return Listing(
        [
            Column("Account"),
            Column("Line", is_amount=True),
            Column("Date"),
            Column("Amount", is_amount=True),
            Column("Text"),
            Column("Decision"),
            Column("Counter"),
            Column("Rule", is_amount=True),
            Column("Why"),
        ],
        [
            [
                statement["account"],
                str(each["number"]),
                each["date"],
                each["amount"],
                each["text"],
                each["decision"],
                each["counter"] or "",
                str(each["rule"] or ""),
                each["reason"] or "",
            ]
            for statement in document["statements"]
            for each in statement.get("decisions", ())
        ],
    )


def problems(document: Document) -> Listing:
    """List what contradicts the books."""
    return Listing(
        [Column("Rule"), Column("Subject"), Column("Found")],
        [[each["rule"], each["subject"], each["found"] or ""] for each in document["problems"]],
    )


def _described(description: str, memo: str | None) -> str:
    return f"{description} ({memo})" if memo else description
