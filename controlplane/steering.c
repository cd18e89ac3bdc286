// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_CONTROL

#include "steering.h"

#include "base/bytes.h"
#include "daemon.h"
#include "pool.h"
#include "state/keep.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 4 << 20, AGAIN_SECONDS = 10 };

// An answer that waits: for the disk, for a config, or for its turn.
struct waiting {
	uint64_t ticket; // 0: free
	enum { FOR_DISK, FOR_CONFIG, FOR_TURN } what;
	uint64_t edition;	    // DISK: of what is kept; CONFIG: which reload
	json_t *answer;		    // DISK
	xy_server_handler *handler; // TURN
	struct xy_caller from;
	char *command, *params;
};

struct xy_steering {
	struct xy_runtime now;
	uint64_t edition, saved; // counts changes; the one that is on the disk
	bool writing;
	bool unread;	    // the folder was not there: what lies in it is to be taken over
	struct xy_err lost; // what could not be read
	struct xy_err unsaved;
	struct xy_err twice; // a peer that was added is another one's of the config, too
	struct waiting waiting[2 * XY_SERVER_CLIENTS]; // a client has one at a time
};

struct writing {
	struct xy_daemon *d;
	uint64_t edition;
	char folder[XY_STATE_FOLDER_LEN];
	char *text;
	int result;
};

struct xy_runtime *xy_steering_runtime(const struct xy_daemon *d)
{
	return &d->steering->now;
}

// --- who waits

static void waiting_free(struct waiting *w)
{
	json_decref(w->answer);
	free(w->command);
	if (w->params)
		xy_config_text_wipe(w->params); // a key may be in it
	*w = (struct waiting){0};
}

// Those whose client has left make room.
static struct waiting *waiting_make(struct xy_daemon *d, uint64_t ticket)
{
	struct xy_steering *s = d->steering;
	for (unsigned i = 0; d->control && ticket && i < XY_ARRAY_SIZE(s->waiting); i++) {
		struct waiting *w = &s->waiting[i];
		if (w->ticket && w->what != FOR_TURN && !xy_server_waits(d->control, w->ticket))
			waiting_free(w);
		if (w->ticket)
			continue;
		w->ticket = ticket;
		return w;
	}
	return NULL;
}

static void answer(struct xy_daemon *d, struct waiting *w, json_t *with)
{
	uint64_t ticket = w->ticket;
	waiting_free(w);
	if (d->control)
		xy_server_answer(d->control, ticket, with);
	else
		json_decref(with);
}

// --- who asked, and what came of it

// The file alone: a directory service may take its time, and this thread has none.
static bool name_of(uid_t uid, char *to, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd entry, *p;
	char buf[1024];
	bool found = false;
	while (f && !found && fgetpwent_r(f, &entry, buf, sizeof(buf), &p) == 0) {
		found = p->pw_uid == uid;
		if (found)
			snprintf(to, size, "%s ", p->pw_name);
	}
	if (f)
		fclose(f);
	return found;
}

const char *xy_steering_who(const struct xy_caller *from, char buf[static XY_STEERING_WHO])
{
	char name[40] = "";
	name_of(from->uid, name, sizeof(name));
	snprintf(buf, XY_STEERING_WHO, "%s(uid %u, pid %d)", name, (unsigned)from->uid,
		 (int)from->pid);
	return buf;
}

__attribute__((format(printf, 2, 0))) static void log_done(const struct xy_request *q,
							   const char *fmt, va_list ap)
{
	char who[XY_STEERING_WHO], what[400];
	vsnprintf(what, sizeof(what), fmt, ap);
	xy_log_info("control: %s: %s", xy_steering_who(&q->from, who), what);
}

json_t *xy_steering_refused(const struct xy_request *q, const struct xy_err *why)
{
	char who[XY_STEERING_WHO];
	xy_log_warn("control: %s: %s refused: %s", xy_steering_who(&q->from, who), q->command,
		    why->text);
	return xy_server_error("%s", why->text);
}

static void save(struct xy_daemon *d);

json_t *xy_steering_said(struct xy_daemon *d, struct xy_request *q, json_t *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_done(q, fmt, ap);
	va_end(ap);
	return a;
}

