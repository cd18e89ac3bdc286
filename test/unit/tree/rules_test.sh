#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Alert rules and dashboard: each metric that they ask for is one of docs/metrics.md; each alert says what it is and what to
# do, and is tried by promtool (test/prometheus), where that is installed; the dashboard can be imported.
#   rules_test.sh [FOLDER]      default: this tree (a test of the test gives another)
set -u
self=$(realpath "$0")
cd "${1:-$(dirname "$self")/../../..}" || exit 2
rules=config/prometheus/xylem.rules.yml dashboard=config/grafana/xylem.json tried=test/prometheus/xylem.rules.test.yml
code=0
fail() {
  echo "not ok - rules: $*"
  code=1
}
unknown=$(comm -23 <(grep -ohE '\bxylem_[a-z0-9_]+' $rules $dashboard $tried | sort -u) <(sed -n 's/^| \(xylem_[a-z0-9_]*\) |.*/\1/p' docs/metrics.md | sort))
[ -z "$unknown" ] || fail "there is no metric $unknown (docs/metrics.md)"
alerts=$(sed -n 's/^ *- alert: //p' $rules)
untried=$(comm -23 <(tr ' ' '\n' <<<"$alerts" | sort) <(sed -n 's/^  - name: //p' $tried | sort))
[ -z "$untried" ] || fail "$untried is not tried in $tried"
for what in expr: 'labels: { severity: ' summary: description:; do
  [ "$(grep -c "^ *$what" $rules)" = "$(wc -w <<<"$alerts")" ] || fail "there is an alert without $what, or one with two"
done
if command -v jq >/dev/null; then
  jq -e '.uid and .title and .schemaVersion >= 36 and (.templating.list | any(.type == "datasource"))' $dashboard >/dev/null ||
    fail "$dashboard cannot be imported"
  [ "$(jq '[.panels[].id] | length == (unique | length)' $dashboard)" = true ] || fail "two panels have one id"
  [ "$(jq '[.panels[] | .. | objects | select(has("expr")) | .datasource.uid == "${datasource}"] | all' $dashboard)" = true ] ||
    fail "a panel asks another data source than the one that is chosen"
  overlap=$(jq -r '[.panels[] | {id, g: .gridPos}] as $p | [$p[] as $a | $p[] | select(.id > $a.id and .g.x < $a.g.x + $a.g.w
    and $a.g.x < .g.x + .g.w and .g.y < $a.g.y + $a.g.h and $a.g.y < .g.y + .g.h) | "\($a.id)-\(.id)"] | join(" ")' $dashboard)
  [ -z "$overlap" ] || fail "panels lie on one another: $overlap"
  [ "$(jq '[.panels[] | .gridPos | .x + .w <= 24] | all' $dashboard)" = true ] || fail "a panel is wider than the page"
fi
if [ $code != 0 ]; then
  exit $code
elif command -v promtool >/dev/null; then
  out=$(promtool check rules $rules 2>&1) || fail "$out"
  out=$(promtool test rules $tried 2>&1) || fail "$out"
else
  echo "skip - rules: promtool is not installed (scripts/install-deps test)"
  exit 77
fi

# It must be able to fail.
breaks() (
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  mkdir -p "$tree"/{config,test,docs}
  cp -r config/prometheus config/grafana "$tree/config" && cp -r test/prometheus "$tree/test" && cp docs/metrics.md "$tree/docs"
  seen() { # WORDS SED FILE
    cp "$tree/$3" "$tree/kept"
    sed -i "$2" "$tree/$3"
    ! out=$("$self" "$tree") && grep -qF -- "$1" <<<"$out" || {
      echo "not ok - rules: the break \"$2\" was not seen: $out"
      exit 1
    }
    cp "$tree/kept" "$tree/$3"
  }
  seen 'no metric xylem_worker_alife' 's/xylem_worker_alive/xylem_worker_alife/' $rules
  seen 'no metric xylem_node_piers' 's/xylem_node_peers/xylem_node_piers/' $dashboard
  seen 'is not tried' 's/alert: XylemWarnings/alert: XylemWorries/' $rules
  seen 'without description' '0,/description/s/description: /# /' $rules
  seen 'FAILED' 's/xylem_worker_alive == 0/xylem_worker_alive == 2/' $rules
)
[ $# -gt 0 ] || breaks || code=1
exit $code
