// SPDX-License-Identifier: BSD-3-Clause
// A field of the list (lib/fields) as people read it: its title, its value by its form.
#include "cli/cli.h"

#include <ctype.h>
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

static void scaled(char *to, size_t size, double v, double step, const char *const *units)
{
	unsigned i = 0;
	for (; v >= step && units[i + 1]; i++)
		v /= step;
	snprintf(to, size, i && v < 100 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void form_bytes(char *to, size_t size, double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL};
	scaled(to, size, v, 1024, units);
}

static void form_bits(char *to, size_t size, double v)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", NULL};
	scaled(to, size, v, 1000, units);
}

static void form_span(char *to, size_t size, double v)
{
	unsigned long s = v > 0 ? (unsigned long)v : 0;
	if (s < 60)
		snprintf(to, size, "%lu s", s);
	else if (s < 3600)
		snprintf(to, size, "%lu min %lu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, size, "%lu h %lu min", s / 3600, s / 60 % 60);
	else
		snprintf(to, size, "%lu d %lu h", s / 86400, s / 3600 % 24);
}

static void form_number(char *to, size_t size, const json_t *v)
{
	if (json_is_integer(v))
		snprintf(to, size, "%lld", (long long)json_integer_value(v));
	else
		snprintf(to, size, "%.1f", json_number_value(v));
}

// A counter that fell belongs to something new: no rate.
static bool rate_of(const json_t *v, const json_t *before, double seconds, double *out)
{
	if (!json_is_number(before) || seconds <= 0)
		return false;
	*out = (json_number_value(v) - json_number_value(before)) / seconds;
	return *out >= 0;
}

static void form_counter(char *to, size_t size, enum xy_form form, const json_t *v,
			 const json_t *before, double seconds)
{
	double rate;
	bool has_rate = rate_of(v, before, seconds, &rate);
	if (form == XY_FORM_TRAFFIC && has_rate)
		form_bits(to, size, rate * 8);
	else if (form == XY_FORM_TRAFFIC)
		form_bytes(to, size, json_number_value(v));
	else if (has_rate)
		snprintf(to, size, "%.0f/s", rate);
	else
		form_number(to, size, v);
}

static void form_numeric(char *to, size_t size, enum xy_form form, const json_t *v)
{
	double d = json_number_value(v);
	switch (form) {
	case XY_FORM_BYTES:
		form_bytes(to, size, d);
		break;
	case XY_FORM_SPAN:
	case XY_FORM_AGO:
		form_span(to, size, d);
		break;
	case XY_FORM_SHARE:
		snprintf(to, size, "%.0f %%", d * 100);
		break;
	case XY_FORM_DECIMAL:
		snprintf(to, size, "%.1f", d);
		break;
	case XY_FORM_MICRO:
		snprintf(to, size, "%.0f us", d);
		break;
	case XY_FORM_RTT:
		snprintf(to, size, "%.2f ms", d / 1000);
		break;
	default:
		form_number(to, size, v);
	}
}

static void form_list(char *to, size_t size, const json_t *v)
{
	size_t n = 0;
	snprintf(to, size, "-");
	for (size_t i = 0; i < json_array_size(v) && n < size; i++) {
		const char *text = json_string_value(json_array_get(v, i));
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " " : "", text ? text : "?");
	}
}

void xy_field_text(char *to, size_t size, const struct xy_field *f, const json_t *v,
		   const json_t *before, double seconds)
{
	if (f->form == XY_FORM_JOIN)
		form_list(to, size, v);
	else if (f->form == XY_FORM_SHORT_KEY && json_is_string(v))
		snprintf(to, size, "%.8s...", json_string_value(v));
	else if (json_is_string(v))
		snprintf(to, size, "%s", json_string_value(v));
	else if (json_is_boolean(v))
		snprintf(to, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (!json_is_number(v))
		snprintf(to, size, f->form == XY_FORM_AGO ? "never" : "-");
	else if (f->form == XY_FORM_COUNT || f->form == XY_FORM_TRAFFIC)
		form_counter(to, size, f->form, v, before, seconds);
	else
		form_numeric(to, size, f->form, v);
}

static enum xy_colour colour_of(const struct xy_field *f, const json_t *v)
{
	const char *text = json_string_value(v);
	if (f->form == XY_FORM_YES_NO)
		return json_is_false(v) ? XY_RED : XY_PLAIN;
	if (f->form == XY_FORM_ZERO)
		return json_integer_value(v) ? XY_YELLOW : XY_PLAIN;
	if (f->form != XY_FORM_STATE || !text)
		return XY_PLAIN;
	if (strcmp(text, "up") == 0)
		return XY_GREEN;
	if (strcmp(text, "idle") == 0)
		return XY_PLAIN;
	return strcmp(text, "handshake") == 0 ? XY_YELLOW : XY_RED;
}

void xy_table_field(struct xy_table *t, const struct xy_field *f, const json_t *v,
		    const json_t *before, double seconds)
{
	char text[512];
	xy_field_text(text, sizeof(text), f, v, before, seconds);
	xy_table_cell(t, text, colour_of(f, v));
}
