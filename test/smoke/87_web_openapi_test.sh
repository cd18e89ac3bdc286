#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# docs/openapi.json says what xylem-web serves: each path is asked for as it says, and otherwise, and each answer is as it
# says.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq
perl -MJSON::Validator::Schema::OpenAPIv3 -e 1 2>/dev/null || skip "libjson-validator-perl is not installed"

mesh_link a b
mesh_start
"$WEB" --token t act metrics >"$LAB/token" 2>/dev/null
echo "tokens = ( $(tail -n 1 "$LAB/token") );" >"$LAB/a.web.conf"
start_web a
check_within 20 "a reaches b" pings a "${LAB_ADDR[b]}"
token=$(head -n 1 "$LAB/token")
check "it is what is served" diff <(jq -S . "$TOP/docs/openapi.json") <(api a openapi.json | jq -S .)
in_node a perl "$TOP/test/smoke/_openapi.pl" "$TOP/docs/openapi.json" http://127.0.0.1:8989/api/v1 "$token" "${LAB_NET[b]}::/64" >"$LAB/openapi" 2>&1
sed 's/^/  /' "$LAB/openapi"
check "and every answer is as it says" test "$(wc -l <"$LAB/openapi")" = 1
check "of many" test "$(sed -n 's/^asked: //p' "$LAB/openapi")" -gt 100
