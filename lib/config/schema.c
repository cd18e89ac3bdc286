// SPDX-License-Identifier: BSD-3-Clause
// The keys, and what it takes to store those that are more than a number or a text.
#include "config/schema.h"
#include "config/read.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

// Samples: documentation keys (no one has their secret, and they say so) and documentation
// addresses (RFC 5737, RFC 3849). The keys are taken for nobody's.
#define SAMPLE_RELAY_KEY "\"ReplaceThisExampleByTheRelaysPublicKeyXylgA=\""
#define SAMPLE_PHONE_KEY "\"ReplaceThisExampleByThePhonesPublicKeyXylgA=\"" // README
#define SAMPLE_SECRET	 "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""
enum { KEY_CHARS = XY_KEY_STRLEN - 1 };

static const char *const driver_choices[] = {[XY_DRIVER_SOCKET] = "socket",
					     [XY_DRIVER_AF_XDP] = "af_xdp",
					     [XY_DRIVER_DPDK] = "dpdk",
					     NULL};
static const char *const checksum_choices[] = {
	[XY_CHECKSUM_FULL] = "full", [XY_CHECKSUM_NONE] = "none", NULL};

bool xy_config_is_sample(const char *text)
{
	return strncmp(text, &SAMPLE_SECRET[1], KEY_CHARS) == 0 ||
	       strncmp(text, &SAMPLE_RELAY_KEY[1], KEY_CHARS) == 0 ||
	       strncmp(text, &SAMPLE_PHONE_KEY[1], KEY_CHARS) == 0;
}

// Text in, or an error that never quotes the secret.
static int read_secret(struct xy_config_reader *r, const config_setting_t *s,
		       uint8_t out[static 32])
{
	const char *v = s->value.sval, *end = NULL;
	size_t len = strlen(v), got = 0;
	if (xy_config_is_sample(v))
		return xy_config_fail(r, s, NULL,
				      "is the example's, which everyone knows; make one with: wg "
				      "genpsk");
	if (len == 64 && sodium_hex2bin(out, 32, v, len, NULL, &got, &end) == 0 && got == 32)
		return 0;
	if (len == 44 &&
	    sodium_base642bin(out, 32, v, len, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) ==
		    0 &&
	    got == 32)
		return 0;
	sodium_memzero(out, 32);
	if (len == 44)
		return xy_config_fail(
			r, s, NULL,
			"no secret of 32 bytes in base64: its length is right, and its "
			"characters are not; make one with: wg genpsk");
	return xy_config_fail(r, s, NULL,
			      "no secret of 32 bytes in base64 (%zu characters, 44 are right); "
			      "make one with: wg genpsk",
			      len);
}

static int store_network_secret(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	c->has_network_secret = true;
	return read_secret(r, s, c->network_secret);
}

static int store_psk(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_peer *p = base;
	p->has_psk = true;
	return read_secret(r, s, p->psk);
}

static int store_key_file(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (s->value.sval[0])
		return 0;
	return xy_config_fail(r, s, NULL, "is empty; write the path of a key file (xylem genkey)");
}

static int store_state(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (s->value.sval[0] == '/')
		return 0;
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" does not begin with /; write the folder's whole path",
			      s->value.sval);
}

static int store_listen(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	c->ports[0].port = (uint16_t)config_setting_get_int64(s);
	c->ports[0].line = (int)config_setting_source_line(s);
	return 0;
}

static int store_port_address(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_port *p = base;
	if (xy_addr_parse(s->value.sval, &p->address) == 0)
		return 0;
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" is no IP address; write one of this host's, or \"::\" "
			      "for all of them",
			      s->value.sval);
}

static int refuse_for(struct xy_config_reader *r, const config_setting_t *s, const char *key,
		      const char *driver)
{
	return xy_config_fail(r, s, key,
			      "has no meaning for driver = \"%s\"; remove it, or change "
			      "the driver",
			      driver);
}

// Which keys a driver wants, and which it does not.
static int check_port(struct xy_config_reader *r, const config_setting_t *s,
		      const struct xy_config_port *p)
{
	const char *driver = driver_choices[p->driver];
	if (p->driver == XY_DRIVER_AF_XDP && !p->interface[0])
		return xy_config_fail(r, s, "interface",
				      "missing; driver = \"af_xdp\" needs the "
				      "card: interface = \"eth0\";");
	if (p->driver == XY_DRIVER_DPDK && !p->device[0])
		return xy_config_fail(r, s, "device",
				      "missing; driver = \"dpdk\" needs the card's "
				      "PCI address or a vdev: device = \"0000:3b:00.0\";");
	if (p->driver == XY_DRIVER_SOCKET && p->interface[0])
		return refuse_for(r, s, "interface", driver);
	if (p->driver != XY_DRIVER_DPDK && p->device[0])
		return refuse_for(r, s, "device", driver);
	if (p->driver == XY_DRIVER_SOCKET && config_setting_get_member(s, "checksum"))
		return refuse_for(r, s, "checksum", driver); // the kernel's to decide
	return 0;
}

static int store_device(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	const char *v = s->value.sval;
	if (v[0] && v[0] != ',' && v[0] != '-' && !v[strcspn(v, " \t\n")])
		return 0;
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" is no device; write a PCI address, as "
			      "\"0000:3b:00.0\", or a vdev, as \"net_tap0,iface=x0\"",
			      v);
}

static int read_port(struct xy_config_reader *r, const config_setting_t *s,
		     const struct xy_config_group *g, struct xy_config_port *p)
{
	*p = (struct xy_config_port){.driver = XY_DRIVER_SOCKET,
				     .port = XY_PORT_DEFAULT,
				     .line = (int)config_setting_source_line(s)};
	if (!config_setting_is_group(s))
		return xy_config_fail(r, s, NULL, "no group; write { port = %d; }",
				      XY_PORT_DEFAULT);
	int ret = xy_config_group_read(r, s, g, p);
	return ret ? ret : check_port(r, s, p);
}

static const struct xy_config_group accept_group, allow_group, port_group, peer_group, route_group;

