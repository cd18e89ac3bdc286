// SPDX-License-Identifier: BSD-3-Clause
#include "config/fleet.h"

#include "config/read.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLEET_FILE_MAX = 1 << 20, NATS_PORT = 4222, LIFETIME_MIN = 60, LIFETIME_MAX = 604800 };

// --- values

int xy_config_fleet_url(const char *text, char host[static XY_CONFIG_HOST_LEN], uint16_t *port,
			bool *tls)
{
	char with[XY_CONFIG_ENDPOINT_LEN];
	const char *at = strstr(text, "://");
	size_t scheme = at ? (size_t)(at - text) : 0;
	*tls = scheme == 3 && strncmp(text, "tls", 3) == 0;
	if (!at || !(*tls || (scheme == 4 && strncmp(text, "nats", 4) == 0)))
		return -EINVAL;
	at += 3;
	if (!*at || strpbrk(at, "/@?# ,"))
		return -EINVAL;
	if (xy_hostport_split(at, host, XY_CONFIG_HOST_LEN, port) == 0)
		return 0;
	if (strlen(at) >= XY_CONFIG_HOST_LEN)
		return -EINVAL;
	snprintf(with, sizeof(with), "%s:%d", at, NATS_PORT);
	return xy_hostport_split(with, host, XY_CONFIG_HOST_LEN, port);
}

static int store_path(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (s->value.sval[0] == '/')
		return 0;
	return xy_config_fail(r, s, NULL, "\"%.60s\" does not begin with /; write the whole path",
			      s->value.sval);
}

static int store_servers(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	bool tls;
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *v = config_setting_get_string_elem(s, i);
		if (f->server_count == XY_CONFIG_FLEET_SERVERS)
			return xy_config_fail(
				r, s, NULL, "has more than %d; any of a cluster tells of the rest",
				XY_CONFIG_FLEET_SERVERS);
		if (strlen(v) >= XY_CONFIG_FLEET_URL || xy_config_fleet_url(v, host, &port, &tls))
			return xy_config_fail(
				r, s, NULL,
				"\"%.60s\" is no server; write \"tls://HOST:4222\", or "
				"\"nats://HOST:4222\" without TLS (who may log in is said by "
				"`creds`)",
				v);
		memcpy(f->servers[f->server_count++], v, strlen(v) + 1);
	}
	return f->server_count
		       ? 0
		       : xy_config_fail(r, s, NULL, "is empty; write the servers' addresses in it");
}

static int store_bucket(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *v = s->value.sval;
	if (v[0] && !v[strspn(v, good)])
		return 0;
	return xy_config_fail(r, s, NULL, "\"%.60s\" is no bucket's name; use A-Z a-z 0-9 _ -", v);
}

static int key_read(struct xy_config_reader *r, const config_setting_t *s, const char *v,
		    struct xy_key *out)
{
	struct xy_err why;
	if (xy_config_is_sample(v))
		return xy_config_fail(r, s, NULL,
				      "is the example's, and nobody's; write a key of yours");
	if (xy_key_parse(v, out, &why))
		return xy_config_fail(r, s, NULL, "%s", why.text);
	return xy_key_is_zero(out) ? xy_config_fail(r, s, NULL, "is zero, and nobody's key") : 0;
}

static int store_keys(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	unsigned n = (unsigned)config_setting_length(s);
	if (!n || n > XY_CONFIG_FLEET_KEYS)
		return xy_config_fail(r, s, NULL, "has %u; write 1 to %d of the nodes' public keys",
				      n, XY_CONFIG_FLEET_KEYS);
	free(f->keys);
	f->keys = calloc(n, sizeof(*f->keys));
	if (!f->keys)
		return xy_config_fail(r, s, NULL, "not enough memory for %u keys", n);
	f->key_count = n;
	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, i);
		if (key_read(r, e, e->value.sval, &f->keys[i]))
			return -EINVAL;
	}
	f->trust = XY_CONFIG_FLEET_LISTED;
	return 0;
}

