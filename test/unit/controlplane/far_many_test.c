// SPDX-License-Identifier: BSD-3-Clause
// Far nodes in numbers: as many as a gateway has, made, used, idled and ended, and what one costs.
// Helpers' results are made up, as are the others' answers: what is measured is ours.
#include "far_rig.h"

#include <malloc.h>
#include <time.h>

enum { MANY = 100000, ANSWERS = 4096 };

static struct xy_key key_of[MANY];
static struct {
	uint32_t index;
	struct xy_addr from;
} answer[ANSWERS];
static unsigned answers;
static bool answering;

static void job_make_up(struct xy_job *job)
{
	job->result = 0;
	switch (job->type) {
	case XY_JOB_MEET:
		memcpy(job->theirs.pk, job->pk, sizeof(job->pk));
		break;
	case XY_JOB_INITIATE:
		job->initiation = (struct xy_wg_initiation){.type = XY_WG_INITIATION};
		job->initiation.sender = job->index;
		break;
	case XY_JOB_CONSUME:
		job->state.remote_index = job->response.sender;
		random_bytes(NULL, &job->keys, sizeof(job->keys));
		break;
	default:
		CU_FAIL("nobody asks us");
	}
}

static void hear(const struct node *from, const uint8_t *packet, size_t len)
{
	if (packet[XY_IPV6_LEN] != XY_WG_INITIATION || !answering)
		return;
	CU_ASSERT_FATAL(answers < ANSWERS);
	answer[answers].index = xy_le32_load(packet + XY_IPV6_LEN + 4);
	memcpy(answer[answers++].from.b, packet + 24, 16);
}

static void answers_give(void)
{
	struct xy_cookie_jar jar;
	uint8_t packet[XY_IPV6_LEN + sizeof(struct xy_wg_response)] = {0x60};
	struct xy_wg_response *m = (struct xy_wg_response *)(packet + XY_IPV6_LEN);
	xy_cookie_jar_init(&jar, A->id.x25519.b);
	for (unsigned i = 0; i < answers; i++) {
		memcpy(packet + 8, answer[i].from.b, 16);
		*m = (struct xy_wg_response){
			.type = XY_WG_RESPONSE, .sender = i, .receiver = answer[i].index};
		xy_cookie_macs_add(&jar, (uint8_t *)m, sizeof(*m), w.now);
		fake_far_receive(&A->dp, 0, packet, sizeof(packet));
		jobs_finish(A);
	}
	answers = 0;
}

static void keys_make(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		random_bytes(NULL, key_of[i].b, sizeof(key_of[i].b));
		route_of(A, &key_of[i], &key_of[i], 1);
	}
}

static void meet(unsigned i)
{
	const struct xy_dp_event ev = {.type = XY_DP_MEET, .addr = xy_key_prefix(&key_of[i]).addr};
	on_event(A, &ev);
}

static void begin(unsigned count)
{
	world_begin();
	w.run = job_make_up;
	w.unroutable = hear;
	A->max = MANY;
	w.link_rate = 1000000; // they come faster than helpers are
	w.limits.rekey_after_time = 10 * XY_SEC;
	w.limits.reject_after_time = 20 * XY_SEC;
	w.limits.rekey_attempt_time = 15 * XY_SEC;
	node_start(A);
	A->dp.routes_any = true;
	keys_make(count);
	answers = 0;
	answering = true;
}

static unsigned up(unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct xy_far_node *k = xy_far_by_key(A->fars, &key_of[i]);
		n += k && xy_exchange_is_up(A->exchanges, &k->exchange, w.now);
	}
	return n;
}

static void settle(xy_nsec time)
{
	for (xy_nsec end = w.now + time; w.now < end;) {
		run_for(10 * XY_MSEC);
		answers_give();
	}
}

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void test_2000_at_once(void)
{
	enum { COUNT = 2000 };
	begin(COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		meet(i);
		meet(i);
	}
	CU_ASSERT_EQUAL(counts(A).count, COUNT);
	CU_ASSERT(A->jobs_most <= XY_JOBS);
	settle(XY_SEC);
	CU_ASSERT(up(COUNT) == COUNT && w.sent[XY_WG_INITIATION] == COUNT);
	CU_ASSERT(drops(A, XY_HS_DROP_BUSY) == 0 && A->jobs_most <= XY_JOBS);
	world_end();
}

static void fill(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		meet(i);
		if (i % 1000 == 999)
			settle(90 * XY_MSEC);
	}
	settle(100 * XY_MSEC);
	CU_ASSERT(counts(A).count == count && up(count) == count);
}

static void test_gateway(void)
{
	begin(MANY);
	size_t before = mallinfo2().uordblks;
	for (unsigned again = 0; again < 2; again++) {
		double at = cpu_ms();
		fill(MANY);
		size_t used = mallinfo2().uordblks - before;
		printf("\n    made: %.0f us each; %zu bytes each, of %zu; ",
		       (cpu_ms() - at) * 1e3 / MANY, used / MANY, sizeof(struct xy_far_node));
		CU_ASSERT(used / MANY < 1536);
		at = cpu_ms();
		settle(4 * XY_SEC);
		printf("a second with all of them: %.0f ms; ", (cpu_ms() - at) / 4);
		CU_ASSERT_EQUAL(counts(A).count, MANY);
		uint32_t number = LINKS;
		struct xy_key other;
		random_bytes(NULL, other.b, sizeof(other.b));
		CU_ASSERT(!xy_fars_next(A->fars, &(uint32_t){LINKS + MANY}, 10) &&
			  xy_fars_next(A->fars, &number, 1));
		// A stranger finds all used within a minute; traffic has the one idle for longest
		// go.
		CU_ASSERT(!xy_far_make(A->fars, &other, XY_FAR_BY_STRANGER, 1, w.now));
		CU_ASSERT(xy_far_make(A->fars, &other, XY_FAR_BY_TRAFFIC, XY_DP_NO_PEER, w.now) !=
			  NULL);
		CU_ASSERT(counts(A).count == MANY && !xy_far_by_key(A->fars, &key_of[0]));
		at = cpu_ms();
		settle(30 * XY_SEC);
		printf("idled and ended: %.0f us each", (cpu_ms() - at) * 1e3 / MANY);
		CU_ASSERT(counts(A).count == 0 && fake_sessions(&A->dp) == 0 && A->dp.fars == 0);
		CU_ASSERT(mallinfo2().uordblks - before <= used / 10);
	}
	printf(" ");
	world_end();
}

// Nobody answers: as many as were wanted end all the same.
static void test_nobody_answers(void)
{
	enum { COUNT = 20000 };
	begin(COUNT);
	answering = false;
	for (unsigned i = 0; i < COUNT; i++)
		meet(i);
	settle(60 * XY_SEC);
	CU_ASSERT(counts(A).count == 0 && counts(A).unanswered == COUNT);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0);
	world_end();
}

XY_UNIT_MAIN("far_many", {"2,000 at once", test_2000_at_once},
	     {"a gateway's 100,000", test_gateway}, {"nobody answers", test_nobody_answers})
