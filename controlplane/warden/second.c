// SPDX-License-Identifier: BSD-3-Clause
// The second channel: the config file, and the kernel's packet filter.
#include "policy/nat.h"
#include "warden/serve.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { GONE_TRIES = 100, GONE_PAUSE = 20 }; // ms: the kernel takes an interface away a little later
enum { WATCHES = 8, WATCHES_EACH = 10000 };

// --- the config

static void secrets_wipe(struct xy_config *c)
{
	sodium_memzero(c->network_secret, sizeof(c->network_secret));
	for (unsigned i = 0; i < c->peer_count; i++)
		sodium_memzero(c->peers[i].psk, sizeof(c->peers[i].psk));
}

int xy_serve_config_make(const struct xy_serve *s, struct xy_config *c,
			 struct xy_serve_config **out, struct xy_err *err)
{
	struct xy_serve_config *made = calloc(1, sizeof(*made));
	secrets_wipe(c);
	if (!made || xy_scope_make(c, &s->as->node, s->table, s->as->no_tun, &made->scope)) {
		xy_config_free(c);
		free(made);
		return xy_err_set(err, ENOMEM, "no memory for the config");
	}
	made->config = *c;
	*c = (struct xy_config){0};
	*out = made;
	return 0;
}

void xy_serve_config_free(struct xy_serve_config *c)
{
	if (!c)
		return;
	xy_config_free(&c->config);
	xy_scope_free(&c->scope);
	free(c);
}

// Local ones alone: no library that /etc/nsswitch.conf names runs here.
static struct xy_serve_group group_find(const char *name)
{
	struct xy_serve_group found = {.there = false};
	const struct group *g = NULL;
	FILE *f = name[0] ? fopen("/etc/group", "re") : NULL;
	while (f && (g = fgetgrent(f)) && strcmp(g->gr_name, name) != 0)
		continue;
	if (g)
		found = (struct xy_serve_group){.there = true, .gid = g->gr_gid};
	if (f)
		fclose(f);
	return found;
}

static const char *group_name(const struct xy_serve_config *c, unsigned which)
{
	return which ? c->config.control.group : c->config.telemetry.group;
}

// One that is named as before stays who it was.
static void groups_find(struct xy_serve *s, struct xy_serve_config *made)
{
	for (unsigned i = 0; i < 2; i++) {
		pthread_mutex_lock(&s->lock);
		bool same = strcmp(group_name(s->now, i), group_name(made, i)) == 0;
		if (same)
			made->group[i] = s->now->group[i];
		pthread_mutex_unlock(&s->lock);
		if (!same)
			made->group[i] = group_find(group_name(made, i));
	}
}

static int config_read(struct xy_serve *s, struct xy_warden_answer *a, struct xy_err *err)
{
	struct xy_config c;
	struct xy_serve_config *made, *before, *old;
	int r = s->as->read(s->as->arg, &c, err);
	if (r)
		xy_config_free(&c);
	else
		memcpy(a->digest, c.digest, sizeof(a->digest));
	r = r ? r : xy_serve_config_make(s, &c, &made, err);
	if (r)
		return r;
	groups_find(s, made);
	pthread_mutex_lock(&s->lock);
	before = s->next;
	old = s->old;
	s->next = made;
	s->old = NULL;
	pthread_mutex_unlock(&s->lock);
	xy_serve_config_free(before);
	xy_serve_config_free(old);
	return 0;
}

// --- the rules of host.allow

static bool known_key(void *arg, const struct xy_config_peer *p, struct xy_key *out)
{
	const struct xy_warden_request *q = arg;
	for (unsigned i = 0; i < q->key_count; i++)
		if (strcmp(q->key[i].peer, p->name) == 0) {
			*out = q->key[i].key;
			return true;
		}
	return false;
}

// The text is made here, of the config that was read here.
static int text_make(struct xy_serve *s, const struct xy_warden_request *q, char **text,
		     struct xy_err *err)
{
	char interface[16];
	pthread_mutex_lock(&s->lock);
	const struct xy_serve_config *c = q->next ? s->next : s->now;
	xy_serve_interface(s, interface);
	const struct xy_policy_of of = {.instance = s->as->instance,
					.interface = interface,
					.config = c ? &c->config : NULL,
					.key = known_key,
					.arg = (void *)(uintptr_t)q};
	int r = c ? xy_policy_text(&of, text, err) : xy_err_set(err, ENOENT, "no config was read");
	pthread_mutex_unlock(&s->lock);
	return r;
}