static int store_ca(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	f->trust = XY_CONFIG_FLEET_CA;
	return key_read(r, s, s->value.sval, &f->ca);
}

static int store_pins(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	struct xy_err why;
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *v = config_setting_get_string_elem(s, i);
		if (f->pin_count == XY_CONFIG_FLEET_PINS)
			return xy_config_fail(r, s, NULL, "has more than %d", XY_CONFIG_FLEET_PINS);
		struct xy_config_fleet_pin *p = &f->pins[f->pin_count++];
		if (v[0] && strlen(v) <= XY_NAME_LEN && !v[strspn(v, good)])
			memcpy(p->name, v, strlen(v) + 1);
		else if (xy_key_parse(v, &p->key, &why) || xy_key_is_zero(&p->key))
			return xy_config_fail(
				r, s, NULL, "\"%.60s\" is neither a node's name nor its public key",
				v);
	}
	return 0;
}

static int store_endpoints(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	struct xy_endpoint at;
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *v = config_setting_get_string_elem(s, i);
		if (f->endpoint_count == XY_CONFIG_ENDPOINTS)
			return xy_config_fail(r, s, NULL, "has more than %d", XY_CONFIG_ENDPOINTS);
		if (xy_endpoint_parse(v, &at) || at.scope || xy_addr_is_unspecified(&at.addr) ||
		    xy_addr_is_multicast(&at.addr) || xy_addr_is_mesh(&at.addr))
			return xy_config_fail(
				r, s, NULL,
				"\"%.60s\" is not where others could reach this node; write "
				"ADDRESS:PORT, with an IPv6 address in brackets",
				v);
		xy_endpoint_str(&at, f->endpoints[f->endpoint_count++]);
	}
	return 0;
}

static int store_links(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	if (s->type == CONFIG_TYPE_STRING && s->value.sval && strcmp(s->value.sval, "all") == 0) {
		f->links = XY_CONFIG_FLEET_ALL;
		return 0;
	}
	bool number = s->type == CONFIG_TYPE_INT || s->type == CONFIG_TYPE_INT64;
	long long n = number ? config_setting_get_int64(s) : 0;
	if (n < 1 || n > XY_CONFIG_FLEET_LINKS)
		return xy_config_fail(r, s, NULL,
				      "write 1 to %d, how many of the nearest nodes, or \"all\"",
				      XY_CONFIG_FLEET_LINKS);
	f->links = (unsigned)n;
	return 0;
}

static int store_cidr(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	return xy_config_prefix_read(r, s, &f->claim.cidr);
}

static int store_first(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	return xy_config_prefix_read(r, s, &f->claim.first);
}

static int store_allowed_ip(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	return xy_config_prefix_read(r, s, &f->ikto.allowed_ip);
}

static int store_mesh_cidr(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	return xy_config_prefix_read(r, s, &f->ikto.mesh_cidr);
}

static int store_advertise(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_fleet *f = base;
	if (xy_addr_parse(s->value.sval, &f->ikto.advertise_address) == 0)
		return 0;
	return xy_config_fail(r, s, NULL, "\"%.60s\" is no IP address; ikto's agents know no names",
			      s->value.sval);
}

// clang-format off
#define FLEET(field)                                    \
	.offset = offsetof(struct xy_config_fleet, field), \
	.size = sizeof(((struct xy_config_fleet *)NULL)->field)
#define GROUP(title, table) {.name = title, .keys = table, .count = XY_ARRAY_SIZE(table)}
#define SAMPLE_KEY "\"ReplaceThisExampleByTheRelaysPublicKeyXylgA=\""

static const char *const mode_choices[] = {
	[XY_CONFIG_FLEET_XYLEM] = "xylem", [XY_CONFIG_FLEET_IKTO] = "ikto", NULL};

