// SPDX-License-Identifier: BSD-3-Clause
#include "client/pcapng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { INTERFACES = 64, NAME = 64 };
enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, STATISTICS = 5, PACKET = 6 };
enum {
	LINKTYPE_RAW = 101,
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_APPLICATION = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	ISB_IFDROP = 5
};

struct xy_pcapng {
	FILE *to;
	unsigned interfaces;
	char name[INTERFACES][NAME];
	uint64_t last;	// packet's time
	uint8_t *block; // the one that is being made, from behind its length on
	size_t len, room;
};

static int bytes(struct xy_pcapng *p, const void *data, size_t n)
{
	static const uint8_t zeros[4];
	size_t pad = -n & 3;
	if (p->len + n + pad > p->room) {
		size_t room = 2 * (p->len + n + pad);
		uint8_t *more = realloc(p->block, room);
		if (!more)
			return -ENOMEM;
		p->block = more;
		p->room = room;
	}
	if (n)
		memcpy(p->block + p->len, data, n);
	memcpy(p->block + p->len + n, zeros, pad);
	p->len += n + pad;
	return 0;
}

static int word(struct xy_pcapng *p, uint32_t v)
{
	return bytes(p, &v, sizeof(v));
}

static int option(struct xy_pcapng *p, uint16_t code, const void *data, size_t n)
{
	uint16_t most = n < UINT16_MAX ? (uint16_t)n : UINT16_MAX;
	int r = bytes(p, (uint16_t[]){code, most}, 2 * sizeof(uint16_t));
	return r ? r : bytes(p, data, most);
}

static int write_out(struct xy_pcapng *p, uint32_t type, struct xy_err *err)
{
	const uint32_t len = (uint32_t)p->len + 12, head[2] = {type, len};
	errno = 0;
	bool good = fwrite(head, sizeof(head), 1, p->to) == 1 &&
		    fwrite(p->block, p->len, 1, p->to) == 1 &&
		    fwrite(&len, sizeof(len), 1, p->to) == 1;
	p->len = 0;
	return good ? 0 : xy_err_set(err, errno ? errno : EIO, "%s", strerror(errno ? errno : EIO));
}

static int finish(struct xy_pcapng *p, int r, uint32_t type, struct xy_err *err)
{
	r = r ? r : word(p, OPT_END);
	if (!r)
		return write_out(p, type, err);
	p->len = 0;
	return xy_err_set(err, -r, "%s", strerror(-r));
}

int xy_pcapng_begin(FILE *to, struct xy_pcapng **out, struct xy_err *err)
{
	static const char application[] = "xylem " XY_VERSION;
	struct xy_pcapng *p = calloc(1, sizeof(*p));
	if (!p)
		return xy_err_set(err, ENOMEM, "no memory");
	p->to = to;
	int r = word(p, 0x1a2b3c4d);			       // in our byte order
	r = r ? r : bytes(p, (uint16_t[]){1, 0}, 4);	       // version 1.0
	r = r ? r : word(p, UINT32_MAX) | word(p, UINT32_MAX); // its length is not known
	r = r ? r : option(p, SHB_APPLICATION, application, strlen(application));
	r = finish(p, r, SECTION, err);
	if (r)
		xy_pcapng_end(p);
	else
		*out = p;
	return r;
}

static int interface_add(struct xy_pcapng *p, const char *name, struct xy_err *err)
{
	const uint8_t nanoseconds = 9;
	snprintf(p->name[p->interfaces], NAME, "%s", name);
	int r = bytes(p, (uint16_t[]){LINKTYPE_RAW, 0}, 4);
	r = r ? r : word(p, 0); // no limit
	r = r ? r : option(p, IF_NAME, name, strlen(p->name[p->interfaces]));
	r = r ? r : option(p, IF_TSRESOL, &nanoseconds, 1);
	r = finish(p, r, INTERFACE, err);
	p->interfaces += !r;
	return r;
}

// The last one stands for all that have no place any more.
static int interface_of(struct xy_pcapng *p, const char *name, uint32_t *out, struct xy_err *err)
{
	for (*out = 0; *out < p->interfaces; ++*out)
		if (strncmp(p->name[*out], name, NAME - 1) == 0)
			return 0;
	if (p->interfaces < INTERFACES)
		return interface_add(p, name, err);
	*out = INTERFACES - 1;
	return 0;
}

int xy_pcapng_put(struct xy_pcapng *p, const struct xy_pcapng_packet *packet, struct xy_err *err)
{
	const uint32_t flags = packet->direction;
	const uint64_t at = (uint64_t)packet->at;
	uint32_t interface;
	p->last = at;
	int r = interface_of(p, packet->interface, &interface, err);
	if (r)
		return r;
	r = word(p, interface);
	r = r ? r : word(p, (uint32_t)(at >> 32));
	r = r ? r : word(p, (uint32_t)at);
	r = r ? r : word(p, (uint32_t)packet->caplen);
	r = r ? r : word(p, (uint32_t)packet->len);
	r = r ? r : bytes(p, packet->data, packet->caplen);
	if (!r && packet->comment)
		r = option(p, OPT_COMMENT, packet->comment, strlen(packet->comment));
	if (!r && flags)
		r = option(p, EPB_FLAGS, &flags, sizeof(flags));
	return finish(p, r, PACKET, err);
}

// Of which place they were is not known: they stand at the first.
int xy_pcapng_lost(struct xy_pcapng *p, uint64_t lost, struct xy_err *err)
{
	if (!p->interfaces)
		return 0;
	int r = word(p, 0);
	r = r ? r : word(p, (uint32_t)(p->last >> 32));
	r = r ? r : word(p, (uint32_t)p->last);
	r = r ? r : option(p, ISB_IFDROP, &lost, sizeof(lost));
	return finish(p, r, STATISTICS, err);
}

void xy_pcapng_end(struct xy_pcapng *p)
{
	if (p)
		free(p->block);
	free(p);
}
