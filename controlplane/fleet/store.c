// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/store.h"

#include "base/grow.h"
#include "log.h"
#include "state/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OWN_FILE     "own"
#define RECORDS_FILE "records"
#define CLAIMS_FILE  "claims"

enum {
	FOLDER = 4000,
	OWN_MOST = 4096,
	RECORDS_MOST = (XY_FLEET_TEXT + 1) * 2 * XY_FLEET_RECORDS,
	CLAIM_MOST = 200,
	CLAIMS_MOST = CLAIM_MOST * (XY_FLEET_PLACES + 1)
};

static const char head[] = "xylem-fleet-records-v1\n";
static const char claims_head[] = "xylem-fleet-claims-v2\n";

// A node's claim, as it was seen.
struct claim {
	struct xy_key key; // Ed25519
	struct xy_prefix prefix;
	uint64_t epoch;		    // of its record
	struct xy_fleet_claimed is; // seen 0: was asked about
};

struct writing {
	uv_work_t work;
	struct xy_fleet_store *s; // NULL: it was closed
	char folder[FOLDER];
	char *text, *claims;
	size_t len, claims_len;
	uint64_t generation;
	int result;
};

struct xy_fleet_store {
	uv_loop_t *loop;
	char folder[FOLDER];
	struct xy_fleet_kept kept;
	char *records; // as read, until they were told
	char *revoked; // lines of them: kept where trust names no CA now, and may again
	size_t len, at;
	struct claim *claim; // [claims] of the run before, by key
	uint32_t claims, claims_room;
	struct writing *writing;
	uint64_t generation; // of the book, as it was written last
	char why[XY_FLEET_WHY_SIZE];
};

// --- our own

static bool number(const json_t *o, const char *name, uint64_t *out)
{
	const json_t *v = json_object_get(o, name);
	*out = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool own_read(const json_t *o, struct xy_fleet_kept *out)
{
	const char *key = json_string_value(json_object_get(o, "key"));
	const char *claim = json_string_value(json_object_get(o, "claim"));
	struct xy_err err;
	bool good = key && xy_key_parse(key, &out->key, &err) == 0 &&
		    number(o, "epoch", &out->epoch) && number(o, "expires", &out->expires) &&
		    number(o, "since", &out->since) && out->epoch <= XY_FLEET_NUMBER_MAX;
	return good && (!claim || xy_prefix_parse(claim, &out->claim) == 0);
}

static void own_load(struct xy_fleet_store *s, struct xy_err *why)
{
	char *text;
	json_error_t at;
	ssize_t n = xy_keep_read(s->folder, OWN_FILE, OWN_MOST, &text);
	json_t *o = n > 0 ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &at) : NULL;
	if (n == -ENOENT) {
		// never kept, or on another disk
	} else if (!o || !own_read(o, &s->kept)) {
		s->kept = (struct xy_fleet_kept){0};
		xy_keep_aside(s->folder, OWN_FILE);
		xy_err_set(why, EINVAL,
			   "%s/" OWN_FILE ": %s; put aside as " OWN_FILE
			   ".lost, the epoch goes on by the clock",
			   s->folder, n < 0 ? strerror((int)-n) : "makes no sense");
	}
	json_decref(o);
	free(text);
}

struct xy_fleet_kept xy_fleet_store_kept(const struct xy_fleet_store *s, const struct xy_key *key)
{
	struct xy_fleet_kept none = {.key = *key};
	return memcmp(&s->kept.key, key, sizeof(*key)) == 0 ? s->kept : none;
}

int xy_fleet_store_keep(struct xy_fleet_store *s, const struct xy_fleet_kept *k, struct xy_err *err)
{
	char key[XY_KEY_STRLEN], claim[XY_PREFIX_STRLEN];
	s->kept = *k;
	json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "key", xy_key_str(&k->key, key), "epoch",
			      (json_int_t)k->epoch, "expires", (json_int_t)k->expires, "since",
			      (json_int_t)k->since);
	if (o && k->claim.len)
		json_object_set_new(o, "claim", json_string(xy_prefix_str(&k->claim, claim)));
	char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	int r = text ? xy_keep_write(s->folder, OWN_FILE, text, strlen(text)) : -ENOMEM;
	free(text);
	if (r)
		return xy_err_set(err, -r,
				  "%s: the epoch of our record cannot be kept: %s; it goes on by "
				  "the clock, which must not "
				  "go back then",
				  s->folder, strerror(-r));
	return 0;
}

// --- others' records