static const struct xy_config_key tls_keys[] = {
	{.name = "ca", .type = XY_CONFIG_STRING, .store = store_path, .sample = "\"/etc/xylem/nats-ca.pem\"",
	 FLEET(tls.ca), .help = "File with the certificates that vouch for the servers, in PEM; without it the system's."},
	{.name = "cert", .type = XY_CONFIG_STRING, .store = store_path, .sample = "\"/etc/xylem/nats-client.pem\"",
	 FLEET(tls.cert), .help = "File with the certificate by which the servers know us."},
	{.name = "key", .type = XY_CONFIG_STRING, .store = store_path, .sample = "\"/etc/xylem/nats-client.key\"",
	 FLEET(tls.key), .help = "File with its key."},
};
static const struct xy_config_group tls_group = GROUP("tls", tls_keys);

static const struct xy_config_key trust_keys[] = {
	{.name = "keys", .type = XY_CONFIG_STRINGS, .store = store_keys, .sample = "( " SAMPLE_KEY " )",
	 .help = "Public keys of the nodes that are let in (`xylem show node` there)."},
	{.name = "ca", .type = XY_CONFIG_STRING, .store = store_ca, .sample = SAMPLE_KEY,
	 .help = "Public key of the fleet's CA (`xylem fleet ca new` prints it), whose members are let in."},
};
static const struct xy_config_group trust_group = GROUP("trust", trust_keys);

static int store_trust(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (s->type == CONFIG_TYPE_STRING && s->value.sval && strcmp(s->value.sval, "signed") == 0)
		return 0;
	if (!config_setting_is_group(s))
		return xy_config_fail(r, s, NULL,
				      "write \"signed\" (all whose record bears their signature), "
				      "{ keys = ( \"KEY\" ); }, or { ca = \"KEY\"; }");
	int ret = xy_config_group_read(r, s, &trust_group, base);
	if (!ret && config_setting_length(s) != 1)
		ret = xy_config_fail(r, s, NULL, "write either keys or ca in it");
	return ret;
}

static const struct xy_config_key ikto_keys[] = {
	{.name = "allowed_ip", .type = XY_CONFIG_STRING, .required = true, .store = store_allowed_ip,
	 .sample = "\"fd10:2082:5bc1::/48\"", .help = "Our network in the ikto mesh: the subnet of `ikto init`'s private_address."},
	{.name = "mesh_cidr", .type = XY_CONFIG_STRING, .required = true, .store = store_mesh_cidr,
	 .sample = "\"fd10::/16\"", .help = "The network of the whole ikto mesh."},
	{.name = "advertise_address", .type = XY_CONFIG_STRING, .required = true, .store = store_advertise,
	 .sample = "\"203.0.113.7\"", .help = "Where ikto's nodes reach this host."},
	{.name = "wg_port", .type = XY_CONFIG_INT, .min = 1, .max = 65535, .def = "51820", FLEET(ikto.wg_port),
	 .help = "The UDP port there: a socket of the node's."},
};
static const struct xy_config_group ikto_group = GROUP("ikto", ikto_keys);

