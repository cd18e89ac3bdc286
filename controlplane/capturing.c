// SPDX-License-Identifier: BSD-3-Clause
// The dataplane's copies are taken when they are asked for, so many as one answer holds: where
// nobody asks, its rings fill, and what is lost is counted there.
#define XY_LOG_PART XY_PART_CONTROL

#include "capturing.h"

#include "base/near.h"
#include "daemon.h"
#include "naming.h"
#include "steering.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define UNASKED (5 * XY_SEC) // then it is over
enum {
	ANSWER = 96 << 10, // bytes of one answer, about: what any kernel takes in one message
	OVERHEAD = 400,	   // of a packet in it, beside its data
	SNAP_LEAST = 64,
	SNAP_MOST = 65535,
};

struct xy_capturing {
	struct xy_dp_capture what;
	struct xy_key key; // of what.peer
	struct xy_caller from;
	uint64_t number; // 0: none is under way
	uint64_t last;	 // number
	xy_nsec asked;
};

// --- what is asked for

struct places {
	const char *name;
	unsigned points;
};

#define POINT(NAME) (1u << XY_DP_CAPTURE_##NAME)

static const struct places places[] = {
	{"sealed", POINT(RX) | POINT(TX)},
	{"opened", POINT(IN) | POINT(OUT)},
	{"host", POINT(FROM_HOST) | POINT(TO_HOST)},
	{"drops", POINT(DROP)},
};

static const char *const point_name[] = {
	[XY_DP_CAPTURE_RX] = "rx",
	[XY_DP_CAPTURE_TX] = "tx",
	[XY_DP_CAPTURE_IN] = "in",
	[XY_DP_CAPTURE_OUT] = "out",
	[XY_DP_CAPTURE_FROM_HOST] = "from_host",
	[XY_DP_CAPTURE_TO_HOST] = "to_host",
	[XY_DP_CAPTURE_DROP] = "drop",
};

static int place_add(unsigned *points, const char *name, struct xy_err *err)
{
	for (unsigned i = 0; name && i < XY_ARRAY_SIZE(places); i++)
		if (strcmp(name, places[i].name) == 0) {
			*points |= places[i].points;
			return 0;
		}
	return xy_err_set(err, EINVAL, "places: write sealed, opened, host or drops");
}

static int points_of(const json_t *list, unsigned *points, struct xy_err *err)
{
	size_t i;
	json_t *v;
	int r = 0;
	if (!json_is_array(list) || !json_array_size(list))
		return place_add(points, NULL, err);
	json_array_foreach(list, i, v) r = r ? r : place_add(points, json_string_value(v), err);
	return r;
}

static int drop_of(const char *name, int *out, struct xy_err *err)
{
	struct xy_nearest near = xy_nearest_to(name ? name : "", 4);
	for (unsigned i = 0; name && i < XY_DROP_COUNT; i++) {
		xy_nearest_see(&near, xy_drop_name[i]);
		if (strcmp(name, xy_drop_name[i]) == 0)
			*out = (int)i;
	}
	if (!name || *out >= 0)
		return 0;
	char says[XY_NEAR_SAYS];
	return xy_err_set(err, ENOENT, "no packet is dropped as %.40s%s (xylem show drops --all)",
			  name, xy_near_says(near.best, says));
}

static int port_of(const struct xy_daemon *d, int port, struct xy_err *err)
{
	struct xy_dp_port_info info;
	if (port < 0 || xy_dp_port_info(d->dp, (unsigned)port, &info) == 0)
		return 0;
	return xy_err_set(err, ENOENT, "no port %d; see: xylem show ports", port);
}

static int peer_of(const struct xy_daemon *d, const char *name, struct xy_capturing *c,
		   struct xy_err *err)
{
	c->what.peer = XY_DP_NO_PEER;
	if (!name)
		return 0;
	int r = xy_naming_peer(d, name, &c->what.peer, err);
	if (!r)
		c->key = *xy_links_key(d->links, c->what.peer);
	return r;
}

