# SPDX-License-Identifier: BSD-3-Clause
"""Plots as SVG text, of panels beside each other: bars and lines. The same data gives the same bytes."""
import math
from html import escape

WIDTH, HEIGHT, PAD = 460, 300, 16
COLORS = ['#2b5a94', '#c2662d', '#2f6b3f', '#8a6d1f', '#7a4b94', '#993333', '#4a8a96', '#666666']
STYLE = ('text{font-family:sans-serif;font-size:12px;fill:#222}.t{font-size:14px;font-weight:bold}'
         '.g{stroke:#ddd}.a{stroke:#888}.s{fill:#555}')


def text(x, y, words, anchor='start', kind=''):
    kind = f' class="{kind}"' if kind else ''
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'


def number(x):
    if x >= 1e6 and x % 1e5 == 0:
        return f'{x / 1e6:g}M'
    if x >= 1e3 and x % 1e3 == 0:
        return f'{x / 1e3:g}k'
    return f'{x:g}'


def steps(most):
    """Ticks of a scale from 0: four to eight round ones, the last not below most."""
    most = most or 1
    unit = 10 ** math.floor(math.log10(most / 4))
    step = next(unit * k for k in (1, 2, 5, 10) if most / (unit * k) <= 7)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def legend(names, colors, y):
    out, x = [], PAD
    for name, color in zip(names, colors):
        if x > PAD and x + 20 + 6.5 * len(name) > WIDTH - PAD:
            x, y = PAD, y + 17
        out += [f'<rect x="{x:.1f}" y="{y - 10}" width="11" height="11" fill="{color}"/>', text(x + 16, y, name)]
        x += 32 + 6.5 * len(name)
    return out, y + 12


def bars(title, unit, rows, names=None):
    """Lying bars: rows of (label, (part, ...)); names of the parts, which are put one behind the other."""
    out, top = [text(PAD, 22, title, kind='t')], 36
    if names:
        out, y = out + legend(names, COLORS, 42)[0], legend(names, COLORS, 42)[1]
        top = y
    left = PAD + 8 + 6.6 * max(len(label) for label, _ in rows)
    ticks = steps(max(sum(parts) for _, parts in rows))
    wide, each = WIDTH - left - 52, min(40, (HEIGHT - top - 42) / len(rows))
    bottom = top + each * len(rows)
    for tick in ticks:
        x = left + wide * tick / ticks[-1]
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom:.1f}" class="g"/>')
        out.append(text(x, bottom + 15, number(tick), 'middle', 's'))
    for i, (label, parts) in enumerate(rows):
        y, x = top + each * i, left
        out.append(text(left - 6, y + each / 2 + 4, label, 'end'))
        for part, color in zip(parts, COLORS):
            w = wide * max(part, 0) / ticks[-1]
            out.append(f'<rect x="{x:.1f}" y="{y + 2:.1f}" width="{w:.1f}" height="{each - 4:.1f}" fill="{color}"/>')
            x += w
        out.append(text(x + 4, y + each / 2 + 4, f'{sum(parts):.4g}'))
    out.append(text(left, bottom + 32, unit, kind='s'))
    return out


def lines(title, x_name, y_name, series):
    """Lines over two scales of powers of ten: series of (name, [(x, y), ...])."""
    out = [text(PAD, 22, title, kind='t')]
    more, top = legend([name for name, _ in series], COLORS, 42)
    out += more
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    x0, x1 = math.log10(min(xs)), math.log10(max(xs))
    y0, y1 = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    x1, y1 = max(x1, x0 + 0.1), max(y1, y0 + 1)
    left, right, bottom = PAD + 42, WIDTH - PAD - 12, HEIGHT - 44

    def at(x, y):
        return (left + (right - left) * (math.log10(x) - x0) / (x1 - x0),
                bottom - (bottom - top) * (math.log10(y) - y0) / (y1 - y0))

    for power in range(y0, y1 + 1):
        y = at(min(xs), 10 ** power)[1]
        out.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>')
        out.append(text(left - 6, y + 4, number(10 ** power), 'end', 's'))
    for x in sorted(set(xs)):
        out.append(text(at(x, 10 ** y0)[0], bottom + 15, number(x), 'middle', 's'))
    out.append(f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" class="a"/>')
    for (_, points), color in zip(series, COLORS):
        way = [at(x, y) for x, y in points]
        out.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="'
                   + ' '.join(f'{x:.1f},{y:.1f}' for x, y in way) + '"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in way]
    out.append(text(left, bottom + 32, f'{x_name}; up: {y_name}', kind='s'))
    return out


def picture(title, panels):
    wide = WIDTH * len(panels)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {HEIGHT}" width="{wide}" height="{HEIGHT}">',
           '<!-- SPDX-License-Identifier: BSD-3-Clause -->', f'<title>{escape(title)}</title>',
           f'<style>{STYLE}</style>', f'<rect width="{wide}" height="{HEIGHT}" fill="#fff"/>']
    for i, panel in enumerate(panels):
        out += [f'<g transform="translate({WIDTH * i},0)">', *panel, '</g>']
    return '\n'.join(out + ['</svg>', ''])
