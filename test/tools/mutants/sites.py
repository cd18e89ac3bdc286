#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Where one small change of a C file could be a fault: an operator becomes its neighbour, a number one more, true false, a
negation or a whole statement nothing. Left alone: comments, strings, the preprocessor, what only declares, assertions, log
lines and prefetches, for no test sees these. Reads C as clang-format lays it out, by line, and does not parse it: what a change
makes of a line may not compile.

  sites.py FILE[:LINE[-LINE]]...     lists them: FILE:LINE:COLUMN, a tab, OLD, a tab, NEW
"""
import collections
import re
import sys

Site = collections.namedtuple("Site", "path line column old new")  # line and column from 1

SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+",
         "*": "/", "/": "*", "%": "/", "&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<", "+=": "-=", "-=": "+=", "|=": "=",
         "&=": "=", "^=": "=", "<<=": ">>=", ">>=": "<<=", "++": "--", "--": "++", "true": "false", "false": "true"}
# Binary operators stand between spaces (or at a line's end), which tells them from pointers, signs and addresses.
TOKEN = re.compile(r"(?<=[-+\w)\]'\"] )(?:<<=|>>=|[-+|&^]=|<<|>>|[<>=!]=|&&|\|\||[-+*/%<>&|^])(?= |$)"
                   r"|\+\+|--|!(?=[\w(])|\b(?:true|false)\b"
                   r"|(?<![\w.'])(?P<number>0[xX][0-9a-fA-F]+|[0-9]+)(?P<suffix>[uUlL]*)(?![\w.'])")
# What a whole line must be to be left out: an assignment or a call, or a way out of a loop.
STATEMENT = re.compile(r"(?:\*?\w+(?:\[[^;]*\])?(?:(?:->|\.)\w+(?:\[[^;]*\])?)*(?:\(.*\)|\+\+|--| (?:[-+*/%|&^]|<<|>>)?= .*)"
                       r"|(?:\+\+|--)\w.*|continue|break|return);$")
DECLARES = re.compile(r"(?:typedef|struct|union|enum|static|extern|const|volatile|unsigned|signed|int|bool|char|short|long|float|"
                      r"double|void|size_t|ssize_t|\w+_t|xy_nsec)\b[^=(]*[;,]$")
SHAPE = re.compile(r"(?:typedef )?(?:struct|union)\b[^=()]*\{$")  # members follow
NOT_TESTED = re.compile(r"assert|prefetch|\bxy_log_|^(?:case|default)\b.*:$", re.I)


def bare(text):
    """The text with comments, strings and characters blanked, of the same shape."""
    def blank(m):
        return m.group(0)[0] + re.sub(r"[^\n]", "_", m.group(0)[1:-1]) + m.group(0)[-1] if m.group(0)[0] in "\"'" else \
            re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def after(m):
    """What a token becomes."""
    if m.group("number"):
        hexadecimal = m.group("number")[:2] in ("0x", "0X")
        octal = not hexadecimal and m.group("number").startswith("0")
        value = int(m.group("number"), 16 if hexadecimal else 8 if octal else 10) + 1
        return (hex(value) if hexadecimal else str(value)) + m.group("suffix")
    return "" if m.group(0) == "!" else SWAPS[m.group(0)]


def code(text):
    """The lines that a site may be on: number from 1, bare text, whether the line begins what it holds."""
    depth, shape, macro, hidden, begins = 0, [], False, False, True
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if macro or stripped.startswith("#"):
            macro = line.endswith("\\")
            continue
        if line.startswith("}"):  # at the left edge all is closed
            depth, shape = 1, []
        hidden = hidden or bool(NOT_TESTED.search(stripped))
        outside = 0 if depth else line.find("{") + 1  # a list or an enum that begins and ends on a line
        if (depth or outside) and not shape and not hidden and not DECLARES.match(stripped):
            yield number, " " * outside + line[outside:], begins and depth > 0
        if hidden and stripped.endswith((";", "{", "}", ":")):
            hidden = False
        if stripped:
            begins = stripped.endswith((";", "{", "}", ":", ")", "else", "do"))
        if SHAPE.match(stripped):
            shape.append(depth)
        depth += line.count("{") - line.count("}")
        if shape and depth <= shape[-1]:
            shape.pop()


def sites(path, name=None, lines=None):
    """All sites of a file, in order; lines: (first, last) of those that count."""
    name = name or path
    with open(path, encoding="utf-8") as f:
        text = f.read()
    source = text.split("\n")
    for number, line, begins in code(bare(text)):
        if lines and not lines[0] <= number <= lines[1]:
            continue
        for m in TOKEN.finditer(line):
            yield Site(name, number, m.start() + 1, m.group(0), after(m))
        start = len(line) - len(line.lstrip())
        if begins and STATEMENT.match(line.strip()):
            yield Site(name, number, start + 1, source[number - 1][start:len(line.rstrip())], ";")


def changed(text, site):
    """The text of a file with that change."""
    lines = text.split("\n")
    line, at = lines[site.line - 1], site.column - 1
    if line[at:at + len(site.old)] != site.old:
        raise ValueError(f"{site.path}:{site.line} has no '{site.old}' at {site.column}")
    lines[site.line - 1] = line[:at] + site.new + line[at + len(site.old):]
    return "\n".join(lines)


def named(argument):
    """FILE[:LINE[-LINE]] -> path, (first, last) or None."""
    m = re.fullmatch(r"(.*?)(?::(\d+)(?:-(\d+))?)?", argument)
    return m.group(1), m.group(2) and (int(m.group(2)), int(m.group(3) or m.group(2)))


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    for argument in arguments:
        path, lines = named(argument)
        for s in sites(path, None, lines):
            print(f"{s.path}:{s.line}:{s.column}\t{s.old}\t{s.new}")


if __name__ == "__main__":
    main(sys.argv[1:])
