#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a bench printed goes into docs/benchmarks/NAME.md, as the block of this CPU: scripts/bench NAME --record.
  record.py write NAME TEXT --ran COMMAND --load LOAD [--code N]   TEXT: the file with what it printed
  record.py check        blocks are whole and as they were written, pictures and summary are theirs
  record.py renew        pictures and summary anew, from the blocks as they are
Blocks of other CPUs, and of other arguments, stay as they are. --docs DIR: another folder than the tree's."""
import argparse
import glob
import hashlib
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing beside the sources

import figures
import svg

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCHES = ['relay', 'scale', 'memif', 'peers', 'aead', 'lookup', 'sockets', 'handshakes', 'routing', 'reload', 'grid']
BEGIN = re.compile(r'<!-- record ([a-z0-9.-]+) ([0-9a-f]{16}) -->$')
END = '<!-- end of record -->'
SUMMARY = ('<!-- summary: written by scripts/bench -->', '<!-- end of summary -->')
HEAD = '## As measured'


class Wrong(Exception):
    pass


def digest(body):
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def write(path, text):
    """Whole or not at all."""
    with open(path + '.new', 'w', encoding='utf-8') as f:
        f.write(text)
    os.replace(path + '.new', path)


def split(path):
    """A page: what stands before its blocks, and the blocks as (key, sum, body)."""
    before, blocks, key, body = [], [], None, []
    for i, line in enumerate(read(path).splitlines(), 1):
        begin = BEGIN.match(line)
        if '<!-- record' in line and not begin:
            raise Wrong(f'{path}:{i}: this is no mark of a record: {line}')
        if begin and key or line == END and not key:
            raise Wrong(f'{path}:{i}: a record begins in another, or ends where none began')
        if begin:
            key, body = begin.groups(), []
        elif line == END:
            blocks.append((*key, '\n'.join(body)))
            key = None
        elif key:
            body.append(line)
        elif not blocks:
            before.append(line)
        elif line.strip():
            raise Wrong(f'{path}:{i}: between records nothing is kept: {line}')
    if key:
        raise Wrong(f'{path}: record {key[0]} has no end')
    return '\n'.join(before).rstrip('\n'), blocks


def join(before, blocks):
    return before + '\n' + ''.join(f'\n<!-- record {k} {s} -->\n{b}\n{END}\n' for k, s, b in blocks)


def printed(body):
    """What the bench printed, out of its block."""
    return '\n'.join(line[4:] for line in body.splitlines() if line.startswith('    '))


def facts(body):
    """CPU, date, command and the rest, as the block says them."""
    found = re.match(r'### (.+)\n\n(\d{4}-\d\d-\d\d), ([^;]+); (.+?): `([^`]+)`', body)
    if not found:
        raise Wrong(f'a record does not say what it is of: {body[:80]!r}')
    return dict(zip(('cpu', 'date', 'commit', 'machine', 'ran'), found.groups()))


class Pages:
    def __init__(self, docs):
        self.docs = docs
        self.index = f'{docs}/benchmarks.md'

    def page(self, name):
        return f'{self.docs}/benchmarks/{name}.md'

    def picture(self, name, key):
        return f'{self.docs}/pictures/bench-{name}-{key}.svg'

    def blocks(self, name):
        path = self.page(name)
        before, blocks = split(path) if os.path.exists(path) else (f'# {name}\n\n{HEAD}', [])
        keys = [key for key, _, _ in blocks]
        if len(set(keys)) < len(keys):
            raise Wrong(f'{path}: two records of {max(keys, key=keys.count)}')
        for key, said, body in blocks:
            if digest(body) != said:
                raise Wrong(f'{path}: record {key} is not as it was written; measure again (scripts/bench {name} '
                            '--record), or put what is to be said above the records')
        return before, blocks

    def all(self):
        names = [os.path.basename(p)[:-3] for p in glob.glob(self.page('*'))]
        for name in [b for b in BENCHES if b in names] + sorted(set(names) - set(BENCHES)):
            yield name, self.blocks(name)[1]

    def pictures(self):
        """Path of each picture, and what it is to be."""
        for name, blocks in self.all():
            for key, _, body in blocks:
                panels = figures.PLOT.get(name, lambda text: [])(printed(body))
                if panels:
                    yield self.picture(name, key), svg.picture(f'bench {name}: {facts(body)["cpu"]}', panels)

    def summary(self):
        out = ['| bench | CPU | when | load before | in short |', '|---|---|---|---|---|']
        for name, blocks in self.all():
            for _, _, body in blocks:
                said, short = facts(body), figures.SHORT.get(name, lambda text: '')(printed(body))
                load = re.search(r'load before ([0-9.]+( to [0-9.]+)?)', said['machine'])
                out.append(f'| [{said["ran"].replace("scripts/bench ", "")}](benchmarks/{name}.md) | {said["cpu"]} | '
                           f'{said["date"]} | {load[1] if load else "-"} | {short or "see there"} |')
        return '\n'.join(out)

    def index_text(self):
        text = read(self.index)
        if any(text.count(mark) != 1 for mark in SUMMARY) or text.index(SUMMARY[0]) > text.index(SUMMARY[1]):
            raise Wrong(f'{self.index}: its summary is not marked once: {SUMMARY[0]} ... {SUMMARY[1]}')
        before, rest = text.split(SUMMARY[0])
        return f'{before}{SUMMARY[0]}\n\n{self.summary()}\n\n{SUMMARY[1]}{rest.split(SUMMARY[1])[1]}'

    def renew(self):
        wanted = dict(self.pictures())
        for path in set(glob.glob(self.picture('*', '*'))) - set(wanted):
            os.unlink(path)
        for path, text in wanted.items():
            write(path, text)
        write(self.index, self.index_text())

    def check(self):
        wanted = dict(self.pictures())
        for path in sorted(set(glob.glob(self.picture('*', '*'))) | set(wanted)):
            if not os.path.exists(path) or read(path) != wanted.get(path):
                raise Wrong(f'{path} is not what the records give: test/bench/record.py renew')
        if read(self.index) != self.index_text():
            raise Wrong(f'{self.index}: its summary is not what the records give: test/bench/record.py renew')


