// SPDX-License-Identifier: BSD-3-Clause
#include "state/statefile.h"

#include "base/cursor.h"
#include "state/keep.h"

#include <sodium.h>
#include <stdlib.h>

enum {
	SUM_LEN = 32,
	SUM_LINE = 4 + 2 * SUM_LEN + 1, // "sum ", hex, newline
	LINE_MAX_LEN = 64 + XY_STATE_ENDPOINT_LEN,
	FILE_MAX = 16 << 20,
	KEY_TEXT = XY_KEY_STRLEN - 1,
};

static const char head[] = "xylem-state-v1\n";

// --- values

void xy_statefile_free(struct xy_statefile *f)
{
	free(f->pin);
	free(f->place);
	*f = (struct xy_statefile){0};
}

static int array_copy(void *to, const void *from, unsigned count, size_t size)
{
	void *copy = count ? malloc(count * size) : NULL;
	if (count && !copy)
		return -ENOMEM;
	if (count)
		memcpy(copy, from, count * size);
	memcpy(to, &copy, sizeof(copy));
	return 0;
}

int xy_statefile_copy(const struct xy_statefile *f, struct xy_statefile *out)
{
	*out = *f;
	out->pin = NULL;
	out->place = NULL;
	out->place_room = f->places;
	int r = array_copy(&out->pin, f->pin, f->pins, sizeof(*f->pin));
	r = r ? r : array_copy(&out->place, f->place, f->places, sizeof(*f->place));
	if (r)
		xy_statefile_free(out);
	return r;
}