static int store_ports(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	int n = config_setting_length(s), ret = 0;
	if (config_setting_get_member(s->parent, "listen"))
		return xy_config_fail(r, s, NULL,
				      "`listen` is set too, and is short for one port; remove it");
	if (n < 1 || n > XY_CONFIG_PORTS)
		return xy_config_fail(r, s, NULL, "%d ports; write 1 to %d", n, XY_CONFIG_PORTS);
	for (int i = 0; i < n; i++)
		ret |= read_port(r, config_setting_get_elem(s, (unsigned)i), &port_group,
				 &c->ports[i]);
	c->port_count = (unsigned)n;
	return ret;
}

// As the kernel's dev_valid_name() has it.
static int store_host_name(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	const char *v = s->value.sval;
	bool bad = !v[0] || strcmp(v, ".") == 0 || strcmp(v, "..") == 0;
	for (; *v && !bad; v++)
		bad = *v == '/' || *v == ':' || isspace((unsigned char)*v);
	if (!bad)
		return 0;
	return xy_config_fail(r, s, NULL,
			      "no interface name; write 1 to 15 characters without / : and blanks");
}

static int refuse_martian(struct xy_config_reader *r, const config_setting_t *s)
{
	return xy_config_fail(
		r, s, NULL,
		"\"%.60s\" is never routed (link-local, multicast, loopback); remove it",
		s->value.sval);
}

// "10.1.0.1/24": the address keeps its host bits.
static int read_interface_address(const char *text, struct xy_prefix *out)
{
	char addr[XY_ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = 0;
	if (xy_addr_parse(addr, &out->addr))
		return -EINVAL;
	struct xy_prefix whole;
	int ret = xy_prefix_parse(text, &whole);
	if (ret == 0)
		out->len = whole.len;
	if (ret != -EDOM)
		return ret;
	unsigned long len = strtoul(slash + 1, NULL, 10);
	out->len = (uint8_t)(xy_addr_is_v4(&out->addr) ? len + 96 : len);
	return 0;
}

static int store_host_addresses(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	int n = config_setting_length(s), ret = 0;
	if (n > (int)XY_ARRAY_SIZE(c->host.addresses))
		return xy_config_fail(r, s, NULL, "%d addresses; write at most %zu", n,
				      XY_ARRAY_SIZE(c->host.addresses));
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		const struct xy_prefix *p = &c->host.addresses[i];
		if (read_interface_address(e->value.sval, &c->host.addresses[i])) {
			ret = xy_config_fail(r, e, NULL,
					     "\"%.60s\" is no address with a prefix length; write "
					     "for example \"10.1.0.1/24\"",
					     e->value.sval);
			continue;
		}
		const struct xy_prefix one = {.addr = p->addr, .len = 128};
		if (xy_prefix_is_martian(&one))
			ret = refuse_martian(r, e);
	}
	c->host.address_count = (unsigned)n;
	c->host_line = n ? (int)config_setting_source_line(s) : 0;
	return ret;
}

static int store_allow(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return xy_config_allow_read(r, s, &allow_group);
}

static int store_allow_port(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return xy_config_allow_port(r, s, base);
}

// cpus comes after count in the table; without a count it says it.
static int store_cpus(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	unsigned n = (unsigned)config_setting_length(s);
	if (n > XY_CONFIG_CPUS)
		return xy_config_fail(r, s, NULL, "%u CPUs; write at most %d", n, XY_CONFIG_CPUS);
	for (unsigned i = 0; i < n; i++) {
		c->workers.cpus[i] = config_setting_get_int_elem(s, (int)i);
		for (unsigned j = 0; j < i; j++)
			if (c->workers.cpus[i] == c->workers.cpus[j])
				return xy_config_fail(r, s, NULL,
						      "CPU %d stands there twice; a worker polls "
						      "and needs one for itself",
						      c->workers.cpus[i]);
	}
	if (n && !config_setting_get_member(s->parent, "count"))
		c->workers.count = n;
	if (n && n != c->workers.count && !xy_config_is_bad(xy_config_member(s->parent, "count")))
		return xy_config_fail(r, s, NULL,
				      "%u CPUs for count = %u workers; give one each, or leave one "
				      "of both out",
				      n, c->workers.count);
	c->workers.cpu_count = n;
	return 0;
}

static int mode_read(struct xy_config_reader *r, const config_setting_t *s, unsigned *out)
{
	const char *v = s->value.sval;
	char *end;
	unsigned long mode = strtoul(v, &end, 8);
	if (!isdigit((unsigned char)v[0]) || *end || mode > 0777)
		return xy_config_fail(r, s, NULL,
				      "\"%.20s\" is no file mode; write octal digits, as \"0660\"",
				      v);
	*out = (unsigned)mode;
	return 0;
}

static int store_mode(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return mode_read(r, s, &((struct xy_config *)base)->telemetry.mode);
}

// Who may change a node may make it anybody's.
static int store_control_mode(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	int ret = mode_read(r, s, &c->control.mode);
	if (!ret && c->control.mode & 07)
		return xy_config_fail(
			r, s, NULL,
			"lets everybody change this node; give control.group a group, "
			"and write \"0660\"");
	return ret;
}

static int store_traffic(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_peer *p = base;
	p->no_traffic = !s->value.ival;
	return 0;
}

static int store_name(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	const char *v = s->value.sval;
	bool bad = !v[0];
	for (; *v && !bad; v++)
		bad = !strchr("-._ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
			      *v);
	if (!bad)
		return 0;
	return xy_config_fail(r, s, NULL, "\"%.40s\" is no name; use 1 to %d of A-Z a-z 0-9 . _ -",
			      s->value.sval, XY_NAME_LEN);
}

// "" tells none.
static int store_told_name(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return s->value.sval[0] ? store_name(r, s, base) : 0;
}

static int read_key(struct xy_config_reader *r, const config_setting_t *s, struct xy_key *out)
{
	struct xy_err why = {""};
	const char *v = s->value.sval;
	if (xy_config_is_sample(v))
		return xy_config_fail(
			r, s, NULL,
			"is the example's, which nobody has; write the peer's (there: "
			"xylem pubkey, or wg pubkey on a device)");
	if (xy_key_parse(v, out, &why))
		return xy_config_fail(r, s, NULL, "%s", why.text);
	if (xy_key_is_zero(out))
		return xy_config_fail(
			r, s, NULL, "all zeros is no public key; write the peer's (xylem pubkey)");
	return 0;
}

