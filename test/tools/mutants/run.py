#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What would the unit tests not notice? Changes C files at random places (sites.py), one at a time, builds what that touches,
runs the test programs that have it, and prints the changes that none of them saw.

All happens in a copy, build-mutants/tree of the working tree as it is, and in build-mutants/build; nothing else is written, so
it can be stopped at any time. Slow only the first time. Programs are built and run one after another, those first that noticed
most, then the quickest, until one fails; one that takes ten times as long as before is ended, and has noticed.

A change that survives is worth a look, not a test by itself: some mean nothing.
"""
import argparse
import collections
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import sites as places

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
TOP = os.path.join(ROOT, "build-mutants")
TREE, BUILD, LOG = (os.path.join(TOP, name) for name in ("tree", "build", "log"))
OPTIONS = ["-Dbuildtype=plain", "-Doptimization=1", "-Ddebug=false", "-Dwerror=false"]

Test = collections.namedtuple("Test", "name suite command environment folder program needs")


def fail(text):
    sys.exit(f"mutants: {text}")


def bound():
    """A program that went wrong writes no core and no endless log, and goes first when it ate all memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    try:
        write("/proc/self/oom_score_adj", "1000")
    except OSError:  # a kernel without it
        pass


def run(command, limit=None, environment=None, folder=None):
    """Runs it, with what it starts; its output goes to the log. Exit code, or None when it took too long."""
    with open(LOG, "wb") as log:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True,
                             preexec_fn=bound, env=dict(os.environ, **(environment or {})))
    try:
        return p.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=True).stdout


def log_end():
    with open(LOG, encoding="utf-8", errors="replace") as f:
        return "".join(f.readlines()[-30:])


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


# ---- the copy

def copy_tree():
    """Writes only what differs: ninja goes by the time of writing, which must not go back with a file's content."""
    listed = output("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    wanted = {f for f in listed if os.path.isfile(os.path.join(ROOT, f))}
    for folder, _, files in os.walk(TREE):
        for f in files:
            path = os.path.join(folder, f)
            if os.path.relpath(path, TREE) not in wanted:
                os.remove(path)
    for f in wanted:
        here, there = os.path.join(ROOT, f), os.path.join(TREE, f)
        with open(here, "rb") as source:
            content = source.read()
        if os.path.isfile(there):
            with open(there, "rb") as old:
                if old.read() == content:
                    continue
        os.makedirs(os.path.dirname(there), exist_ok=True)
        with open(there, "wb") as new:
            new.write(content)
        shutil.copymode(here, there)


class Builder:
    def __init__(self, jobs):
        self.ninja = ["ninja", "-C", BUILD] + (["-j", str(jobs)] if jobs else [])

    def setup(self):
        if os.path.isfile(os.path.join(BUILD, "build.ninja")) and self.build(["build.ninja"]):  # with the targets of now
            return
        shutil.rmtree(BUILD, ignore_errors=True)  # there was none, or one that an older tree or tool left
        if run(["meson", "setup", BUILD, TREE] + OPTIONS) != 0:
            fail(f"the tree cannot be configured:\n{log_end()}")

    def build(self, targets):
        return run(self.ninja + sorted(targets)) == 0

    def must_build(self, targets):
        if not self.build(targets):
            fail(f"the tree cannot be built as it is:\n{log_end()}")


# ---- who has what

def tests_of(suites):
    """The tests of these suites that are programs of the build."""
    targets = {t["id"]: [os.path.relpath(f, BUILD) for f in t["filename"]]
               for t in json.loads(output("meson", "introspect", "--targets", BUILD))}
    found = []
    for t in json.loads(output("meson", "introspect", "--tests", BUILD)):
        names = {s.rsplit(":", 1)[-1] for s in t["suite"]}
        program = os.path.relpath(os.path.join(BUILD, t["cmd"][0]), BUILD)
        needs = {f for i in t["depends"] for f in targets.get(i, [])}
        if names & suites and program in needs:
            found.append(Test(t["name"], names, t["cmd"], t["env"], t["workdir"] or BUILD, program, needs))
    return found


def inputs_of(program):
    return set(output("ninja", "-C", BUILD, "-t", "inputs", program).split("\n"))


def objects_by_file():
    """Of what ninja knows what it was compiled of: file of the tree -> objects."""
    found, current = collections.defaultdict(set), None
    for line in output("ninja", "-C", BUILD, "-t", "deps").split("\n"):
        if line.startswith("    "):
            path = os.path.relpath(os.path.realpath(os.path.join(BUILD, line.strip())), TREE)
            found[path].add(current)
        elif ": #deps" in line:
            current = line.split(": #deps")[0]
    return found


def symbols(path):
    """The functions and variables that others can name."""
    return {line.split()[0] for line in output("nm", "-g", "-P", "--defined-only", os.path.join(BUILD, path)).split("\n") if line}


def who_has(files, tests, builder):
    """file -> (its objects, the tests that have one of them in their program). Builds these."""
    inputs = {t.program: inputs_of(t.program) for t in tests}
    sources = {os.path.relpath(os.path.join(TREE, f), BUILD) for f in files}
    if all(f.endswith(".c") for f in files):  # who may have a header is known only when all are built
        tests = [t for t in tests if inputs[t.program] & sources]
    builder.must_build({n for t in tests for n in t.needs})
    known = objects_by_file()
    have = {t.program: symbols(t.program) for t in tests}
    found = {}
    for f in files:
        objects = {o for o in known[f] if os.path.isfile(os.path.join(BUILD, o))}
        named = {o: symbols(o) for o in objects}
        # Of an archive only what is needed is in a program: its names are there. One without a name is taken along.
        with_it = [t for t in tests
                   if any(o in inputs[t.program] and (not named[o] or named[o] & have[t.program]) for o in objects)]
        found[f] = objects, with_it
    return found


# ---- the mutants

class Mutants:
    def __init__(self, builder, who, least, verbose):
        self.builder, self.who, self.least, self.verbose = builder, who, least, verbose
        self.took, self.seen, self.plain = {}, collections.Counter(), {}
        self.count = collections.Counter()

    def passes(self, test, limit=None):
        return run(test.command, limit, test.environment, test.folder) in (0, 77)

    def try_unchanged(self):
        for test in {t.name: t for _, tests in self.who.values() for t in tests}.values():
            began = time.monotonic()
            if not self.passes(test, 1800):
                fail(f"'{test.name}' fails without any change:\n{log_end()}")
            self.took[test.name] = time.monotonic() - began

    def contents(self, objects):
        found = []
        for o in sorted(objects):
            with open(os.path.join(BUILD, o), "rb") as f:
                found.append(f.read())
        return found

    def who_notices(self, tests):
        for test in sorted(tests, key=lambda t: (-self.seen[t.name], self.took[t.name])):
            if not self.builder.build(test.needs):
                return "the linker"
            if not self.passes(test, self.least + 10 * self.took[test.name]):
                self.seen[test.name] += 1
                return test.name
        return None

    def judge(self, site):
        """'noticed', 'survived', 'same code' or 'not compiled', and by whom."""
        objects, tests = self.who[site.path]
        if site.path not in self.plain:  # what the mutant before left is older than its file, and is built again
            self.plain[site.path] = self.contents(objects)
        path = os.path.join(TREE, site.path)
        whole = text_of(path)
        try:
            write(path, places.changed(whole, site))
            if not self.builder.build(objects):
                return "not compiled", None
            if self.contents(objects) == self.plain[site.path]:
                return "same code", None
            by = self.who_notices(tests)
            return ("noticed", by) if by else ("survived", None)
        finally:
            write(path, whole)

    def try_one(self, site):
        verdict, by = self.judge(site)
        self.count[verdict] += 1
        if verdict != "survived" and not self.verbose:
            return
        line = text_of(os.path.join(TREE, site.path)).split("\n")[site.line - 1].strip()
        what = f"'{site.old}' left out" if site.new in ("", ";") else f"'{site.old}' became '{site.new}'"
        print(f"{verdict}{' by ' + by if by else ''}: {site.path}:{site.line}:{site.column}: {what}"
              + (f" in: {line}" if site.old != line else ""), flush=True)


def arguments():
    p = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__.split("\n\n")[0],
                                epilog="\n\n".join(__doc__.strip().split("\n\n")[1:]),
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=20, metavar="N", help="so many places, of all files together (20); 0: all")
    p.add_argument("-s", type=int, default=1, metavar="SEED", help="which ones (1): the same seed, the same places")
    p.add_argument("-a", action="store_true", help="the simulated networks are run as well; slow")
    p.add_argument("-t", type=float, default=20, metavar="SECONDS", help="what a program may take longer than ten times as long (20)")
    p.add_argument("-j", type=int, metavar="JOBS", help="as ninja's")
    p.add_argument("-l", action="store_true", help="list the places and change nothing")
    p.add_argument("-v", action="store_true", help="print those that were noticed, too")
    p.add_argument("files", nargs="+", metavar="FILE[:LINE[-LINE]]")
    return p.parse_args()