json_t *xy_steering_params(const struct xy_request *q, const char *const *allowed,
			   struct xy_err *err)
{
	json_error_t where;
	const char *key;
	json_t *value,
		*o = json_loads(q->params ? q->params : "{}", JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(o)) {
		xy_err_set(err, EINVAL, "params are no JSON object: %s", o ? "" : where.text);
		json_decref(o);
		return NULL;
	}
	json_object_foreach(allowed ? o : NULL, key, value)
	{
		unsigned i = 0;
		while (allowed[i] && strcmp(allowed[i], key) != 0)
			i++;
		if (allowed[i])
			continue;
		xy_err_set(err, EINVAL, "\"%.40s\" is no param of %s", key, q->command);
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *xy_steering_done(struct xy_daemon *d, struct xy_request *q, json_t *a, const char *fmt, ...)
{
	struct xy_steering *s = d->steering;
	va_list ap;
	va_start(ap, fmt);
	log_done(q, fmt, ap);
	va_end(ap);
	s->edition++;
	struct waiting *w = waiting_make(d, q->ticket);
	if (w) {
		w->what = FOR_DISK;
		w->edition = s->edition;
		w->answer = a;
		q->later = true;
	}
	save(d); // which answers at once where it cannot even begin
	if (w)
		return NULL;
	json_object_set_new(a, "kept", json_false());
	json_object_set_new(a, "why", json_string("too many wait for the disk"));
	return a;
}

// --- what is kept

static void tell_kept(struct xy_daemon *d, uint64_t edition, bool kept)
{
	struct xy_steering *s = d->steering;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(s->waiting); i++) {
		struct waiting *w = &s->waiting[i];
		if (!w->ticket || w->what != FOR_DISK || w->edition > edition)
			continue;
		json_object_set_new(w->answer, "kept", json_boolean(kept));
		if (!kept)
			json_object_set_new(w->answer, "why", json_string(s->unsaved.text));
		answer(d, w, json_incref(w->answer));
	}
}

static void write_run(void *what)
{
	struct writing *w = what;
	w->result = xy_keep_write(w->folder, XY_STEERING_FILE, w->text, strlen(w->text));
}

static void not_kept(struct xy_daemon *d, int result)
{
	struct xy_steering *s = d->steering;
	bool known = s->unsaved.text[0];
	xy_err_set(&s->unsaved, -result,
		   "what was changed at run time is lost at a restart: %.200s/" XY_STEERING_FILE
		   ": %s",
		   xy_state_folder(d->state), strerror(-result));
	if (!known)
		xy_log_warn("%s", s->unsaved.text);
}

static void write_done(void *what)
{
	struct writing *w = what;
	struct xy_daemon *d = w->d;
	struct xy_steering *s = d->steering;
	s->writing = false;
	if (w->result) {
		not_kept(d, w->result);
	} else {
		if (s->unsaved.text[0])
			xy_log_info("what was changed at run time is kept again");
		s->unsaved.text[0] = 0;
		s->saved = w->edition;
	}
	tell_kept(d, w->edition, !w->result);
	if (!w->result && s->edition > s->saved)
		save(d);
	xy_config_text_wipe(w->text);
	free(w);
}

// One at a time: what changes meanwhile is written after.
static void save(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	if (s->writing || s->edition == s->saved)
		return;
	struct writing *w = calloc(1, sizeof(*w));
	char *text = w && !s->unread ? xy_runtime_text(&s->now) : NULL;
	if (!text) {
		free(w);
		not_kept(d, !s->unread ? -ENOMEM : xy_state_lost(d->state) ? -ENOENT : -EAGAIN);
		tell_kept(d, s->edition, false);
		return;
	}
	*w = (struct writing){.d = d, .edition = s->edition, .text = text};
	snprintf(w->folder, sizeof(w->folder), "%s", xy_state_folder(d->state));
	s->writing = true;
	xy_pool_run(d, write_run, write_done, w);
}

// --- reading it

static void is_lost(struct xy_daemon *d, const char *why)
{
	struct xy_steering *s = d->steering;
	const char *folder = xy_state_folder(d->state);
	bool aside = xy_keep_aside(folder, XY_STEERING_FILE) == 0;
	s->unread = !aside; // it is not written over, and read again
	xy_err_set(&s->lost, EINVAL,
		   "what was changed at run time before the start is not in force: %.300s%s", why,
		   aside ? " (put aside as " XY_STEERING_FILE ".lost)" : "");
	xy_log_error("%s", s->lost.text);
}

// It cannot be read, and may be good: that passes, and what is kept stays on the disk until then.
static void is_unread(struct xy_daemon *d, int result, const struct xy_err *why)
{
	struct xy_steering *s = d->steering;
	bool known = s->unread && s->lost.text[0];
	s->unread = true;
	xy_err_set(&s->lost, -result,
		   "what was changed at run time before the start is not in force: %.300s; read "
		   "again every %d s",
		   why->text, AGAIN_SECONDS);
	if (!known)
		xy_log_error("%s", s->lost.text);
}

static void say_taken(const struct xy_runtime *r)
{
	bool levels = xy_runtime_has_levels(r);
	if (r->peers || r->changes || r->drained || levels)
		xy_log_info("changed at run time, and still in force: peers added: %u, changed: %u"
			    "%s%s (xylem show config)",
			    r->peers, r->changes, r->drained ? ", drained" : "",
			    levels ? ", log levels" : "");
}

static void take_file(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	char *text = NULL, path[XY_STATE_FOLDER_LEN + 32];
	struct xy_err why = {0};
	const char *folder = xy_state_folder(d->state);
	ssize_t n = xy_keep_read(folder, XY_STEERING_FILE, FILE_MAX, &text);
	s->unread = n == -ENOENT && xy_state_lost(d->state);
	snprintf(path, sizeof(path), "%s/" XY_STEERING_FILE, folder);
	int r = n < 0 && n != -ENOENT
			? xy_err_set(&why, (int)-n, "%.250s: %s", path, strerror((int)-n))
		: n >= 0 ? xy_runtime_load(&s->now, path, text, (size_t)n, &d->plan.config, &why)
			 : 0;
	if (r == -EINVAL)
		is_lost(d, why.text);
	else if (r)
		is_unread(d, r, &why);
	else if (!s->unread)
		s->lost.text[0] = 0;
	xy_config_text_wipe(text);
}

static void leave_again(struct xy_daemon *d)
{
	if (!d->steering->now.drained)
		return;
	xy_routing_goodbye(d->routing, xy_now());
	xy_log_warn("drained, as before the start: xylem drain off ends it");
}

// The folder came after the start: another file system was mounted; or the file can be read now.
// What lies over the config comes into force with it: true, it is to be read anew.
static bool take_late(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	bool drained = s->now.drained;
	if (xy_state_lost(d->state) || d->reloads.enforcing != XY_ENFORCING_NONE)
		return false;
	take_file(d);
	if (s->unread)
		return false;
	say_taken(&s->now);
	if (!drained)
		leave_again(d);
	s->edition++;
	return true;
}

// --- a config comes into force

void xy_steering_lay(struct xy_daemon *d, struct xy_plan *plan)
{
	struct xy_steering *s = d->steering;
	if (xy_runtime_lay(&s->now, &plan->config))
		s->edition++;
}

static json_t *texts_of(const struct xy_config_notes *n)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < n->count; i++)
		json_array_append_new(list, json_string(n->v[i].text));
	if (n->more)
		json_array_append_new(list, json_sprintf("and %u more", n->more));
	return list;
}

