// SPDX-License-Identifier: BSD-3-Clause
// When an AF_XDP socket's tend tells the kernel of frames, and how long it keeps its worker awake
// for them: on rings in memory, with a kernel that only counts.
#include "port/xsk.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>

enum { SIZE = 8 };

static unsigned kicks;
static int answer; // of the kernel: 0, or an errno

ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
		      socklen_t size);
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
		      socklen_t size)
{
	kicks++;
	errno = answer;
	return answer ? -1 : 0;
}

static struct {
	uint32_t tx_prod, tx_cons, tx_flags, done_prod, done_cons;
	struct xdp_desc tx[SIZE];
	uint64_t done[SIZE];
} shared; // with the kernel

static struct xy_xsk x;

// put: frames in the ring; taken: of those, by the kernel; back: of these, sent.
static void fresh(bool zero_copy, unsigned put, unsigned taken, unsigned back, bool wants)
{
	memset(&shared, 0, sizeof(shared));
	x = (struct xy_xsk){.zero_copy = zero_copy, .copy = true, .outstanding = put};
	x.tx = (struct xy_xsk_ring){.put = put,
				    .mask = SIZE - 1,
				    .producer = &shared.tx_prod,
				    .consumer = &shared.tx_cons,
				    .entries = shared.tx,
				    .flags = &shared.tx_flags};
	x.done = (struct xy_xsk_ring){.mask = SIZE - 1,
				      .producer = &shared.done_prod,
				      .consumer = &shared.done_cons,
				      .entries = shared.done};
	shared.tx_prod = put;
	shared.tx_cons = taken;
	shared.done_prod = back;
	shared.tx_flags = wants ? XDP_RING_NEED_WAKEUP : 0;
	kicks = 0;
	answer = 0;
}

static void test_kicks(void)
{
	static const struct {
		const char *name;
		bool zero_copy;
		unsigned put, taken, back;
		bool wants, kick, awake;
	} rows[] = {
		{"zero copy, nothing to send", true, 0, 0, 0, true, false, false},
		{"zero copy, all came back", true, 4, 4, 4, true, false, false},
		{"zero copy, in the ring, the driver runs", true, 4, 1, 1, false, false, true},
		{"zero copy, in the ring, the driver stopped", true, 4, 1, 1, true, true, true},
		{"zero copy, in the card, the driver runs", true, 4, 4, 1, false, false, false},
		{"zero copy, in the card, the driver stopped", true, 4, 4, 1, true, true, false},
		{"copy, on their way", false, 4, 4, 1, true, false, false},
		{"copy, left in the ring", false, 4, 2, 2, true, true, true},
		{"copy, all came back", false, 4, 4, 4, true, false, false},
	};
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		fresh(rows[i].zero_copy, rows[i].put, rows[i].taken, rows[i].back, rows[i].wants);
		bool awake = xy_xsk_tend(&x);
		if ((kicks > 0) != rows[i].kick || awake != rows[i].awake)
			fprintf(stderr, "%s: %u kicks, %s\n", rows[i].name, kicks,
				awake ? "awake" : "asleep");
		CU_ASSERT_EQUAL(kicks > 0, rows[i].kick);
		CU_ASSERT_EQUAL(awake, rows[i].awake);
		CU_ASSERT_EQUAL(x.outstanding, rows[i].put - rows[i].back);
	}
}

// A kernel that is busy is asked again; one that cannot send is, too, but keeps nobody awake for
// ever, and when it takes frames again that begins anew.
static void test_refused(void)
{
	fresh(false, 4, 0, 0, true);
	answer = EAGAIN;
	CU_ASSERT(xy_xsk_tend(&x));
	CU_ASSERT(x.unsent && kicks > 1);
	answer = ENETDOWN;
	unsigned awake = 0, turns = 5000;
	kicks = 0;
	for (unsigned i = 0; i < turns; i++)
		awake += xy_xsk_tend(&x);
	CU_ASSERT_EQUAL(kicks, turns);
	CU_ASSERT(awake > 0 && awake < turns / 2);
	CU_ASSERT_FALSE(xy_xsk_tend(&x));
	shared.tx_cons = 2;
	CU_ASSERT(xy_xsk_tend(&x));
	shared.tx_cons = 4;
	kicks = 0;
	CU_ASSERT_FALSE(xy_xsk_tend(&x));
	CU_ASSERT_EQUAL(kicks, 0);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"when it is told", test_kicks},
		{"when it cannot", test_refused},
	};
	return xy_unit_run("xsk", cases, RTE_DIM(cases), argc, argv);
}
