#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts/mutants by itself: the places it sees in a file made up for it, and what it says of mutants of a project made up for
# it: one that is noticed, one that is not, one that does not end; and that nothing is left when it is stopped in the middle.
set -u
here=$(cd "$(dirname "$0")/../../.." && pwd) bad=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
for tool in git meson ninja python3; do
  command -v $tool >/dev/null || {
    echo "skip - $tool is not installed"
    exit 77
  }
done
fail() {
  printf '%s\n' "$*"
  bad=1
}

# --- the places

cat >"$dir/seen.c" <<'EOF'
// a < b && c
#define LESS(a, b) ((a) < (b) && \
		    (a) != 7)
enum { ONE = 1, MASK = 0xfeU };
struct size {
	char text[16];
	unsigned bit : 1;
};
static int *find(const struct size *s, int n)
{
	char name[32];
	int at = 0, *p = NULL;
	assert(n > 0 &&
	       n < 9);
	xy_log_info("%d < %d", n, at + 1);
	/* n > 3 */ while (n-- > 3) {
		if (!s->bit || s->text[at] == '=')
			continue;
		at += n; // n - 1
	}
	p = strchr(s->text, "a && b"[1]);
	s->list[at].next->bit |= 1;
	*p = n > 017 ? 5 :
		       6;
	use(name, 1.5,
	    true);
	return p;
}
EOF
want="4:14|1|2
4:24|0xfeU|0xffU
12:11|0|1
16:22|--|++
16:25|>|>=
16:27|3|4
17:7|!|
17:15||||&&
17:30|==|!=
18:4|continue;|;
19:6|+=|-=
19:3|at += n;|;
21:31|1|2
21:2|p = strchr(s->text, \"a && b\"[1]);|;
22:24||=|=
22:27|1|2
22:2|s->list[at].next->bit |= 1;|;
23:9|>|>=
23:11|017|16
23:17|5|6
24:10|6|7
26:6|true|false"
seen=$("$here"/test/tools/mutants/sites.py "$dir/seen.c" | sed "s|^$dir/seen.c:||" | tr '\t' '|')
[ "$seen" = "$want" ] || fail "other places:" "$(diff <(echo "$want") <(echo "$seen"))"
seen=$("$here"/test/tools/mutants/sites.py "$dir/seen.c:18-19" | wc -l)
[ "$seen" -eq 3 ] || fail "$seen places on two lines that have 3"

# --- the mutants

mkdir -p "$dir/project/scripts" "$dir/project/test/tools"
cp "$here/scripts/mutants" "$dir/project/scripts/"
cp -r "$here/test/tools/mutants" "$dir/project/test/tools/"
cd "$dir/project" || exit 2
cat >made.c <<'EOF'
int grade(int points)
{
	if (points < 3)
		return 1;
	return 2;
}
unsigned long rest(volatile unsigned long n)
{
	while (n)
		n--;
	return n;
}
EOF
cat >made_test.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int grade(int points);
unsigned long rest(unsigned long n);
int main(void)
{
	FILE *f = fopen(getenv("MADE_PID"), "w");
	fprintf(f, "%d\n", (int)getpid());
	fclose(f);
	return grade(0) != 1 || grade(9) != 2 || rest(2) != 0;
}
EOF
echo 'int main(void) { return 0; }' >other_test.c
cat >meson.build <<'EOF'
project('made', 'c')
made = static_library('made', 'made.c')
test('made', executable('made_test', 'made_test.c', link_with: made), suite: 'unit', env: {'MADE_PID': '@PID@'})
test('other', executable('other_test', 'other_test.c', link_with: made), suite: 'unit')
EOF
sed -i "s|@PID@|$dir/pid|" meson.build
echo '/build*/' >.gitignore
unset "${!GIT_@}" CFLAGS LDFLAGS
git init -q . || fail "git init"

mutants() { timeout 300 scripts/mutants -n 0 "$@" 2>&1; }
# One object file has no part in the other program.
out=$(mutants -v made.c:3-4) || fail "exit code $?: $out"
[ "$out" = "3 places, 3 of them (seed 1); 1 test programs
survived: made.c:3:13: '<' became '<=' in: if (points < 3)
survived: made.c:3:15: '3' became '4' in: if (points < 3)
noticed by made: made.c:4:10: '1' became '2' in: return 1;
1 noticed, 2 survived, 0 make no other code, 0 do not compile" ] || fail "said: $out"
out=$(mutants -l made.c:10)
[ "$out" = $'made.c:10:3\tn--;\t;\nmade.c:10:4\t--\t++' ] || fail "listed: $out"
out=$(mutants -t 1 made.c:10) || fail "exit code $?: $out"
grep -q '^2 noticed, 0 survived' <<<"$out" || fail "of loops without an end: $out"

# Stopped while such a loop runs.
rm -f "$dir/pid"
python3 -B test/tools/mutants/run.py -n 0 -t 300 made.c:10 >"$dir/stopped" 2>&1 &
tool=$!
deadline=$((SECONDS + 120)) loop=
until [ -s "$dir/pid" ] && ! cmp -s made.c build-mutants/tree/made.c && loop=$(cat "$dir/pid") && kill -0 "$loop" 2>/dev/null; do
  [ $SECONDS -lt $deadline ] || {
    fail "the loop did not come: $(cat "$dir/stopped")"
    break
  }
  sleep 0.05
done
kill -TERM $tool
wait $tool
code=$?
[ $code -eq 130 ] || fail "stopped: exit code $code: $(cat "$dir/stopped")"
[ -z "$loop" ] || ! kill -0 "$loop" 2>/dev/null || fail "what it ran goes on"
out=$(mutants made.c:4) || fail "after it was stopped: exit code $?: $out"
grep -q '^1 noticed, 0 survived' <<<"$out" || fail "after it was stopped: $out"
[ "$(git ls-files --others --exclude-standard | wc -l)" -eq 8 ] || fail "files were left: $(git ls-files --others --exclude-standard)"

# What cannot be.
sed -i 's/return 2/return 3/' made.c
out=$(mutants made.c) && fail "a test that fails without a change is nothing to it: $out"
grep -q "'made' fails without any change" <<<"$out" || fail "said: $out"
out=$(mutants none.c) && fail "a file that is not there is nothing to it: $out"
grep -q "none.c: is no C file" <<<"$out" || fail "said: $out"
exit $bad
