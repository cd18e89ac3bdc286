// SPDX-License-Identifier: BSD-3-Clause
// The OpenAPI 3.0.3 document, from the table and the list of fields: what is served, what
// docs/openapi.json is, and what the tests hold the answers against.
#include "web/table.h"

#include "base/bytes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

json_t *xy_openapi(void);

// --- schemas of lib/fields

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *list_of(json_t *items)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *reference(const char *name)
{
	char text[80];
	snprintf(text, sizeof(text), "#/components/schemas/%s", name);
	return json_pack("{s:s}", "$ref", text);
}

static json_t *form_schema(enum xy_form form)
{
	switch (form) {
	case XY_FORM_SHARE:
	case XY_FORM_DECIMAL:
		return typed("number");
	case XY_FORM_YES_NO:
	case XY_FORM_NOTE:
		return typed("boolean");
	case XY_FORM_TEXTS:
	case XY_FORM_JOIN:
		return list_of(typed("string"));
	case XY_FORM_MAP:
		return json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
				 typed("integer"));
	default:
		break;
	}
	return typed(strcmp(xy_form_word(form), "number") == 0 ? "integer" : "string");
}

static bool is_number(enum xy_form form)
{
	return strcmp(xy_form_word(form), "number") == 0;
}

static json_t *field_schema(const struct xy_field *f)
{
	char text[400];
	const char *unit = xy_form_unit(f->form);
	json_t *o = f->form == XY_FORM_LIST ? list_of(reference(f->of()->name))
		    : f->form == XY_FORM_OBJECT
			    ? json_pack("{s:[o]}", "allOf", reference(f->of()->name))
			    : form_schema(f->form);
	snprintf(text, sizeof(text), "%s%s%s", f->help, unit[0] ? "; in " : "", unit);
	json_object_set_new(o, "description", json_string(text));
	bool always =
		f->form == XY_FORM_LIST || f->form == XY_FORM_YES_NO || f->form == XY_FORM_NOTE;
	if (!always)
		json_object_set_new(o, "nullable", json_true());
	if (is_number(f->form))
		json_object_set_new(
			o, "format",
			json_string(strcmp(json_string_value(json_object_get(o, "type")),
					   "integer") == 0
					    ? "int64"
					    : "double"));
	return o;
}

static bool is_paged(const struct xy_object *o)
{
	for (unsigned i = 0; i < o->count; i++)
		if (strcmp(o->fields[i].key, "next") == 0)
			return true;
	return false;
}

static json_t *object_schema(const struct xy_object *object)
{
	json_t *members = json_object(), *required = json_array();
	for (const struct xy_object *o = object; o; o = o->more ? o->more() : NULL)
		for (unsigned i = 0; i < o->count; i++) {
			json_object_set_new(members, o->fields[i].key, field_schema(&o->fields[i]));
			bool plain = o->fields[i].kind == XY_KIND_LABEL && o == object;
			if (plain || (is_paged(object) && o->fields[i].form == XY_FORM_LIST))
				json_array_append_new(required, json_string(o->fields[i].key));
		}
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", members,
				   "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set_new(schema, "required", required);
	else
		json_decref(required);
	return schema;
}

// --- those of our own

