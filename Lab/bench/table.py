"""Medians, ratios and spread, as Markdown tables."""

import statistics

from .measures import LESS

# Every figure is compared with this contender's of the same run.
YARDSTICK = "routing"


def median(values):
    return statistics.median(values)


def brief(value):
    """A number as people read it: three digits that count."""
    if value >= 10_000:
        return f"{value / 1000:,.0f} k"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def tables(results, names):
    """Two tables of `results[figure][contender]`, lists of one value a round."""
    text = medians(results, names) + "\nLeast and most:\n\n" + spreads(results, names)
    return text


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def head(names, first):
    return row([first, *names]) + row(["---"] + ["---:"] * len(names))


def medians(results, names):
    text = head(names, f"median (/ {YARDSTICK})")
    for figure, values in results.items():
        cells = []
        for name in names:
            if not values.get(name):
                cells.append("")
                continue
            cell = brief(median(values[name]))
            reference = median(values[YARDSTICK]) if values.get(YARDSTICK) else 0
            if name != YARDSTICK and reference > 0:
                cell += f" ({median(values[name]) / reference:.2f})"
            cells.append(cell)
        text += row([figure + (" (less is better)" if figure in LESS else ""), *cells])
    return text


def spreads(results, names):
    text = head(names, "min..max")
    for figure, values in results.items():
        cells = [f"{brief(min(values[name]))}..{brief(max(values[name]))}" if values.get(name) else "" for name in names]
        text += row([figure, *cells])
    return text