def chosen(names, number, seed):
    found = []
    for name in names:
        given, lines = places.named(name)
        path = os.path.relpath(os.path.realpath(given), ROOT)
        if not os.path.isfile(given) or path.startswith("..") or not path.endswith((".c", ".h")):
            fail(f"{given}: is no C file of this tree")
        found += places.sites(os.path.join(ROOT, path), path, lines)
    found = sorted(set(found))
    pick = sorted(random.Random(seed).sample(found, number)) if 0 < number < len(found) else found
    return found, pick


def main():
    a = arguments()
    found, pick = chosen(a.files, a.n, a.s)
    if a.l:
        for s in pick:
            print(f"{s.path}:{s.line}:{s.column}\t{s.old}\t{s.new}")
        return
    if not pick:
        fail("there is no place to change in what was named")
    os.makedirs(TREE, exist_ok=True)
    lock = open(os.path.join(TOP, "lock"), "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail("another one runs in build-mutants")
    builder = Builder(a.j)
    copy_tree()
    builder.setup()
    who = who_has({s.path for s in pick}, tests_of({"unit", "dataplane"} | ({"sim"} if a.a else set())), builder)
    for path, (_, tests) in sorted(who.items()):
        if not tests:
            fail(f"{path}: no test program has it")
    m = Mutants(builder, who, a.t, a.v)
    m.try_unchanged()
    print(f"{len(found)} places, {len(pick)} of them (seed {a.s}); {len(m.took)} test programs", flush=True)
    for site in pick:
        m.try_one(site)
    c = m.count
    print(f"{c['noticed']} noticed, {c['survived']} survived, {c['same code']} make no other code, "
          f"{c['not compiled']} do not compile")


def stop(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except FileNotFoundError as e:
        fail(f"{e.filename}: {e.strerror}")
    except subprocess.CalledProcessError as e:
        fail(f"{' '.join(e.cmd[:4])} fails: exit code {e.returncode}")