static int store_key(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_key(r, s, &((struct xy_config_peer *)base)->key);
}

static int store_accept_key(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_key(r, s, &((struct xy_config_accept *)base)->key);
}

static int store_route_key(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_key(r, s, &((struct xy_config_route *)base)->key);
}

// What is refused stands as "" in its place, for what else may be wrong with the file.
static int read_endpoints(struct xy_config_reader *r, const config_setting_t *s,
			  const config_setting_t *const *each, unsigned n, struct xy_config_peer *p)
{
	const char *text[XY_CONFIG_ENDPOINTS];
	struct xy_err why;
	int ret = 0;
	for (unsigned i = 0; i < n; i++) {
		text[i] = each[i]->value.sval;
		if (!xy_config_endpoint_check(text[i], &why))
			continue;
		text[i] = "";
		ret = xy_config_fail(r, each[i], NULL, "%s", why.text);
	}
	p->endpoints = xy_config_endpoints_copy(text, n);
	if (!p->endpoints)
		return xy_config_fail(r, s, NULL, "not enough memory for %u endpoints", n);
	p->endpoint_count = n;
	return ret;
}

static int store_endpoint(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_endpoints(r, s, &s, 1, base);
}

static int store_endpoints(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_peer *p = base;
	const config_setting_t *each[XY_CONFIG_ENDPOINTS];
	int n = config_setting_length(s);
	if (p->endpoint_count)
		return xy_config_fail(r, s, NULL,
				      "`endpoint` is set too; put all of them into `endpoints`");
	if (n > XY_CONFIG_ENDPOINTS)
		return xy_config_fail(r, s, NULL, "%d endpoints; write at most %d", n,
				      XY_CONFIG_ENDPOINTS);
	for (int i = 0; i < n; i++)
		each[i] = config_setting_get_elem(s, (unsigned)i);
	return read_endpoints(r, s, each, (unsigned)n, p);
}

static int refuse_host_bits(struct xy_config_reader *r, const config_setting_t *s)
{
	char meant[XY_PREFIX_STRLEN], host[XY_ADDR_STRLEN];
	struct xy_prefix p = {0};
	if (read_interface_address(s->value.sval, &p))
		return xy_config_fail(r, s, NULL, "\"%.60s\" has host bits set", s->value.sval);
	xy_addr_str(&p.addr, host);
	xy_prefix_mask(&p);
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" has host bits set; write \"%s\" for the network or \"%s\" "
			      "for the one address",
			      s->value.sval, xy_prefix_str(&p, meant), host);
}

int xy_config_prefix_read(struct xy_config_reader *r, const config_setting_t *s,
			  struct xy_prefix *out)
{
	int ret = xy_prefix_parse(s->value.sval, out);
	if (ret == -EDOM)
		return refuse_host_bits(r, s);
	if (ret)
		return xy_config_fail(r, s, NULL,
				      "\"%.60s\" is no prefix; write for example \"10.1.0.0/24\" "
				      "or \"2001:db8::/32\"",
				      s->value.sval);
	return 0;
}

static int read_prefixes(struct xy_config_reader *r, const config_setting_t *s,
			 struct xy_config_prefixes *out)
{
	int n = config_setting_length(s), ret = 0;
	if (n > XY_CONFIG_PREFIXES)
		return xy_config_fail(r, s, NULL, "%d prefixes; write at most %d", n,
				      XY_CONFIG_PREFIXES);
	out->v = calloc((size_t)n + 1, sizeof(*out->v)); // an empty list is one, too
	if (!out->v)
		return xy_config_fail(r, s, NULL, "not enough memory for %d prefixes", n);
	for (int i = 0; i < n; i++)
		ret |= xy_config_prefix_read(r, config_setting_get_elem(s, (unsigned)i),
					     &out->v[i]);
	out->count = (unsigned)n;
	return ret;
}

// Prefixes outside the mesh, where a key alone says who owns what.
static int read_plain_prefixes(struct xy_config_reader *r, const config_setting_t *s,
			       struct xy_config_prefixes *out)
{
	int ret = read_prefixes(r, s, out);
	for (unsigned i = 0; i < out->count; i++) {
		const config_setting_t *at = config_setting_get_elem(s, i);
		if (xy_config_is_bad(at))
			continue;
		if (xy_addr_is_mesh(&out->v[i].addr) && !xy_prefix_is_v4(&out->v[i]))
			ret = xy_config_fail(r, at, NULL,
					     "lies in 200::/7, where each /64 is its key's and "
					     "nothing else is announced; remove it");
		else if (xy_prefix_is_martian(&out->v[i]))
			ret = refuse_martian(r, at);
	}
	return ret;
}

static int store_allowed(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_prefixes *allowed = &((struct xy_config_peer *)base)->allowed;
	int ret = read_prefixes(r, s, allowed);
	for (unsigned i = 0; i < allowed->count; i++) {
		const config_setting_t *at = config_setting_get_elem(s, i);
		if (!xy_config_is_bad(at) && xy_prefix_is_martian(&allowed->v[i]))
			ret = refuse_martian(r, at);
	}
	return ret;
}

static int store_accept(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_plain_prefixes(r, s, &((struct xy_config_peer *)base)->accept);
}

static int store_announce(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	return read_prefixes(r, s, &((struct xy_config_peer *)base)->announce);
}

static int store_own_announce(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (config_setting_length(s) == 0)
		return 0;
	return read_plain_prefixes(r, s, &((struct xy_config *)base)->routing.announce);
}

static int store_claims(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_prefixes *claims = &((struct xy_config *)base)->routing.claims;
	if (config_setting_length(s) == 0)
		return 0;
	int ret = read_plain_prefixes(r, s, claims);
	for (unsigned i = 0; i < claims->count; i++) {
		const config_setting_t *at = config_setting_get_elem(s, i);
		if (!xy_config_is_bad(at) && claims->v[i].len < 7)
			ret = xy_config_fail(
				r, at, NULL,
				"is all, or nearly; a fleet's prefixes are to lie in one "
				"of your own, as fd10::/16 or 10.0.0.0/8");
	}
	return ret;
}

