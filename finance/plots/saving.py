"""Pictures as files: PNG and SVG, the same bytes for the same picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from finance.errors import InvalidError
from finance.extras import library
from finance.files import whole_file
from finance.plots.chart import Chart
from finance.plots.figure import draw_figure, heading, matplotlib_settings

# Neither says when it was made, nor by which version of matplotlib.
_METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
#: What the name of a file may end with.
SUFFIXES = tuple(f".{name}" for name in _METADATA)


def save_chart(chart: Chart, path: str | Path) -> int:
    """Write *chart* to the file *path*, whole or not at all, and return how many bytes that are.

    A file of that name is replaced. In an SVG the text is text: it can be searched, read aloud and copied.

    Raises:
        InvalidError: The name ends with neither ".png" nor ".svg", the file cannot be written, or the chart has more
            than 12 currencies.
        ConfigurationError: The extra `plots` is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidError(f"{path}: a picture's name ends with {' or '.join(SUFFIXES)}, not with {suffix!r}")
    with matplotlib_settings(), whole_file(path) as file:
        _print(chart, suffix[1:], file)
        return file.tell()


def _print(chart: Chart, format_: str, file: BinaryIO) -> None:
    figure = draw_figure(chart)
    module = library(f"matplotlib.backends.backend_{'agg' if format_ == 'png' else 'svg'}", "plots", "a picture")
    canvas = module.FigureCanvasAgg(figure) if format_ == "png" else module.FigureCanvasSVG(figure)
    canvas.print_figure(file, format=format_, metadata={**_METADATA[format_], "Title": heading(chart)})
