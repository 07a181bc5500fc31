"""What a picture shows: panels of exact amounts, scales of round ones, and text in any width."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest

from finance.errors import InvalidError
from finance.lettering import cells, shortened
from finance.models import Rollover
from finance.plots import (
    Chart,
    Goal,
    OverTime,
    Progress,
    Ranking,
    budget_chart,
    chart_text,
    income_chart,
    net_worth_chart,
    spending_chart,
)
from finance.plots.scale import month_ticks, scale_of
from finance.reports import (
    BudgetedPeriod,
    BudgetProgress,
    BudgetReport,
    MonthlyIncomeStatement,
    MonthlySection,
    NetWorth,
    Spending,
    Worth,
)

NAMES = ("Rent", "$x_1$ \\frac{", "食料品と日用品", "مصاريف السفر", "הוצאות", "A:" * 60 + "End", "a\x1b[31mred\nline")


def months(first: int, number: int) -> tuple[date, ...]:
    """The first days of months from January of a year on."""
    return tuple(date(first + month // 12, month % 12 + 1, 1) for month in range(number))


def worths(number: int, *currencies: str) -> list[NetWorth]:
    """The net worth of months from 1986 on, in each currency."""
    points = [
        Worth(day, Decimal(place * 7 % 90 + 10) * 100, Decimal(place)) for place, day in enumerate(months(1986, number))
    ]
    return [NetWorth(currency, tuple(points)) for currency in currencies]


def spending(currency: str, *lines: tuple[str, str]) -> Spending:
    """Spending of a year by name."""
    rows = tuple((name, Decimal(amount)) for name, amount in lines)
    return Spending(date(2026, 1, 1), date(2026, 12, 31), currency, rows)


def statement(income: tuple[str, ...], expenses: tuple[str, ...]) -> MonthlyIncomeStatement:
    """Income and expenses of the first months of 2026."""
    days = months(2026, len(income))
    return MonthlyIncomeStatement(
        days[0],
        date(2026, 12, 31),
        "EUR",
        days,
        MonthlySection("Income", (("Income:Salary", tuple(map(Decimal, income))),), len(days)),
        MonthlySection("Expenses", (("Expenses:Food", tuple(map(Decimal, expenses))),), len(days)),
    )


def test_net_worth_chart_has_the_points_of_the_report() -> None:
    """What is owed turns round below zero; the line is the difference, exactly."""
    points = (Worth(date(2026, 1, 31), Decimal("10.10"), Decimal(4)), Worth(date(2026, 2, 20), Decimal(9), Decimal(12)))

    chart = net_worth_chart([NetWorth("EUR", points)], ledger="Household")

    (panel,) = chart.panels
    assert isinstance(panel, OverTime)
    assert (chart.title, chart.ledger, chart.period) == ("Net worth", "Household", "2026-01-31 to 2026-02-20")
    assert panel.net.amounts == (Decimal("6.10"), Decimal(-3))
    assert panel.amounts == tuple(map(Decimal, ("10.10", "9", "-4", "-12", "6.10", "-3")))
    assert panel.decimals == 2


def test_income_chart_has_the_totals_of_months() -> None:
    """A refund in excess of what was spent is a negative expense."""
    chart = income_chart([statement(("2500", "0"), ("-12.5", "800"))], ledger="Household")

    (panel,) = chart.panels
    assert isinstance(panel, OverTime)
    assert panel.up.amounts == (2500, 0)
    assert panel.down.amounts == (Decimal("-12.5"), 800)
    assert panel.net.amounts == (Decimal("2512.5"), -800)
    assert chart.period == "2026-01-01 to 2026-12-31"


def test_spending_chart_adds_up_what_is_small() -> None:
    """Twenty rows, the last of which is the rest; nothing is lost."""
    lines = [(f"Expenses:{number}", str(1000 - number)) for number in range(50)]

    (panel,) = spending_chart([spending("EUR", *lines)], ledger="Household").panels

    assert isinstance(panel, Ranking)
    assert len(panel.rows) == 20
    assert panel.rows[0] == ("0", Decimal(1000))
    assert panel.rows[-1][0] == "31 others"
    assert sum(panel.amounts) == sum(Decimal(amount) for _, amount in lines)


def test_spending_chart_leaves_a_common_root_out_and_no_other() -> None:
    """Names stay as they are where one of them has another root, or no more than the root."""
    for lines, names in [
        ((("Expenses:Food", "2"), ("Expenses:Rent:Flat", "1")), ["Food", "Rent:Flat"]),
        ((("Expenses:Food", "2"), ("Kosten:Miete", "1")), ["Expenses:Food", "Kosten:Miete"]),
        ((("Expenses:Food", "2"), ("Expenses", "1")), ["Expenses:Food", "Expenses"]),
    ]:
        (panel,) = spending_chart([spending("EUR", *lines)], ledger="Household").panels
        assert isinstance(panel, Ranking)
        assert [name for name, _ in panel.rows] == names


def test_spending_chart_by_something_else() -> None:
    """What has no name says so, and the title what it is sorted by."""

    @dataclass(frozen=True)
    class Labelled:
        starts_on: date
        ends_on: date
        currency: str
        lines: tuple[tuple[str | None, Decimal], ...]

    lines = (("A:Shop", Decimal(5)), (None, Decimal(3)))
    chart = spending_chart([Labelled(date(2026, 1, 1), date(2026, 1, 31), "EUR", lines)], ledger="x", by="payee")

    assert chart.title == "Spending by payee"
    assert chart_text(chart, width=40).splitlines()[4:] == [
        "A:Shop     ████████████████████████ 5.00",
        "(no payee) ██████████████▍          3.00",
    ]


def test_budget_chart_adds_the_periods_up() -> None:
    """What was budgeted in all of them and carried into the first is what there was to spend."""
    periods = tuple(
        BudgetedPeriod(date(2026, m, 1), date(2026, m, 28), Decimal(100), Decimal(c), Decimal(s), Rollover.ALL)
        for m, c, s in [(1, 10, 30), (2, 80, 170)]
    )
    food = BudgetProgress(1, "Expenses:Food", "expense", "EUR", None, periods)
    rent = BudgetProgress(2, "Expenses:Rent", "expense", "JPY", None, periods[:1])

    chart = budget_chart(BudgetReport(date(2026, 1, 1), date(2026, 2, 28), (food, rent)), ledger="Household")

    assert (chart.title, chart.period) == ("Budgets", "2026-01-01 to 2026-02-28")
    assert chart.panels == (
        Progress("EUR", 2, (Goal("Expenses:Food", Decimal(200), Decimal(210)),)),
        Progress("JPY", 0, (Goal("Expenses:Rent", Decimal(30), Decimal(110)),)),
    )


def test_labels_have_the_decimals_of_the_ledger() -> None:
    """Those of ISO 4217 where none are said, and never fewer than an amount has."""
    report = [spending("EUR", ("Expenses:A", "1.5")), spending("BTC", ("Expenses:A", "0.5"))]

    assert [panel.decimals for panel in spending_chart(report, ledger="x").panels] == [2, 1]
    exponents = {"EUR": 3, "BTC": 8}
    assert [panel.decimals for panel in spending_chart(report, ledger="x", exponents=exponents).panels] == [3, 8]


def test_chart_of_some_currencies() -> None:
    """Those that are named; one that is not there is told, with those that are."""
    chart = net_worth_chart(worths(3, "EUR", "JPY", "USD"), ledger="Household")

    assert [panel.currency for panel in chart.only(["USD", "EUR"]).panels] == ["EUR", "USD"]
    assert chart.only([]) == chart
    with pytest.raises(InvalidError, match="nothing to draw in CHF; there is EUR, JPY, USD"):
        chart.only(["CHF"])


def test_chart_has_no_panel_for_nothing() -> None:
    """A currency that is zero throughout is left out; a wall of currencies is refused."""
    zero = NetWorth("USD", (Worth(date(2026, 1, 31), Decimal(0), Decimal(0)),))

    assert net_worth_chart([zero], ledger="x").panels == ()
    many = net_worth_chart(worths(2, *(f"C{number}" for number in range(13))), ledger="x")
    with pytest.raises(InvalidError, match="12 currencies at most, and these are 13: choose among C0, C1"):
        chart_text(many)


@pytest.mark.parametrize("seed", range(200))
def test_scale_holds_the_amounts_and_zero(seed: int) -> None:
    """Ticks are a round step apart, few, exactly labelled, and reach beyond both ends."""
    chance = random.Random(seed)
    power = chance.randint(-18, 24)
    amounts = [Decimal(chance.randint(-999, 999)).scaleb(power - 3) for _ in range(chance.randint(1, 5))]
    most = chance.randint(2, 8)

    scale = scale_of(amounts, most=most)

    assert Decimal(0) in scale.ticks
    assert scale.ticks[0] <= min(amounts) <= max(amounts) <= scale.ticks[-1]
    assert 2 <= len(scale.ticks) <= most + 3
    assert len({after - before for before, after in zip(scale.ticks, scale.ticks[1:], strict=False)}) == 1
    assert [Decimal(label.replace(",", "")).scaleb(scale.power) for label in scale.labels] == list(scale.ticks)
    assert max(map(len, scale.labels)) <= 16


def test_scale_has_thousands_separators_and_powers() -> None:
    """Large amounts are labelled in a power of ten, which the unit says."""
    assert scale_of([Decimal(20000)], most=2).labels == ("0", "10,000", "20,000")
    large = scale_of([Decimal(10) ** 24], most=2)
    assert (large.labels, large.unit("ETH")) == (("0.0", "0.5", "1.0"), "ETH × 10²⁴")  # noqa: RUF001 - times
    assert scale_of([Decimal("1E-18")], most=2).unit("ETH") == "ETH × 10⁻¹⁸"  # noqa: RUF001 - times
    assert scale_of([Decimal(0)], most=5).labels == ("0", "1")


@pytest.mark.parametrize("number", [1, 2, 7, 12, 13, 25, 100, 480, 1200])
@pytest.mark.parametrize("most", [1, 3, 8, 13])
def test_months_have_ticks_that_fit(number: int, most: int) -> None:
    """At least one, and no more than fit; each label is that of its month."""
    days = months(926, number)

    ticks = month_ticks(days, most=most)

    assert 1 <= len(ticks) <= most
    assert all(f"{days[place]}".startswith(label) for place, label in ticks)
    assert [place for place, _ in ticks] == sorted({place for place, _ in ticks})


def test_names_give_way_in_their_middle() -> None:
    """In columns of a terminal, of which a wide character takes two."""
    assert shortened("Expenses:Food:Out", 40) == "Expenses:Food:Out"
    assert shortened("Expenses:Food:Out", 9) == "Expe…:Out"
    assert cells("食料品") == 6
    assert all(cells(shortened(name, most)) <= most for name in NAMES for most in range(3, 50))


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_text_fits_its_width(width: int) -> None:
    """Whatever the names, however many months; without colours there is no escape sequence, a stranger's neither."""
    rows = [(name, str(100 - place)) for place, name in enumerate(NAMES)]
    charts = [
        spending_chart([spending("EUR", *rows, ("Refund", "-50"))], ledger="家計簿" * 30),
        *(net_worth_chart(worths(number, "EUR"), ledger="x" * 300) for number in (1, 2, 12, 60, 480)),
        income_chart([statement(("1", "0", "3"), ("-5", "800", "1e9"))], ledger="הוצאות"),
    ]

    for chart in charts:
        lines = chart_text(chart, width=width).splitlines()
        assert max(map(cells, lines)) <= width
        assert "\x1b" not in "".join(lines)
        assert len(lines) > 5