static int store_own_accept(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	unsigned n = (unsigned)config_setting_length(s);
	int ret = xy_config_groups_read(r, s, &accept_group, &c->routing.accept,
					sizeof(*c->routing.accept));
	c->routing.accept_count = c->routing.accept ? n : 0;
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		c->routing.accept[i].line =
			(int)config_setting_source_line(config_setting_get_elem(s, i));
	return ret;
}

static int store_accept_prefix(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_accept *a = base;
	int ret = xy_config_prefix_read(r, s, &a->prefix);
	if (!ret && xy_addr_is_mesh(&a->prefix.addr) && !xy_prefix_is_v4(&a->prefix))
		ret = xy_config_fail(r, s, NULL,
				     "lies in 200::/7, where each /64 is its key's without being "
				     "accepted; remove this entry");
	if (!ret && xy_prefix_is_martian(&a->prefix))
		ret = refuse_martian(r, s);
	return ret;
}

static int store_prefix(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_route *route = base;
	int ret = xy_config_prefix_read(r, s, &route->prefix);
	if (ret)
		return ret;
	if (xy_prefix_is_martian(&route->prefix))
		return refuse_martian(r, s);
	if (xy_addr_is_mesh(&route->prefix.addr) && route->prefix.len > 64)
		return xy_config_fail(
			r, s, NULL,
			"longer than /64 inside 200::/7, where a node owns its whole "
			"/64; route that, or give a leaf the address in its `allowed`");
	return 0;
}

static int store_interfaces(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	int n = config_setting_length(s), ret = 0;
	if (n > XY_CONFIG_INTERFACES)
		return xy_config_fail(r, s, NULL, "%d interfaces; write at most %d", n,
				      XY_CONFIG_INTERFACES);
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		size_t len = strlen(e->value.sval), size = sizeof(c->discovery.interfaces[0]);
		int one = len < size ? store_host_name(r, e, base)
				     : xy_config_fail(r, e, NULL,
						      "\"%.60s\" is no interface name; write at "
						      "most 15 characters",
						      e->value.sval);
		if (!one)
			memcpy(c->discovery.interfaces[i], e->value.sval, len + 1);
		ret = ret ? ret : one;
	}
	c->discovery.count = (unsigned)n;
	return ret;
}

static int store_peers(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	unsigned n = (unsigned)config_setting_length(s);
	if (n > c->max_peers && !xy_config_is_bad(xy_config_member(s->parent, "max_peers")))
		return xy_config_fail(r, s, NULL, "%u peers, but max_peers is %u; raise it", n,
				      c->max_peers);
	int ret = xy_config_groups_read(r, s, &peer_group, &c->peers, sizeof(*c->peers));
	c->peer_count = c->peers ? n : 0;
	for (unsigned i = 0; i < c->peer_count; i++)
		c->peers[i].line = (int)config_setting_source_line(config_setting_get_elem(s, i));
	return ret;
}

static int store_routes(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config *c = base;
	unsigned n = (unsigned)config_setting_length(s);
	if (n > c->max_routes && !xy_config_is_bad(xy_config_member(s->parent, "max_routes")))
		return xy_config_fail(r, s, NULL, "%u routes, but max_routes is %u; raise it", n,
				      c->max_routes);
	int ret = xy_config_groups_read(r, s, &route_group, &c->routes, sizeof(*c->routes));
	c->route_count = c->routes ? n : 0;
	for (unsigned i = 0; i < c->route_count; i++)
		c->routes[i].line = (int)config_setting_source_line(config_setting_get_elem(s, i));
	return ret;
}

#define IN(type, field) \
	.offset = offsetof(struct type, field), .size = sizeof(((struct type *)NULL)->field)
#define ROOT(field) IN(xy_config, field)
#define PORT(field) IN(xy_config_port, field)
#define PEER(field) IN(xy_config_peer, field)
#define GROUP(title, table)                                                 \
	{                                                                   \
		.name = title, .keys = table, .count = XY_ARRAY_SIZE(table) \
	}

static const char *const idle_choices[] = {
	[XY_IDLE_ADAPTIVE] = "adaptive", [XY_IDLE_POLL] = "poll", NULL};
static const char *const speak_choices[] = {
	[XY_SPEAK_AUTO] = "auto", [XY_SPEAK_YES] = "yes", [XY_SPEAK_NO] = "no", NULL};
static const char *const peering_choices[] = {
	[XY_PEERING_CLOSED] = "closed", [XY_PEERING_OPEN] = "open", NULL};
static const char *const suite_choices[] = {
	[XY_SUITE_AUTO] = "auto", [XY_SUITE_CHACHA] = "chacha", [XY_SUITE_AES] = "aes", NULL};
const char *const xy_config_level_names[] = {[XY_LOG_ERROR] = "error",
					     [XY_LOG_WARN] = "warn",
					     [XY_LOG_INFO] = "info",
					     [XY_LOG_DEBUG] = "debug",
					     NULL};
#define level_choices xy_config_level_names
static const char *const format_choices[] = {
	[XY_LOG_TEXT] = "text", [XY_LOG_JSON] = "json", [XY_LOG_JOURNALD] = "journald", NULL};
#define X(NAME, name, text) [XY_PART_##NAME] = #name,
const char *const xy_log_part_names[] = {XY_LOG_PARTS(X) NULL};
#undef X

// clang-format off
static const struct xy_config_key port_keys[] = {
	{.name = "driver", .type = XY_CONFIG_STRING, .choices = driver_choices, .def = "\"socket\"",
	 PORT(driver),
	 .help = "socket: plain UDP sockets; af_xdp: a card that stays the kernel's; dpdk: one that "
		 "is DPDK's."},
	{.name = "interface", .type = XY_CONFIG_STRING, .alternative = true,
	 .sample = "\"eth0\"", PORT(interface), .store = store_host_name,
	 .help = "af_xdp: the card; dpdk: name of the TAP that stands for the card in the kernel."},
	{.name = "device", .type = XY_CONFIG_STRING, .alternative = true,
	 .sample = "\"0000:3b:00.0\"", PORT(device), .store = store_device,
	 .help = "dpdk: PCI address of a card bound to vfio-pci, or a vdev with its arguments."},
	{.name = "address", .type = XY_CONFIG_STRING, .def = "\"::\"", .store = store_port_address,
	 .help = "The local address; \"::\" stands for all of them, IPv6 and IPv4."},
	{.name = "port", .type = XY_CONFIG_INT, .max = 65535, .def = "51820", PORT(port),
	 .help = "The UDP port; 0 takes any free one."},
	{.name = "checksum", .type = XY_CONFIG_STRING, .alternative = true,
	 .choices = checksum_choices, .def = "\"full\"", PORT(checksum),
	 .help = "Cards: the UDP checksum of what is sent; none: no cycles for it over IPv4, but NAT64 "
		 "and others drop that."},
};