static const struct xy_config_key fleet_keys[] = {
	{.name = "folder", .type = XY_CONFIG_STRING, .store = store_path, FLEET(folder),
	 .sample = "\"/etc/xylem/fleet.d\"", .help = "Where the records are files, one a node, which are watched."},
	{.name = "nats", .type = XY_CONFIG_STRINGS, .store = store_servers, .sample = "( \"tls://nats1.example:4222\" )",
	 .alternative = true, .help = "Or the servers of NATS that have them in a bucket."},
	{.name = "bucket", .type = XY_CONFIG_STRING, .def = "\"xylem\"", .store = store_bucket, FLEET(bucket),
	 .help = "Which one, of JetStream's key-value store."},
	{.name = "creds", .type = XY_CONFIG_STRING, .store = store_path, .sample = "\"/etc/xylem/fleet.creds\"",
	 FLEET(creds), .help = "File with the credentials there."},
	{.name = "tls", .type = XY_CONFIG_GROUP, .group = &tls_group, .help = "For servers with tls:// in their address."},
	{.name = "mode", .type = XY_CONFIG_STRING, .choices = mode_choices, .def = "\"xylem\"", FLEET(mode),
	 .help = "Whose records they are: ours, or those of an ikto mesh, whose bucket is named then."},
	{.name = "ikto", .type = XY_CONFIG_GROUP, .group = &ikto_group, .help = "What we are in an ikto mesh."},
	{.name = "trust", .type = XY_CONFIG_ANY, .def = "\"signed\"", .group = &trust_group, .store = store_trust,
	 .help = "Who is let in: whoever signs for itself, the keys that are listed, or whom a CA signed."},
	{.name = "membership", .type = XY_CONFIG_STRING, .store = store_path, .sample = "\"/etc/xylem/fleet.member\"",
	 FLEET(membership), .help = "File with what the CA signed for this node (`xylem fleet ca sign`)."},
	{.name = "links", .type = XY_CONFIG_ANY, .def = "4", .store = store_links,
	 .help = "To how many of the nearest nodes links are held, beside those that keep the mesh whole; or \"all\"."},
	{.name = "relay", .type = XY_CONFIG_BOOL, .def = "false", FLEET(relay),
	 .help = "Whether others should hold links to this node."},
	{.name = "pin", .type = XY_CONFIG_STRINGS, .def = "( )", .store = store_pins,
	 .help = "Nodes, by name or public key, to which a link is always held."},
	{.name = "endpoints", .type = XY_CONFIG_STRINGS, .def = "( )", .store = store_endpoints,
	 .help = "Where this node is reached, beside what it finds by itself."},
	{.name = "lifetime", .type = XY_CONFIG_INT, .min = LIFETIME_MIN, .max = LIFETIME_MAX, .def = "3600", FLEET(lifetime),
	 .help = "Seconds that our record is good for; it is renewed after half of them."},
	{.name = "cidr", .type = XY_CONFIG_STRING, .store = store_cidr, .sample = "\"fd10::/16\"",
	 .help = "The network of which this node wants a part (NATS alone)."},
	{.name = "prefix", .type = XY_CONFIG_INT, .min = 1, .max = 128, .sample = "48", FLEET(claim.bits),
	 .help = "How long that part's prefix is: the same for all nodes."},
	{.name = "claim", .type = XY_CONFIG_STRING, .store = store_first, .sample = "\"fd10:2082::/48\"",
	 .help = "Which one is tried first (`xylem fleet init` draws one)."},
	{.name = "retry", .type = XY_CONFIG_BOOL, .def = "true", FLEET(claim.retry),
	 .help = "Whether another is drawn where that one is taken."},
	{.name = "group", .type = XY_CONFIG_STRING, FLEET(group), .sample = "\"xylem\"",
	 .help = "Whose members may ask the agent (`xylem show fleet`)."},
};
static const struct xy_config_group fleet_group = GROUP("fleet", fleet_keys);

static const struct xy_config_key root_keys[] = {
	{.name = "fleet", .type = XY_CONFIG_GROUP, .group = &fleet_group, .required = true,
	 .sample = "{ folder = \"/etc/xylem/fleet.d\"; }", .help = "How this node finds the others of its fleet."},
};
// clang-format on
const struct xy_config_group xy_config_fleet_schema = GROUP("xylem-fleet", root_keys);

// --- all of it

static void check_source(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_fleet *f)
{
	static const char *const of_nats[] = {"bucket", "creds", "tls",	 "cidr",
					      "prefix", "claim", "mode", NULL};
	const config_setting_t *folder = xy_config_member(s, "folder"),
			       *nats = xy_config_member(s, "nats");
	if (folder && nats)
		xy_config_fail(r, nats, NULL, "stands beside `folder`; write one of them");
	else if (!folder && !nats)
		xy_config_fail(
			r, s, NULL,
			"says not where the records are; add folder = \"/etc/xylem/fleet.d\";, or "
			"nats = ( \"tls://HOST:4222\" );");
	for (unsigned i = 0; folder && !nats && of_nats[i]; i++)
		if (xy_config_member(s, of_nats[i]))
			xy_config_fail(r, xy_config_member(s, of_nats[i]), NULL,
				       "has no meaning for a folder; remove it, or write `nats` in "
				       "place of `folder`");
}