static void records_load(struct xy_fleet_store *s)
{
	ssize_t n = xy_keep_read(s->folder, RECORDS_FILE, RECORDS_MOST, &s->records);
	bool good =
		n >= (ssize_t)sizeof(head) - 1 && memcmp(s->records, head, sizeof(head) - 1) == 0;
	if (!good) {
		if (n >= 0)
			xy_keep_aside(s->folder, RECORDS_FILE);
		free(s->records);
		s->records = NULL;
		return;
	}
	s->len = (size_t)n;
	s->at = sizeof(head) - 1;
	size_t end = s->at;
	for (const char *nl; (nl = memchr(s->records + end, '\n', s->len - end)) &&
			     xy_fleet_kind_of(s->records + end, (size_t)(nl - s->records) - end) ==
				     XY_FLEET_IS_REVOCATION;)
		end = (size_t)(nl - s->records) + 1;
	s->revoked = strndup(s->records + s->at, end - s->at);
}

bool xy_fleet_store_read(struct xy_fleet_store *s, unsigned most,
			 void (*each)(void *arg, const char *text, size_t len), void *arg)
{
	for (; s->records && s->at < s->len && most; most--) {
		const char *line = s->records + s->at, *end = memchr(line, '\n', s->len - s->at);
		size_t len = end ? (size_t)(end - line) : s->len - s->at;
		s->at += len + 1;
		if (len && len <= XY_FLEET_TEXT)
			each(arg, line, len);
	}
	if (s->records && s->at < s->len)
		return true;
	free(s->records);
	s->records = NULL;
	return false;
}

// A text with a line's end in it would be two; ours have none.
static void line_put(FILE *to, const char *text)
{
	for (const char *p = text; *p; p++)
		fputc(*p == '\n' || *p == '\r' ? ' ' : *p, to);
	fputc('\n', to);
}

