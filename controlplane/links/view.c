// SPDX-License-Identifier: BSD-3-Clause
// What those who run over links see of them.
#include "links/links.h"

static const char *name(void *arg, uint32_t slot)
{
	return xy_links_name(arg, slot);
}

static const struct xy_key *key(void *arg, uint32_t slot)
{
	return xy_links_key(arg, slot);
}

static bool is_open(void *arg, uint32_t slot)
{
	return xy_links_is_open(arg, slot);
}

static const struct xy_config_peer *says(void *arg, uint32_t slot)
{
	return xy_links_says(arg, slot);
}

static enum xy_link_health health(void *arg, uint32_t slot, xy_nsec now)
{
	return xy_links_health(arg, slot, now);
}

static void ask(void *arg, uint32_t slot, xy_nsec now)
{
	xy_links_ask(arg, slot, now);
}

static bool path(void *arg, uint32_t slot, struct xy_link_path *out)
{
	return xy_links_path(arg, slot, out);
}

static void probed(void *arg, uint32_t slot, const struct xy_link_probed *found)
{
	xy_links_probed(arg, slot, found);
}

void xy_links_view(struct xy_links *l, struct xy_linkview *out)
{
	*out = (struct xy_linkview){.arg = l,
				    .name = name,
				    .key = key,
				    .is_open = is_open,
				    .says = says,
				    .health = health,
				    .ask = ask,
				    .path = path,
				    .probed = probed};
}
