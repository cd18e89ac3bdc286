// SPDX-License-Identifier: BSD-3-Clause
// The first channel, of cards: their XDP programs, which stay this process' own, and sockets of
// AF_XDP. The main process has of a program what it counts and the link, so that it stays in force
// when this process is killed; neither is of use to change it.
#include "warden/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
	// How many at once, and then one in so many ms: each card may be tried again each second.
	PROGRAMS = 8 * XY_CONFIG_PORTS,
	PROGRAMS_EACH = 50,
	XSKS = 2 * XY_CONFIG_PORTS * XY_WARDEN_QUEUES,
	XSKS_EACH = 2,
};

static const struct xy_scope *scope(const struct xy_serve *s)
{
	return &s->now->scope;
}

static void card_free(struct xy_serve_card *c)
{
	xy_dp_program_free(c->program);
	*c = (struct xy_serve_card){0};
}

void xy_serve_cards_free(struct xy_serve *s)
{
	for (unsigned i = 0; i < XY_WARDEN_PROGRAMS; i++)
		card_free(&s->card[i]);
}

// The descriptor that goes, whose answer closes it.
static int twin(int own, int *fd)
{
	*fd = fcntl(own, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static int unnamed(struct xy_warden_answer *a, const char *interface)
{
	return xy_err_set(&a->err, EPERM,
			  "%s: the privileged helper finds no such af_xdp port in the config file",
			  interface);
}

static int too_often(struct xy_warden_answer *a, const char *interface)
{
	return xy_err_set(&a->err, EBUSY, "%s: the privileged helper was asked for it too often",
			  interface);
}

static int xsk(struct xy_serve *s, const struct xy_warden_request *q, struct xy_warden_answer *a,
	       int *fd)
{
	if (!xy_scope_has_card(scope(s), q->interface))
		return unnamed(a, q->interface);
	if (!xy_serve_pace(&s->xsks, XSKS, XSKS_EACH))
		return too_often(a, q->interface);
	*fd = xy_dp_xsk(q->interface, &a->err);
	return *fd < 0 ? *fd : 0;
}

// One that was loaded for this card and never attached: nobody heard of it.
static bool is_left(const struct xy_serve_card *c, const char *interface)
{
	return c->program && !c->attached &&
	       strcmp(xy_dp_program_interface(c->program), interface) == 0;
}

static int load(struct xy_serve *s, const struct xy_warden_request *q, struct xy_warden_answer *a,
		int *fd)
{
	struct xy_dp_program_config cfg = {
		.port = q->port, .frame_max = q->frame_max, .pieces = q->pieces};
	unsigned at = XY_WARDEN_PROGRAMS;
	if (!xy_scope_has_program(scope(s), q->interface, q->port))
		return xy_err_set(&a->err, EPERM,
				  "%s: the privileged helper finds no such af_xdp port in the "
				  "config file, or its first UDP port was another than %u; restart "
				  "xylemd",
				  q->interface, q->port);
	if (!xy_serve_pace(&s->programs, PROGRAMS, PROGRAMS_EACH))
		return too_often(a, q->interface);
	for (unsigned i = 0; i < XY_WARDEN_PROGRAMS; i++) {
		if (is_left(&s->card[i], q->interface))
			card_free(&s->card[i]);
		at = at == XY_WARDEN_PROGRAMS && !s->card[i].program ? i : at;
	}
	if (at == XY_WARDEN_PROGRAMS)
		return xy_err_set(&a->err, EMFILE,
				  "%s: the privileged helper has %u XDP programs already; restart "
				  "xylemd",
				  q->interface, XY_WARDEN_PROGRAMS);
	memcpy(cfg.interface, q->interface, sizeof(cfg.interface));
	int r = xy_dp_program_load(&cfg, &s->card[at].program, &a->err);
	r = r ? r : twin(xy_dp_program_seen(s->card[at].program), fd);
	s->card[at].port = q->port;
	a->program = s->card[at].number = ++s->programs_ever;
	if (r)
		card_free(&s->card[at]);
	return r;
}

// By its number alone: a question about one that is gone may come late.
static struct xy_serve_card *card_of(struct xy_serve *s, uint32_t number)
{
	for (unsigned i = 0; i < XY_WARDEN_PROGRAMS; i++)
		if (s->card[i].program && s->card[i].number == number)
			return &s->card[i];
	return NULL;
}

static int attach(struct xy_serve *s, struct xy_serve_card *c, struct xy_warden_answer *a, int *fd)
{
	int link = xy_dp_program_attach(c->program, &a->at, &a->err);
	if (link < 0)
		return link;
	c->attached = true;
	xy_scope_card_takes(&s->now->scope, xy_dp_program_interface(c->program), c->port);
	return twin(link, fd);
}

static int addresses(const struct xy_serve *s, struct xy_serve_card *c,
		     const struct xy_warden_request *q)
{
	struct xy_addr v[XY_WARDEN_ADDRESSES_MOST];
	const char *interface = xy_dp_program_interface(c->program);
	unsigned count = (unsigned)(q->len / sizeof(*v));
	if (q->len)
		memcpy(v, q->bytes, q->len);
	for (unsigned i = 0; i < count; i++)
		if (!xy_scope_has_card_address(scope(s), interface, &v[i]))
			return -EPERM;
	return xy_dp_program_addresses(c->program, v, count);
}

void xy_serve_card(struct xy_serve *s, const struct xy_warden_request *q,
		   struct xy_warden_answer *a, int came, int *fd)
{
	struct xy_serve_card *c = card_of(s, q->program);
	if (q->op == XY_WARDEN_XSK)
		a->result = xsk(s, q, a, fd);
	else if (q->op == XY_WARDEN_PROGRAM)
		a->result = load(s, q, a, fd);
	else if (!c)
		a->result = -ENOENT;
	else if (q->op == XY_WARDEN_FRAMES)
		a->result = xy_dp_program_frame_max(c->program, q->frame_max);
	else if (q->op == XY_WARDEN_ADDRESSES)
		a->result = addresses(s, c, q);
	else if (q->op == XY_WARDEN_SOCKET)
		a->result = came < 0 ? -EBADF : xy_dp_program_socket(c->program, q->queue, came);
	else if (q->op == XY_WARDEN_ATTACH)
		a->result = attach(s, c, a, fd);
	else
		card_free(c);
}
