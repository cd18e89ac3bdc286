#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who may include whom (docs/architecture.md), and how each source file begins. Prints each line
# that breaks a rule; exit code 1 when there is one.
#   includes_test.sh [FOLDER]      default: this tree (a test of the test gives another)
set -u
self=$(realpath "$0")
cd "${1:-$(dirname "$self")/../../..}" || exit 2
bad=0

# Lines of files below FOLDER... (all of .c and .h) whose #include matches REGEX.
forbid() { # WHY REGEX FOLDER...
  local why=$1 regex=$2 hits
  shift 2
  hits=$(find "$@" -name '*.[ch]' -exec grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($regex)" {} + 2>/dev/null)
  [ -z "$hits" ] || {
    echo "$why:"
    printf '%s\n' "$hits"
    bad=1
  }
}
forbid "lib is pure: no DPDK, no other folder's headers" \
  '(rte_|dataplane|controlplane|worker\.h|dp\.h|packet\.h|port/|host/|intel-ipsec-mb|bpf/)' lib
forbid "lib is pure: no sockets, no threads, no loop" \
  '(sys/socket|netinet/|net/|arpa/|linux/(if|netlink|rtnetlink|socket)|netdb|pthread|threads|sys/epoll|uv|libmnl/)' lib
mapfile -t not_mb < <(find dataplane -name '*.[ch]' ! -name aead_mb.c ! -name aead_gcm.c)
forbid "a cipher's library is seen by the files that wrap it alone: aead.h is for all others" \
  'intel-ipsec-mb\.h' controlplane test "${not_mb[@]}"
forbid "dataplane never includes controlplane, nor the loop's libraries" \
  '(controlplane|cli/|uv\.h|libmnl/|jansson|libconfig)' dataplane
forbid "nothing but test includes test" '([^">]*/)?(test|unit)/' lib dataplane controlplane bpf
forbid "controlplane sees dataplane.h and drops.h of the dataplane alone" \
  '(rte_|(\.\./)*dataplane/|worker\.h|dp\.h|packet\.h|port/|host/|graph/|session/|intel-ipsec-mb)' controlplane
forbid "the parts of controlplane know no daemon and no loop" '([^">]*/)?(daemon|uv)\.h' \
  controlplane/{confine,exchange,far,links,peers,policy,routes,routing,joining,informing,kernel,state,steer,warden,client,cli}
forbid "the client and the CLI see nothing of the dataplane" '(dataplane|drops)\.h' controlplane/{client,cli}

forbid "xylem-web is a process of its own: it sees nothing of the daemon" '([^">]*/)?(daemon|dataplane|drops)\.h' controlplane/web
forbid "xylem-fleet is a process of its own: it sees nothing of the daemon" '([^">]*/)?(daemon|dataplane|drops)\.h' controlplane/fleet
mapfile -t not_http < <(find controlplane -name '*.[ch]' ! -path controlplane/web/http.c)
forbid "libmicrohttpd is seen by the file that wraps it alone: web/http.h is for all others" \
  'microhttpd\.h' lib dataplane test "${not_http[@]}"

# Which other parts of controlplane a part sees; its root (daemon.h) sees all.
parts=(api ask cli client confine exchange far fleet informing joining kernel links peers policy routes routing show state steer warden web)
sees() { # PART OTHER...
  local part=$1 other unseen=()
  for other in "${parts[@]}"; do
    [[ " $* " == *" $other "* ]] || unseen+=("$other")
  done
  [ ! -d "controlplane/$part" ] ||
    forbid "controlplane/$part sees of other parts: ${*:2} and no more" "($(IFS='|' && echo "${unseen[*]}"))/" "controlplane/$part"
}
sees exchange
sees confine
sees routes
sees peers
sees informing
sees kernel
sees policy
sees state
sees client api
sees steer peers
sees links exchange peers routes
sees far exchange routes
sees routing routes
sees joining links peers state
sees cli client fleet # lib's
sees ask client
sees web ask client
sees fleet api ask client state
sees warden confine kernel policy

while IFS= read -r f; do
  head -n 1 "$f" | grep -qE '^(//|/\*) SPDX-License-Identifier: BSD-3-Clause' || {
    echo "$f:1: the first line must be: // SPDX-License-Identifier: BSD-3-Clause"
    bad=1
  }
  case $f in
  *.h) grep -qx '#pragma once' "$f" || {
    echo "$f: has no #pragma once"
    bad=1
  } ;;
  esac
done < <(find lib dataplane controlplane bpf test -name '*.[ch]' 2>/dev/null | sort)

# The rules must be able to fail: a tree with one break of each.
breaks() (
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  mkdir -p "$tree"/{lib,dataplane,controlplane/{cli,exchange,far,joining,links,routing,web},bpf,test}
  spdx='// SPDX-License-Identifier: BSD-3-Clause'
  printf '%s\n#include <rte_mbuf.h>\n' "$spdx" >"$tree/lib/a.c"
  printf '%s\n#include <pthread.h>\n' "$spdx" >"$tree/lib/b.c"
  printf '%s\n#include "controlplane/links/links.h"\n' "$spdx" >"$tree/dataplane/c.c"
  printf '%s\n# include "../test/unit/unit.h"\n' "$spdx" >"$tree/bpf/d.c"
  printf '%s\n#include "worker.h"\n' "$spdx" >"$tree/controlplane/e.c"
  printf '%s\n#include "drops.h"\n' "$spdx" >"$tree/controlplane/cli/f.c"
  printf '%s\n#include "daemon.h"\n' "$spdx" >"$tree/controlplane/links/i.c"
  printf '%s\n#include <intel-ipsec-mb.h>\n' "$spdx" >"$tree/dataplane/j.c"
  printf '%s\n#include "links/links.h"\n' "$spdx" >"$tree/controlplane/exchange/k.c"
  printf '%s\n#include "exchange/exchange.h"\n' "$spdx" >"$tree/controlplane/joining/l.c"
  printf '%s\n#include "links/links.h"\n' "$spdx" >"$tree/controlplane/routing/m.c"
  printf '%s\n#include "links/links.h"\n' "$spdx" >"$tree/controlplane/far/n.c"
  printf '%s\n#include "api/server.h"\n' "$spdx" >"$tree/controlplane/web/o.c"
  printf '%s\n#include <microhttpd.h>\n' "$spdx" >"$tree/controlplane/web/p.c"
  printf '%s\n' "$spdx" >"$tree/test/g.h"
  echo 'int h;' >"$tree/test/h.c"
  out=$("$self" "$tree") && echo "a tree full of breaks passed" && exit 1
  for name in a.c b.c c.c d.c e.c f.c g.h h.c i.c j.c k.c l.c m.c n.c o.c p.c; do
    grep -q "/$name:" <<<"$out" || {
      echo "the break in $name was not seen"
      exit 1
    }
  done
)
[ $# -gt 0 ] || breaks || bad=1
exit $bad