static json_t *result_of(const struct xy_daemon *d, const struct xy_err *why,
			 const struct xy_config_notes *errors)
{
	if (!why)
		return json_pack("{s:s, s:I, s:o}", "config", d->config_path, "peers",
				 (json_int_t)xy_links_count(d->links), "warnings",
				 texts_of(&d->plan.config.warnings));
	json_t *list = errors && errors->count ? texts_of(errors) : json_pack("[s]", why->text);
	return json_pack("{s:s, s:o}", "config", d->config_path, "refused", list);
}

static void tell_reloaded(struct xy_daemon *d, const struct xy_err *why,
			  const struct xy_config_notes *errors)
{
	struct xy_steering *s = d->steering;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(s->waiting); i++) {
		struct waiting *w = &s->waiting[i];
		if (w->ticket && w->what == FOR_CONFIG && w->edition <= d->reloads.begun)
			answer(d, w, result_of(d, why, errors));
	}
}

// What waited for the plan to stand still.
static void take_turns(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(s->waiting); i++) {
		struct waiting w = s->waiting[i];
		if (!w.ticket || w.what != FOR_TURN)
			continue;
		s->waiting[i] = (struct waiting){0};
		struct xy_request q = {.command = w.command,
				       .params = w.params,
				       .from = w.from,
				       .ticket = w.ticket};
		if (xy_server_waits(d->control, w.ticket)) { // else he believes that it failed
			json_t *a = w.handler(d, &q);
			if (!q.later)
				xy_server_answer(d->control, w.ticket, a);
		}
		waiting_free(&w);
	}
}

static void look_twice(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	bool known = s->twice.text[0];
	if (!xy_runtime_twice(&s->now, &d->plan.config, &s->twice))
		s->twice.text[0] = 0;
	else if (!known)
		xy_log_warn("%s", s->twice.text);
}

