// SPDX-License-Identifier: BSD-3-Clause
#include "policy/nft.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER = 32768,	    // the kernel's largest part of a dump
	READS_PER_TURN = 64 // a firewall that is loaded anew tells of each of its rules
};

struct xy_nft {
	char instance[XY_NAME_LEN + 1], table[XY_POLICY_NAME_LEN];
	struct nft_ctx *ctx; // the helper's that is at work
	char *made;	     // as the kernel lists what we made; likewise
	struct mnl_socket *watch, *ask;
	uint32_t seq;
};

// --- transactions, and lists

static int run(struct xy_nft *n, const char *text, unsigned flags, struct xy_err *err)
{
	nft_ctx_output_set_flags(n->ctx, flags);
	errno = 0;
	int r = nft_run_cmd_from_buffer(n->ctx, text);
	int code = errno ? errno : EIO;
	const char *said = nft_ctx_get_error_buffer(n->ctx); // emptied by being read
	if (r == 0)
		return 0;
	said = said[0] ? said : strerror(code);
	size_t len = strcspn(said, "\n");
	return xy_err_set(err, code, "nftables says: %.*s", len < 200 ? (int)len : 200, said);
}

// Without counts, so that only a change of the rules makes another text.
static const char *list(struct xy_nft *n)
{
	char text[XY_POLICY_NAME_LEN + 32];
	snprintf(text, sizeof(text), "list table inet %s\n", n->table);
	int r = run(n, text, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL, NULL);
	const char *said = nft_ctx_get_output_buffer(n->ctx);
	return r ? NULL : said;
}

int xy_nft_make(struct xy_nft *n, const char *text, struct xy_err *err)
{
	int r = run(n, text, 0, err);
	if (r)
		return r;
	const char *now = list(n);
	free(n->made);
	n->made = now ? strdup(now) : NULL;
	return 0;
}

int xy_nft_remove(struct xy_nft *n, struct xy_err *err)
{
	char text[2 * XY_POLICY_NAME_LEN + 64];
	xy_policy_text_none(n->instance, text, sizeof(text));
	free(n->made);
	n->made = NULL;
	return run(n, text, 0, err);
}

bool xy_nft_is_whole(struct xy_nft *n)
{
	const char *now = list(n);
	return now && (!n->made || strcmp(now, n->made) == 0);
}

// --- changes

int xy_nft_fd(const struct xy_nft *n)
{
	return mnl_socket_get_fd(n->watch);
}

// The name of the table is the first attribute of all that nftables tells of.
static bool is_of_table(const struct xy_nft *n, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;
	if (h->nlmsg_len < mnl_nlmsg_size(sizeof(*g)) ||
	    h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    (h->nlmsg_type & 0xff) == NFT_MSG_NEWGEN || g->nfgen_family != NFPROTO_INET)
		return false;
	mnl_attr_for_each(
		a, h,
		sizeof(*g)) if (mnl_attr_get_type(a) ==
				NFTA_TABLE_NAME) return mnl_attr_validate(a, MNL_TYPE_NUL_STRING) ==
			0 &&
		strcmp(mnl_attr_get_str(a), n->table) == 0;
	return false;
}

bool xy_nft_changed(struct xy_nft *n)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER];
	bool any = false;
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t got = mnl_socket_recvfrom(n->watch, buf, sizeof(buf));
		if (got < 0 && errno != ENOBUFS)
			break;
		if (got < 0) // some were lost, and ours may have been among them
			any = true;
		int left = (int)got;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			any |= is_of_table(n, h);
	}
	return any;
}

// --- counters

static uint64_t number_of(const struct nlattr *data, uint16_t type)
{
	const struct nlattr *a;
	mnl_attr_for_each_nested(
		a,
		data) if (mnl_attr_get_type(a) == type &&
			  !mnl_attr_validate(a, MNL_TYPE_U64)) return be64toh(mnl_attr_get_u64(a));
	return 0;
}

