# SPDX-License-Identifier: BSD-3-Clause
"""What a bench printed, read back: its figures in one line, and its plot. A text that is not understood (broken
off, of another form) gives nothing, never a wrong figure."""
import re

import svg


def value(cell):
    found = re.match(r'[0-9.]+', cell)
    return float(found[0]) if found else None


def spaced(line):
    return re.split(r' {2,}', line.strip())


def tables(text, head, cut):
    """Rows of each table whose head begins with this, as lists beside the head's; cut: how a line becomes cells."""
    out, names = [], None
    for line in text.splitlines():
        cells = cut(line)
        if cells[:len(head)] == head:
            names = cells
            out.append((names, []))
        elif names and len(cells) == len(names):
            out[-1][1].append(cells)
        elif not line.startswith('    '):
            names = None
    return out


def slashed(cells):
    return ' / '.join(str(c) for c in cells)


def dicts(text, head, cut=str.split):
    return [dict(zip(names, row)) for names, rows in tables(text, head, cut) for row in rows]


# --- relay

def relay_rows(text):
    rows = dicts(text, ['sessions', 'routes'])
    full = [r for r in rows if r.get('burst', '64') == '64']
    return {(int(r['sessions']), int(r['routes']), int(r['bytes'])): r for r in full}


def relay_short(text):
    rows, out = relay_rows(text), []
    for sessions, routes in ((1, 1), (10000, 1000000)):
        found = [rows[k] for k in sorted(rows) if k[:2] == (sessions, routes)]
        if found:
            out.append(f'{sessions} sessions, {routes} routes, at {slashed(r["bytes"] for r in found)} bytes: '
                       f'{slashed(r["Mpps"] for r in found)} Mpps, '
                       f'{slashed(r["ratio"] for r in found)} times the bare cipher\'s cycles')
    return '; '.join(out)


def relay_plot(text):
    rows, panels = relay_rows(text), []
    for sessions, routes in ((1, 1), (10000, 1000000)):
        found = [rows[k] for k in sorted(rows) if k[:2] == (sessions, routes)]
        if found:
            panels.append(svg.bars(f'{sessions} sessions, {routes} routes', 'TSC cycles for a packet',
                                   [(f'{r["bytes"]} bytes', (float(r['aead']), float(r['cycles']) - float(r['aead'])))
                                    for r in found], ['bare cipher', 'all else']))
    return panels


# --- aead

def aead_rows(text):
    out = []
    for line in text.splitlines():
        c = line.split()
        if c[:1] == ['kernel:'] and out:
            break  # of those that the CPU can run, the widest stands first
        if len(c) == 13 and c[0].isdigit() and c[3][0] == '+':
            out.append({'burst': int(c[0]), 'bytes': int(c[1]), 'seal': float(c[2]), 'mb': float(c[4]),
                        'ratio': c[6], 'open ratio': c[11]})
    return out


def aead_short(text):
    rows = [r for r in aead_rows(text) if r['burst'] == 64 and r['bytes'] in (64, 512, 1420)]
    return (f'64 packets at once of {slashed(r["bytes"] for r in rows)} bytes: sealed {slashed(r["ratio"] for r in rows)}, '
            f'opened {slashed(r["open ratio"] for r in rows)} times as fast as by ipsec-mb') if rows else ''


def aead_plot(text):
    rows = aead_rows(text)
    series = [(f'{name}, {burst} at once', [(r['bytes'], r[key]) for r in rows if r['burst'] == burst])
              for burst in (8, 64) for name, key in (('ours', 'seal'), ('ipsec-mb', 'mb'))]
    return [svg.lines('Seal', 'bytes', 'TSC cycles for a packet', series)] if all(p for _, p in series) else []


# --- lookup

def lookup_rows(text):
    out = []
    for line in text.splitlines():
        found = re.match(r'\s*(exact|lpm6|lpm4) +(\d+) +([0-9.]+) +(.*)', line)
        if found:
            rivals = re.findall(r'([0-9.]+) ([a-z]\w*(?: trie)?)', found[4])
            out.append((found[1], int(found[2]), float(found[3]), [(n, float(v)) for v, n in rivals]))
    return out


def lookup_short(text):
    out = []
    for table in ('exact', 'lpm6', 'lpm4'):
        rows = [r for r in lookup_rows(text) if r[0] == table]
        for row in rows[:1] + rows[1:][-1:]:
            beside = ''.join(f', {name} {rate:g}' for name, rate in row[3])
            out.append(f'{table} {row[1]}: {row[2]:g} M/s{beside}')
    return '; '.join(out)


def lookup_plot(text):
    series = {}
    for table, size, rate, rivals in lookup_rows(text):
        series.setdefault(table, []).append((size, rate))
        for name, theirs in rivals:
            series.setdefault(name, []).append((size, theirs))
    return [svg.lines('Look-ups on one core', 'entries', 'million a second', list(series.items()))] if series else []


# --- scale

def scale_rows(text):
    return [r for r in dicts(text, ['sessions', 'routes', 'seal-in']) if r['workers'] != '1']


def scale_name(r):
    return f'{r["sessions"]} {"session" if r["sessions"] == "1" else "sessions"}, {r["seal-in"]}'


def scale_short(text):
    out, rows = [], scale_rows(text)
    for name in dict.fromkeys((scale_name(r), r['workers']) for r in rows):
        found = [r for r in rows if (scale_name(r), r['workers']) == name]
        out.append(f'{name[1]} workers, {name[0]}, at {slashed(r["bytes"] for r in found)} bytes: '
                   f'{slashed(r["times"] for r in found)} times one (the bare cipher {slashed(r["cipher"] for r in found)})')
    return '; '.join(out)


