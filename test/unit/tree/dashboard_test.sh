#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the dashboard is as it is built: small, of this host alone, and nothing in it that the content security policy
# forbids or that would make HTML of text.
#   dashboard_test.sh FILE...        as built: index.html, app.js, style.css, icon.svg
set -u
MOST=61440 # bytes of all, by gzip -9

look() { # FILE...: says what is wrong
  local f all=0 n
  for f; do
    n=$(gzip -9nc "$f" | wc -c)
    all=$((all + n))
    # The name of SVG's namespace is no address that is loaded.
    grep -oE "(https?:|[\"'(])//[a-z0-9.-]+\.[a-z]+[^\"'\`) ]*" "$f" | grep -v '^http://www\.w3\.org/2000/svg$' | sed "s|^|$f: loads from elsewhere: |"
    grep -oE '(innerHTML|outerHTML|insertAdjacentHTML|document\.write|[^a-zA-Z]eval\(|new Function|DOMParser|srcdoc)' "$f" | sed "s|^|$f: makes HTML or code of text: |"
    case $f in
    *.html) grep -nE '<style|<script>|[ "]style=| on[a-z]+=' "$f" | sed "s|^|$f: inline, which the policy forbids: |" ;;
    *.css) grep -oE '(@import|url\()[^;]*' "$f" | sed "s|^|$f: loads what is not there: |" ;;
    *.js) grep -oE "setAttribute\([\"']style[\"']" "$f" | sed "s|^|$f: a style attribute, which the policy forbids: |" ;;
    esac
  done
  [ "$all" -le "$MOST" ] || echo "all files: $all bytes by gzip, and $MOST are the most"
  echo "# $all bytes by gzip" >&2
}

# The rules must be able to fail.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
breaks() { # NAME TEXT
  printf '%s\n' "$2" >"$tree/$1"
  [ -n "$(look "$tree/$1" 2>/dev/null)" ] || {
    echo "dashboard_test: not seen: $2"
    exit 1
  }
}
breaks a.js 'fetch("https://example.org/x")'
breaks b.js 'x.src="//example.org/x.js"'
breaks c.js 'e.innerHTML=t'
breaks d.js 'e.setAttribute("style","x")'
breaks e.html '<p style="x">'
breaks f.html '<script>x</script>'
breaks g.css '@import "x";'
breaks h.js "$(head -c 70000 /dev/urandom | base64)"

for f; do
  [ -s "$f" ] || {
    echo "$f: is not there, or empty"
    exit 1
  }
done
bad=$(look "$@")
[ -z "$bad" ] || {
  printf '%s\n' "$bad"
  exit 1
}