// The main process keeps the one that it has; the packet filter's thread asks for another when it
// lost it.
static int watch(struct xy_serve *s, int *fd, struct xy_err *err)
{
	if (!xy_serve_pace(&s->watches, WATCHES, WATCHES_EACH))
		return xy_err_set(err, EBUSY, "it was asked for too often");
	return xy_nft_watch_open(fd, err);
}

static bool is_all_open(struct xy_serve *s, bool next)
{
	pthread_mutex_lock(&s->lock);
	const struct xy_serve_config *c = next ? s->next : s->now;
	bool open = c && c->config.allow.all;
	pthread_mutex_unlock(&s->lock);
	return open;
}

static int filter_open(struct xy_serve *s, struct xy_err *err)
{
	return s->nft ? 0 : xy_nft_open(s->as->instance, &s->nft, err);
}

static int rules(struct xy_serve *s, const struct xy_warden_request *q, struct xy_err *err)
{
	char *text = NULL;
	int r = text_make(s, q, &text, err);
	if (!r && !text)
		r = xy_err_set(err, EINVAL, "host.allow is \"all\" in the config file: no rules");
	r = r ? r : filter_open(s, err);
	r = r ? r : xy_nft_make(s->nft, text, err);
	free(text);
	return r;
}

static int no_rules(struct xy_serve *s, const struct xy_warden_request *q, struct xy_err *err)
{
	if (!is_all_open(s, q->next))
		return xy_err_set(err, EPERM,
				  "host.allow of the config file is not \"all\": the "
				  "rules stay");
	int r = filter_open(s, err);
	return r ? r : xy_nft_remove(s->nft, err);
}

// Only what is not there is unused: who has it can make it look idle (no carrier, no queue).
static bool is_unused(const char *interface)
{
	struct ifreq q = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(q.ifr_name, interface, sizeof(q.ifr_name));
	bool unused = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &q) && errno == ENODEV;
	if (fd >= 0)
		close(fd);
	return unused;
}

// A channel that is closed proves nothing: the main process closes it when it likes.
static void dead_wait(int parent)
{
	struct pollfd p = {.fd = parent, .events = POLLIN};
	while (poll(&p, 1, -1) < 1 || !(p.revents & POLLIN))
		continue;
}

void xy_serve_last(struct xy_serve *s)
{
	char interface[16];
	struct xy_err err;
	dead_wait(s->parent);
	xy_serve_interface(s, interface);
	for (unsigned i = 0; s->ends && s->nft && i < GONE_TRIES; i++) {
		if (is_unused(interface)) {
			xy_nft_remove(s->nft, &err);
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = GONE_PAUSE * 1000000L}, NULL);
	}
}

// --- NAT

static int nat(struct xy_serve *s, struct xy_warden_answer *a)
{
	struct xy_nat_found found = {0};
	char *json = NULL, interface[16];
	unsigned count = 0;
	pthread_mutex_lock(&s->lock);
	struct xy_prefix *v4 = xy_nat_sources(&s->now->config, &count);
	xy_serve_interface(s, interface);
	pthread_mutex_unlock(&s->lock);
	int r = v4 ? xy_nat_list(&json, &a->err) : -ENOMEM;
	if (!r && xy_nat_find(json, interface, v4, count, &found))
		r = xy_err_set(&a->err, EINVAL, "its list cannot be read");
	a->v6 = found.v6;
	a->v4 = found.v4;
	free(json);
	free(v4);
	return r;
}

// --- all

void xy_serve_second(struct xy_serve *s, const struct xy_warden_request *q,
		     struct xy_warden_answer *a, int *fd)
{
	switch (q->op) {
	case XY_WARDEN_READ:
		a->result = config_read(s, a, &a->err);
		break;
	case XY_WARDEN_RULES:
		a->result = rules(s, q, &a->err);
		break;
	case XY_WARDEN_NONE:
		a->result = no_rules(s, q, &a->err);
		break;
	case XY_WARDEN_WHOLE:
		a->whole = s->nft && xy_nft_is_whole(s->nft);
		break;
	case XY_WARDEN_WATCH:
		a->result = watch(s, fd, &a->err);
		break;
	case XY_WARDEN_NAT:
		a->result = nat(s, a);
		break;
	default:
		a->result = -EBADMSG;
	}
}
