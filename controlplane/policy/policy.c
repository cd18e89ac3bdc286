// SPDX-License-Identifier: BSD-3-Clause
#include "policy/policy.h"

#include "base/bytes.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const fixed[XY_POLICY_ALLOWED] = {[XY_POLICY_OWN] = "own_flows",
						     [XY_POLICY_ERRORS] = "icmp_errors",
						     [XY_POLICY_PING] = "ping",
						     [XY_POLICY_REFUSED] = "refused"};

// --- names

const char *xy_policy_table(const char *instance, char to[static XY_POLICY_NAME_LEN])
{
	snprintf(to, XY_POLICY_NAME_LEN, "xylem_%s", instance);
	return to;
}

const char *xy_policy_counter(unsigned at, char to[static XY_POLICY_NAME_LEN])
{
	if (at < XY_POLICY_ALLOWED)
		snprintf(to, XY_POLICY_NAME_LEN, "%s", fixed[at]);
	else
		snprintf(to, XY_POLICY_NAME_LEN, "allow_%u", at - XY_POLICY_ALLOWED + 1);
	return to;
}

int xy_policy_counter_find(const char *name)
{
	char *end;
	for (int i = 0; i < XY_POLICY_ALLOWED; i++)
		if (strcmp(name, fixed[i]) == 0)
			return i;
	if (strncmp(name, "allow_", 6) != 0 || !isdigit((unsigned char)name[6]))
		return -1;
	unsigned long n = strtoul(name + 6, &end, 10);
	return *end || !n || n > XY_CONFIG_ALLOW ? -1 : (int)(XY_POLICY_ALLOWED + n - 1);
}

const char *xy_policy_port_str(const struct xy_config *c, unsigned i,
			       char to[static XY_POLICY_PORT_LEN])
{
	const struct xy_config_allow *a = &c->allow.v[i];
	const char *protocol = a->udp ? "udp" : "tcp";
	if (!a->low)
		snprintf(to, XY_POLICY_PORT_LEN, "%s", protocol);
	else if (a->low == a->high)
		snprintf(to, XY_POLICY_PORT_LEN, "%s/%u", protocol, a->low);
	else
		snprintf(to, XY_POLICY_PORT_LEN, "%s/%u-%u", protocol, a->low, a->high);
	return to;
}

const char *xy_policy_from_str(const struct xy_config *c, unsigned i,
			       char to[static XY_POLICY_FROM_LEN])
{
	const struct xy_config_allow *a = &c->allow.v[i];
	char prefix[XY_PREFIX_STRLEN];
	const char *text = a->from == XY_FROM_PEER     ? c->peers[a->peer].name
			   : a->from == XY_FROM_PREFIX ? xy_prefix_str(&a->prefix, prefix)
						       : "all";
	snprintf(to, XY_POLICY_FROM_LEN, "%s", text);
	return to;
}

// --- from whom

// False: nobody knows it yet.
static bool key_of(const struct xy_policy_of *of, const struct xy_config_peer *p,
		   struct xy_key *out)
{
	*out = p->key;
	if (!xy_key_is_zero(out))
		return true;
	return of->key && of->key(of->arg, p, out) && !xy_key_is_zero(out);
}

bool xy_policy_waits(const struct xy_policy_of *of, unsigned i)
{
	const struct xy_config_allow *a = &of->config->allow.v[i];
	const struct xy_config_peer *p = &of->config->peers[a->peer];
	struct xy_key key;
	return a->from == XY_FROM_PEER && !p->leaf && !key_of(of, p, &key);
}

// A set takes no two that overlap.
static bool is_inside_another(const struct xy_prefix *v, unsigned n, unsigned i)
{
	for (unsigned k = 0; k < n; k++)
		if (k != i && xy_prefix_is_v4(&v[k]) == xy_prefix_is_v4(&v[i]) &&
		    xy_prefix_covers(&v[k], &v[i]) && (!xy_prefix_eq(&v[k], &v[i]) || k < i))
			return true;
	return false;
}

// "ip6 saddr { ... } ", or nothing and false where there is none of that family.
static bool write_from(FILE *to, const struct xy_prefix *v, unsigned n, bool v4)
{
	char text[XY_PREFIX_STRLEN];
	unsigned count = 0;
	for (unsigned i = 0; i < n; i++) {
		if (xy_prefix_is_v4(&v[i]) != v4 || is_inside_another(v, n, i))
			continue;
		fprintf(to, "%s%s",
			count++ ? ", "
			: v4	? "\t\tip saddr { "
				: "\t\tip6 saddr { ",
			xy_prefix_str(&v[i], text));
	}
	if (count)
		fputs(" } ", to);
	return count;
}

