"""Listings of assertions, imports, rules and reconciliations, made from the documents that `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence

from finance.cli.documents import Document
from finance.cli.terminal import Column, Listing


def assertions(documents: Sequence[Document]) -> Listing:
    """List asserted balances."""
    return Listing(
        [
            Column("Id", is_amount=True),
            Column("Account"),
            Column("On"),
            Column("Kind"),
            Column("Stated", is_amount=True),
            Column("Books", is_amount=True),
            Column("Difference", is_amount=True),
            Column("Currency"),
            Column("Since"),
            Column("Held on"),
            Column("Source"),
        ],
        [
            [
                str(each["id"]),
                each["account"],
                each["on"],
                each["kind"],
                each["stated"],
                each["books"],
                "" if each["holds"] else each["difference"],
                each["currency"],
                each["since"] or "",
                each["held_on"] or "",
                each["file"] or each["note"],
            ]
            for each in documents
        ],
    )


def imports(documents: Sequence[Document]) -> Listing:
    """List imports."""
    return Listing(
        [
            Column("Id", is_amount=True),
            Column("File"),
            Column("Accounts"),
            Column("Lines", is_amount=True),
            Column("Posted", is_amount=True),
            Column("Imported"),
            Column("Undone"),
        ],
        [
            [
                str(each["id"]),
                each["file"],
                ", ".join(each["accounts"]),
                str(each["lines"]),
                str(each["posted"]),
                each["imported_at"][:19],
                (each["undone_at"] or "")[:19],
            ]
            for each in documents
        ],
    )


def rules(documents: Sequence[Document]) -> Listing:
    """List rules: their conditions in words, and what they propose."""
    return Listing(
        [
            Column("Id", is_amount=True),
            Column("Position", is_amount=True),
            Column("Condition"),
            Column("Counter"),
            Column("Payee"),
            Column("Tags"),
        ],
        [
            [
                str(each["id"]),
                str(each["position"]),
                _condition(each),
                each["counter"] or "",
                each["payee"] or "",
                ", ".join(each["tags"]),
            ]
            for each in documents
        ],
    )


def _condition(rule: Document) -> str:
    parts = [
        rule["text"] is not None and f"{rule['comparison']} {rule['text']!r}",
        rule["direction"] and f"money {rule['direction']}",
        rule["minimum"] and f"at least {rule['minimum']}",
        rule["maximum"] and f"at most {rule['maximum']}",
        rule["account"] and f"on {rule['account']}",
        rule["currency"] and f"in {rule['currency']}",
    ]
    return ", ".join(part for part in parts if part)


def proposals(documents: Sequence[Document]) -> Listing:
    """List what rules propose."""
    return Listing(
        [Column("Rule", is_amount=True), Column("Counter"), Column("Payee"), Column("Tags")],
        [
            [str(each["rule"]), each["counter"] or "", each["payee"] or "", ", ".join(each["tags"])]
            for each in documents
        ],
    )


def ruled(documents: Sequence[Document]) -> Listing:
    """List the entries that rules decided on."""
    return Listing(
        [
            Column("Date"),
            Column("Description"),
            Column("Account"),
            Column("Amount", is_amount=True),
            Column("Currency"),
            Column("Counter"),
            Column("Payee"),
            Column("Tags"),
            Column("Rule", is_amount=True),
        ],
        [
            [
                each["date"],
                each["description"],
                each["account"],
                each["amount"],
                each["currency"],
                each["counter"],
                each["payee"] or "",
                ", ".join(each["tags"]),
                str(each["rule"]),
            ]
            for each in documents
        ],
    )


def states(documents: Sequence[Document]) -> Listing:
    """List statements and how far they are reconciled."""
    return Listing(
        [
            Column("Id", is_amount=True),
            Column("Account"),
            Column("File"),
            Column("From"),
            Column("To"),
            Column("Lines", is_amount=True),
            Column("Unmatched", is_amount=True),
            Column("Closing", is_amount=True),
            Column("Currency"),
            Column("State"),
        ],
        [
            [
                str(each["id"]),
                each["account"],
                each["file"],
                each["first_on"] or "",
                each["last_on"] or "",
                str(each["lines"]),
                str(each["unmatched"]),
                each["closing_balance"] or "",
                each["currency"],
                each["state"],
            ]
            for each in documents
        ],
    )


def left_over(document: Document) -> Listing:
    """List what is matched with nothing on both sides of a statement."""
    lines = [
        ["line", str(each["id"]), each["date"], each["amount"], each["text"], each["candidate"] or ""]
        for each in document["unmatched_lines"]
    ]
    entries = [
        ["entry", each["entry"], each["date"], each["amount"], each["description"], ""]
        for each in document["unmatched_postings"]
    ]
    return Listing(
        [
            Column("What"),
            Column("Id"),
            Column("Date"),
            Column("Amount", is_amount=True),
            Column("Text"),
            Column("May be entry"),
        ],
        [*lines, *entries],
    )


def cleared(documents: Sequence[Document]) -> Listing:
    """List how much of the balances statements confirm."""
    titles = ("Balance", "Cleared", "Reconciled", "Uncleared")
    return Listing(
        [Column("Account"), *(Column(title, is_amount=True) for title in titles), Column("Currency")],
        [[each["account"], *(each[title.lower()] for title in titles), each["currency"]] for each in documents],
    )
