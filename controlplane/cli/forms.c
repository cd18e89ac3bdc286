// SPDX-License-Identifier: BSD-3-Clause
// A field of the list (lib/fields) as people read it: its title, its value by its form.
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// "rx_missed" -> "rx missed", without a unit that the form shows: "rtt_us" -> "rtt".
static const char *title_of(const struct xy_field *f, bool list, char *buf, size_t size)
{
	static const char *const unit[XY_FORM_COUNT_OF] = {[XY_FORM_TRAFFIC] = "_bytes",
							   [XY_FORM_BYTES] = "_bytes",
							   [XY_FORM_MICRO] = "_us",
							   [XY_FORM_RTT] = "_us"};
	const char *end = unit[f->form];
	size_t n = strlen(f->key), cut = end ? strlen(end) : 0;
	if (cut && n > cut && strcmp(f->key + n - cut, end) == 0)
		n -= cut;
	n = n < size ? n : size - 1;
	for (size_t i = 0; i < n; i++)
		buf[i] = f->key[i] == '_' ? ' ' : list ? (char)toupper(f->key[i]) : f->key[i];
	buf[n] = 0;
	return buf;
}

const char *xy_field_title(const struct xy_field *f, char *buf, size_t size)
{
	return title_of(f, false, buf, size);
}

static bool is_number(enum xy_form form)
{
	return form >= XY_FORM_NUMBER && form <= XY_FORM_DECIMAL;
}

void xy_table_column_of(struct xy_table *t, const struct xy_field *f)
{
	char title[XY_TITLE_LEN];
	xy_table_column(t, title_of(f, true, title, sizeof(title)),
			is_number(f->form) ? XY_RIGHT : XY_LEFT);
}

// --- forms

static void scaled(char to[static XY_FORM_LEN], double v, double step, const char *const *units)
{
	unsigned i = 0;
	for (; v >= step && units[i + 1]; i++)
		v /= step;
	snprintf(to, XY_FORM_LEN, i && v < 100 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void form_bytes(char to[static XY_FORM_LEN], double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};
	scaled(to, v, 1024, units);
}

void xy_form_bits(char to[static XY_FORM_LEN], double v)
{
	static const char *const units[] = {"bit/s",  "kbit/s", "Mbit/s", "Gbit/s",
					    "Tbit/s", "Pbit/s", NULL};
	scaled(to, v, 1000, units);
}

void xy_form_rate(char to[static XY_FORM_LEN], double v)
{
	static const char *const units[] = {"/s", "k/s", "M/s", "G/s", "T/s", NULL};
	if (v < 1000)
		snprintf(to, XY_FORM_LEN, v > 0 && v < 10 ? "%.1f/s" : "%.0f/s", v);
	else
		scaled(to, v, 1000, units);
}

static void form_hertz(char to[static XY_FORM_LEN], double v)
{
	static const char *const units[] = {"Hz", "kHz", "MHz", "GHz", NULL};
	scaled(to, v, 1000, units);
}

static void form_time(char to[static XY_FORM_LEN], double us)
{
	if (us < 1000)
		snprintf(to, XY_FORM_LEN, "%.0f us", us);
	else if (us < 1e6)
		snprintf(to, XY_FORM_LEN, "%.2f ms", us / 1e3);
	else
		snprintf(to, XY_FORM_LEN, "%.1f s", us / 1e6);
}

static void form_span(char to[static XY_FORM_LEN], double v)
{
	unsigned long s = v > 0 ? (unsigned long)v : 0;
	if (s < 60)
		snprintf(to, XY_FORM_LEN, "%lu s", s);
	else if (s < 3600)
		snprintf(to, XY_FORM_LEN, "%lu min %lu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, XY_FORM_LEN, "%lu h %lu min", s / 3600, s / 60 % 60);
	else
		snprintf(to, XY_FORM_LEN, "%lu d %lu h", s / 86400, s / 3600 % 24);
}

// Counters of more than seven digits are rounded, where it is not asked for all of them.
static void form_number(char to[static XY_FORM_LEN], const json_t *v, bool round)
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E", NULL};
	if (!json_is_integer(v))
		snprintf(to, XY_FORM_LEN, "%.1f", json_number_value(v));
	else if (round && json_integer_value(v) >= 10000000)
		scaled(to, json_number_value(v), 1000, units);
	else
		snprintf(to, XY_FORM_LEN, "%lld", (long long)json_integer_value(v));
}

// A counter that fell belongs to something new: no rate.
static bool rate_of(const json_t *v, const json_t *before, double seconds, double *out)
{
	if (!json_is_number(before) || seconds <= 0)
		return false;
	*out = (json_number_value(v) - json_number_value(before)) / seconds;
	return *out >= 0;
}

static void form_counter(char to[static XY_FORM_LEN], enum xy_form form, const json_t *v,
			 const struct xy_then *then, bool exact)
{
	double rate;
	bool has_rate = rate_of(v, then->value, then->seconds, &rate);
	if (form == XY_FORM_TRAFFIC && has_rate)
		xy_form_bits(to, rate * 8);
	else if (form == XY_FORM_TRAFFIC)
		form_bytes(to, json_number_value(v));
	else if (has_rate)
		xy_form_rate(to, rate);
	else
		form_number(to, v, !exact);
}

static void form_numeric(char to[static XY_FORM_LEN], const struct xy_field *f, const json_t *v,
			 bool exact)
{
	double d = json_number_value(v);
	switch (f->form) {
	case XY_FORM_BYTES:
		form_bytes(to, d);
		break;
	case XY_FORM_SPAN:
	case XY_FORM_AGO:
		form_span(to, d);
		break;
	case XY_FORM_SHARE:
		snprintf(to, XY_FORM_LEN, "%.0f %%", d * 100);
		break;
	case XY_FORM_DECIMAL:
		snprintf(to, XY_FORM_LEN, "%.1f", d);
		break;
	case XY_FORM_MILLI:
		form_time(to, d * 1000);
		break;
	case XY_FORM_MICRO:
	case XY_FORM_RTT:
		form_time(to, d);
		break;
	case XY_FORM_HERTZ:
		form_hertz(to, d);
		break;
	default:
		form_number(to, v, !exact && f->kind == XY_KIND_COUNTER);
	}
}

// "2026-11-30T16:31:50.123Z" as "Nov 30 16:31:50"; else as it is.
static void form_date(char to[static XY_FORM_LEN], const char *time)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	unsigned month, day, h, m, s;
	if (sscanf(time, "%*4u-%2u-%2uT%2u:%2u:%2u", &month, &day, &h, &m, &s) == 5 && month >= 1 &&
	    month <= 12)
		snprintf(to, XY_FORM_LEN, "%s %2u %02u:%02u:%02u", months[month - 1], day, h, m, s);
	else
		snprintf(to, XY_FORM_LEN, "%s", time);
}

