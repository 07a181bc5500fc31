"""Listings of reports, made from the same documents that `--json` prints.

For people they have rows of totals; as CSV each row is a line of a report, so that a program may add them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finance.cli.documents import Document
from finance.cli.terminal import Column, Listing

_OF_SECTIONS = (Column("Currency"), Column("Section"), Column("Account"))


def income_statements(documents: Sequence[Document], *, totals: bool) -> Listing:
    """List income and expenses."""
    return _sections(documents, ("Income", "Expenses"), "Net income", totals=totals)


def balance_sheets(documents: Sequence[Document], *, totals: bool) -> Listing:
    """List what is owned, what is owed, and the difference."""
    return _sections(documents, ("Assets", "Liabilities", "Equity"), None, totals=totals)


def monthly_income_statements(documents: Sequence[Document], *, totals: bool) -> Listing:
    """List income and expenses with a column for each month."""
    months = documents[0]["months"] if documents else []
    rows: list[list[str]] = []
    for each in documents:
        for title in ("Income", "Expenses"):
            section = each[title.lower()]
            rows += [[each["currency"], title, line["account"], *line["amounts"]] for line in section["lines"]]
            if totals:
                rows.append([each["currency"], title, "Total", *section["totals"]])
        if totals:
            rows.append([each["currency"], "Net income", "", *each["net"]])
    return Listing([*_OF_SECTIONS, *(Column(month, is_amount=True, is_month=True) for month in months)], rows)


def trial_balance(document: Document, *, totals: bool) -> Listing:
    """List every account with its balance as a debit or a credit."""
    rows = [[row["currency"], row["account"], row["type"], row["debit"], row["credit"]] for row in document["accounts"]]
    if totals:
        rows += [[row["currency"], "Total", "", row["debit"], row["credit"]] for row in document["totals"]]
    return Listing([Column("Currency"), Column("Account"), Column("Type"), *_amounts("Debit", "Credit")], rows)


def net_worths(documents: Sequence[Document], *, totals: bool) -> Listing:  # noqa: ARG001 - there is nothing to add up
    """List the net worth over time."""
    return Listing(
        [Column("Currency"), Column("On", is_day=True), *_amounts("Assets", "Liabilities", "Net")],
        [
            [each["currency"], point["on"], point["assets"], point["liabilities"], point["net"]]
            for each in documents
            for point in each["points"]
        ],
    )


def valued_net_worths(documents: Sequence[Document], *, totals: bool) -> Listing:  # noqa: ARG001 - as net_worths
    """List the net worth over time, valued in one currency, with what has no rate and is not in it."""
    return Listing(
        [Column("Valued in"), Column("On"), *_amounts("Assets", "Liabilities", "Net"), Column("Without a rate")],
        [
            [
                each["quote"],
                point["on"],
                point["assets"],
                point["liabilities"],
                point["net"],
                " ".join(point["unpriced"]),
            ]
            for each in documents
            for point in each["points"]
        ],
    )


def cash_flows(documents: Sequence[Document], *, totals: bool) -> Listing:
    """List where money came from and where it went, between the opening and the closing balance."""
    rows: list[list[str]] = []
    for each in documents:
        flows = [[flow["account"], flow["type"], flow["inflow"], flow["outflow"], ""] for flow in each["flows"]]
        ends = [each["inflow"], each["outflow"]] if totals else ["", ""]
        opening, closing = ["Opening", "", "", "", each["opening"]], ["Closing", "", *ends, each["closing"]]
        rows += [[each["currency"], *row] for row in (opening, *flows, closing)]
    return Listing([Column("Currency"), Column("Account"), Column("Type"), *_amounts("In", "Out", "Balance")], rows)


def spendings(documents: Sequence[Document], *, totals: bool, by: str) -> Listing:
    """List what was spent *by* category, payee or tag."""
    rows: list[list[str]] = []
    for each in documents:
        rows += [[each["currency"], _label(line, by, totals=totals), line["amount"]] for line in each["lines"]]
        if totals:
            rows.append([each["currency"], "Total", each["total"]])
    return Listing([Column("Currency"), Column(by.capitalize()), *_amounts("Amount")], rows)


def monthly_spendings(documents: Sequence[Document], *, totals: bool, by: str) -> Listing:
    """List the same with a column for each month."""
    months = documents[0]["months"] if documents else []
    rows: list[list[str]] = []
    for each in documents:
        rows += [[each["currency"], _label(line, by, totals=totals), *line["amounts"]] for line in each["lines"]]
        if totals:
            rows.append([each["currency"], "Total", *each["totals"]])
    columns = [Column(month, is_amount=True, is_month=True) for month in months]
    return Listing([Column("Currency"), Column(by.capitalize()), *columns], rows)


def _label(line: Document, by: str, *, totals: bool) -> str:
    """Return what a line is of; what has no payee or tag says so to people, and is empty to programs."""
    name = line["account" if by == "category" else by]
    return str(name) if name is not None else f"(no {by})" if totals else ""


def _sections(documents: Sequence[Document], titles: Sequence[str], result: str | None, *, totals: bool) -> Listing:
    rows: list[list[str]] = []
    for each in documents:
        for title in titles:
            rows += _section(each["currency"], title, each[title.lower()], totals=totals)
        if totals and result:
            rows.append([each["currency"], result, "", each["net"]])
    return Listing([*_OF_SECTIONS, *_amounts("Amount")], rows)


def _section(currency: str, title: str, section: Document, *, totals: bool) -> Iterator[list[str]]:
    for line in section["lines"]:
        yield [currency, title, line["account"], line["amount"]]
    if totals:
        yield [currency, title, "Total", section["total"]]


def _amounts(*titles: str) -> list[Column]:
    return [Column(title, is_amount=True) for title in titles]
