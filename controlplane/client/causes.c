// SPDX-License-Identifier: BSD-3-Clause
#include "client/causes.h"

#include "client/finding.h"

#include "fields/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// --- reading

const char *xy_answer_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

json_int_t xy_answer_count(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

bool xy_answer_has(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return v && !json_is_null(v);
}

bool xy_answer_is(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

const json_t *xy_answer_row(const json_t *list, const char *key, const char *text)
{
	const json_t *row;
	size_t i;
	json_array_foreach(list, i, row)
	{
		if (xy_answer_is(xy_answer_text(row, key), text))
			return row;
	}
	return NULL;
}

bool xy_answer_is_stranger(const json_t *peer)
{
	const char *peering = xy_answer_text(peer, XY_KEY(peer, peering));
	return *peering && !xy_answer_is(peering, "configured");
}

// --- writing

void xy_finding_say(char to[static XY_FINDING_TEXT], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(to, XY_FINDING_TEXT, fmt, ap);
	va_end(ap);
}

void xy_finding_evidence(struct xy_finding *f, const char *fmt, ...)
{
	char text[XY_FINDING_TEXT];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!f->evidence)
		f->evidence = json_array();
	json_array_append_new(f->evidence, json_string(text));
}

void xy_finding_command(struct xy_finding *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->command, sizeof(f->command), fmt, ap);
	va_end(ap);
}

void xy_finding_put(json_t *to, struct xy_finding *f)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "level",
			      f->fault ? "fault" : "note", "about", f->about, "cause", f->cause,
			      "evidence", f->evidence ? f->evidence : json_array(), "command",
			      f->command, "remedy", f->remedy);
	f->evidence = NULL;
	if (o)
		json_array_append_new(to, o);
}

// --- all of it

// Faults first, else in the order in which they were found.
static void append(json_t *to, const json_t *from, const char *level)
{
	json_t *f;
	size_t i;
	json_array_foreach(from, i, f)
	{
		if (xy_answer_is(xy_answer_text(f, "level"), level))
			json_array_append(to, f);
	}
}

json_t *xy_causes(const struct xy_answers *a)
{
	json_t *all = json_array(), *out = json_array();
	xy_causes_way(a, all);
	xy_causes_peers(a, all);
	xy_causes_node(a, all);
	append(out, all, "fault");
	append(out, all, "note");
	json_decref(all);
	return out;
}
