#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# The edges of a drawing like docs/graph.svg, "FROM TO" a line, by its geometry alone: each <path> of a
# line of its own begins and ends at the border of a box with a name in it. One that does not is "?".
#   _edges.py FILE
import re
import sys

svg = open(sys.argv[1], encoding="utf-8").read()
BOX = r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"[^>]*/><text[^>]*>([a-z_0-9]+)</text>'
boxes = [(int(x), int(y), int(w), int(h), name) for x, y, w, h, name in re.findall(BOX, svg)]


def box_at(x, y):
    for left, top, width, height, name in boxes:
        on_side = x in (left, left + width) and top <= y <= top + height
        on_top = y in (top, top + height) and left <= x <= left + width
        if on_side or on_top:
            return name
    return "?"


for path in re.findall(r'^<path d="([^"]+)"', svg, re.M):
    x = y = 0
    corners = []
    for command, numbers in re.findall(r"([MLHV])([\d ]+)", path):
        values = [int(n) for n in numbers.split()]
        x = values[0] if command != "V" else x
        y = values[-1] if command != "H" else y
        corners.append((x, y))
    print(box_at(*corners[0]), box_at(*corners[-1]))
