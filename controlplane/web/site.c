// SPDX-License-Identifier: BSD-3-Clause
#include "web/site.h"

#include "url/url.h"
#include "web/api.h"
#include "web/assets.h"
#include "web/metrics.h"

#include <string.h>

// A page elsewhere can have its own name lead to our address, and would be us for the browser: who
// calls us by another name than ours is answered nothing.
static bool is_ours(const struct xy_web *w, struct xy_http_request *q, const struct xy_url *url)
{
	const char *said = xy_http_header(q, "Host"), *text = said ? said : url->authority;
	struct xy_url_host host, other;
	if (!text) // HTTP/1.0
		return true;
	if (xy_url_host_parse(text, &host)) {
		xy_http_problem(q, 400, "the Host header is no host");
		return false;
	}
	if (url->authority && (xy_url_host_parse(url->authority, &other) ||
			       strcmp(other.name, host.name) != 0 || other.port != host.port)) {
		xy_http_problem(q, 400, "the address says another host than the Host header");
		return false;
	}
	bool ours = host.address || strcmp(host.name, "localhost") == 0;
	for (unsigned i = 0; i < w->config.name_count; i++)
		ours = ours || strcmp(w->config.names[i], host.name) == 0;
	if (!ours)
		xy_http_problem(q, 421,
				"this host does not know that it is called \"%.80s\"; use its "
				"address, or write the name into `names` of the config",
				host.name);
	return ours;
}

static bool takes_gzip(const struct xy_http_request *q)
{
	const char *all = xy_http_header(q, "Accept-Encoding");
	const char *at = all ? strstr(all, "gzip") : NULL;
	return at && strncmp(at + 4, ";q=0", 4) != 0;
}

static void serve_asset(struct xy_http_request *q, const char *path)
{
	const struct xy_asset *a = xy_asset_find(path);
	const char *have = xy_http_header(q, "If-None-Match");
	if (!a) {
		xy_http_problem(q, 404, "there is nothing here; the API is at /api/v1");
		return;
	}
	if (strcmp(xy_http_method(q), "GET") != 0) {
		xy_http_add(q, "Allow", "GET, HEAD");
		xy_http_problem(q, 405, "this can only be read");
		return;
	}
	xy_http_add(q, "ETag", a->etag);
	xy_http_add(q, "Cache-Control",
		    a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	xy_http_add(q, "Vary", "Accept-Encoding");
	if (have && strstr(have, a->etag)) {
		xy_http_answer_constant(q, 304, NULL, "", 0);
		return;
	}
	bool gzip = a->gzip && takes_gzip(q);
	if (gzip)
		xy_http_add(q, "Content-Encoding", "gzip");
	xy_http_answer_constant(q, 200, a->type, gzip ? a->gzip : a->bytes,
				gzip ? a->gzip_size : a->size);
}

void xy_site_serve(void *web, struct xy_http_request *q)
{
	struct xy_web *w = web;
	struct xy_url url;
	const char *why;
	int ret = xy_url_parse(xy_http_target(q), &url, &why);
	if (ret) {
		xy_http_problem(q, ret == -E2BIG ? 414 : 400, "the address is not one: %s", why);
		return;
	}
	if (!is_ours(w, q, &url))
		return;
	if (strcmp(url.segments[0], "api") == 0)
		xy_api_serve(w, q, &url);
	else if (strcmp(url.path, "/metrics") == 0)
		xy_metrics_serve(w->metrics, q);
	else
		serve_asset(q, url.path);
}