// In JSON, since that is what they are.
static const struct {
	const char *name, *text;
} own[] = {
	{"any", "{\"type\":\"object\"}"},
	{"done",
	 "{\"type\":\"object\",\"description\":\"what came of it, as the daemon says; "
	 "kept: it outlives a restart, else why says what prevents that\",\"properties\":"
	 "{\"kept\":{\"type\":\"boolean\"},\"why\":{\"type\":\"string\",\"nullable\":true}}}"},
	{"access",
	 "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"scope\",\"csrf\","
	 "\"login\",\"public\",\"act\",\"why_not\",\"version\",\"instance\"],\"properties\":{"
	 "\"scope\":{\"type\":\"string\",\"enum\":[\"none\",\"read\",\"act\"]},"
	 "\"csrf\":{\"type\":\"string\",\"nullable\":true,\"description\":\"what a change by a "
	 "session says in X-CSRF-Token\"},"
	 "\"login\":{\"type\":\"boolean\",\"description\":\"there is a password\"},"
	 "\"public\":{\"type\":\"boolean\"},"
	 "\"act\":{\"type\":\"boolean\",\"description\":\"who asks can change something\"},"
	 "\"why_not\":{\"type\":\"string\",\"nullable\":true,\"description\":\"why nobody can\"},"
	 "\"version\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\"}}}"},
	{"diagnosis",
	 "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"level\",\"about\","
	 "\"cause\"],\"properties\":{\"level\":{\"type\":\"string\",\"enum\":[\"fault\","
	 "\"note\"]},\"about\":{\"type\":\"string\"},\"cause\":{\"type\":\"string\"},"
	 "\"evidence\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
	 "\"command\":{\"type\":\"string\"},\"remedy\":{\"type\":\"string\"}}}}"},
	{"history",
	 "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"step_ms\",\"end_ms\","
	 "\"rx_bps\",\"tx_bps\"],\"properties\":{\"step_ms\":{\"type\":\"integer\"},"
	 "\"end_ms\":{\"type\":\"integer\",\"format\":\"int64\"},"
	 "\"rx_bps\":{\"type\":\"array\",\"maxItems\":600,\"items\":{\"type\":\"integer\","
	 "\"format\":\"int64\",\"nullable\":true}},"
	 "\"tx_bps\":{\"type\":\"array\",\"maxItems\":600,\"items\":{\"type\":\"integer\","
	 "\"format\":\"int64\",\"nullable\":true}}}}"},
	{"leaf",
	 "{\"type\":\"object\",\"required\":[\"peer\",\"key\",\"allowed\",\"config\",\"qr\"],"
	 "\"properties\":{\"peer\":{\"type\":\"string\"},\"key\":{\"type\":\"string\"},"
	 "\"allowed\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
	 "\"config\":{\"type\":\"string\",\"description\":\"for wg-quick\"},"
	 "\"qr\":{\"type\":\"array\",\"description\":\"of the config: rows of modules, 1 is "
	 "dark; empty where the key was given\",\"items\":{\"type\":\"string\"}},"
	 "\"note\":{\"type\":\"string\"}}}"},
	{"ping",
	 "{\"type\":\"object\",\"additionalProperties\":false,\"description\":\"a line: the "
	 "first has name, address, way, warning; the last has sum; those between are what came\","
	 "\"properties\":{\"name\":{\"type\":\"string\"},\"address\":{\"type\":\"string\"},"
	 "\"way\":{\"type\":\"string\",\"description\":\"by whom it goes\"},"
	 "\"warning\":{\"type\":\"string\",\"nullable\":true},"
	 "\"seq\":{\"type\":\"integer\"},\"answer\":{\"type\":\"boolean\",\"description\":"
	 "\"false: an error, which text says\"},\"twice\":{\"type\":\"boolean\"},"
	 "\"from\":{\"type\":\"string\"},\"hops\":{\"type\":\"integer\",\"nullable\":true},"
	 "\"ms\":{\"type\":\"number\",\"nullable\":true},\"text\":{\"type\":\"string\"},"
	 "\"sum\":{\"type\":\"object\",\"description\":\"as xylem ping --json\","
	 "\"properties\":{\"name\":{\"type\":\"string\"},\"address\":{\"type\":\"string\"},"
	 "\"way\":{\"type\":\"string\"},\"sent\":{\"type\":\"integer\"},"
	 "\"received\":{\"type\":\"integer\"},\"errors\":{\"type\":\"integer\"},"
	 "\"loss\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
	 "\"rtt_min_ms\":{\"type\":\"number\",\"nullable\":true},"
	 "\"rtt_avg_ms\":{\"type\":\"number\",\"nullable\":true},"
	 "\"rtt_max_ms\":{\"type\":\"number\",\"nullable\":true},"
	 "\"said\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}}}"},
	{"netcheck",
	 "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"peers\",\"more\"],"
	 "\"properties\":{\"more\":{\"type\":\"integer\",\"description\":\"peers that were "
	 "left out\"},\"peers\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	 "\"additionalProperties\":false,\"required\":[\"peer\",\"state\",\"reached\",\"notes\"],"
	 "\"properties\":{\"peer\":{\"type\":\"string\"},\"state\":{\"type\":\"string\"},"
	 "\"reached\":{\"type\":\"boolean\"},\"mtu\":{\"type\":\"integer\",\"nullable\":true},"
	 "\"proven\":{\"type\":\"string\",\"nullable\":true},"
	 "\"rtt_ms\":{\"type\":\"number\",\"nullable\":true},"
	 "\"loss\":{\"type\":\"number\",\"nullable\":true},"
	 "\"clock_apart\":{\"type\":\"integer\",\"nullable\":true},"
	 "\"nat\":{\"type\":\"string\",\"nullable\":true},"
	 "\"notes\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}}}}"},
	{"problem",
	 "{\"type\":\"object\",\"description\":\"RFC 9457\",\"additionalProperties\":false,"
	 "\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
	 "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
	 "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\",\"description\":"
	 "\"what is wrong, and what to do\"}}}"},
};