# --- this machine

def cpu():
    field = {}
    for line in read('/proc/cpuinfo').splitlines():
        name, _, rest = line.partition(':')
        field.setdefault(name.strip(), rest.strip())
    return f'{field.get("model name", "unknown CPU")} (family {field.get("cpu family", "?")}, model {field.get("model", "?")})'


def key_of(name, ran):
    """Of a CPU and of the arguments, but for how long it ran."""
    vendor = re.match(r'\w+', name)[0].lower()
    model = re.search(r'family (\S+), model (\S+)\)', name)
    more = [a.strip('-') for a in ran.split() if a.startswith('--') and a != '--short']
    more += [a.lower() for a in re.findall(r'([A-Z_]+)=', ran)]
    return re.sub('[^a-z0-9.-]', '', '-'.join([vendor, *(model.groups() if model else []), *sorted(more)]))


def commit():
    """HEAD, and whether what was measured was changed since."""
    def git(*args):
        return subprocess.run(['git', '-C', TOP, *args], capture_output=True, text=True, check=False).stdout.strip()
    changed = git('status', '--porcelain', '--untracked-files=no', '--', ':!docs')
    return f'commit {git("rev-parse", "--short=9", "HEAD") or "not known"}{" with changes" if changed else ""}'


def share():
    """What a busy machine gives to this session before others."""
    try:
        nice = re.search(r'nice (-?[0-9]+)', read('/proc/self/autogroup'))
    except OSError:
        return ''
    return f', autogroup nice {nice[1]}' if nice and nice[1] != '0' else ''


def block(args, text):
    machine = (f'{os.cpu_count()} CPUs, Linux {os.uname().release}, load before {args.load}{share()}'
               if args.machine is None else args.machine)
    plot = figures.PLOT.get(args.name, lambda text: [])(text)
    key = key_of(args.cpu, args.ran)
    parts = [f'### {args.cpu}', f'{args.date}, {args.commit}; {machine}: `{args.ran}`']
    if args.code:
        parts.append(f'It ended with {args.code}: a check failed, or it broke off.')
    if plot:
        parts.append(f'![{args.name} on {args.cpu}](../pictures/bench-{args.name}-{key}.svg)')
    parts.append('\n'.join(('    ' + line).rstrip() for line in text.rstrip('\n').splitlines()))
    return key, '\n\n'.join(parts)


def put(pages, args):
    text = read(args.text)
    if not text.strip():
        raise Wrong(f'bench {args.name} printed nothing: nothing is recorded')
    before, blocks = pages.blocks(args.name)
    key, body = block(args, text)
    body = body.replace('<!--', '<! --')
    fresh = (key, digest(body), body)
    facts(body)
    os.makedirs(f'{pages.docs}/benchmarks', exist_ok=True)
    os.makedirs(f'{pages.docs}/pictures', exist_ok=True)
    blocks = [b for b in blocks if b[0] != key] + [fresh]
    blocks.sort(key=lambda b: facts(b[2])['date'], reverse=True)
    write(pages.page(args.name), join(before, blocks))
    pages.renew()
    print(f'{pages.page(args.name)}: record {key}', file=sys.stderr)
    if args.name in figures.SHORT and not figures.SHORT[args.name](text):
        print(f'bench record: {args.name} prints another form than test/bench/figures.py reads: no figures in the summary',
              file=sys.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('what', choices=['write', 'check', 'renew'])
    p.add_argument('name', nargs='?', choices=BENCHES)
    p.add_argument('text', nargs='?')
    p.add_argument('--docs', default=f'{TOP}/docs')
    p.add_argument('--ran', default='')
    p.add_argument('--load', default='?')
    p.add_argument('--code', type=int, default=0)
    p.add_argument('--cpu', default=cpu(), help='where it was another machine')
    p.add_argument('--date', default=time.strftime('%Y-%m-%d', time.gmtime()))
    p.add_argument('--commit', default=None)
    p.add_argument('--machine', default=None)
    args = p.parse_args()
    pages = Pages(args.docs)
    try:
        if args.what == 'write':
            if not args.text:
                p.error('write NAME TEXT')
            args.commit = args.commit or commit()
            put(pages, args)
        else:
            getattr(pages, args.what)()
    except (Wrong, OSError) as e:
        print(f'bench record: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
