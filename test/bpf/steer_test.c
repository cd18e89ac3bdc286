// SPDX-License-Identifier: BSD-3-Clause
// The steering program against a table of frames, run in the kernel by BPF_PROG_TEST_RUN, and the
// same rows through the C parser: both must say the same, for both programs, at every truncation.
#include "base/list.h"
#include "steer.skel.h"
#include "unit.h"
#include "wire/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PORT_FIRST = 51820, PORT_LAST = 51822, FRAME_MAX = 128 };
enum { LONGEST = 100 }; // of a frame with one datagram

static const char *const name_of[] = {XY_STEERS(XY_LIST_NAME)};

struct row {
	const char *name;
	enum xy_steer want;
	const char *hex; // Ethernet header from the type on
};

#define V4(proto, frag, dst) "0800 45000024 0000" frag "40" proto "0000 c0000201" dst
#define V6(next, dst)	     "86dd 60000000 0010" next "40 20010db8000000000000000000000002" dst
#define US4		     "c0000202"
#define US6		     "20010db8000000000000000000000001"
#define UDP(port)	     "1234" port "00100000 0400000000000000"

// Longer ones: IP and UDP length, and as many bytes of payload.
#define V4_LONG(ip, udp, payload) \
	"0800 4500" ip "0000 0000 4011 0000 c0000201" US4 "1234ca6c" udp "0000" payload
#define V6_LONG(ip, payload)                                                               \
	"86dd 60000000" ip "1140 20010db8000000000000000000000002" US6 "1234ca6c" ip "000" \
	"0" payload
#define B8  "0400000000000000"
#define B32 B8 B8 B8 B8

static const struct row rows[] = {
	{"IPv4 UDP for us", XY_STEER_OURS, V4("11", "0000", US4) UDP("ca6c")},
	{"don't fragment is no fragment", XY_STEER_OURS, V4("11", "4000", US4) UDP("ca6c")},
	{"last port of the range", XY_STEER_OURS, V4("11", "0000", US4) UDP("ca6e")},
	{"port above the range", XY_STEER_OTHER_PORT, V4("11", "0000", US4) UDP("ca6f")},
	{"port below the range", XY_STEER_OTHER_PORT, V4("11", "0000", US4) UDP("ca6b")},
	{"DNS", XY_STEER_OTHER_PORT, V4("11", "0000", US4) UDP("0035")},
	{"another IPv4 address", XY_STEER_OTHER_ADDR, V4("11", "0000", "c0000203") UDP("ca6c")},
	{"IPv4 broadcast", XY_STEER_OTHER_ADDR, V4("11", "0000", "ffffffff") UDP("ca6c")},
	{"TCP to our port (ssh goes on)", XY_STEER_NOT_UDP, V4("06", "0000", US4) UDP("ca6c")},
	{"ICMP", XY_STEER_NOT_UDP, V4("01", "0000", US4) UDP("ca6c")},
	{"first fragment", XY_STEER_FRAGMENT, V4("11", "2000", US4) UDP("ca6c")},
	{"later fragment", XY_STEER_FRAGMENT, V4("11", "0001", US4) UDP("ca6c")},
	{"IPv4 with options", XY_STEER_NOT_UDP,
	 "0800 4600002800000000401100 00c0000201" US4 "01010101" UDP("ca6c")},
	{"IPv6 UDP for us", XY_STEER_OURS, V6("11", US6) UDP("ca6c")},
	{"another IPv6 address", XY_STEER_OTHER_ADDR,
	 V6("11", "20010db8000000000000000000000003") UDP("ca6c")},
	{"IPv6 TCP", XY_STEER_NOT_UDP, V6("06", US6) UDP("ca6c")},
	{"IPv6 fragment header", XY_STEER_FRAGMENT, V6("2c", US6) UDP("ca6c")},
	{"IPv6 hop-by-hop header", XY_STEER_NOT_UDP, V6("00", US6) UDP("ca6c")},
	{"neighbour solicitation", XY_STEER_NOT_UDP, V6("3a", US6) UDP("ca6c")},
	{"IPv6 type with another version inside", XY_STEER_NOT_UDP,
	 "86dd 40000000 00101140 20010db8000000000000000000000002" US6 UDP("ca6c")},
	{"our IPv4 address mapped into IPv6 is another", XY_STEER_OTHER_ADDR,
	 V6("11", "00000000000000000000ffffc0000202") UDP("ca6c")},
	{"ARP", XY_STEER_NOT_IP, "0806 0001080006040001 0000000000000000000000000000000000000000"},
	{"LLDP", XY_STEER_NOT_IP, "88cc 0207040000000000010403000000000001060200780000"},
	{"VLAN", XY_STEER_TAGGED, "8100 0005" V4("11", "0000", US4) UDP("ca6c")},
	{"QinQ", XY_STEER_TAGGED, "88a8 0005" V4("11", "0000", US4) UDP("ca6c")},
	{"cut in the UDP header", XY_STEER_SHORT, V4("11", "0000", US4) "1234ca6c"},
	{"one byte short of a UDP header", XY_STEER_SHORT, V4("11", "0000", US4) "1234ca6c001000"},
	{"the same over IPv6", XY_STEER_SHORT, V6("11", US6) "1234ca6c001000"},
	{"cut in the IPv6 header", XY_STEER_SHORT, "86dd 600000000010114020010db8"},
	{"an empty IPv4 frame", XY_STEER_SHORT, "0800"},
	{"IPv4 that says more than is there", XY_STEER_SHORT,
	 "0800 45000025000000004011 0000 c0000201" US4 UDP("ca6c")},
	{"IPv6 that says more than is there", XY_STEER_SHORT,
	 "86dd 6000000000111140 20010db8000000000000000000000002" US6 UDP("ca6c")},
	{"IPv4 that says as much as it can", XY_STEER_SHORT,
	 "0800 4500ffff000000004011 0000 c0000201" US4 UDP("ca6c")},
	{"IPv6 that says as much as it can", XY_STEER_SHORT,
	 "86dd 60000000ffff1140 20010db8000000000000000000000002" US6 UDP("ca6c")},
	{"Ethernet padding behind it", XY_STEER_OURS,
	 V4("11", "0000", US4) UDP("ca6c") "000000000000"},
	{"IPv4, as long as may be", XY_STEER_OURS, V4_LONG("0056", "0042", B32 B8 B8 B8 "0000")},
	{"IPv4, a byte longer", XY_STEER_TRAIN, V4_LONG("0057", "0043", B32 B8 B8 B8 "000000")},
	{"IPv6, as long as may be", XY_STEER_OURS, V6_LONG("002e", B32 "000000000000")},
	{"IPv6, a byte longer", XY_STEER_TRAIN, V6_LONG("002f", B32 "00000000000000")},
	{"a long one of another port", XY_STEER_OTHER_PORT,
	 "0800 45000066 0000 0000 4011 0000 c0000201" US4 "12340035 0052 0000" B32 B32 B8 "0000"},
};