def test_text_says_the_same_with_colours_and_without() -> None:
    """Colours are added, never needed."""
    for chart in (
        net_worth_chart(worths(12, "EUR"), ledger="x"),
        spending_chart([spending("EUR", ("A", "1"))], ledger="x"),
    ):
        plain, coloured = chart_text(chart), chart_text(chart, colour=True)

        assert "\x1b[38;5;74m" in coloured
        stripped = "\n".join(line.rstrip() for line in _without_escapes(coloured).splitlines())
        assert stripped == "\n".join(line.rstrip() for line in plain.splitlines())


def _without_escapes(text: str) -> str:
    head, *parts = text.split("\x1b[")
    return head + "".join(part.partition("m")[2] for part in parts)


def test_text_draws_bars_by_length() -> None:
    """To an eighth of a column, from zero on, with the exact amounts behind them."""
    report = spending("EUR", ("Expenses:A", "1600"), ("Expenses:B", "800"), ("Expenses:C", "-400.5"))

    lines = chart_text(spending_chart([report], ledger="Household"), width=40).splitlines()

    assert lines[:4] == ["Spending · Household", "2026-01-01 to 2026-12-31", "", "EUR"]
    bars = [line[2:-9] for line in lines[4:]]
    assert [bar.count("█") for bar in bars] == [23, 11, 6]
    assert [line.split()[-1] for line in lines[4:]] == ["1,600.00", "800.00", "-400.50"]
    assert bars[0].index("█") == bars[1].index("█") == bars[2].index("█") + 6


