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
