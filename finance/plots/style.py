"""How a picture looks, on paper and in a terminal."""

from __future__ import annotations

from typing import Any

#: Of Okabe and Ito's palette, which people with any kind of colour blindness can tell apart; and on which side of zero
#: something stands says the same once more.
UP, DOWN, NET = "#56B4E9", "#E69F00", "#000000"
GRID, NOTE = "#D9D9D9", "#595959"
#: The nearest of the 256 colours of a terminal, and its own foreground, whether that is light or dark.
UP_CODE, DOWN_CODE, NET_CODE = 74, 172, "default"

# The first has the Latin, Greek, Cyrillic, Hebrew and Arabic letters, and comes with matplotlib. A machine may have one
# of the others for the rest; what none of them has is a box in a PNG, and text in an SVG, for the viewer to show.
_FAMILIES = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP",
    "Noto Sans KR", "Source Han Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "IPAexGothic", "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai",
    "Arial Unicode MS",
)  # fmt: skip


def settings(font_manager: Any) -> dict[str, Any]:
    """Return what is set of matplotlib: no name is read as a formula, and the same picture is the same bytes."""
    there = set(font_manager.get_font_names())
    return {
        "text.parse_math": False,
        "text.usetex": False,
        "svg.hashsalt": "finance",
        "svg.fonttype": "none",
        # The last is for whoever looks at an SVG and has none of the others.
        "font.family": [*(family for family in _FAMILIES if family in there), "sans-serif"],
        "font.sans-serif": _FAMILIES[:1],
        "font.size": 10,
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": NOTE,
        "axes.axisbelow": True,
        "xtick.color": NOTE,
        "ytick.color": NOTE,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
    }