static char *form_list(const json_t *v)
{
	char *text = NULL;
	size_t len, n = json_array_size(v);
	FILE *to = xy_cli_must(open_memstream(&text, &len));
	for (size_t i = 0; i < n; i++) {
		const char *one = json_string_value(json_array_get(v, i));
		fprintf(to, "%s%s", i ? " " : "", one ? one : "?");
	}
	fputs(n ? "" : "-", to);
	fclose(to);
	return xy_cli_must(text);
}

static char *copy(const char *text)
{
	return xy_cli_must(strdup(text));
}

char *xy_field_text(const struct xy_field *f, const json_t *v, const struct xy_then *then,
		    bool exact)
{
	static const struct xy_then never = {NULL, 0};
	char text[XY_FORM_LEN];
	if (f->form == XY_FORM_JOIN)
		return form_list(v);
	if (f->form == XY_FORM_SHORT_KEY && !exact && json_is_string(v)) {
		snprintf(text, sizeof(text), "%.8s...", json_string_value(v));
		return copy(text);
	}
	if (f->form == XY_FORM_TIME && !exact && json_is_string(v)) {
		form_date(text, json_string_value(v));
		return copy(text);
	}
	if (json_is_string(v))
		return copy(json_string_value(v));
	if (json_is_boolean(v))
		return copy(json_is_true(v) ? "yes" : "no");
	if (!json_is_number(v))
		return copy(f->form == XY_FORM_AGO ? "never" : "-");
	if (f->form == XY_FORM_COUNT || f->form == XY_FORM_TRAFFIC)
		form_counter(text, f->form, v, then ? then : &never, exact);
	else
		form_numeric(text, f, v, exact);
	return copy(text);
}

static enum xy_colour colour_of_level(const char *level)
{
	return strcmp(level, "error") == 0   ? XY_RED
	       : strcmp(level, "warn") == 0  ? XY_YELLOW
	       : strcmp(level, "debug") == 0 ? XY_DIM
					     : XY_PLAIN;
}

static enum xy_colour colour_of(const struct xy_field *f, const json_t *v)
{
	const char *text = json_string_value(v);
	if (f->form == XY_FORM_YES_NO)
		return json_is_false(v) ? XY_RED : XY_PLAIN;
	if (f->form == XY_FORM_ZERO)
		return json_integer_value(v) ? XY_YELLOW : XY_PLAIN;
	if (f->form == XY_FORM_LEVEL && text)
		return colour_of_level(text);
	if (f->form != XY_FORM_STATE || !text)
		return XY_PLAIN;
	if (strcmp(text, "up") == 0)
		return XY_GREEN;
	if (strcmp(text, "idle") == 0)
		return XY_PLAIN;
	return strcmp(text, "handshake") == 0 ? XY_YELLOW : XY_RED;
}

void xy_table_field(struct xy_table *t, const struct xy_field *f, const json_t *v,
		    const struct xy_then *then, bool exact)
{
	char *text = xy_field_text(f, v, then, exact);
	xy_table_cell(t, text, colour_of(f, v));
	free(text);
}