int xy_statefile_pin_add(struct xy_statefile *f, const char *endpoint, const struct xy_key *key)
{
	size_t len = strlen(endpoint);
	if (len >= sizeof(f->pin->endpoint) || endpoint[strcspn(endpoint, "\n")])
		return -EINVAL;
	if (f->pins == XY_STATE_PINS) // the oldest makes room
		memmove(f->pin, f->pin + 1, --f->pins * sizeof(*f->pin));
	struct xy_statefile_pin *p = reallocarray(f->pin, f->pins + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	f->pin = p;
	p[f->pins].key = *key;
	memcpy(p[f->pins].endpoint, endpoint, len + 1);
	f->pins++;
	return 0;
}

bool xy_statefile_place_find(const struct xy_statefile *f, const struct xy_key *key, unsigned *at)
{
	unsigned from = 0, to = f->places;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;
		int c = memcmp(f->place[mid].key.b, key->b, sizeof(key->b));
		if (c == 0) {
			*at = mid;
			return true;
		}
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	*at = from;
	return false;
}

int xy_statefile_place_put(struct xy_statefile *f, const struct xy_key *key,
			   const struct xy_endpoint *at)
{
	unsigned i;
	if (xy_statefile_place_find(f, key, &i)) {
		f->place[i].at = *at;
		return 0;
	}
	if (f->places == f->place_room) {
		unsigned room = f->place_room ? 2 * f->place_room : 16;
		struct xy_statefile_place *p = reallocarray(f->place, room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		f->place = p;
		f->place_room = room;
	}
	memmove(&f->place[i + 1], &f->place[i], (f->places - i) * sizeof(f->place[0]));
	f->place[i] = (struct xy_statefile_place){.key = *key, .at = *at};
	f->places++;
	return 0;
}

// --- text

static void sum_of(const void *text, size_t len, char line[static SUM_LINE + 1])
{
	uint8_t sum[SUM_LEN];
	char hex[2 * SUM_LEN + 1];
	crypto_generichash(sum, sizeof(sum), text, len, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	snprintf(line, SUM_LINE + 1, "sum %s\n", hex);
}

static void print_values(FILE *to, const struct xy_statefile *f)
{
	char stamp[2 * XY_WG_TAI64N_LEN + 1], key[XY_KEY_STRLEN], at[XY_ENDPOINT_STRLEN];
	sodium_bin2hex(stamp, sizeof(stamp), f->stamp, sizeof(f->stamp));
	fprintf(to, "%sepoch %u\nstamp %s\n", head, f->epoch, stamp);
	for (unsigned i = 0; i < f->pins; i++)
		fprintf(to, "pin %s %s\n", xy_key_str(&f->pin[i].key, key), f->pin[i].endpoint);
	for (unsigned i = 0; i < f->places; i++)
		fprintf(to, "endpoint %s %s\n", xy_key_str(&f->place[i].key, key),
			xy_endpoint_str(&f->place[i].at, at));
}

// NULL: no memory.
static char *format(const struct xy_statefile *f, size_t *len)
{
	char line[SUM_LINE + 1], *text = NULL;
	FILE *to = open_memstream(&text, len);
	if (!to)
		return NULL;
	print_values(to, f);
	bool good = fflush(to) == 0;
	if (good) {
		sum_of(text, *len, line);
		fputs(line, to);
	}
	if (fclose(to) == 0 && good)
		return text;
	free(text);
	return NULL;
}

// The next line without its newline, as a string; NULL at the end, or when it is none of ours.
static char *line_take(struct xy_cursor *c, char line[static LINE_MAX_LEN])
{
	const uint8_t *end = memchr(c->p, '\n', xy_cursor_left(c));
	if (!end || end - c->p >= LINE_MAX_LEN)
		return NULL;
	size_t len = (size_t)(end - c->p);
	xy_cursor_copy(c, line, len);
	xy_cursor_take(c, 1);
	line[len] = 0;
	return strlen(line) == len ? line : NULL;
}

static int parse_epoch(const char *value, uint32_t *out)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(value, &end, 10);
	if (errno || *value < '0' || *value > '9' || *end || v > UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int parse_stamp(const char *value, uint8_t out[static XY_WG_TAI64N_LEN])
{
	size_t got = 0;
	const char *end = NULL;
	if (strlen(value) != 2 * XY_WG_TAI64N_LEN ||
	    sodium_hex2bin(out, XY_WG_TAI64N_LEN, value, strlen(value), NULL, &got, &end) ||
	    got != XY_WG_TAI64N_LEN)
		return -EINVAL;
	return 0;
}

// "KEY REST"; returns REST.
static const char *parse_key(char *value, struct xy_key *key)
{
	if (strlen(value) <= KEY_TEXT + 1 || value[KEY_TEXT] != ' ')
		return NULL;
	value[KEY_TEXT] = 0;
	return xy_key_parse(value, key, NULL) ? NULL : value + KEY_TEXT + 1;
}

static int parse_pin(char *value, struct xy_statefile *f)
{
	struct xy_key key;
	const char *endpoint = parse_key(value, &key);
	return endpoint ? xy_statefile_pin_add(f, endpoint, &key) : -EINVAL;
}

static int parse_place(char *value, struct xy_statefile *f)
{
	struct xy_key key;
	struct xy_endpoint at;
	const char *endpoint = parse_key(value, &key);
	if (!endpoint || xy_endpoint_parse(endpoint, &at))
		return -EINVAL;
	return xy_statefile_place_put(f, &key, &at);
}

static int parse_line(char *line, struct xy_statefile *f)
{
	char *value = strchr(line, ' ');
	if (!value)
		return -EINVAL;
	*value++ = 0;
	if (strcmp(line, "epoch") == 0)
		return parse_epoch(value, &f->epoch);
	if (strcmp(line, "stamp") == 0)
		return parse_stamp(value, f->stamp);
	if (strcmp(line, "pin") == 0)
		return parse_pin(value, f);
	if (strcmp(line, "endpoint") == 0)
		return parse_place(value, f);
	return -EINVAL;
}

static int check_frame(const uint8_t *text, size_t len, struct xy_err *why)
{
	char line[SUM_LINE + 1];
	if (len >= sizeof(head) - 2 && memcmp(text, head, sizeof(head) - 3) == 0 &&
	    memcmp(text, head, sizeof(head) - 1 <= len ? sizeof(head) - 1 : len) != 0)
		return xy_err_set(why, EINVAL, "it is of another version of Xylem");
	if (len < sizeof(head) - 1 + SUM_LINE || memcmp(text, head, sizeof(head) - 1) != 0)
		return xy_err_set(why, EINVAL, "it is cut off, or no state file");
	sum_of(text, len - SUM_LINE, line);
	if (memcmp(line, text + len - SUM_LINE, SUM_LINE) != 0)
		return xy_err_set(why, EINVAL, "it is damaged: its sum is wrong");
	return 0;
}

int xy_statefile_parse(const void *text, size_t len, struct xy_statefile *out, struct xy_err *why)
{
	char line[LINE_MAX_LEN];
	*out = (struct xy_statefile){0};
	int r = check_frame(text, len, why);
	if (r)
		return r;
	struct xy_cursor c = xy_cursor(text, len - SUM_LINE);
	xy_cursor_take(&c, sizeof(head) - 1);
	while (!r && xy_cursor_left(&c))
		r = line_take(&c, line) ? parse_line(line, out) : -EINVAL;
	if (!r)
		return 0;
	xy_statefile_free(out);
	return xy_err_set(why, -r, "it has a line that is none of ours");
}

// --- the file

static int read_file(const char *folder, struct xy_statefile *out, struct xy_err *why)
{
	char *text = NULL;
	ssize_t n = xy_keep_read(folder, XY_STATEFILE_NAME, FILE_MAX, &text);
	if (n == -ENOENT)
		return 0;
	int r = n < 0 ? xy_err_set(why, (int)-n, "%s", strerror((int)-n))
		      : xy_statefile_parse(text, (size_t)n, out, why);
	free(text);
	return r;
}

int xy_statefile_load(const char *folder, struct xy_statefile *out, struct xy_err *why)
{
	struct xy_err what = {0};
	*out = (struct xy_statefile){0};
	int r = read_file(folder, out, &what);
	if (!r)
		return 0;
	bool aside = xy_keep_aside(folder, XY_STATEFILE_NAME) == 0;
	return xy_err_set(why, -r,
			  "state %.200s/" XY_STATEFILE_NAME
			  " is lost: %.80s; the epoch, pinned keys "
			  "and last endpoints begin anew%s",
			  folder, what.text, aside ? " (put aside as state.lost)" : "");
}

int xy_statefile_write(const char *folder, const struct xy_statefile *f, struct xy_err *err)
{
	size_t len;
	char *text = format(f, &len);
	int r = text ? xy_keep_write(folder, XY_STATEFILE_NAME, text, len) : -ENOMEM;
	free(text);
	if (!r)
		return 0;
	return xy_err_set(err, -r,
			  "state folder %.200s: %s; what changes now is lost at a restart%s",
			  folder, strerror(-r), r == -ENOSPC ? "; make room" : "");
}