static void put_object(json_t *schemas, const struct xy_object *o)
{
	if (json_object_get(schemas, o->name))
		return;
	json_object_set_new(schemas, o->name, object_schema(o));
	for (const struct xy_object *part = o; part; part = part->more ? part->more() : NULL)
		for (unsigned i = 0; i < part->count; i++)
			if (part->fields[i].of)
				put_object(schemas, part->fields[i].of());
}

static json_t *schemas_of(void)
{
	json_t *all = json_object();
	const struct xy_api_entry *e;
	for (unsigned i = 0; (e = xy_api_entry_at(i)); i++)
		if (e->object)
			put_object(all, e->object());
	for (unsigned i = 0; i < XY_ARRAY_SIZE(own); i++)
		json_object_set_new(all, own[i].name, json_loads(own[i].text, 0, NULL));
	return all;
}

// --- paths

static json_t *choices_of(const char *choices)
{
	json_t *list = json_array();
	for (const char *p = choices; *p;) {
		size_t n = strcspn(p, "|");
		json_array_append_new(list, json_stringn(p, n));
		p += n + (p[n] == '|');
	}
	return list;
}

static json_t *param_schema(const struct xy_api_param *p)
{
	json_t *o;
	switch (p->type) {
	case XY_API_NUMBER:
		return p->most ? json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum",
					   p->least, "maximum", p->most)
			       : typed("integer");
	case XY_API_YES_NO:
		return typed("boolean");
	case XY_API_TEXTS:
		o = typed("string");
		if (p->choices)
			json_object_set_new(o, "enum", choices_of(p->choices));
		return list_of(o);
	case XY_API_COST:
		return json_pack("{s:[{s:s, s:i, s:i}, {s:s, s:[s]}]}", "oneOf", "type", "integer",
				 "minimum", 1, "maximum", 65534, "type", "string", "enum",
				 "default");
	case XY_API_TEXT:
		break;
	}
	o = typed("string");
	if (p->choices)
		json_object_set_new(o, "enum", choices_of(p->choices));
	return o;
}

static json_t *parameters_of(const struct xy_api_entry *e)
{
	json_t *list = json_array();
	if (strchr(e->path, '{'))
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", "name",
						      "in", "path", "required", 1, "description",
						      "a peer's name, key or address", "schema",
						      typed("string")));
	for (unsigned i = 0; !e->body && i < XY_API_PARAMS && e->params[i].name; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name",
						      e->params[i].name, "in", "query", "required",
						      e->params[i].required, "description",
						      e->params[i].help, "schema",
						      param_schema(&e->params[i])));
	return list;
}