static void check_tls(struct xy_config_reader *r, const config_setting_t *s,
		      const struct xy_config_fleet *f)
{
	const config_setting_t *tls = xy_config_member(s, "tls"),
			       *nats = xy_config_member(s, "nats");
	unsigned with = 0;
	for (unsigned i = 0; i < f->server_count; i++)
		with += strncmp(f->servers[i], "tls:", 4) == 0;
	if (f->server_count && with && with < f->server_count)
		xy_config_fail(r, nats, NULL,
			       "some of them are tls://, others are not; the client that is used "
			       "knows one or the other");
	else if (tls && f->server_count && !with)
		xy_config_fail(
			r, tls, NULL,
			"none of the servers is asked for TLS; write tls:// in place of nats://");
	else if (f->creds[0] && f->server_count && !with)
		xy_config_warn(r, nats,
			       "what is said there, credentials too, can be read on the way; write "
			       "tls://");
	if (tls && !f->tls.cert[0] != !f->tls.key[0])
		xy_config_fail(r, tls, NULL, "has one of cert and key; write both, or none");
}

static void check_trust(struct xy_config_reader *r, const config_setting_t *s,
			const struct xy_config_fleet *f)
{
	const config_setting_t *member = xy_config_member(s, "membership");
	if (xy_config_is_bad(xy_config_member(s, "trust")))
		return;
	if (f->mode == XY_CONFIG_FLEET_IKTO && xy_config_member(s, "trust"))
		xy_config_fail(r, xy_config_member(s, "trust"), NULL,
			       "has no meaning in an ikto mesh, whose records nobody signs: who "
			       "may write its bucket is let in");
	else if (f->mode == XY_CONFIG_FLEET_XYLEM && f->server_count &&
		 f->trust == XY_CONFIG_FLEET_SIGNED)
		xy_config_warn(r, xy_config_member(s, "nats"),
			       "whoever may write the bucket is let in as a node; trust = { ca = "
			       "\"KEY\"; }; is stricter");
	if (f->trust == XY_CONFIG_FLEET_CA && !f->membership[0])
		xy_config_warn(r, xy_config_member(s, "trust"),
			       "without `membership` the others, if they trust this CA, do not let "
			       "this node in");
	if (member && f->mode == XY_CONFIG_FLEET_IKTO)
		xy_config_fail(r, member, NULL, "has no meaning in an ikto mesh");
}

static void check_claim(struct xy_config_reader *r, const config_setting_t *s,
			const struct xy_config_fleet *f)
{
	const config_setting_t *cidr = xy_config_member(s, "cidr"),
			       *bits = xy_config_member(s, "prefix");
	const config_setting_t *first = xy_config_member(s, "claim");
	if (!cidr && !bits && !first)
		return;
	if (xy_config_is_bad(cidr) || xy_config_is_bad(bits) || xy_config_is_bad(first))
		return;
	if (!cidr || !bits) {
		xy_config_fail(r,
			       cidr   ? cidr
			       : bits ? bits
				      : first,
			       NULL, "wants cidr and prefix, both");
		return;
	}
	unsigned family = xy_prefix_is_v4(&f->claim.cidr) ? 96 : 0;
	static const struct xy_prefix mesh = XY_MESH_PREFIX;
	if (f->claim.bits + family < f->claim.cidr.len || f->claim.bits + family > 128)
		xy_config_fail(r, bits, NULL, "is no part of cidr; write %u to %u",
			       f->claim.cidr.len - family, 128 - family);
	else if (xy_prefix_covers(&mesh, &f->claim.cidr) || xy_prefix_covers(&f->claim.cidr, &mesh))
		xy_config_fail(r, cidr, NULL,
			       "holds the mesh's own addresses (200::/7), which follow from keys");
	else if (xy_prefix_is_martian(&f->claim.cidr))
		xy_config_fail(r, cidr, NULL,
			       "is never routed; write a network of yours, such as fd10::/16");
	else if (first && (f->claim.first.len != f->claim.bits + family ||
			   !xy_prefix_covers(&f->claim.cidr, &f->claim.first)))
		xy_config_fail(r, first, NULL, "is no /%u of cidr; `xylem fleet init` draws one",
			       f->claim.bits);
}

