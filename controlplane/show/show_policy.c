// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of what the mesh may reach of this host.
#include "daemon.h"
#include "inbound.h"
#include "interface.h"

#include "base/bytes.h"
#include "show/show.h"

#include <string.h>

static void put(json_t *list, struct xy_fields_policy_rule *f, const struct xy_nft_count *c)
{
	f->rule = (int64_t)json_array_size(list) + 1;
	f->packets = or_null(c->there, c->packets);
	f->bytes = or_null(c->there, c->bytes);
	json_array_append_new(list, xy_tell_policy_rule(f));
}

static void put_fixed(json_t *list, const struct xy_nft_count *v, unsigned at)
{
	static const char *const what[] = {[XY_POLICY_OWN] = "answers to this host",
					   [XY_POLICY_ERRORS] = "ICMP errors about its packets",
					   [XY_POLICY_PING] = "ping",
					   [XY_POLICY_REFUSED] = "all else"};
	put(list,
	    &(struct xy_fields_policy_rule){.what = what[at],
					    .from = "all",
					    .does = at == XY_POLICY_REFUSED ? "drop" : "accept"},
	    &v[at]);
}

static void put_allowed(json_t *list, const struct xy_nft_count *v, const struct xy_policy_of *of,
			unsigned i)
{
	char port[XY_POLICY_PORT_LEN], from[XY_POLICY_FROM_LEN];
	put(list,
	    &(struct xy_fields_policy_rule){.what = xy_policy_port_str(of->config, i, port),
					    .from = xy_policy_from_str(of->config, i, from),
					    .does = xy_policy_waits(of, i) ? "waits" : "accept"},
	    &v[XY_POLICY_ALLOWED + i]);
}

// Those in force.
static json_t *rules(const struct xy_daemon *d)
{
	struct xy_nft_count v[XY_POLICY_COUNTERS];
	struct xy_policy_of of;
	json_t *list = json_array();
	xy_inbound_policy_of(d, &of);
	if (!xy_inbound_is_enforced(d))
		return list;
	if (!xy_inbound_counts(d, v))
		memset(v, 0, sizeof(v));
	for (unsigned i = 0; i < XY_POLICY_REFUSED; i++)
		put_fixed(list, v, i);
	for (unsigned i = 0; i < of.config->allow.count; i++)
		put_allowed(list, v, &of, i);
	put_fixed(list, v, XY_POLICY_REFUSED);
	return list;
}

static json_t *show_policy(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	char word[sizeof(struct xy_err) + 32], table[XY_POLICY_NAME_LEN];
	return xy_tell_policy(&(struct xy_fields_policy){
		.policy = xy_inbound_word(d, word, sizeof(word)),
		.interface = told(xy_interface_name(d)),
		.table = xy_inbound_is_enforced(d) ? xy_policy_table(d->name, table) : NULL,
		.rules = rules(d)});
}

int xy_show_policy_register(struct xy_daemon *d)
{
	static const struct xy_show_reply reply[] = {{"policy", show_policy}};
	return xy_show_register_all(d, reply, XY_ARRAY_SIZE(reply));
}