void xy_steering_reloaded(struct xy_daemon *d, const struct xy_err *why,
			  const struct xy_config_notes *errors)
{
	struct xy_steering *s = d->steering;
	if (!why && xy_runtime_settle(&s->now, &d->plan.config)) {
		xy_log_info("peers that were added at run time stand in the config now");
		s->edition++;
	}
	if (!why)
		look_twice(d);
	save(d);
	tell_reloaded(d, why, errors);
	if (d->reloads.enforcing == XY_ENFORCING_NONE)
		take_turns(d);
}

bool xy_steering_waits(struct xy_daemon *d, struct xy_request *q, xy_server_handler *handler,
		       json_t **a)
{
	if (d->reloads.enforcing == XY_ENFORCING_NONE)
		return false;
	struct waiting *w = waiting_make(d, q->ticket);
	*a = NULL;
	if (!w) {
		*a = xy_server_error("a config comes into force, and too many wait for that "
				     "already; try again");
		return true;
	}
	w->what = FOR_TURN;
	w->handler = handler;
	w->from = q->from;
	w->command = strdup(q->command);
	w->params = q->params ? strdup(q->params) : NULL;
	if (!w->command || (q->params && !w->params)) {
		waiting_free(w);
		*a = xy_server_error("a config comes into force, and there is no memory to wait "
				     "for that; try again");
		return true;
	}
	q->later = true;
	return true;
}

json_t *xy_steering_reload(struct xy_daemon *d, struct xy_request *q, uint32_t number)
{
	char who[XY_STEERING_WHO];
	struct waiting *w = waiting_make(d, q->ticket);
	xy_log_info("control: %s: reload", xy_steering_who(&q->from, who));
	if (w && number) {
		w->what = FOR_CONFIG;
		w->edition = number;
		q->later = true;
		return NULL;
	}
	if (w)
		waiting_free(w);
	return xy_server_error(number ? "it is read, and too many wait already for what comes of "
					"it: see xylem show node"
				      : "no memory to read the config");
}

// --- what is in force

void xy_steering_log_apply(const struct xy_daemon *d)
{
	struct xy_runtime none; // before there is a state folder
	xy_runtime_init(&none, NULL, NULL);
	const struct xy_runtime *r = d->steering ? &d->steering->now : &none;
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++)
		xy_log_part_level_set(i, xy_runtime_level(r, &d->plan.config, i));
	xy_log_format_set(d->plan.config.log_format, NULL);
}

const char *xy_steering_unkept(const struct xy_daemon *d)
{
	return d->steering->unsaved.text[0] ? d->steering->unsaved.text : NULL;
}

void xy_steering_warnings(const struct xy_daemon *d, json_t *list)
{
	const struct xy_steering *s = d->steering;
	if (s->now.drained)
		json_array_append_new(
			list, json_string("drained: no traffic of others comes by this node, and "
					  "it announces nothing, until xylem drain off"));
	if (s->lost.text[0])
		json_array_append_new(list, json_string(s->lost.text));
	if (s->unsaved.text[0])
		json_array_append_new(list, json_string(s->unsaved.text));
	if (s->twice.text[0])
		json_array_append_new(list, json_string(s->twice.text));
}

static bool is_there(void *arg, const struct xy_key *key)
{
	return xy_links_has(((struct xy_daemon *)arg)->links, key);
}

bool xy_steering_second(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	xy_runtime_sweep(&s->now, is_there, d);
	if (!xy_tick_every(&d->tick, AGAIN_SECONDS))
		return false;
	bool came = s->unread && take_late(d);
	save(d);
	return came;
}

// --- life

int xy_steering_up(struct xy_daemon *d, struct xy_err *err)
{
	d->steering = calloc(1, sizeof(*d->steering));
	if (!d->steering)
		return xy_err_set(err, ENOMEM, "no memory for what is changed at run time");
	xy_runtime_init(&d->steering->now, &d->book, &d->id);
	take_file(d);
	say_taken(&d->steering->now);
	if (xy_runtime_settle(&d->steering->now, &d->plan.config))
		d->steering->edition++;
	look_twice(d);
	xy_steering_lay(d, &d->plan);
	xy_steering_log_apply(d);
	return 0;
}

void xy_steering_begin(struct xy_daemon *d)
{
	leave_again(d);
}

void xy_steering_close(struct xy_daemon *d)
{
	if (d->control)
		xy_server_close(d->control);
	d->control = NULL;
}

void xy_steering_down(struct xy_daemon *d)
{
	struct xy_steering *s = d->steering;
	if (!s)
		return;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(s->waiting); i++)
		waiting_free(&s->waiting[i]);
	xy_runtime_fini(&s->now);
	free(s);
	d->steering = NULL;
}