static json_t *body_of(const struct xy_api_entry *e)
{
	json_t *members = json_object(), *required = json_array();
	for (unsigned i = 0; i < XY_API_PARAMS && e->params[i].name; i++) {
		json_t *s = param_schema(&e->params[i]);
		json_object_set_new(s, "description", json_string(e->params[i].help));
		json_object_set_new(members, e->params[i].name, s);
		if (e->params[i].required)
			json_array_append_new(required, json_string(e->params[i].name));
	}
	bool any = json_array_size(required) > 0;
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", members,
				   "additionalProperties", 0);
	if (any)
		json_object_set_new(schema, "required", required);
	else
		json_decref(required);
	return json_pack("{s:b, s:{s:{s:o}}}", "required", any, "content", "application/json",
			 "schema", schema);
}

static json_t *answer_of(const struct xy_api_entry *e)
{
	if (e->handler == XY_API_EVENTS)
		return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description",
				 "events until somebody ends it", "content", "text/event-stream",
				 "schema", "type", "string");
	if (e->handler == XY_API_CAPTURE)
		return json_pack("{s:s, s:{s:{s:{s:s, s:s}}}}", "description", "a pcapng file",
				 "content", "application/x-pcapng", "schema", "type", "string",
				 "format", "binary");
	if (e->handler == XY_API_PING)
		return json_pack("{s:s, s:{s:{s:o}}}", "description",
				 "lines, each an object as here, as they come", "content",
				 "application/x-ndjson", "schema", reference(e->answer));
	return json_pack("{s:s, s:{s:{s:o}}}", "description", "the answer", "content",
			 "application/json", "schema",
			 reference(e->object ? e->object()->name : e->answer));
}

static json_t *operation_of(const struct xy_api_entry *e)
{
	static const char *const scopes[] = {"nobody in particular", "read", "act"};
	char id[64], about[300];
	size_t n = 0;
	n += (size_t)snprintf(id, sizeof(id), "%s", e->method);
	for (const char *p = e->path; *p && n < sizeof(id) - 1; p++)
		id[n++] = (char)(strchr("/{}.-", *p) ? '_' : *p);
	id[n] = 0;
	snprintf(about, sizeof(about), "Open to: %s%s.", scopes[e->scope],
		 e->public ? "; on the public address to everybody" : "");
	json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:{s:o, s:{s:s, s:{s:{s:o}}}}}", "operationId",
			      id, "summary", e->help, "description", about, "parameters",
			      parameters_of(e), "responses", "200", answer_of(e), "default",
			      "description", "what is wrong", "content", "application/problem+json",
			      "schema", reference("problem"));
	if (e->body)
		json_object_set_new(o, "requestBody", body_of(e));
	if (e->scope == XY_API_OPEN)
		json_object_set_new(o, "security", json_array());
	return o;
}

static json_t *paths_of(void)
{
	json_t *paths = json_object();
	const struct xy_api_entry *e;
	for (unsigned i = 0; (e = xy_api_entry_at(i)); i++) {
		char method[8];
		size_t n;
		json_t *path = json_object_get(paths, e->path);
		if (!path)
			json_object_set_new(paths, e->path, path = json_object());
		for (n = 0; e->method[n] && n < sizeof(method) - 1; n++)
			method[n] = (char)(e->method[n] | 0x20);
		method[n] = 0;
		json_object_set_new(path, method, operation_of(e));
	}
	return paths;
}

json_t *xy_openapi(void)
{
	return json_pack(
		"{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}, {s:[]}], s:o, s:{s:{s:{s:s, s:s}, "
		"s:{s:s, s:s, s:s}}, s:o}}",
		"openapi", "3.0.3", "info", "title", "Xylem", "version", XY_VERSION, "description",
		"What xylem-web serves: what `xylem show` prints, and what the control socket "
		"changes. Lists come in pages: `next` is the cursor of the one that follows, or "
		"null. On the public address some fields are left out.",
		"servers", "url", XY_API_BASE, "security", "token", "session", "paths", paths_of(),
		"components", "securitySchemes", "token", "type", "http", "scheme", "bearer",
		"session", "type", "apiKey", "in", "cookie", "name", "xylem", "schemas",
		schemas_of());
}