static const struct xy_config_key host_keys[] = {
	{.name = "name", .type = XY_CONFIG_STRING, .def = "\"xylem0\"", ROOT(host.name),
	 .store = store_host_name, .help = "Name of the interface."},
	{.name = "mtu", .type = XY_CONFIG_INT, .min = 1280, .max = 9216, .or_zero = true,
	 .def = "0", ROOT(host.mtu),
	 .help = "Its MTU in bytes; 0 computes it from the underlay's."},
	{.name = "addresses", .type = XY_CONFIG_STRINGS, .def = "[ ]",
	 .sample = "[ \"10.1.0.1/24\" ]", .store = store_host_addresses,
	 .help = "More addresses for it, with prefix length: IPv4, or others of our own /64."},
	{.name = "allow", .type = XY_CONFIG_MIXED, .def = "( )",
	 .sample = "( \"tcp/22\", { port = \"udp/53\"; from = \"relay\"; } )",
	 .group = &allow_group, .store = store_allow,
	 .help = "What the mesh may reach of this host, besides ping and answers to it; \"all\": "
		 "everything."},
};

static const struct xy_config_key allow_keys[] = {
	{.name = "port", .type = XY_CONFIG_STRING, .required = true, .sample = "\"udp/53\"",
	 .store = store_allow_port,
	 .help = "tcp or udp, alone for all ports, or with one or a range: \"udp/1000-2000\"."},
	// stored by allow.c, once all peers are known
	{.name = "from", .type = XY_CONFIG_STRING, .sample = "\"relay\"",
	 .help = "From whom alone: a peer's name (of a leaf: its allowed), a node's public key, or a "
		 "prefix."},
};

static const struct xy_config_key worker_keys[] = {
	{.name = "count", .type = XY_CONFIG_INT, .min = 1, .max = XY_CONFIG_CPUS, .def = "1",
	 ROOT(workers.count), .help = "How many worker threads carry packets."},
	{.name = "cpus", .type = XY_CONFIG_INTS, .max = 1023, .def = "[ ]", .sample = "[ 1 ]",
	 .store = store_cpus,
	 .help = "One CPU for each worker; without it the last ones we may run on."},
	{.name = "idle", .type = XY_CONFIG_STRING, .choices = idle_choices, .def = "\"adaptive\"",
	 ROOT(workers.idle),
	 .help = "adaptive sleeps when there is no traffic; poll never does, and takes a whole CPU."},
	{.name = "lanes", .type = XY_CONFIG_INT, .min = 1, .max = 64, .def = "64",
	 ROOT(workers.lanes),
	 .help = "How many of them at most share what goes to one node that has several, too; 1: none "
		 "do."},
};

