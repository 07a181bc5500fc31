"""In which form a report is answered: as a table, JSON or CSV, as a picture, or as a file of one of these."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from cyclopts import Parameter

from finance.cli.documents import Document
from finance.cli.localised import localised
from finance.cli.terminal import (
    Listing,
    shows_colours,
    write_csv,
    write_document,
    write_json,
    write_listing,
    write_text,
)
from finance.errors import InvalidError
from finance.frames import save_table
from finance.frames.saving import SUFFIXES as FRAMES
from finance.plots import Chart, chart_text, save_chart
from finance.plots.saving import SUFFIXES as PICTURES

if TYPE_CHECKING:
    import pyarrow

Csv = Annotated[bool, Parameter(negative="", help="Print CSV, without rows of totals.")]
Locale = Annotated[
    str | None,
    Parameter(help="Write amounts and days of a table as this locale does, as in de_CH.", show_default=False),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The options of every report."""

    csv: Csv = False
    locale: Locale = None
    output: Annotated[
        Path | None,
        Parameter(
            help="Write a file: .parquet or .arrow; of a report with a picture also .png or .svg.",
            show_default=False,
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class PictureForm(Form):
    """The options of a report that there is a picture of."""

    plot: Annotated[bool, Parameter(negative="", help="Draw a picture in the terminal.")] = False
    currency: Annotated[
        tuple[str, ...],
        Parameter(
            negative="", help="Of a picture: only this currency; may be given several times.", show_default=False
        ),
    ] = ()

    @property
    def is_picture(self) -> bool:
        """Whether a picture is asked for, in the terminal or as a file."""
        return self.plot or (self.output is not None and self.output.suffix.lower() in PICTURES)


TABLE, PICTURE = Form(), PictureForm()


class _OfCurrency(Protocol):
    @property
    def currency(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A report in all its forms; those that cost something, and may need an extra, are made when they are asked for."""

    documents: Sequence[Document] | Document
    listing: Callable[..., Listing]
    frame: Callable[[], pyarrow.Table]
    chart: Callable[[], Chart] | None = field(default=None)


def finest(found: Iterable[_OfCurrency], exponents: Mapping[str, int]) -> int:
    """Return the decimals of the finest of the currencies that are *found*."""
    return max((exponents[each.currency] for each in found), default=0)


def require_one(form: Form, *, json: bool) -> None:
    """Refuse what cannot be answered, before the books are read.

    Raises:
        InvalidError: Two forms are asked for, or the name of the file ends with nothing that this report has.
    """
    is_plot = isinstance(form, PictureForm) and form.plot
    asked = [name for name, wanted in (("--csv", form.csv), ("--plot", is_plot), ("--json", json)) if wanted]
    if form.output is not None and asked != ["--json"]:  # which describes the file
        asked.append("--output")
    if len(asked) > 1:
        raise InvalidError(f"{' and '.join(asked)} are {len(asked)} forms of one answer: give one of them")
    suffixes = (*PICTURES, *FRAMES) if isinstance(form, PictureForm) else FRAMES
    if form.output is not None and form.output.suffix.lower() not in suffixes:
        raise InvalidError(f"{form.output}: the name of the file ends with none of {', '.join(suffixes)}")


def write(answer: Answer, form: Form, *, json: bool) -> None:
    """Write *answer* in the form that is asked for.

    Raises:
        FinanceError: As `require_one()`, `save_chart()`, `save_table()` and `localised()`.
    """
    require_one(form, json=json)
    if form.output is not None:
        _save(answer, form, form.output, json=json)
    elif json:
        write_json(answer.documents)
    elif form.csv:
        write_csv(answer.listing(answer.documents, totals=False))
    elif isinstance(form, PictureForm) and form.plot:
        _plot(_chart(answer, form))
    else:
        write_listing(localised(answer.listing(answer.documents, totals=True), form.locale))


def _save(answer: Answer, form: Form, output: Path, *, json: bool) -> None:
    is_picture = output.suffix.lower() in PICTURES
    written = save_chart(_chart(answer, form), output) if is_picture else save_table(answer.frame(), output)
    kind = output.suffix.lower().removeprefix(".")
    if json:
        write_json({"file": str(output), "format": kind, "bytes": written})
    else:
        write_text(f"{output}: {kind}, {written} bytes")


def _chart(answer: Answer, form: Form) -> Chart:
    assert answer.chart is not None  # noqa: S101 - a report with the form of a picture has one
    return answer.chart().only(form.currency if isinstance(form, PictureForm) else ())


def _plot(chart: Chart) -> None:
    """Draw in the width of the terminal, or in 80 columns where there is none.

    Raises:
        InvalidError: What is written to cannot show it.
    """
    width = shutil.get_terminal_size((80, 24)).columns
    text = chart_text(chart, width=width, colour=shows_colours())
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        raise InvalidError(
            f"standard output is {sys.stdout.encoding}, which has no signs to draw with:"
            " set PYTHONIOENCODING=utf-8, or write a file with --output"
        ) from None
    write_document(text)
