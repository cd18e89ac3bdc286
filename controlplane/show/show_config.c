// SPDX-License-Identifier: BSD-3-Clause
// What the file says, what was changed at run time, and what is in force, where these differ.
#include "babel/babel.h"
#include "base/bytes.h"
#include "daemon.h"
#include "show/show.h"
#include "steering.h"

#include <stdio.h>

static void row(json_t *to, const char *peer, const char *what, const char *file, const char *now,
		const char *effective)
{
	char setting[XY_NAME_LEN + 32];
	snprintf(setting, sizeof(setting), "%s%s%s%s", peer ? "peer " : "", peer ? peer : "",
		 peer && what[0] ? " " : "", what);
	json_array_append_new(to, xy_tell_config_change(&(struct xy_fields_config_change){
					  .setting = setting,
					  .file = file,
					  .run_time = now,
					  .effective = effective,
				  }));
}

static const char *on_off(bool off)
{
	return off ? "off" : "on";
}

static void change_rows(json_t *to, const struct xy_runtime_change *c)
{
	char was[16], is[16];
	const char *traffic = on_off(c->set.traffic == XY_TRAFFIC_OFF);
	snprintf(was, sizeof(was), "%u", c->was_cost ? c->was_cost : XY_BABEL_COST);
	snprintf(is, sizeof(is), "%u", c->set.cost);
	if (c->set.traffic)
		row(to, c->set.name, "traffic", c->lies ? on_off(c->was_shut) : NULL, traffic,
		    c->lies ? traffic : NULL);
	if (c->set.cost)
		row(to, c->set.name, "cost", c->lies ? was : NULL, is, c->lies ? is : NULL);
}

static void level_rows(json_t *to, const struct xy_daemon *d, const struct xy_runtime *r)
{
	const char *const *name = xy_config_level_names;
	const struct xy_config *c = &d->plan.config;
	char what[32];
	if (r->level != XY_LOG_AS_IT_IS)
		row(to, NULL, "log.level", name[c->log_level], name[r->level], name[r->level]);
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++) {
		if (r->levels[i] == XY_LOG_AS_IT_IS)
			continue;
		snprintf(what, sizeof(what), "log.levels.%s", xy_log_part_names[i]);
		row(to, NULL, what, name[c->log_levels[i]], name[r->levels[i]],
		    name[r->levels[i]]); // the file's: behind the last name is NULL
	}
}

static json_t *changed(const struct xy_daemon *d)
{
	const struct xy_runtime *r = xy_steering_runtime(d);
	json_t *list = json_array();
	level_rows(list, d, r);
	if (r->drained)
		row(list, NULL, "drained", NULL, "yes", "yes");
	for (unsigned i = 0; i < r->peers; i++)
		row(list, r->peer[i]->says.name, "", NULL,
		    r->peer[i]->says.leaf ? "leaf added" : "added",
		    r->peer[i]->says.no_traffic ? "traffic off" : "there");
	for (unsigned i = 0; i < r->changes; i++)
		change_rows(list, &r->change[i]);
	return list;
}

json_t *xy_show_config(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	char file[XY_STATE_FOLDER_LEN + 32];
	const char *unkept = xy_steering_unkept(d);
	snprintf(file, sizeof(file), "%s/" XY_STEERING_FILE, xy_state_folder(d->state));
	return xy_tell_config(&(struct xy_fields_config){
		.file = d->config_path,
		.refused = told(d->reloads.why.text),
		.run_time = file,
		.unkept = unkept,
		.changed = changed(d),
	});
}
