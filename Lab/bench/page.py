"""The same figures as one page that needs nothing else: a group of bars for each figure, whiskers from least to most."""

import html

from .measures import LESS
from .table import YARDSTICK, brief, median

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222; background: #fff; }
h1 { font-size: 1.4em; } h2 { font-size: 1.05em; margin: 1.6em 0 .3em; } p { color: #555; margin: .2em 0; }
svg { width: 100%; height: auto; } text { font: 13px system-ui, sans-serif; fill: #222; }
.bar { fill: #8fa8bf; } .ours { fill: #1f6feb; } .whisker { stroke: #222; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #161616; } text { fill: #ddd; } p { color: #aaa; }
  .bar { fill: #5a6b7a; } .ours { fill: #4c8dff; } .whisker { stroke: #ddd; }
}
"""
# Those that are not the director.
OTHERS = {"routing", "nft-dnat", "haproxy", "nginx-stream"}
NAMES, BARS, WIDTH, LINE = 110, 560, 860, 24


def page(results, names, machine, command):
    parts = [figure(name, values, [one for one in names if values.get(one)]) for name, values in results.items()]
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>The director side by side</title><style>{STYLE}</style>\n<h1>The director side by side</h1>\n"
        f"<p>{html.escape(machine)}<br><code>{html.escape(command)}</code><br>Bars are medians, lines go from least to"
        f" most; behind each the ratio to kernel {YARDSTICK} in the same rounds.</p>\n{''.join(parts)}</html>\n"
    )


def figure(title, values, names):
    most = max(max(values[name]) for name in names) or 1
    reference = median(values[YARDSTICK]) if values.get(YARDSTICK) else 0
    better = "less is better" if title in LESS else "more is better"
    rows = "".join(bar(name, values[name], most, reference, number * LINE) for number, name in enumerate(names))
    size = f"viewBox='0 0 {WIDTH} {len(names) * LINE}'"
    return f"<h2>{html.escape(title)}</h2><p>{better}</p><svg {size} role=img aria-label='{html.escape(title)}'>{rows}</svg>\n"


def bar(name, values, most, reference, top):
    middle = top + LINE / 2
    place = lambda value: NAMES + BARS * value / most
    told = brief(median(values))
    if reference > 0 and name != YARDSTICK:
        told += f"  ({median(values) / reference:.2f})"
    kind = "bar" if name in OTHERS else "bar ours"
    return (
        f"<text x={NAMES - 8} y={middle + 4:.1f} text-anchor=end>{html.escape(name)}</text>"
        f"<rect class='{kind}' x={NAMES} y={top + 4} width={max(1, place(median(values)) - NAMES):.1f} height={LINE - 8} />"
        f"<line class=whisker x1={place(min(values)):.1f} x2={place(max(values)):.1f} y1={middle} y2={middle} />"
        f"<text x={place(max(values)) + 8:.1f} y={middle + 4:.1f}>{told}</text>"
    )
