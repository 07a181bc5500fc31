"""Listings of budgets, schedules and forecasts, made from the same documents that `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence

from finance.cli.documents import Document
from finance.cli.terminal import Column, Listing


def budget_terms(documents: Sequence[Document]) -> Listing:
    """List budgets and the days on which they hold."""
    return Listing(
        [
            Column("Account"),
            Column("Amount", is_amount=True),
            Column("Currency"),
            Column("Period"),
            Column("Rollover"),
            Column("Starts on"),
            Column("Ends on"),
        ],
        [
            [
                each["account"],
                each["amount"],
                each["currency"],
                each["period"],
                each["rollover"],
                each["starts_on"],
                each["ends_on"] or "",
            ]
            for each in documents
        ],
    )


def budgets(report: Document, *, totals: bool) -> Listing:
    """List what was spent against what was budgeted."""
    rows: list[list[str]] = []
    for each in report["budgets"]:
        head = [each["currency"], each["account"]]
        rows += [[*head, period["starts_on"], period["ends_on"], *_figures(period)] for period in each["periods"]]
    if totals:
        rows += [[each["currency"], f"Total {each['type']}", "", "", *_figures(each)] for each in report["totals"]]
    titles = ("Budgeted", "Carried in", "Spent", "Left", "Fraction")
    days = [Column("Starts on", is_day=True), Column("Ends on", is_day=True)]
    columns = [Column("Currency"), Column("Account"), *days]
    return Listing([*columns, *(Column(title, is_amount=True) for title in titles)], rows)


def schedules(documents: Sequence[Document]) -> Listing:
    """List schedules."""
    titles = ("Id", "Description", "Rule", "Starts on", "Ends on", "Weekends", "Paused on", "Postings")
    return Listing(
        [Column(title) for title in titles],
        [
            [
                each["id"],
                each["description"],
                each["rule"],
                each["starts_on"],
                each["ends_on"] or "",
                each["weekends"],
                each["paused_on"] or "",
                _postings(each),
            ]
            for each in documents
        ],
    )


def occurrences(documents: Sequence[Document]) -> Listing:
    """List occurrences."""
    return Listing(
        [Column(title) for title in ("Occurs on", "Posts on", "Description", "Postings", "Schedule")],
        [
            [each["occurs_on"], each["posts_on"], each["description"], _postings(each), each["schedule"]]
            for each in documents
        ],
    )


def forecasts(documents: Sequence[Document], *, totals: bool) -> Listing:  # noqa: ARG001 - there is nothing to add up
    """List what accounts will hold; the last column has the first day on which one falls below its limit."""
    rows: list[list[str]] = []
    for each in documents:
        below = each["below_on"]
        for point in each["points"]:
            is_first = below is not None and below <= point["on"]
            head = [each["currency"], each["account"], point["on"]]
            rows.append([*head, point["change"], point["balance"], below if is_first else ""])
            below = None if is_first else below
    amounts = [Column("Change", is_amount=True), Column("Balance", is_amount=True)]
    head_columns = [Column("Currency"), Column("Account"), Column("On", is_day=True)]
    return Listing([*head_columns, *amounts, Column("Too low on", is_day=True)], rows)


def _figures(each: Document) -> list[str]:
    return [each["budgeted"], each["carried_in"], each["spent"], each["left"], each["fraction"] or ""]


def _postings(each: Document) -> str:
    return ", ".join(f"{line['account']} {line['amount']} {line['currency']}" for line in each["postings"])