static struct steer *skel;

static size_t frame_of(const struct row *r, uint8_t out[static FRAME_MAX])
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	size_t n = sizeof(macs);
	unsigned digit = 0;
	memcpy(out, macs, sizeof(macs));
	for (const char *p = r->hex; *p; p++) {
		if (*p == ' ')
			continue;
		unsigned v = (unsigned)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
		if (digit++ & 1)
			out[n++] |= (uint8_t)v;
		else
			out[n] = (uint8_t)(v << 4);
	}
	return n;
}

static int is_our_addr(const struct xy_steer_addr *a)
{
	static const uint8_t v4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	return memcmp(a->b, v4, 16) == 0 || memcmp(a->b, v6, 16) == 0;
}

static struct xy_steer_config config = {PORT_FIRST, PORT_LAST, LONGEST, 0};

static enum xy_steer c_says(const uint8_t *frame, size_t len, uint32_t *seen)
{
	struct xy_steer_found found;
	enum xy_steer v = xy_steer_form(frame, frame + len, 0, &found);
	CU_ASSERT_EQUAL(v, xy_steer_form(frame, frame + len, (uint32_t)len, &found));
	if (v != XY_STEER_OURS)
		return v;
	if (!xy_steer_port_is_ours(&config, found.port))
		return XY_STEER_OTHER_PORT;
	if (!is_our_addr(&found.dst))
		return XY_STEER_OTHER_ADDR;
	return xy_steer_train(&config, frame, frame + len, 0, seen);
}

// Entry of the memory that it shares, as who maps it sees it.
static struct xy_steer_seen *shared;
static unsigned cpus;

static void shared_map(void)
{
	size_t len = (1 + cpus) * sizeof(*shared);
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.seen),
			0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(at, MAP_FAILED);
	shared = at;
}

static uint64_t counter(uint32_t verdict)
{
	uint64_t sum = 0;
	for (unsigned i = 1; i <= cpus; i++)
		sum += __atomic_load_n(&shared[i].count[verdict], __ATOMIC_RELAXED);
	return sum;
}

// The verdict by the counter that rose; XY_STEER_COUNT when none or several did.
static enum xy_steer kernel_says(struct bpf_program *prog, uint8_t *frame, size_t len)
{
	uint64_t before[XY_STEER_COUNT];
	enum xy_steer v = XY_STEER_COUNT;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len,
		    .repeat = 1);
	for (uint32_t i = 0; i < XY_STEER_COUNT; i++)
		before[i] = counter(i);
	int r = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_EQUAL(opts.retval, XDP_PASS); // no socket is bound: ours passes too
	for (uint32_t i = 0; i < XY_STEER_COUNT; i++)
		if (counter(i) != before[i])
			v = v == XY_STEER_COUNT ? (enum xy_steer)i : XY_STEER_COUNT;
	return v;
}