#define X(NAME, part, text)                                                              \
	{.name = #part, .type = XY_CONFIG_STRING, .choices = level_choices,              \
	 .sample = "\"info\"", ROOT(log_levels[XY_PART_##NAME]), .help = text},
static const struct xy_config_key level_keys[] = {XY_LOG_PARTS(X)};
#undef X
static const struct xy_config_group level_group = GROUP("log.levels", level_keys);

static const struct xy_config_key log_keys[] = {
	{.name = "level", .type = XY_CONFIG_STRING, .choices = level_choices, .def = "\"info\"",
	 ROOT(log_level), .help = "The least level that is logged."},
	{.name = "levels", .type = XY_CONFIG_GROUP, .group = &level_group,
	 .help = "Likewise for one subsystem, in place of level."},
	{.name = "format", .type = XY_CONFIG_STRING, .choices = format_choices, .def = "\"text\"",
	 ROOT(log_format),
	 .help = "text, json: lines on stderr; journald: to the journal, with fields "
		 "(XYLEM_SUBSYSTEM=, XYLEM_PEER=)."},
};

static const struct xy_config_key telemetry_keys[] = {
	{.name = "mode", .type = XY_CONFIG_STRING, .def = "\"0660\"", .store = store_mode,
	 .help = "File mode of the telemetry socket, in octal; who may write to it may ask."},
	{.name = "group", .type = XY_CONFIG_STRING, .def = "\"\"", .sample = "\"xylem\"",
	 ROOT(telemetry.group), .help = "Group that owns the socket; \"\" leaves the daemon's own."},
};

static const struct xy_config_key control_keys[] = {
	{.name = "mode", .type = XY_CONFIG_STRING, .def = "\"0600\"", .store = store_control_mode,
	 .help = "File mode of the control socket, in octal; who may write to it may change the node."},
	{.name = "group", .type = XY_CONFIG_STRING, .def = "\"\"", .sample = "\"xylem-admin\"",
	 ROOT(control.group), .help = "Group that owns the socket; \"\" leaves the daemon's own."},
};

static const struct xy_config_key info_keys[] = {
	{.name = "enabled", .type = XY_CONFIG_BOOL, .def = "true", ROOT(node_info.enabled),
	 .help = "Whether it answers; false: other nodes see no more than that it is silent."},
	{.name = "name", .type = XY_CONFIG_STRING, .def = "\"\"", .sample = "\"relay-1.example.net\"",
	 ROOT(node_info.name), .store = store_told_name,
	 .help = "The name it gives itself: 1 to 32 of A-Z a-z 0-9 . _ - and \"\" for none."},
	{.name = "neighbours", .type = XY_CONFIG_BOOL, .def = "false", .sample = "true",
	 ROOT(node_info.neighbours),
	 .help = "Whether it tells its neighbours, with cost and round-trip time of each link."},
	{.name = "version", .type = XY_CONFIG_BOOL, .def = "false", .sample = "true",
	 ROOT(node_info.version), .help = "Whether it tells the version of Xylem that it runs."},
};

static const struct xy_config_key peer_keys[] = {
	{.name = "name", .type = XY_CONFIG_STRING, .required = true, .sample = "\"relay\"",
	 PEER(name), .store = store_name,
	 .help = "What routes, tables and logs call it: 1 to 32 of A-Z a-z 0-9 . _ -"},
	{.name = "key", .type = XY_CONFIG_STRING, .sample = SAMPLE_RELAY_KEY, .store = store_key,
	 .help = "Its public key (`xylem pubkey`, `wg pubkey`); without one a node is asked at its "
		 "endpoint, once."},
	{.name = "endpoint", .type = XY_CONFIG_STRING, .sample = "\"relay.example.net:51820\"",
	 .store = store_endpoint,
	 .help = "Where to reach it, host:port; without one it has to come to us."},
	{.name = "endpoints", .type = XY_CONFIG_STRINGS, .alternative = true,
	 .sample = "[ \"192.0.2.1:51820\", \"[2001:db8::1]:51820\" ]", .store = store_endpoints,
	 .help = "Up to 8 endpoints, tried in turn when one does not answer."},
	{.name = "keepalive", .type = XY_CONFIG_INT, .max = 65535, .def = "0", .sample = "25",
	 PEER(keepalive),
	 .help = "Seconds between keepalives, to hold a NAT's mapping open (25 is usual); 0: none."},
	{.name = "mtu", .type = XY_CONFIG_INT, .min = 1280, .max = 9216, .or_zero = true,
	 .def = "0", .sample = "1280", PEER(mtu),
	 .help = "The largest packet on the link, in bytes; 0: as the path is found to carry."},
	{.name = "psk", .type = XY_CONFIG_STRING, .sample = SAMPLE_SECRET, .store = store_psk,
	 .help = "Pre-shared key in base64; for a node it stands in place of network_secret."},
	{.name = "leaf", .type = XY_CONFIG_BOOL, .alternative = true, .def = "false",
	 .sample = "true", PEER(leaf),
	 .help = "true: a plain WireGuard device that this node stands for; needs allowed."},
	{.name = "allowed", .type = XY_CONFIG_STRINGS, .alternative = true,
	 .sample = "[ \"10.1.0.5/32\" ]",
	 .store = store_allowed,
	 .help = "Leaves only: the prefixes that it may send from and that are routed to it."},
	{.name = "babel", .type = XY_CONFIG_STRING, .choices = speak_choices, .def = "\"auto\"",
	 PEER(babel),
	 .help = "Whether routes are exchanged with it; auto: with nodes yes, with leaves no."},
	{.name = "cost", .type = XY_CONFIG_INT, .min = 1, .max = 65534, .def = "96", PEER(cost),
	 .help = "What the link adds to a route's metric; traffic takes the least sum."},
	{.name = "traffic", .type = XY_CONFIG_BOOL, .def = "true", .store = store_traffic,
	 .help = "false: the link stays up, and nothing is routed over it, either way."},
	{.name = "max_origins", .type = XY_CONFIG_INT, .min = 1, .max = 1 << 20, .def = "65536",
	 PEER(max_origins), .help = "Of how many nodes it may bring routes."},
	{.name = "stub", .type = XY_CONFIG_BOOL, .alternative = true, .def = "false",
	 .sample = "true", PEER(stub),
	 .help = "true: it keeps no table (its routing has stub = true) and asks this node."},
	{.name = "relay", .type = XY_CONFIG_BOOL, .alternative = true, .def = "false",
	 .sample = "true", PEER(relay),
	 .help = "true: this node, a stub, asks it for routes."},
	{.name = "tag", .type = XY_CONFIG_INT, .max = UINT32_MAX, .alternative = true, .def = "0",
	 .sample = "7", PEER(tag),
	 .help = "Leaves with babel only: number of the network behind it, the same at each gateway "
		 "to it; 0: a network that has this gateway alone."},
	{.name = "accept", .type = XY_CONFIG_STRINGS, .alternative = true, .def = "[ ]",
	 .sample = "[ \"10.2.0.0/16\" ]", .store = store_accept,
	 .help = "Leaves with babel only: the prefixes that are taken from it and brought into the "
		 "mesh."},
	{.name = "announce", .type = XY_CONFIG_STRINGS, .alternative = true,
	 .def = "[ \"200::/7\" ]", .sample = "[ \"200::/7\", \"10.0.0.0/8\" ]",
	 .store = store_announce,
	 .help = "Leaves with babel only: what it is told besides our own prefixes."},
};

static const struct xy_config_key accept_keys[] = {
	{.name = "key", .type = XY_CONFIG_STRING, .required = true, .sample = SAMPLE_RELAY_KEY,
	 .store = store_accept_key, .help = "The node's public key."},
	{.name = "prefix", .type = XY_CONFIG_STRING, .required = true,
	 .sample = "\"10.2.0.0/16\"", .store = store_accept_prefix,
	 .help = "What it may announce: this prefix and those inside it."},
};

static const struct xy_config_key routing_keys[] = {
	{.name = "stub", .type = XY_CONFIG_BOOL, .def = "false", ROOT(routing.stub),
	 .help = "true: keep no table, ask the peers with relay = true for each destination."},
	{.name = "announce", .type = XY_CONFIG_STRINGS, .def = "[ ]",
	 .sample = "[ \"10.1.0.0/16\" ]", .store = store_own_announce,
	 .help = "Prefixes of ours besides our /64; they go to the leaf that has them, else to this "
		 "host."},
	{.name = "claims", .type = XY_CONFIG_STRINGS, .def = "[ ]", .sample = "[ \"fd10::/16\" ]",
	 .store = store_claims,
	 .help = "In which xylem-fleet may claim a prefix for this node, and this node uses those that "
		 "nodes of its fleet claim. Nothing else of a registry becomes a route."},
	{.name = "accept", .type = XY_CONFIG_GROUPS, .def = "( )", .group = &accept_group,
	 .store = store_own_accept,
	 .help = "Which prefixes outside 200::/7 this node uses, and of whom; others are only passed "
		 "on."},
};

static const struct xy_config_key route_keys[] = {
	{.name = "prefix", .type = XY_CONFIG_STRING, .required = true, .sample = "\"200::/7\"",
	 .store = store_prefix, .help = "Destinations, as address/length."},
	// stored by check.c, once all peers are known
	{.name = "peer", .type = XY_CONFIG_STRING, .required = true, .sample = "\"relay\"",
	 .help = "Name of the peer that they are sent to; no leaf."},
	{.name = "key", .type = XY_CONFIG_STRING, .alternative = true, .sample = SAMPLE_RELAY_KEY,
	 .store = store_route_key,
	 .help = "Public key of the node that has them, where the peer is a relay to it: what goes "
		 "there is sealed for it."},
};

static const struct xy_config_key discovery_keys[] = {
	{.name = "interfaces", .type = XY_CONFIG_STRINGS, .def = "[ ]", .sample = "[ \"eth0\" ]",
	 .store = store_interfaces,
	 .help = "The interfaces on whose network this node tells of itself, and hears of others."},
};

static const struct xy_config_group discovery_group = GROUP("discovery", discovery_keys);
static const struct xy_config_group allow_group = GROUP("allow", allow_keys);
static const struct xy_config_group host_group = GROUP("host", host_keys);
static const struct xy_config_group worker_group = GROUP("workers", worker_keys);
static const struct xy_config_group log_group = GROUP("log", log_keys);
static const struct xy_config_group telemetry_group = GROUP("telemetry", telemetry_keys);
static const struct xy_config_group control_group = GROUP("control", control_keys);
static const struct xy_config_group accept_group = GROUP("accept", accept_keys);
static const struct xy_config_group routing_group = GROUP("routing", routing_keys);
static const struct xy_config_group info_group = GROUP("node_info", info_keys);
static const struct xy_config_group port_group = GROUP("ports", port_keys);
static const struct xy_config_group peer_group = GROUP("peers", peer_keys);
static const struct xy_config_group route_group = GROUP("routes", route_keys);

static const char *const transit_choices[] = {
	[XY_TRANSIT_WHOLE] = "whole", [XY_TRANSIT_LIGHT] = "light", NULL};

// Limits stand before the lists that they limit: keys are read in this order.
static const struct xy_config_key root_keys[] = {
	{.name = "key_file", .type = XY_CONFIG_STRING, .def = "\"/etc/xylem/key\"", ROOT(key_file),
	 .store = store_key_file, .help = "The node's secret key; `xylem genkey` makes one."},
	{.name = "state", .type = XY_CONFIG_STRING, .sample = "\"/var/lib/xylem/xylem\"",
	 ROOT(state), .store = store_state,
	 .help = "Folder for what is remembered over a restart; else /var/lib/xylem/ and the "
		 "instance's name."},
	{.name = "network_secret", .type = XY_CONFIG_STRING, .sample = SAMPLE_SECRET,
	 .store = store_network_secret,
	 .help = "Pre-shared key of all links between nodes, in base64 (`wg genpsk` makes one)."},
	{.name = "suite", .type = XY_CONFIG_STRING, .choices = suite_choices, .def = "\"auto\"",
	 ROOT(suite),
	 .help = "What sessions with nodes are sealed with. auto: AES-256-GCM where both CPUs are "
		 "faster at it, else ChaCha20-Poly1305; chacha, aes: that alone. With other WireGuard "
		 "devices it is ChaCha20-Poly1305."},
	{.name = "transit", .type = XY_CONFIG_STRING, .choices = transit_choices,
	 .def = "\"whole\"", ROOT(transit),
	 .help = "What links seal of a packet that is sealed from end to end already. whole: all of "
		 "it; light, where the neighbour says so, too: its head, which relays read and change. "
		 "What relays then carry costs them half or less; whoever hears two links can tell that "
		 "they carry the same packet, and a packet that was changed on the way is found out at "
		 "its end alone."},
	{.name = "listen", .type = XY_CONFIG_INT, .max = 65535, .def = "51820",
	 .store = store_listen,
	 .help = "UDP port on all addresses; 0 takes any free one."},
	{.name = "ports", .type = XY_CONFIG_GROUPS, .alternative = true, .group = &port_group,
	 .sample = "( { address = \"192.0.2.1\"; port = 51820; } )", .store = store_ports,
	 .help = "Up to 16 ports with a driver and an address each, in place of listen."},
	{.name = "fwmark", .type = XY_CONFIG_INT, .max = UINT32_MAX, .def = "0", ROOT(fwmark),
	 .help = "Firewall mark of the datagrams we send, for policy routing; 0: none."},
	{.name = "tun", .type = XY_CONFIG_BOOL, .def = "true", ROOT(host.enabled),
	 .help = "Whether this host gets an interface; false: only forward."},
	{.name = "host", .type = XY_CONFIG_GROUP, .group = &host_group,
	 .help = "The interface of this host."},
	{.name = "workers", .type = XY_CONFIG_GROUP, .group = &worker_group,
	 .help = "The threads that carry packets."},
	{.name = "max_peers", .type = XY_CONFIG_INT, .min = 1, .max = 65536, .def = "1024",
	 ROOT(max_peers), .help = "Most peers at a time; memory is set aside by it."},
	{.name = "max_sessions", .type = XY_CONFIG_INT, .min = 16, .max = 1 << 20, .def = "4096",
	 ROOT(max_sessions), .help = "Most sessions at a time; a link uses up to three."},
	{.name = "max_routes", .type = XY_CONFIG_INT, .min = 16, .max = 1 << 24, .def = "65536",
	 ROOT(max_routes), .help = "Most routes at a time; more are refused, counted and logged."},
	{.name = "core_dumps", .type = XY_CONFIG_BOOL, .def = "false", ROOT(core_dumps),
	 .help = "Whether a crash may leave a core dump, for debugging: it holds secret keys."},
	{.name = "sandbox", .type = XY_CONFIG_BOOL, .def = "false", ROOT(sandbox),
	 .help = "Whether the daemon confines itself and its threads to the files and system calls "
		 "that they need, as --sandbox does."},
	{.name = "log", .type = XY_CONFIG_GROUP, .group = &log_group, .help = "The log."},
	{.name = "telemetry", .type = XY_CONFIG_GROUP, .group = &telemetry_group,
	 .help = "The socket that `xylem show` asks."},
	{.name = "control", .type = XY_CONFIG_GROUP, .group = &control_group,
	 .help = "The socket that what changes the node goes by (`xylem set`, `peer`, `reload`)."},
	{.name = "routing", .type = XY_CONFIG_GROUP, .group = &routing_group,
	 .help = "Babel, which finds the way to every node."},
	// both stored by exit.c, once all peers are known
	{.name = "exit", .type = XY_CONFIG_STRING, .def = "\"\"", .sample = "\"relay\"",
	 .help = "By whom this host's traffic to the Internet goes: a peer's name or a node's public "
		 "key; \"offer\": others' goes by this host."},
	{.name = "exit_for", .type = XY_CONFIG_STRINGS, .alternative = true, .def = "[ ]",
	 .sample = "[ \"relay\" ]",
	 .help = "With exit = \"offer\", for whom: peers' names, nodes' public keys, or \"all\"."},
	{.name = "peering", .type = XY_CONFIG_STRING, .choices = peering_choices,
	 .def = "\"closed\"", ROOT(peering),
	 .help = "closed: links with the peers below only; open: with every node that asks."},
	{.name = "max_open_peers", .type = XY_CONFIG_INT, .min = 1, .max = 65536, .def = "256",
	 ROOT(max_open_peers), .help = "Most peers that stand not below, where peering is open."},
	{.name = "discovery", .type = XY_CONFIG_GROUP, .group = &discovery_group,
	 .help = "Finding nodes on a LAN: those below by their key, all where peering is open."},
	{.name = "node_info", .type = XY_CONFIG_GROUP, .group = &info_group,
	 .help = "What every node of the mesh may ask this one (`xylem show tree`, `xylem trace`)."},
	{.name = "peers", .type = XY_CONFIG_GROUPS, .def = "( )", .group = &peer_group,
	 .store = store_peers, .help = "The nodes and WireGuard devices that we hold links to."},
	{.name = "routes", .type = XY_CONFIG_GROUPS, .def = "( )", .group = &route_group,
	 .store = store_routes,
	 .help = "Static routes; a node's own /64 and a leaf's allowed need none."},
};

// --- the file of what was changed at run time

#define RUN(field)    IN(xy_config_runtime, field)
#define CHANGE(field) IN(xy_config_change, field)
static const char *const changed_traffic[] = {"as it is", "on", "off", NULL};

static int store_change_key(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_change *c = base;
	struct xy_err err;
	return xy_key_parse(s->value.sval, &c->key, &err)
		       ? xy_config_fail(r, s, NULL, "%s", err.text)
		       : 0;
}

static const struct xy_config_key change_keys[] = {
	{.name = "peer", .type = XY_CONFIG_STRING, .required = true, .sample = "\"relay\"",
	 CHANGE(name), .help = "Whom it is of."},
	{.name = "key", .type = XY_CONFIG_STRING, .sample = SAMPLE_RELAY_KEY,
	 .store = store_change_key, .help = "Its public key."},
	{.name = "traffic", .type = XY_CONFIG_STRING, .choices = changed_traffic, CHANGE(traffic),
	 .help = "Whether anything is routed over the link."},
	{.name = "cost", .type = XY_CONFIG_INT, .min = 1, .max = 65534, CHANGE(cost),
	 .help = "Of the link."},
};
static const struct xy_config_group change_group = GROUP("changed", change_keys);

static int store_changes(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_runtime *c = base;
	int ret = xy_config_groups_read(r, s, &change_group, &c->changes, sizeof(*c->changes));
	c->change_count = c->changes ? (unsigned)config_setting_length(s) : 0;
	return ret;
}

#define X(NAME, part, text)                                                 \
	{.name = #part, .type = XY_CONFIG_STRING, .choices = level_choices, \
	 RUN(levels[XY_PART_##NAME]), .help = text},
static const struct xy_config_key runtime_level_keys[] = {XY_LOG_PARTS(X)};
#undef X
static const struct xy_config_group runtime_level_group = GROUP("log_levels", runtime_level_keys);

static const struct xy_config_key runtime_keys[] = {
	{.name = "log_level", .type = XY_CONFIG_STRING, .choices = level_choices, RUN(level),
	 .help = "The least level that is logged."},
	{.name = "log_levels", .type = XY_CONFIG_GROUP, .group = &runtime_level_group,
	 .help = "Likewise for subsystems."},
	{.name = "drained", .type = XY_CONFIG_BOOL, RUN(drained),
	 .help = "Whether this node has said goodbye, and stays."},
	{.name = "peers", .type = XY_CONFIG_GROUPS, .group = &peer_group, .store = store_peers,
	 .help = "That came at run time."},
	{.name = "changed", .type = XY_CONFIG_GROUPS, .group = &change_group,
	 .store = store_changes, .help = "Settings of peers."},
};
// clang-format on

const struct xy_config_group xy_config_runtime_schema = GROUP("run time", runtime_keys);
const struct xy_config_group xy_config_schema = GROUP("top level", root_keys);

static void describe_choices(const struct xy_config_key *k, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "string: ");
	for (unsigned i = 0; k->choices[i] && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ", " : "", k->choices[i]);
}

const char *xy_config_type_str(const struct xy_config_key *k, char *buf, size_t size)
{
	static const char *const names[] = {
		[XY_CONFIG_BOOL] = "boolean",
		[XY_CONFIG_INT] = "integer",
		[XY_CONFIG_STRING] = "string",
		[XY_CONFIG_INTS] = "list of integers",
		[XY_CONFIG_STRINGS] = "list of strings",
		[XY_CONFIG_GROUP] = "group",
		[XY_CONFIG_GROUPS] = "list of groups",
		[XY_CONFIG_MIXED] = "list of strings and groups, or \"all\"",
		[XY_CONFIG_ANY] = "value",
	};
	if (k->choices)
		describe_choices(k, buf, size);
	else if (k->type == XY_CONFIG_INT || k->type == XY_CONFIG_INTS)
		snprintf(buf, size, "%s, %s%lld to %lld", names[k->type], k->or_zero ? "0 or " : "",
			 (long long)k->min, (long long)k->max);
	else
		snprintf(buf, size, "%s", names[k->type]);
	return buf;
}
