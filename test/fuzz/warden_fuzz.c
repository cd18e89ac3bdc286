// SPDX-License-Identifier: BSD-3-Clause
// What the main process may ask of its privileged helper: what is read is whole and is written
// again as it was; and what of it passes to the kernel is of the few kinds that may, each with
// nothing behind it, and passes for our own interface alone.
#include "warden/request.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OURS = 7, OTHER = 8 };

static void check(bool good)
{
	if (!good)
		abort();
}

static const struct xy_scope *scope(void)
{
	static const char text[] =
		"host = { addresses = [ \"10.9.0.1/24\" ]; allow = \"all\"; };\n"
		"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; } );\n"
		"peers = ( { name = \"a\"; key = \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"; "
		"} "
		");\n"
		"routes = ( { prefix = \"10.2.0.0/16\"; peer = \"a\"; } ); exit = \"a\";\n";
	static struct xy_scope s;
	static bool made;
	struct xy_config c;
	struct xy_err err;
	if (made)
		return &s;
	check(xy_config_parse("fuzz", text, sizeof(text) - 1, &c, &err) == 0);
	check(xy_scope_make(&c, &(struct xy_addr){.b = {2, 0, 0, 1}}, 0x78790001, false, &s) == 0);
	xy_config_free(&c);
	made = true;
	return &s;
}

static void messages(const struct xy_warden_request *q)
{
	static const uint16_t kinds[] = {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE,
					 RTM_NEWRULE, RTM_DELRULE, RTM_NEWNEIGH};
	struct xy_netmsg m[XY_NETMSG_MOST], other[XY_NETMSG_MOST];
	int n = xy_netmsg_check(scope(), OURS, q->bytes, q->len, m);
	check(n == xy_netmsg_check(scope(), OTHER, q->bytes, q->len, other));
	size_t at = 0;
	for (int i = 0; i < n; i++) {
		struct nlmsghdr h;
		bool known = false;
		check(m[i].at == at && m[i].len >= sizeof(h) && m[i].len <= q->len - at);
		memcpy(&h, q->bytes + at, sizeof(h));
		at += m[i].len;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			known |= h.nlmsg_type == kinds[k];
		check(m[i].error || (known && h.nlmsg_len == m[i].len && !h.nlmsg_pid));
		bool no_interface = h.nlmsg_type == RTM_NEWRULE || h.nlmsg_type == RTM_DELRULE ||
				    h.nlmsg_type == RTM_NEWNEIGH || h.nlmsg_type == RTM_DELROUTE;
		check(m[i].error || other[i].error || no_interface);
	}
	check(n < 0 || at == q->len);
}

// Of the one card that the config names, with its UDP port.
static void card(const struct xy_warden_request *q)
{
	bool named = strcmp(q->interface, "eth0") == 0;
	check(strnlen(q->interface, sizeof(q->interface)) < sizeof(q->interface));
	check(xy_scope_has_card(scope(), q->interface) == named);
	check(xy_scope_has_program(scope(), q->interface, q->port) == (named && q->port == 51820));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_warden_request q;
	uint8_t again[XY_WARDEN_MESSAGE];
	if (xy_warden_request_read(data, size, &q))
		return 0;
	check(size <= sizeof(again) && xy_warden_request_write(&q, again) == size);
	check(memcmp(data, again, size) == 0);
	if (q.op == XY_WARDEN_NETLINK)
		messages(&q);
	if (q.op == XY_WARDEN_XSK || q.op == XY_WARDEN_PROGRAM)
		card(&q);
	check(q.op != XY_WARDEN_ADDRESSES || q.len <= XY_WARDEN_ADDRESSES_MOST * 16);
	check(q.queue < XY_WARDEN_QUEUES);
	return 0;
}
