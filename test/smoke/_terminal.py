#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line on a terminal: _terminal.py top|pager|colour XYLEM INSTANCE. Exit code 0: as it should be."""

import fcntl, os, pty, select, struct, subprocess, sys, tempfile, termios, time

kind, program, instance = sys.argv[1:4]


class Terminal:
    def __init__(self, args, rows=24, columns=80, env=None):
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.was = termios.tcgetattr(slave)
        self.slave, self.said = slave, b""
        self.p = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **(env or {})},
                                  start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.said += os.read(self.master, 65536)
            except OSError:
                pass

    def expect(self, text, seconds=15):
        end = time.monotonic() + seconds
        while text not in self.said:
            if time.monotonic() > end:
                print(self.said.decode(errors="replace"))
                sys.exit(f"not said: {text!r}")
            self.read(0.1)
        at = self.said.index(text) + len(text)
        before, self.said = self.said[:at], self.said[at:]
        return before

    def press(self, keys):
        os.write(self.master, keys)

    def ended(self, seconds=15):
        end = time.monotonic() + seconds
        while self.p.poll() is None:
            if time.monotonic() > end:
                self.p.kill()
                print(self.said.decode(errors="replace"))
                sys.exit("it does not end")
            self.read(0.05)
        self.read(0.05)
        return self.p.returncode


if kind == "top":
    t = Terminal([program, "top", "-d", "0.3", "-n", instance])
    t.expect(b"\033[?1049h")
    t.expect(b"[b bits]")
    t.press(b"n")
    t.expect(b"[n name]")
    t.size(6, 50)
    t.expect(b"more lines")
    t.press(b"q")
    if t.ended() != 0 or b"\033[?1049l" not in t.said:
        sys.exit("q does not end it, or the screen is not given back")
    if termios.tcgetattr(t.slave) != t.was:
        sys.exit("the terminal is not as it was")
    for key, name in ((b"\x03", "^C"), (b"\x1c", "^\\")):
        t = Terminal([program, "top", "-n", instance])
        t.expect(b"[b bits]")
        t.press(key)
        if t.ended() != 0 or b"\033[?1049l" not in t.said or termios.tcgetattr(t.slave) != t.was:
            sys.exit(f"{name} does not end it as q does")
elif kind == "pager":
    with tempfile.TemporaryDirectory() as folder:
        seen = os.path.join(folder, "seen")
        t = Terminal([program, "show", "drops", "--all", "-n", instance], env={"PAGER": f"cat >{seen}; echo PAGED"})
        t.expect(b"PAGED")
        if t.ended() != 0 or b"no_route" not in open(seen, "rb").read():
            sys.exit("the pager did not get it")
        t = Terminal([program, "show", "drops", "--all", "-n", instance], env={"PAGER": "true"})  # has seen enough
        if t.ended() != 0:
            sys.exit("who leaves the pager early has made no mistake")
        t = Terminal([program, "show", "node", "-n", instance], env={"PAGER": "/nonexistent"})
        t.expect(b"cannot be run; PAGER=cat goes without")
        if t.ended() != 1:
            sys.exit("a pager that is none is not told")
        env = {k: v for k, v in os.environ.items() if k != "PAGER"}
        t = Terminal(["/usr/bin/env", "-u", "PAGER", f"PATH={folder}", program, "show", "drops", "--all", "-n", instance])
        t.expect(b"no_route")
        if t.ended() != 0:
            sys.exit("no less, no pager")
        out = subprocess.run([program, "show", "drops", "--all", "-n", instance], env={**env, "PAGER": f"cat >{seen}2"},
                             stdout=subprocess.PIPE, check=True).stdout
        if b"no_route" not in out or b"\033" in out or os.path.exists(seen + "2"):
            sys.exit("a pipe is no terminal")
elif kind == "colour":
    t = Terminal([program, "show", "peers", "-n", instance], env={"PAGER": "cat"})
    t.expect(b"\033[2mNAME\033[0m")
    t.ended()
    t = Terminal([program, "show", "peers", "-n", instance], env={"PAGER": "cat", "NO_COLOR": "1"})
    t.expect(b"NAME ")
    if t.ended() != 0 or b"\033" in t.said:
        sys.exit("NO_COLOR is not heard")