static char *records_text(const struct xy_fleet_store *s, const struct xy_fleet_book *b,
			  const struct xy_fleet_trust *t, size_t *len)
{
	const struct xy_fleet_entry *e;
	char *text = NULL;
	FILE *to = open_memstream(&text, len);
	if (!to)
		return NULL;
	fputs(head, to);
	if (t->kind != XY_FLEET_TRUST_CA && s->revoked)
		fputs(s->revoked, to);
	for (unsigned i = 0; i < t->revoked_count; i++) { // first, so that none comes back
		char *one = xy_fleet_revocation_text(&t->revoked[i]);
		if (one)
			line_put(to, one);
		free(one);
	}
	for (uint32_t at = 0; (e = xy_fleet_book_next(b, &at)); at++)
		if (e->live && e->text)
			line_put(to, e->text);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

// --- who claims what since when

static int by_key(const void *one, const void *other)
{
	const struct claim *a = one, *b = other;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

// "KEY PREFIX EPOCH SEEN DATED GIVEN"
static bool claim_read(const char *line, struct claim *c)
{
	char key[XY_KEY_STRLEN + 1], prefix[XY_PREFIX_STRLEN + 1];
	int end = 0;
	unsigned long long epoch, seen, dated, given;
	_Static_assert(XY_KEY_STRLEN >= 45 && XY_PREFIX_STRLEN >= 44, "");
	bool good = sscanf(line, "%44s %43s %19llu %19llu %19llu %19llu%n", key, prefix, &epoch,
			   &seen, &dated, &given, &end) == 6 &&
		    !line[end] && given <= 1 && !xy_key_parse(key, &c->key, NULL) &&
		    !xy_prefix_parse(prefix, &c->prefix);
	c->epoch = epoch;
	c->is = (struct xy_fleet_claimed){.seen = seen, .dated = dated, .given = given};
	return good;
}

// A line that makes no sense is none; of two of one key either counts.
static void claims_load(struct xy_fleet_store *s)
{
	char *text = NULL;
	ssize_t n = xy_keep_read(s->folder, CLAIMS_FILE, CLAIMS_MOST, &text);
	if (n < 0) {
		free(text);
		return;
	}
	if (strncmp(text, claims_head, sizeof(claims_head) - 1) != 0) {
		xy_keep_aside(s->folder, CLAIMS_FILE);
		free(text);
		return;
	}
	char *rest = text + sizeof(claims_head) - 1;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct claim c;
		struct claim *v = s->claims < XY_FLEET_PLACES ? xy_grow(s->claim, &s->claims_room,
									s->claims, sizeof(*v))
							      : NULL;
		s->claim = v ? v : s->claim;
		if (v && claim_read(line, &c))
			v[s->claims++] = c;
	}
	free(text);
	if (s->claims)
		qsort(s->claim, s->claims, sizeof(*s->claim), by_key);
}

// An old record that somebody plays back says nothing of it.
struct xy_fleet_claimed xy_fleet_store_claimed(struct xy_fleet_store *s,
					       const struct xy_fleet_record *r)
{
	struct claim like = {.key = r->key};
	struct claim *c =
		s->claims ? bsearch(&like, s->claim, s->claims, sizeof(*c), by_key) : NULL;
	struct xy_fleet_claimed none = {0};
	if (!c || r->epoch < c->epoch)
		return none;
	struct xy_fleet_claimed is = c->is;
	c->is = none;
	return xy_prefix_eq(&c->prefix, &r->claim) ? is : none;
}

void xy_fleet_store_claims_end(struct xy_fleet_store *s)
{
	s->claims = 0;
}

static void claim_put(FILE *to, const struct xy_key *key, const struct xy_prefix *p, uint64_t epoch,
		      const struct xy_fleet_claimed *is)
{
	char text[XY_KEY_STRLEN], prefix[XY_PREFIX_STRLEN];
	fprintf(to, "%s %s %llu %llu %llu %d\n", xy_key_str(key, text), xy_prefix_str(p, prefix),
		(unsigned long long)epoch, (unsigned long long)is->seen,
		(unsigned long long)is->dated, is->given);
}

static char *claims_text(const struct xy_fleet_store *s, const struct xy_fleet_book *b, size_t *len)
{
	char *text = NULL;
	const struct xy_fleet_entry *e;
	FILE *to = open_memstream(&text, len);
	if (!to)
		return NULL;
	fputs(claims_head, to);
	for (uint32_t at = 0; (e = xy_fleet_book_next(b, &at)); at++) {
		const struct xy_fleet_record *r = &e->record;
		if ((e->live || e->awaited) && r->has_claim)
			claim_put(to, &r->key, &r->claim, r->epoch, &e->claimed);
	}
	for (uint32_t i = 0; i < s->claims; i++) {
		const struct claim *c = &s->claim[i];
		if (c->is.seen)
			claim_put(to, &c->key, &c->prefix, c->epoch, &c->is);
	}
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

// --- writing

static void write_it(uv_work_t *work)
{
	struct writing *w = work->data;
	int claims = xy_keep_write(w->folder, CLAIMS_FILE, w->claims, w->claims_len);
	w->result = xy_keep_write(w->folder, RECORDS_FILE, w->text, w->len);
	w->result = w->result ? w->result : claims;
}

static void writing_free(struct writing *w)
{
	free(w->text);
	free(w->claims);
	free(w);
}

static void written(uv_work_t *work, int status)
{
	struct writing *w = work->data;
	struct xy_fleet_store *s = w->s;
	int r = status ? status : w->result;
	if (s) {
		s->writing = NULL;
		char why[XY_FLEET_WHY_SIZE] = "";
		if (r)
			snprintf(
				why, sizeof(why),
				"%.200s: records cannot be kept: %s; started while the registry is "
				"away, "
				"this node would know nobody",
				s->folder, strerror(-r));
		if (r && strcmp(why, s->why) != 0)
			xy_log_warn("%s", why);
		snprintf(s->why, sizeof(s->why), "%s", why);
		if (!r)
			s->generation = w->generation;
	}
	writing_free(w);
}

void xy_fleet_store_save(struct xy_fleet_store *s, const struct xy_fleet_book *b,
			 const struct xy_fleet_trust *t)
{
	uint64_t generation = xy_fleet_book_generation(b) + t->revoked_count;
	if (s->writing || s->records || generation == s->generation)
		return;
	struct writing *w = calloc(1, sizeof(*w));
	if (!w)
		return;
	*w = (struct writing){.s = s, .generation = generation};
	w->work.data = w;
	memcpy(w->folder, s->folder, sizeof(w->folder));
	w->text = records_text(s, b, t, &w->len);
	w->claims = claims_text(s, b, &w->claims_len);
	if (!w->text || !w->claims || uv_queue_work(s->loop, &w->work, write_it, written)) {
		writing_free(w);
		return;
	}
	s->writing = w;
}

const char *xy_fleet_store_why(const struct xy_fleet_store *s)
{
	return s->why[0] ? s->why : NULL;
}

// --- life

static int folder_make(const char *folder)
{
	char part[FOLDER];
	snprintf(part, sizeof(part), "%s", folder);
	for (char *p = part + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(part, 0755);
	}
	return mkdir(folder, 0700) && errno != EEXIST ? -errno : 0;
}

int xy_fleet_store_open(uv_loop_t *loop, const char *folder, struct xy_fleet_store **out,
			struct xy_err *why)
{
	struct xy_fleet_store *s = calloc(1, sizeof(*s));
	why->text[0] = 0;
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	snprintf(s->folder, sizeof(s->folder), "%s", folder);
	int r = folder_make(folder);
	if (r)
		xy_err_set(why, -r,
			   "%s: cannot be made: %s; nothing is kept over a restart (name another "
			   "with --state)",
			   folder, strerror(-r));
	own_load(s, why);
	records_load(s);
	claims_load(s);
	*out = s;
	return 0;
}

const char *xy_fleet_store_folder(const struct xy_fleet_store *s)
{
	return s->folder;
}

void xy_fleet_store_close(struct xy_fleet_store *s)
{
	if (!s)
		return;
	if (s->writing)
		s->writing->s = NULL;
	free(s->revoked);
	free(s->records);
	free(s->claim);
	free(s);
}
