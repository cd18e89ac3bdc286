# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Each script reads this first: with --help it prints what stands at its head, and does nothing.
for _arg in "$@"; do
  case $_arg in
  -h | --help)
    sed -n '3,${/^#/!q;/^# shellcheck/d;s/^# \{0,1\}//p;}' "$0"
    exit 0
    ;;
  esac
done
unset _arg
