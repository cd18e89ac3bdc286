// SPDX-License-Identifier: BSD-3-Clause
// The terms of a worker's accounting identity:
//   rx + host_rx + ring_in + generated + split
//     = tx + host_tx + ring_out + punted + consumed + merged + drops + held
// One list gives each its name and sign for the dataplane, and its form, kind, column and words for
// those who look.
#pragma once

// A(X, name, sign, form, kind, column, help)
#define XY_ACCOUNTS(A, X)                                                                     \
	A(X, rx, +, COUNT, COUNTER, 6, "datagrams taken from ports")                          \
	A(X, host_rx, +, COUNT, COUNTER, 7, "packets read from the host interface")           \
	A(X, ring_in, +, COUNT, COUNTER, 0, "packets taken from another thread's ring")       \
	A(X, generated, +, COUNT, COUNTER, 0, "packets made here: keepalives, ICMP errors")   \
	A(X, split, +, COUNT, COUNTER, 0, "packets more, by cutting segments and fragments")  \
	A(X, tx, -, COUNT, COUNTER, 8, "datagrams put on ports")                              \
	A(X, host_tx, -, COUNT, COUNTER, 9, "packets written to the host interface")          \
	A(X, ring_out, -, COUNT, COUNTER, 0, "packets handed to another worker")              \
	A(X, punted, -, COUNT, COUNTER, WIDE(10), "packets handed to the control plane")      \
	A(X, consumed, -, COUNT, COUNTER, 0, "packets that ended here as meant: keepalives")  \
	A(X, merged, -, COUNT, COUNTER, 0, "packets fewer, by joining segments for the host") \
	A(X, drops, -, COUNT, COUNTER, 11, "packets dropped, by the reasons beside")          \
	A(X, held, -, NUMBER, GAUGE, WIDE(12), "packets waiting now for a session or a route")

#define XY_ACCOUNT_TERM(X, name, sign, form, kind, column, help)  X(name, sign, help)
#define XY_ACCOUNT_FIELD(X, name, sign, form, kind, column, help) X(name, form, kind, column, help)