// --- the text

static void write_entry(FILE *to, const struct xy_config *c, unsigned i)
{
	const struct xy_config_allow *a = &c->allow.v[i];
	const char *protocol = a->udp ? "udp" : "tcp";
	char counter[XY_POLICY_NAME_LEN];
	if (!a->low) // by number: its name is looked up in a file
		fprintf(to, "meta l4proto %d", a->udp ? IPPROTO_UDP : IPPROTO_TCP);
	else if (a->low == a->high)
		fprintf(to, "%s dport %u", protocol, a->low);
	else
		fprintf(to, "%s dport %u-%u", protocol, a->low, a->high);
	fprintf(to, " counter name \"%s\" accept\n",
		xy_policy_counter(XY_POLICY_ALLOWED + i, counter));
}

static void write_allow(FILE *to, const struct xy_policy_of *of, unsigned i)
{
	const struct xy_config *c = of->config;
	const struct xy_config_allow *a = &c->allow.v[i];
	const struct xy_config_peer *p = a->from == XY_FROM_PEER ? &c->peers[a->peer] : NULL;
	const struct xy_prefix *v = p ? p->allowed.v : &a->prefix;
	unsigned n = p ? p->allowed.count : 1;
	struct xy_prefix own;
	struct xy_key key;
	if (a->from == XY_FROM_ALL) {
		fputs("\t\t", to);
		write_entry(to, c, i);
		return;
	}
	if (p && !p->leaf) {
		if (!key_of(of, p, &key))
			return;
		own = xy_key_prefix(&key);
		v = &own;
		n = 1;
	}
	if (write_from(to, v, n, false))
		write_entry(to, c, i);
	if (write_from(to, v, n, true))
		write_entry(to, c, i);
}

// Of the flows that others began, each packet has to match an entry, so what is no longer allowed
// ends at once; of its own flows this host hears all that answers them.
static void write_table(FILE *to, const struct xy_policy_of *of, const char *table)
{
	const struct xy_config *c = of->config;
	char name[XY_POLICY_NAME_LEN];
	fprintf(to, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table, table);
	for (unsigned i = 0; i < XY_POLICY_ALLOWED + c->allow.count; i++)
		fprintf(to, "\tcounter %s { }\n", xy_policy_counter(i, name));
	fprintf(to,
		"\tchain input {\n"
		"\t\ttype filter hook input priority filter; policy accept;\n"
		"\t\tiifname \"%s\" jump mesh\n"
		"\t}\n"
		"\tchain mesh {\n"
		"\t\tct state established ct direction reply counter name \"own_flows\" accept\n"
		"\t\tct state related icmp type { destination-unreachable, time-exceeded, "
		"parameter-problem } counter name \"icmp_errors\" accept\n"
		"\t\tct state related icmpv6 type { destination-unreachable, packet-too-big, "
		"time-exceeded, parameter-problem } counter name \"icmp_errors\" accept\n"
		"\t\ticmp type echo-request counter name \"ping\" accept\n"
		"\t\ticmpv6 type echo-request counter name \"ping\" accept\n",
		of->interface);
	for (unsigned i = 0; i < c->allow.count; i++)
		write_allow(to, of, i);
	fputs("\t\tcounter name \"refused\" drop\n\t}\n}\n", to);
}

int xy_policy_text(const struct xy_policy_of *of, char **out, struct xy_err *err)
{
	char table[XY_POLICY_NAME_LEN];
	size_t len = 0;
	*out = NULL;
	if (of->config->allow.all)
		return 0;
	if (!xy_config_name_fits(of->interface) || strlen(of->interface) > 15)
		return xy_err_set(err, EINVAL,
				  "no rule can hold the interface's name; rename it with A-Z a-z "
				  "0-9 . _ - + @");
	if (!xy_config_name_fits(of->instance) || strlen(of->instance) > XY_NAME_LEN)
		return xy_err_set(err, EINVAL, "no table can hold the instance's name");
	FILE *to = open_memstream(out, &len);
	if (!to)
		return xy_err_set(err, ENOMEM, "no memory for the rules");
	write_table(to, of, xy_policy_table(of->instance, table));
	if (fclose(to) == 0)
		return 0;
	free(*out);
	*out = NULL;
	return xy_err_set(err, ENOMEM, "no memory for the rules");
}

void xy_policy_text_none(const char *instance, char *to, size_t size)
{
	char table[XY_POLICY_NAME_LEN];
	xy_policy_table(instance, table);
	snprintf(to, size, "table inet %s\ndelete table inet %s\n", table, table);
}
