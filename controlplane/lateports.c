// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_PORTS

#include "lateports.h"

#include "daemon.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

// The kernel's own word, whatever makes an address usable: interfaces, their state, sysctls. A port
// of any number is asked for, so that nobody's is in the way.
static bool is_there(const struct xy_addr *a)
{
	union address to = {0};
	bool v4 = xy_addr_is_v4(a);
	socklen_t len = v4 ? sizeof(to.v4) : sizeof(to.v6);
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true; // then it is something else that is wrong
	if (v4) {
		to.v4.sin_family = AF_INET;
		memcpy(&to.v4.sin_addr, a->b + 12, 4);
	} else {
		to.v6.sin6_family = AF_INET6;
		memcpy(&to.v6.sin6_addr, a->b, sizeof(a->b));
	}
	bool there = bind(fd, &to.any, len) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return there;
}

static void say_away(struct xy_late_port *p, bool away)
{
	char text[XY_ADDR_STRLEN];
	xy_addr_str(&p->cfg.address, text);
	p->away = away;
	if (away)
		xy_log_warn(
			"port %u: no interface has %s any more; nothing comes by this port until "
			"the address is back",
			p->id, text);
	else
		xy_log_info("port %u: %s is back", p->id, text);
}

static bool try(struct xy_daemon *d, struct xy_late_port *p)
{
	struct xy_err err;
	char text[XY_ADDR_STRLEN];
	if (xy_dp_port_add(d->dp, &p->cfg, &p->id, &err)) {
		if (!p->told)
			xy_log_warn("%s; trying again every second", err.text);
		p->told = true;
		return false;
	}
	p->open = true;
	xy_log_info("port %u: %s is there; UDP port %u of it is open", p->id,
		    xy_addr_str(&p->cfg.address, text), p->cfg.port);
	return true;
}

int xy_late_port_open(struct xy_daemon *d, const struct xy_dp_port_config *cfg, struct xy_err *err)
{
	unsigned id;
	int r = xy_dp_port_add(d->dp, cfg, &id, err);
	bool late = r == -EADDRNOTAVAIL;
	if ((r && !late) || xy_addr_is_unspecified(&cfg->address))
		return r;
	if (late)
		xy_log_warn("%s. This port waits for it", err->text);
	d->late.port[d->late.count++] =
		(struct xy_late_port){.cfg = *cfg, .open = !late, .id = late ? 0 : id};
	return 0;
}

bool xy_late_ports_look(struct xy_daemon *d)
{
	bool any = false;
	for (unsigned i = 0; i < d->late.count; i++) {
		struct xy_late_port *p = &d->late.port[i];
		bool there = is_there(&p->cfg.address);
		if (p->open && there == p->away)
			say_away(p, !there);
		else if (!p->open && there)
			any |= try(d, p);
	}
	return any;
}

bool xy_late_ports_wait(const struct xy_daemon *d)
{
	for (unsigned i = 0; i < d->late.count; i++)
		if (!d->late.port[i].open)
			return true;
	return false;
}

bool xy_late_ports_text(const struct xy_daemon *d, unsigned i, char *to, size_t size)
{
	for (unsigned k = 0; k < d->late.count; k++) {
		const struct xy_late_port *p = &d->late.port[k];
		char text[XY_ADDR_STRLEN];
		if ((p->open && !p->away) || i--)
			continue;
		snprintf(to, size, "%s, to listen on at UDP port %u",
			 xy_addr_str(&p->cfg.address, text), p->cfg.port);
		return true;
	}
	return false;
}