static void check_ikto(struct xy_config_reader *r, const config_setting_t *s,
		       const struct xy_config_fleet *f)
{
	const config_setting_t *ikto = xy_config_member(s, "ikto");
	if (f->mode == XY_CONFIG_FLEET_IKTO && !ikto)
		xy_config_fail(r, s, "ikto",
			       "missing; an ikto mesh wants to know allowed_ip, mesh_cidr and "
			       "advertise_address");
	else if (f->mode != XY_CONFIG_FLEET_IKTO && ikto)
		xy_config_fail(r, ikto, NULL, "has a meaning with mode = \"ikto\" alone");
	else if (ikto && !xy_config_is_bad(ikto) &&
		 !xy_prefix_covers(&f->ikto.mesh_cidr, &f->ikto.allowed_ip))
		xy_config_fail(r, ikto, "allowed_ip", "lies not in mesh_cidr");
	if (f->mode == XY_CONFIG_FLEET_IKTO && xy_config_member(s, "cidr"))
		xy_config_fail(r, xy_config_member(s, "cidr"), NULL,
			       "has no meaning in an ikto mesh; ours there is ikto.allowed_ip");
}

static void check(struct xy_config_reader *r, const config_setting_t *root, void *base)
{
	const struct xy_config_fleet *f = base;
	const config_setting_t *s = xy_config_member(root, "fleet");
	static const char *const sources[] = {"folder", "nats", "tls", NULL};
	if (!s || !config_setting_is_group(s))
		return;
	if (!xy_config_is_unsure(s, sources)) {
		check_source(r, s, f);
		check_tls(r, s, f);
	}
	check_trust(r, s, f);
	check_claim(r, s, f);
	check_ikto(r, s, f);
}

void xy_config_fleet_init(struct xy_config_fleet *f)
{
	*f = (struct xy_config_fleet){.bucket = "xylem",
				      .links = 4,
				      .lifetime = 3600,
				      .claim.retry = true,
				      .ikto.wg_port = XY_PORT_DEFAULT};
	xy_config_init(&f->notes);
}

void xy_config_fleet_free(struct xy_config_fleet *f)
{
	xy_config_free(&f->notes);
	free(f->keys);
	*f = (struct xy_config_fleet){0};
}

int xy_config_fleet_parse(const char *name, const char *text, size_t len,
			  struct xy_config_fleet *out, struct xy_err *err)
{
	static const struct xy_config_form form = {&xy_config_fleet_schema, check};
	xy_config_fleet_init(out);
	return xy_config_parse_by(&form, name, text, len, out, &out->notes, err);
}

static int refuse(const char *path, int code, struct xy_err *err)
{
	return xy_err_set(err, code, "%s: %s; %s", path, strerror(code),
			  code == EACCES ? "xylem-fleet's user must be able to read it: chmod 644, "
					   "it holds no secret"
					 : "`xylem fleet init` makes one, `xylem-fleet --genconf` "
					   "prints all that can stand in it");
}

int xy_config_fleet_load(const char *path, struct xy_config_fleet *out, struct xy_err *err)
{
	struct stat st;
	xy_config_fleet_init(out);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse(path, errno, err);
	char *text = malloc(FLEET_FILE_MAX);
	ssize_t n = fstat(fd, &st)	  ? -errno
		    : S_ISDIR(st.st_mode) ? -EISDIR
		    : !text		  ? -ENOMEM
					  : xy_config_fd_read(fd, text, FLEET_FILE_MAX);
	int ret = n < 0 ? refuse(path, (int)-n, err)
			: xy_config_fleet_parse(path, text, (size_t)n, out, err);
	free(text);
	close(fd);
	return ret;
}
