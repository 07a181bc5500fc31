"""Pictures of reports: a chart is a value made from one, and seen as a file, as a figure, or as text.

`save_chart()`, `chart_figure()` and `chart_text()` need the extra `plots`; importing this package does not.
"""

from finance.plots.budgets import budget_chart
from finance.plots.chart import Chart, Goal, OverTime, Progress, Ranking, Series
from finance.plots.figure import chart_figure
from finance.plots.income import income_chart
from finance.plots.net_worth import net_worth_chart
from finance.plots.saving import save_chart
from finance.plots.spending import spending_chart
from finance.plots.terminal import chart_text

__all__ = [
    "Chart",
    "Goal",
    "OverTime",
    "Progress",
    "Ranking",
    "Series",
    "budget_chart",
    "chart_figure",
    "chart_text",
    "income_chart",
    "net_worth_chart",
    "save_chart",
    "spending_chart",
]