static int want_of(const struct xy_daemon *d, json_t *o, struct xy_capturing *c, struct xy_err *err)
{
	json_error_t where;
	json_t *list = NULL;
	const char *peer = NULL, *drop = NULL;
	int snap = SNAP_MOST;
	c->what.port = c->what.drop = -1;
	if (json_unpack_ex(o, &where, JSON_STRICT, "{s:o, s?s, s?i, s?s, s?i}", "places", &list,
			   "peer", &peer, "port", &c->what.port, "drop", &drop, "snap", &snap))
		return xy_err_set(err, EINVAL, "params: %.120s", where.text);
	if (snap < SNAP_LEAST || snap > SNAP_MOST)
		return xy_err_set(err, EINVAL, "snap: write %d to %d", SNAP_LEAST, SNAP_MOST);
	c->what.snap = (uint32_t)snap;
	int r = points_of(list, &c->what.points, err);
	r = r ? r : drop_of(drop, &c->what.drop, err);
	r = r ? r : port_of(d, c->what.port, err);
	return r ? r : peer_of(d, peer, c, err);
}

// --- begin, end

static void end(struct xy_daemon *d)
{
	struct xy_capturing *c = d->capturing;
	if (!c->number)
		return;
	xy_dp_capture_stop(d->dp);
	c->number = 0;
}

static int start(struct xy_daemon *d, json_t *o, const struct xy_caller *from, struct xy_err *err)
{
	struct xy_capturing *c = d->capturing, next = {.last = c->last + 1, .from = *from};
	char who[XY_STEERING_WHO];
	if (c->number)
		return xy_err_set(err, EBUSY,
				  "%s captures already; there is one capture at a time, and it is "
				  "over %d s after its last question",
				  xy_steering_who(&c->from, who), (int)(UNASKED / XY_SEC));
	int r = want_of(d, o, &next, err);
	if (!r && xy_dp_capture_start(d->dp, &next.what))
		r = xy_err_set(err, ENOMEM, "no memory for a capture");
	if (r)
		return r;
	next.number = next.last;
	next.asked = xy_now();
	*c = next;
	return 0;
}

static json_t *capture(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	struct xy_err err;
	json_t *o = xy_steering_params(q, NULL, &err);
	int r = o ? start(d, o, &q->from, &err) : -EINVAL;
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	const struct xy_capturing *c = d->capturing;
	const char *peer =
		c->what.peer == XY_DP_NO_PEER ? NULL : xy_links_name(d->links, c->what.peer);
	json_t *a = json_pack("{s:I}", "capture", (json_int_t)c->number);
	return xy_steering_said(d, q, a, "capture of packets%s%s", peer ? ": peer " : "",
				peer ? peer : "");
}

// --- packets

struct answer {
	const struct xy_daemon *d;
	json_t *list;
	size_t size;
	xy_nsec now;	 // as the workers' clock
	json_int_t wall; // then, ns
};

static void endpoint_put(json_t *o, const char *key, const struct xy_addr *a, uint16_t port)
{
	char text[XY_ENDPOINT_STRLEN];
	const struct xy_endpoint e = {.addr = *a, .port = port};
	json_object_set_new(o, key, json_string(xy_endpoint_str(&e, text)));
}

static void datagram_put(json_t *o, const struct xy_daemon *d, const struct xy_dp_captured *c)
{
	struct xy_dp_port_info info = {.port = 0};
	xy_dp_port_info(d->dp, c->port, &info);
	json_object_set_new(o, "port", json_integer(c->port));
	json_object_set_new(o, "out", json_boolean(c->ours));
	endpoint_put(o, "remote", &c->remote.addr, c->remote.port);
	endpoint_put(o, "local", &c->local, info.port);
}

static void end_put(json_t *o, const struct xy_daemon *d, uint32_t peer)
{
	struct xy_far_info far;
	const char *name = peer == XY_DP_NO_PEER ? NULL : xy_links_name(d->links, peer);
	char to[XY_NAMING_LEN];
	if (name)
		json_object_set_new(o, "peer", json_string(name));
	else if (peer != XY_DP_NO_PEER && d->fars && xy_fars_info(d->fars, peer, xy_now(), &far))
		json_object_set_new(o, "peer", json_string(xy_naming_key(d, &far.key, to)));
}

