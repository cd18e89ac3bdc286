# SPDX-License-Identifier: BSD-3-Clause
# Stops one thread of a process, as a debugger does, until this program is ended: _hold_thread.py TID
import ctypes
import signal
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
tid = int(sys.argv[1])
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
    if libc.ptrace(request, tid, 0, 0) != 0:
        sys.exit("ptrace: errno %d" % ctypes.get_errno())
print("held", flush=True)
signal.pause()
