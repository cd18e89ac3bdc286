#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts/bench --record's pages: a record comes in beside others and in place of its own, bears its plot and its line
# of the summary, and what was changed by hand is said to be so.
set -u
cd "$(dirname "$0")/../../.." || exit 2
docs=$(mktemp -d) text=$(mktemp) bad=0
trap 'rm -rf "$docs" "$text"' EXIT
record() { test/bench/record.py "$@" --docs "$docs" 2>"$text.err"; }
fail() {
  echo "$*"
  cat "$text.err"
  bad=1
}
checks() { record check || fail "$1"; }
refuses() { # WHAT WORD: and what was broken is put back
  record check && fail "$1: check says nothing"
  grep -q "$2" "$text.err" || fail "$1: the error does not say '$2'"
  cp "$docs/good.md" "$page"
  cp "$docs/good.svg" "$plot"
}
relay() { # MPPS
  cat <<END
CPU: Zilog Z80 (family 1, model 2)
sessions    routes  bytes     Mpps   Gbit/s   cycles      p90     aead   beyond   ratio
       1         1     64    $1     1.38      962      986      805      157    1.20
       1         1    512    1.974     8.09     1317     1391     1118      199    1.18
pass: <!-- all of it -->
END
}
put() { # CPU MPPS [DATE]
  relay "$2" >"$text"
  record write relay "$text" --cpu "$1" --ran "scripts/bench relay --short" --load 0.5 --commit 'commit 1' --date "${3:-2026-11-01}"
}
page=$docs/benchmarks/relay.md plot=$docs/pictures/bench-relay-zilog-1-2.svg
printf '# Benchmarks\n\n<!-- summary: written by scripts/bench -->\n<!-- end of summary -->\n\nAfter.\n' >"$docs/benchmarks.md"

put 'Zilog Z80 (family 1, model 2)' 2.111 || fail "the first record"
put 'MOS 6502 (family 3, model 4)' 3.333 || fail "another CPU's record"
checks "two records"
other=$(sed -n '/<!-- record mos-3-4/,/<!-- end/p' "$page")
put 'Zilog Z80 (family 1, model 2)' 2.222 2026-11-02 || fail "the same CPU's again"
checks "the newer record"
grep -q 2.111 "$page" && fail "the older record of that CPU is still there"
[ "$(sed -n '/<!-- record mos-3-4/,/<!-- end/p' "$page")" = "$other" ] || fail "another CPU's record was touched"
[ "$(grep -c '<!-- record' "$page")" = 2 ] || fail "there are to be two records"
grep -q 'Zilog.* 2026-11-02 | 0.5 |.*2.222 / 1.974 Mpps' "$docs/benchmarks.md" || fail "the summary does not have it"
grep -q '^After\.$' "$docs/benchmarks.md" || fail "what stands behind the summary is gone"
grep -q '<title>bench relay: Zilog Z80' "$plot" || fail "there is no plot"

cp "$page" "$docs/good.md"
cp "$plot" "$docs/good.svg"
sed -i s/2.222/9.222/ "$page"
refuses "a figure changed by hand" "not as it was written"
sed -i '/end of record/d' "$page"
refuses "a record without an end" "begins in another"
sed -i 's/<!-- record zilog-1-2/<!-- record Zilog/' "$page"
refuses "a mark that is none" "no mark"
printf '\nBehind.\n' >>"$page"
refuses "words behind the records" "between records"
cat "$docs/good.md" >>"$page"
refuses "a page twice" "between records"
sed -n '/<!-- record mos/,$p' "$docs/good.md" >>"$page"
refuses "a record twice" "two records of mos-3-4"
sed -i s/Zilog/MOS/ "$plot"
refuses "a plot changed by hand" "not what the records give"
rm "$plot"
refuses "a plot that is gone" "not what the records give"
cp "$docs/benchmarks.md" "$docs/index"
sed -i s/2.222/9.222/ "$docs/benchmarks.md"
refuses "a summary changed by hand" "summary"
cp "$docs/index" "$docs/benchmarks.md"
checks "all put back"

# What a bench did not finish is no record; what failed a check says so.
: >"$text"
record write relay "$text" --ran x && fail "an empty text was recorded"
put 'MOS 6502 (family 3, model 4)' 3.333 || fail "again"
relay 4.444 >"$text"
record write relay "$text" --code 1 --ran 'scripts/bench relay' --cpu 'MOS 6502 (family 3, model 4)' || fail "a failed check's"
grep -q 'It ended with 1' "$page" || fail "a record does not say that a check failed"
scripts/bench relay --json --record >/dev/null 2>&1 && fail "--json --record is taken"
exit $bad
