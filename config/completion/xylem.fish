# SPDX-License-Identifier: BSD-3-Clause
# Completion of xylem for fish: the program itself knows what may come next.
complete -c xylem -a '(set -l said (commandline -opc); xylem complete $said[2..-1] (commandline -ct) 2>/dev/null)'
