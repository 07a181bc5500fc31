"""Pictures as files: the same bytes for the same picture, whatever it shows, and nothing but whole files."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from finance.errors import ConfigurationError, InvalidError
from finance.plots import (
    Chart,
    Goal,
    Progress,
    chart_figure,
    chart_text,
    income_chart,
    net_worth_chart,
    save_chart,
    spending_chart,
)
from finance.reports import NetWorth, Worth

from .test_charts import NAMES, spending, statement, worths

ROWS = [(f"Expenses:{name}", str(100 - place)) for place, name in enumerate(NAMES)]
CHARTS = {
    "year": net_worth_chart(worths(12, "EUR"), ledger="Household"),
    "one month": net_worth_chart(worths(1, "EUR"), ledger="Household"),
    "three steady years": net_worth_chart([NetWorth("EUR", worths(1, "EUR")[0].points * 36)], ledger="Household"),
    "forty years": net_worth_chart(worths(480, "EUR"), ledger="Household"),
    "currencies": net_worth_chart(worths(6, "EUR", "JPY", "$BTC$"), ledger="x" * 300),
    "debts": net_worth_chart(
        [NetWorth("EUR", (Worth(date(2026, 1, 31), Decimal(-5), Decimal(100)),))], ledger="Household"
    ),
    "loss": income_chart([statement(("0", "0", "-10"), ("5", "-12.5", "800"))], ledger="Household"),
    "names": spending_chart([spending("EUR", *ROWS, ("Expenses:Refund", "-50"))], ledger="$家計簿_הוצאות^"),
    "only refunds": spending_chart([spending("EUR", ("Expenses:A", "-1"), ("Expenses:B", "-20"))], ledger="Household"),
    "huge": spending_chart([spending("ETH", ("A", "999999999999999999999999.000000000000000001"))], ledger="Whale"),
    "tiny": spending_chart([spending("ETH", ("A", "0.000000000000000001"))], ledger="Shrimp"),
    "goals": Chart(
        "Budgets",
        "Household",
        "2026-01-01 to 2026-01-31",
        (
            Progress(
                "EUR",
                2,
                tuple(
                    Goal(name, Decimal(reached), Decimal(goal))
                    for name, reached, goal in [
                        ("Food", "312.5", "400"),
                        ("食" * 40, "1000", "1000"),
                        ("Fun", "150", "100"),
                        ("Refunded", "-30", "100"),
                        ("Overdrawn", "20", "-50"),
                    ]
                ),
            ),
            Progress("JPY", 0, (Goal("Nothing", Decimal(0), Decimal(0)),)),
        ),
    ),
    "nothing": Chart("Spending", "Household", "2026-01-01", ()),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture_is_the_same_bytes_again(tmp_path: Path, name: str, suffix: str) -> None:
    """No date, no random name, no version; and no warning, whatever letters the machine lacks."""
    files = [tmp_path / f"{number}{suffix}" for number in range(2)]

    sizes = [save_chart(CHARTS[name], file) for file in files]

    assert files[0].read_bytes() == files[1].read_bytes()
    assert sizes[0] == files[0].stat().st_size > 500
    assert files[0].read_bytes().startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in files)


def test_svg_holds_its_text_as_text(tmp_path: Path) -> None:
    """So that it can be read aloud and searched, also where this machine has no such letters. It names no date."""
    save_chart(CHARTS["names"], tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text("utf-8")

    for text in ("食料品と日用品", "$x_1$ \\frac{", "הוצאות", "-50.00", "2026-01-01 to 2026-12-31"):
        assert f">{text}</text>" in svg
    assert "<dc:date>" not in svg
    assert "Matplotlib" not in svg


def test_names_are_no_markup(tmp_path: Path) -> None:
    """Neither of SVG, nor of a terminal that turns text round."""
    chart = spending_chart([spending("EUR", ("<script>&", "2"), ('"\u202eabc\x1b[0m', "1"))], ledger="</svg><b>\u202e")

    save_chart(chart, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text("utf-8")

    assert "&lt;script&gt;&amp;" in svg
    assert "<script>" not in svg
    assert svg.count("</svg>") == 1
    for text in (svg, chart_text(chart)):
        assert "\u202e" not in text
        assert "\x1b" not in text


def texts(figure: Figure) -> list[Any]:
    """Every text that is drawn and not empty."""
    figure.draw_without_rendering()
    return [each for each in figure.findobj(matplotlib.text.Text) if each.get_visible() and each.get_text().strip()]


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("name", CHARTS)
def test_no_text_is_cut_or_covers_another(name: str) -> None:
    """Every text lies on the paper, and no label of an axis on its neighbour."""
    figure = chart_figure(CHARTS[name])
    FigureCanvasAgg(figure)
    with_boxes = texts(figure)
    paper = figure.bbox

    for text in with_boxes:
        box = text.get_window_extent()
        assert paper.x0 <= box.x0 <= box.x1 <= paper.x1 + 1, text
        assert paper.y0 <= box.y0 <= box.y1 <= paper.y1 + 1, text
    for axes in figure.axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels(), axes.texts):
            boxes = [label.get_window_extent() for label in labels if label.get_text()]
            assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_picture_is_labelled_exactly() -> None:
    """With all decimals and thousands separators: each point of a few, the last one of many."""
    point = Worth(date(2026, 1, 31), Decimal("1234567.5"), Decimal(0))
    few = [text.get_text() for text in texts(chart_figure(net_worth_chart([NetWorth("EUR", (point,))], ledger="x")))]
    many = [text.get_text() for text in texts(chart_figure(CHARTS["forty years"]))]

    assert "1,234,567.50" in few
    assert {"Net worth · x", "2026-01-31", "EUR", "Assets", "Liabilities", "Net worth"} <= set(few)
    last = CHARTS["forty years"].panels[0].amounts[-1]
    assert f"{last:,.2f}" in many
    assert len([text for text in many if text.endswith(".00")]) == 1


def test_bars_stand_where_they_should() -> None:
    """What is beyond a goal begins where the goal is; a refund of a month stands upon the income."""
    (axes, _) = chart_figure(CHARTS["goals"]).axes
    bars: Any = axes.patches
    loss: Any = chart_figure(CHARTS["loss"]).axes[0].patches

    assert [(bar.get_x(), bar.get_width()) for bar in bars[:5]] == [(0, 312.5), (0, 1000), (0, 100), (0, -30), (0, 0)]
    assert [(bar.get_x(), bar.get_width()) for bar in bars[5:]][2:] == [(100, 50), (-30, 0), (0, 20)]
    assert [(bar.get_y(), bar.get_height()) for bar in loss] == [
        (0, 0),
        (0, 0),
        (0, -10),
        (0, -5),
        (0, 12.5),
        (-10, -800),
    ]


def test_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    """The library has one set of them for the whole process; no window is ever opened, and no state of pyplot kept."""
    save_chart(CHARTS["year"], tmp_path / "before.svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True, "svg.fonttype": "path"}):
        save_chart(CHARTS["year"], tmp_path / "after.svg")
        assert matplotlib.rcParams["font.size"] == 30

    assert (tmp_path / "before.svg").read_bytes() == (tmp_path / "after.svg").read_bytes()
    code = (
        "import sys, finance.plots as p\n"
        f"p.save_chart(p.Chart('a', 'b', '', ()), {str(tmp_path / 'alone.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_file_is_replaced_whole_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As other commands overwrite: by renaming. What fails leaves what was there, and nothing beside it."""
    file = tmp_path / "worth.png"
    file.write_text("mine")
    save_chart(CHARTS["nothing"], file)
    drawn = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FigureCanvasAgg, "print_figure", fail)
    with pytest.raises(InvalidError, match=r"worth\.png: the file cannot be written: No space left"):
        save_chart(CHARTS["year"], file)

    assert drawn.startswith(b"\x89PNG")
    assert file.read_bytes() == drawn
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["worth.pdf", "worth", "worth.png.txt"])
def test_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    """It names those that work, and writes nothing."""
    with pytest.raises(InvalidError, match=r"a picture's name ends with \.png or \.svg"):
        save_chart(CHARTS["year"], tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As a typed error with the name of the file."""
    with pytest.raises(InvalidError, match=r"worth\.png: the file cannot be written: No such file or directory"):
        save_chart(CHARTS["year"], tmp_path / "nowhere" / "worth.png")


def test_missing_libraries_name_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart itself needs none."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "plotext", None)

    for call in (lambda: save_chart(CHARTS["year"], tmp_path / "a.png"), lambda: chart_text(CHARTS["year"])):
        with pytest.raises(ConfigurationError, match=r"a picture needs the extra `plots`: pip install"):
            call()
    assert "Rent" in chart_text(CHARTS["names"])