static void check_row(const struct row *r)
{
	uint8_t frame[FRAME_MAX];
	uint32_t seen = 0;
	size_t len = frame_of(r, frame);
	enum xy_steer c = c_says(frame, len, &seen), k = kernel_says(skel->progs.steer, frame, len);
	enum xy_steer f = kernel_says(skel->progs.steer_frags, frame, len);
	if (c != r->want || k != r->want || f != r->want)
		fprintf(stderr, "%s: want %s, C %s, kernel %s, frags %s\n", r->name,
			name_of[r->want], name_of[c], k < XY_STEER_COUNT ? name_of[k] : "?",
			f < XY_STEER_COUNT ? name_of[f] : "?");
	CU_ASSERT_EQUAL(c, r->want);
	CU_ASSERT_EQUAL(k, r->want);
	CU_ASSERT_EQUAL(f, r->want);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void test_truncation(void)
{
	uint8_t frame[FRAME_MAX];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = frame_of(&rows[i], frame);
		for (size_t cut = 14; cut < len; cut++) { // the kernel wants an Ethernet header
			uint32_t seen = 0;
			enum xy_steer c = c_says(frame, cut, &seen);
			CU_ASSERT_EQUAL(kernel_says(skel->progs.steer, frame, cut), c);
		}
	}
}

static void config_put(void)
{
	uint32_t zero = 0;
	CU_ASSERT_EQUAL_FATAL(
		bpf_map_update_elem(bpf_map__fd(skel->maps.config), &zero, &config, BPF_ANY), 0);
}

static uint32_t seen_in_kernel(void)
{
	return __atomic_load_n(&shared[0].train, __ATOMIC_RELAXED);
}

static void seen_put(uint32_t seen)
{
	__atomic_store_n(&shared[0].train, seen, __ATOMIC_RELAXED);
}

static const struct row *row_named(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	abort();
}

static void says(struct bpf_program *prog, const char *row, enum xy_steer want, uint32_t *seen)
{
	uint8_t frame[FRAME_MAX];
	size_t len = frame_of(row_named(row), frame);
	CU_ASSERT_EQUAL(kernel_says(prog, frame, len), want);
	CU_ASSERT_EQUAL(c_says(frame, len, seen), want);
	CU_ASSERT_EQUAL(seen_in_kernel(), *seen);
}

// On a device that may give trains the first one sends all that is ours to the socket, and nothing
// else; on others each frame counts for itself.
static void trains(struct bpf_program *prog)
{
	uint32_t seen = 0;
	for (config.trains = 0; config.trains < 2; config.trains++) {
		enum xy_steer after = config.trains ? XY_STEER_TO_SOCKET : XY_STEER_OURS;
		config_put();
		seen_put(seen = 0);
		says(prog, "IPv4 UDP for us", XY_STEER_OURS, &seen);
		says(prog, "a long one of another port", XY_STEER_OTHER_PORT, &seen);
		says(prog, "IPv6 UDP for us", XY_STEER_OURS, &seen);
		says(prog, "IPv4, a byte longer", XY_STEER_TRAIN, &seen);
		says(prog, "IPv4 UDP for us", after, &seen);
		says(prog, "IPv6 UDP for us", after, &seen);
		says(prog, "DNS", XY_STEER_OTHER_PORT, &seen);
		says(prog, "IPv6, a byte longer", XY_STEER_TRAIN, &seen);
	}
	config.trains = 0;
	config_put();
	seen_put(0);
}

static void test_trains(void)
{
	trains(skel->progs.steer);
	trains(skel->progs.steer_frags);
}

static void test_load(void)
{
	static const struct xy_steer_addr ours[] = {
		{{[10] = 0xff, 0xff, 192, 0, 2, 2}},
		{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	};
	uint8_t one = 1;
	shared_map();
	config_put();
	for (size_t i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(bpf_map_update_elem(bpf_map__fd(skel->maps.addresses),
							  &ours[i], &one, BPF_ANY),
				      0);
}

__attribute__((format(printf, 2, 0))) static int quiet(enum libbpf_print_level level,
						       const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static const struct xy_unit_case cases[] = {
	{"maps filled", test_load},
	{"rows, in the kernel and in C", test_rows},
	{"every truncation alike", test_truncation},
	{"trains", test_trains},
};

int main(int argc, char **argv)
{
	libbpf_set_print(quiet);
	skel = steer__open();
	cpus = (unsigned)libbpf_num_possible_cpus();
	if (skel && (bpf_map__set_max_entries(skel->maps.seen, 1 + cpus) || steer__load(skel))) {
		int was = errno;
		steer__destroy(skel);
		skel = NULL;
		errno = was;
	}
	if (!skel && (errno == EPERM || errno == EACCES)) {
		puts("skipped: needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
		return 77; // meson: skipped
	}
	if (!skel) {
		perror("loading the steering program");
		return 1;
	}
	int r = xy_unit_run("steer", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
	steer__destroy(skel);
	return r;
}