static json_t *packet(const struct answer *a, const struct xy_dp_captured *c)
{
	size_t room = sodium_base64_encoded_len(c->caplen, sodium_base64_VARIANT_ORIGINAL);
	char *data = malloc(room);
	if (!data)
		return NULL;
	sodium_bin2base64(data, room, c->data, c->caplen, sodium_base64_VARIANT_ORIGINAL);
	json_t *o =
		json_pack("{s:I, s:s, s:I, s:s}", "at", a->wall - (json_int_t)(a->now - c->at),
			  "point", point_name[c->point], "len", (json_int_t)c->len, "data", data);
	free(data);
	if (c->datagram)
		datagram_put(o, a->d, c);
	if (c->point == XY_DP_CAPTURE_DROP)
		json_object_set_new(o, "drop", json_string(xy_drop_name[c->drop]));
	end_put(o, a->d, c->peer);
	return o;
}

static bool take(void *arg, const struct xy_dp_captured *c)
{
	struct answer *a = arg;
	size_t size = OVERHEAD + (c->caplen + 2) / 3 * 4;
	if (a->size && a->size + size > ANSWER)
		return false;
	json_t *o = packet(a, c);
	if (!o)
		return false;
	a->size += size;
	return json_array_append_new(a->list, o) == 0;
}

// The number of a peer that went may be another's by now.
static bool is_of_another(const struct xy_daemon *d)
{
	const struct xy_capturing *c = d->capturing;
	if (c->what.peer == XY_DP_NO_PEER)
		return false;
	const struct xy_key *key = xy_links_key(d->links, c->what.peer);
	return !key || memcmp(key, &c->key, sizeof(*key)) != 0;
}

// By "capture" of the params.
static int find(struct xy_daemon *d, const struct xy_request *q, bool *keep, struct xy_err *err)
{
	json_t *o = xy_steering_params(q, NULL, err);
	json_int_t number = json_integer_value(json_object_get(o, "capture"));
	struct xy_capturing *c = d->capturing;
	*keep = json_is_true(json_object_get(o, "keep"));
	if (!o)
		return -EINVAL;
	json_decref(o);
	if (!number || (uint64_t)number != c->number)
		return xy_err_set(
			err, ENOENT,
			"capture %lld is over: one that is not asked for its packets ends "
			"after %d s",
			(long long)number, (int)(UNASKED / XY_SEC));
	if (!is_of_another(d))
		return 0;
	end(d);
	return xy_err_set(err, ENOENT, "the peer whose packets were captured is gone");
}

static json_t *next(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	struct xy_err err;
	uint64_t sec;
	uint32_t nsec;
	bool keep;
	if (find(d, q, &keep, &err))
		return xy_server_error("%s", err.text);
	struct answer a = {.d = d, .list = json_array(), .now = xy_now()};
	xy_env_wall(&d->env, &sec, &nsec);
	a.wall = (json_int_t)sec * (json_int_t)XY_SEC + nsec;
	d->capturing->asked = a.now;
	if (!keep) // else it only goes on
		xy_dp_capture_take(d->dp, take, &a);
	return json_pack("{s:o, s:I}", "packets", a.list, "lost",
			 (json_int_t)xy_dp_capture_lost(d->dp));
}

static json_t *done(void *arg, struct xy_request *q)
{
	struct xy_daemon *d = arg;
	struct xy_err err;
	bool keep;
	if (find(d, q, &keep, &err))
		return xy_server_error("%s", err.text);
	json_t *a = json_pack("{s:I}", "lost", (json_int_t)xy_dp_capture_lost(d->dp));
	end(d);
	return a;
}

void xy_capturing_second(struct xy_daemon *d)
{
	const struct xy_capturing *c = d->capturing;
	if (!c || !c->number || xy_now() - c->asked < UNASKED)
		return;
	xy_log_info("capture ended: nobody asked for its packets any more");
	end(d);
}

int xy_capturing_begin(struct xy_daemon *d)
{
	static const struct xy_server_command all[] = {
		{"/xylem/capture",
		 "Begins to copy packets. Params: places (\"sealed\", \"opened\", \"host\", "
		 "\"drops\"), peer, port, drop, snap.",
		 capture},
		{"/xylem/capture_next",
		 "What was copied since. Params: capture, keep (true: nothing now, but go on).",
		 next},
		{"/xylem/capture_end", "Params: capture.", done},
	};
	d->capturing = calloc(1, sizeof(*d->capturing));
	return d->capturing ? xy_server_register_all(d->control, all, XY_ARRAY_SIZE(all), d)
			    : -ENOMEM;
}

void xy_capturing_close(struct xy_daemon *d)
{
	if (d->capturing)
		end(d);
	free(d->capturing);
	d->capturing = NULL;
}
