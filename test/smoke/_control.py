#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks a control socket: _control.py SOCKET COMMAND [PARAMS]. Prints what it answers, as JSON in one line."""
import json
import socket
import sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(sys.argv[1])
s.recv(1 << 16)
s.send(",".join(sys.argv[2:4]).encode())
answer = json.loads(s.recv(1 << 20))
print(json.dumps(answer.get(sys.argv[2], answer), sort_keys=True))