static int on_counter(const struct nlmsghdr *h, void *arg)
{
	struct xy_nft_count *v = arg;
	const struct nlattr *a, *data = NULL;
	int at = -1;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_OBJ_NAME &&
		    !mnl_attr_validate(a, MNL_TYPE_NUL_STRING))
			at = xy_policy_counter_find(mnl_attr_get_str(a));
		if (mnl_attr_get_type(a) == NFTA_OBJ_DATA)
			data = a;
	}
	if (at >= 0 && data)
		v[at] = (struct xy_nft_count){true, number_of(data, NFTA_COUNTER_PACKETS),
					      number_of(data, NFTA_COUNTER_BYTES)};
	return MNL_CB_OK;
}

int xy_nft_count(struct xy_nft *n, struct xy_nft_count *v)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int r = MNL_CB_OK;
	memset(v, 0, XY_POLICY_COUNTERS * sizeof(*v));
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++n->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};
	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, n->table);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htobe32(NFT_OBJECT_COUNTER));
	if (mnl_socket_sendto(n->ask, h, h->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(n->ask, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)got, n->seq, mnl_socket_get_portid(n->ask), on_counter,
			       v);
	}
	return r < 0 ? -errno : 0;
}

// --- life

static struct mnl_socket *open_bound(int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);
	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		s = NULL;
	}
	return s;
}

static int watch(struct xy_nft *n)
{
	int group = NFNLGRP_NFTABLES;
	n->watch = open_bound(SOCK_NONBLOCK);
	if (!n->watch ||
	    mnl_socket_setsockopt(n->watch, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

static int refused(int r, struct xy_err *err)
{
	return xy_err_set(err, -r, "the kernel's packet filter cannot be asked (%s)", strerror(-r));
}

static struct xy_nft *made_for(const char *instance)
{
	struct xy_nft *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	snprintf(n->instance, sizeof(n->instance), "%s", instance);
	xy_policy_table(instance, n->table);
	return n;
}

int xy_nft_open(const char *instance, struct xy_nft **out, struct xy_err *err)
{
	struct xy_nft *n = made_for(instance);
	*out = NULL;
	if (!n)
		return xy_err_set(err, ENOMEM, "no memory for the packet filter");
	// Before its context: that ends the process where it gets no such socket.
	n->ask = open_bound(0);
	int r = n->ask ? watch(n) : -errno;
	if (!r)
		n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!r && (!n->ctx || nft_ctx_buffer_output(n->ctx) || nft_ctx_buffer_error(n->ctx)))
		r = -ENOMEM;
	if (!r) {
		*out = n;
		return 0;
	}
	xy_nft_close(n);
	return refused(r, err);
}

int xy_nft_ask_open(const char *instance, struct xy_nft **out)
{
	struct xy_nft *n = made_for(instance);
	*out = NULL;
	if (!n)
		return -ENOMEM;
	n->ask = open_bound(0);
	int r = n->ask ? 0 : -errno;
	if (r)
		xy_nft_close(n);
	else
		*out = n;
	return r;
}

int xy_nft_watch_open(int *fd, struct xy_err *err)
{
	struct xy_nft n = {0};
	int r = watch(&n);
	if (!r)
		r = (*fd = fcntl(mnl_socket_get_fd(n.watch), F_DUPFD_CLOEXEC, 0)) < 0 ? -errno : 0;
	if (n.watch)
		mnl_socket_close(n.watch);
	return r ? refused(r, err) : 0;
}

int xy_nft_watch_take(const char *instance, int fd, struct xy_nft **out)
{
	struct xy_nft *n = made_for(instance);
	*out = n;
	if (n)
		n->watch = mnl_socket_fdopen(fd);
	if (n && n->watch)
		return 0;
	close(fd);
	free(n);
	*out = NULL;
	return -ENOMEM;
}

void xy_nft_close(struct xy_nft *n)
{
	if (!n)
		return;
	if (n->ctx)
		nft_ctx_free(n->ctx);
	if (n->watch)
		mnl_socket_close(n->watch);
	if (n->ask)
		mnl_socket_close(n->ask);
	free(n->made);
	free(n);
}