def scale_plot(text):
    rows = [(f'{r["workers"]}: {scale_name(r)}, {r["bytes"]}', (float(r['times']),)) for r in scale_rows(text)]
    return [svg.bars('Several workers', 'times one', rows)] if rows else []


# --- memif

def memif_rows(text):
    return dicts(text, ['bytes', 'way'], spaced)


def memif_short(text):
    ways = {}
    for r in memif_rows(text):
        ways.setdefault(r['way'], []).append(r)
    return '; '.join(f'{way}, at {slashed(r["bytes"] for r in rows)} bytes: {slashed(r["Mpps"] for r in rows)} Mpps'
                     for way, rows in ways.items())


def memif_plot(text):
    rows = [(f'{r["bytes"]}, {r["way"]}', (float(r['Mpps']),)) for r in memif_rows(text)]
    return [svg.bars('Packets through one core', 'million a second', rows)] if rows else []


# --- peers

def peers_tables(text):
    """By system: the columns of the first two tables, with a number behind a name that comes again."""
    out = {}
    for names, rows in tables(text, ['system'], spaced):
        seen, named = {}, []
        for name in names:
            seen[name] = seen.get(name, 0) + 1
            named.append(name if seen[name] == 1 else f'{name} {seen[name]}')
        for row in rows:
            for name, cell in zip(named, row):
                out.setdefault(row[0], {}).setdefault(name, cell)
    return out


def rate_of(name):
    found = re.match(r'us at (\d+)$', name)
    return int(found[1]) if found else None


def lost(cell):
    found = re.search(r'-([0-9.]+)%', cell)
    return f' (lost {found[1]} %)' if found else ''


def peers_short(text):
    out = []
    for key, title in (('TCP Mbit/s', 'one TCP flow, Mbit/s'), ('CPU-s/GB', 'the relay\'s CPU-s/GB of it'),
                       ('us at 20000', 'the relay\'s us of CPU for a datagram at 20000 a second')):
        cells = [(name, row[key]) for name, row in peers_tables(text).items() if value(row.get(key, '-')) is not None]
        if cells:
            out.append(f'{title}: ' + '; '.join(f'{value(cell):g} {name}{lost(cell)}' for name, cell in cells))
    return '. '.join(out)


def peers_plot(text):
    rows, panels = peers_tables(text), []
    tcp = [(n, (value(r['TCP Mbit/s']),)) for n, r in rows.items() if value(r.get('TCP Mbit/s', '-')) is not None]
    if tcp:
        panels.append(svg.bars('One TCP flow through the relay', 'Mbit/s', tcp))
    slow = [(n, (value(r['1000/s: p50 us']),)) for n, r in rows.items() if value(r.get('1000/s: p50 us', '-')) is not None]
    if slow:
        panels.append(svg.bars('How long a datagram takes, 1000 a second', 'us, the median', slow))
    series = [(n, [(rate_of(k), value(c)) for k, c in r.items() if rate_of(k) and value(c)]) for n, r in rows.items()]
    series = [(n, p) for n, p in series if p]
    if series:
        panels.append(svg.lines('CPU of the relay for a datagram', 'datagrams of 512 bytes a second', 'us', series))
    return panels


# --- routing, grid

def routing_rows(text):
    return [r for r in dicts(text, ['system', 'version'], spaced) if value(r['seconds']) is not None]


def routing_short(text):
    last = {}
    for r in routing_rows(text):
        last[r['system']] = r
    return '; '.join(f'{n}, {r["routes"]} routes: {value(r["seconds"]):g} s' for n, r in last.items())


def routing_plot(text):
    series = {}
    for r in routing_rows(text):
        series.setdefault(r['system'], []).append((int(r['routes']), value(r['seconds'])))
    return [svg.lines('A full table from one neighbour', 'routes', 'seconds', list(series.items()))] if series else []


def grid_short(text):
    rows = [r for r in dicts(text, ['what'], spaced) if 'gap s' in r]
    return 'gaps, s: ' + '; '.join(f'{r["what"]} {r["gap s"]}' for r in rows) if rows else ''


# --- handshakes

def handshakes_rows(text):
    return [r for r in dicts(text, ['who', 'version'], spaced) if value(r['us of CPU']) is not None]


def handshakes_short(text):
    out = [f'{r["who"]} {value(r["us of CPU"]):g} us' for r in handshakes_rows(text)]
    share = re.search(r'bare X25519 is ([0-9.]+) of a handshake', text)
    return '; '.join(out + ([f'bare X25519 is {share[1]} of what is computed for one'] if share else []))


def handshakes_plot(text):
    rows = [(r['who'], (value(r['us of CPU']),)) for r in handshakes_rows(text)]
    return [svg.bars('A handshake answered', 'us of CPU', rows)] if rows else []


SHORT = {'relay': relay_short, 'aead': aead_short, 'lookup': lookup_short, 'scale': scale_short, 'memif': memif_short, 'peers': peers_short,
         'routing': routing_short, 'handshakes': handshakes_short, 'grid': grid_short}
PLOT = {'relay': relay_plot, 'aead': aead_plot, 'lookup': lookup_plot, 'scale': scale_plot, 'memif': memif_plot, 'peers': peers_plot,
        'routing': routing_plot, 'handshakes': handshakes_plot}
