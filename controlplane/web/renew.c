// SPDX-License-Identifier: BSD-3-Clause
#include "web/renew.h"

#include "log.h"
#include "web/auth.h"
#include "web/capture.h"
#include "web/certificate.h"
#include "web/errand.h"
#include "web/events.h"

#include <string.h>

static int refuse(const struct xy_config *notes, const struct xy_err *err)
{
	for (unsigned i = 0; i < notes->errors.count; i++)
		xy_log_error("reload: %s", notes->errors.v[i].text);
	if (!notes->errors.count)
		xy_log_error("reload: %s", err->text);
	xy_log_error("reload: all stays as it was; mend that, and reload again");
	return -1;
}

static int read_again(const struct xy_web *w, const char *path, bool optional,
		      struct xy_config_web *new)
{
	struct xy_err err = {0};
	int ret = xy_config_web_load(path, new, &err);
	if (ret == -ENOENT && optional)
		ret = 0;
	if (!ret && !w->here && !xy_config_web_has_login(new))
		ret = xy_err_set(&err, EPERM,
				 "%s: others than this host reach where it listens until it is "
				 "restarted, so it wants a password or tokens",
				 path);
	if (!ret && w->config.tls.certificate[0] && new->tls.certificate[0])
		ret = xy_certificate_use(new->tls.certificate, new->tls.key, &err);
	return ret ? refuse(&new->notes, &err) : 0;
}

static bool has_other_tokens(const struct xy_config_web *a, const struct xy_config_web *b)
{
	bool other = a->token_count != b->token_count;
	for (unsigned i = 0; !other && i < a->token_count; i++)
		other = memcmp(a->tokens[i].hash, b->tokens[i].hash, sizeof(a->tokens[i].hash)) ||
			a->tokens[i].scopes != b->tokens[i].scopes ||
			strcmp(a->tokens[i].name, b->tokens[i].name) != 0;
	return other;
}

// What is listened on, and how: the sockets are made with rights that the process has no more.
static bool listens_elsewhere(const struct xy_config_web *a, const struct xy_config_web *b)
{
	return strcmp(a->listen, b->listen) != 0 || strcmp(a->public, b->public) != 0 ||
	       !a->tls.certificate[0] != !b->tls.certificate[0];
}

void xy_renew(struct xy_web *w, const char *path, bool optional)
{
	struct xy_config_web new, old = w->config;
	if (read_again(w, path, optional, &new)) {
		xy_config_web_free(&new);
		return;
	}
	bool password = strcmp(old.password, new.password) != 0;
	bool tokens = has_other_tokens(&old, &new);
	for (unsigned i = 0; i < new.notes.warnings.count; i++)
		xy_log_warn("reload: %s", new.notes.warnings.v[i].text);
	if (listens_elsewhere(&old, &new))
		xy_log_warn("reload: listen, public, and whether there is tls come into force by a "
			    "restart");
	memcpy(new.listen, old.listen, sizeof(new.listen));
	memcpy(new.public, old.public, sizeof(new.public));
	if (!old.tls.certificate[0] || !new.tls.certificate[0])
		new.tls = old.tls;
	w->config = new;
	xy_config_web_free(&old);
	if (password)
		xy_auth_sessions_end(w->auth);
	if (password || tokens) // who may listen yet comes again
		xy_events_end_private(w->events);
	xy_capture_look(w);
	xy_errands_look(w->errands);
	xy_log_info("the config was read again%s", password ? "; sessions have ended" : "");
}