def test_text_of_nothing_says_so() -> None:
    """It is no error."""
    assert chart_text(Chart("Spending", "Household", "", ())) == "Spending · Household\n\nNothing to show\n"


@pytest.mark.parametrize(
    ("reached", "goal", "within", "beyond"),
    [
        ("30", "100", "30", "0"),
        ("130", "100", "100", "30"),
        ("-5", "100", "-5", "0"),
        ("20", "-50", "0", "20"),
        ("0", "0", "0", "0"),
    ],
)
def test_goal_is_reached_within_and_beyond(reached: str, goal: str, within: str, beyond: str) -> None:
    """The two add up to what was reached; a goal below zero leaves nothing to be within."""
    row = Goal("Food", Decimal(reached), Decimal(goal))

    assert (row.within, row.beyond) == (Decimal(within), Decimal(beyond))


def test_text_of_goals_marks_them() -> None:
    """A bar as far as something got, another sign for what is beyond, and the mark of the goal."""
    rows = (
        Goal("食料品", Decimal("312.5"), Decimal(400)),
        Goal("Fun", Decimal(400), Decimal(200)),
        Goal("Refunded", Decimal(-30), Decimal(100)),
        Goal("None", Decimal(20), Decimal(-50)),
    )

    lines = chart_text(Chart("Budgets", "Household", "", (Progress("EUR", 2, rows),)), width=60).splitlines()

    assert lines[2] == "EUR"
    food, fun, refunded, none = lines[3:]
    assert (food.count("█"), food.count("▓"), food.count("┃")) == (27, 0, 1)
    assert (fun.count("█"), fun.count("▓"), fun.count("┃")) == (17, 16, 1)
    assert (refunded.count("█"), refunded.count("┃")) == (0, 1)
    assert (none.count("▓"), none.count("┃")) == (2, 0)
    assert food.endswith(" 312.50 of 400.00")
    assert len({cells(line) for line in lines[3:]}) == 1
