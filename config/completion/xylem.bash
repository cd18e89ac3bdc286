# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of xylem for bash: the program itself knows what may come next.
_xylem() {
  local IFS=$'\n'
  # shellcheck disable=SC2207  # one to a line, and no patterns among them
  COMPREPLY=($(xylem complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _xylem xylem
