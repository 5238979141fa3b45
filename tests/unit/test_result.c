/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The flat form of a result: what is written is read back, and nothing else is. */
#include "analysis/result.h"
#include "sim/base/hash.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

static void fill(struct run_result *result, struct rng *rng)
{
    result_clear(result);
    result->seed = rng_u64(rng);
    result->verdict = (enum verdict)rng_below(rng, VERDICT_COUNT);
    result_copy_text(result->reason, sizeof(result->reason), "raft.log-matching");
    result->digest = rng_u64(rng);
    result->events = rng_u64(rng);
    result->sim_ns = (int64_t)rng_below(rng, INT64_MAX);
    result->offered = rng_below(rng, 1000);
    result->recovery_ns = -1;
    result->cpu_ns = 17;
    uint64_t count = rng_below(rng, 4);
    for (uint64_t i = 0; i < count; i++) {
        struct result_violation *violation = vec_push(&result->violations);
        result_copy_text(violation->check, sizeof(violation->check), "linearizable");
        result_copy_text(violation->message, sizeof(violation->message), "key 7: ...");
        violation->node = UINT32_MAX;
        violation->event = RESULT_EVENT_NONE;
        violation->is_known = i == 1;
        struct result_fault *fault = vec_push(&result->faults);
        result_copy_text(fault->target, sizeof(fault->target), "n1,n2 | n3");
        fault->end_ns = INT64_MAX;
        struct result_probe *probe = vec_push(&result->probes);
        probe->hits = i;
        struct result_check *check = vec_push(&result->checks);
        check->comparisons = rng_u64(rng);
        check->is_unknown = true;
        struct result_window *window = vec_push(&result->windows);
        window->offered = UINT32_MAX;
        window->p99_ns = -1;
        window->is_up = true;
        struct result_arm *arm = vec_push(&result->arms);
        arm->arm = (enum run_arm)i;
        arm->outcome = ARM_STUCK;
        arm->after_ns = RESULT_RECOVERY_NEVER;
        arm->good = rng_u64(rng);
        struct result_arm_window *arm_window = vec_push(&result->arm_windows);
        arm_window->arm = (enum run_arm)i;
        arm_window->window.good = 7;
        struct result_episode *episode = vec_push(&result->episodes);
        result_copy_text(episode->class_, sizeof(episode->class_), "leader-lost:5-4");
        episode->number = UINT32_MAX;
        episode->has_struck = true;
        episode->is_recovered = i == 1;
        episode->outage_ns = -5;
        episode->recovery_ns = RESULT_RECOVERY_NEVER;
        episode->digest = rng_u64(rng);
        histogram_record(&result->latency, rng_u64(rng) >> 20);
    }
    result->metastability = (enum metastability)rng_below(rng, METASTABILITY_COUNT);
    result->is_cut = rng_below(rng, 2) == 1;
}

static void encode(const struct run_result *result, struct vec *bytes)
{
    vec_clear(bytes);
    result_encode(result, bytes);
}

TEST(result, what_is_encoded_is_decoded)
{
    struct rng rng = rng_stream(1, "result", 0, "test");
    struct run_result result;
    struct run_result again;
    struct vec bytes;
    struct vec bytes_again;
    result_init(&result);
    result_init(&again);
    vec_init(&bytes, 1, UINT32_MAX);
    vec_init(&bytes_again, 1, UINT32_MAX);
    for (uint32_t round = 0; round < 30; round++) {
        fill(&result, &rng);
        encode(&result, &bytes);
        CHECK_EQUAL(result_encoded_size(bytes.items), bytes.count);
        struct err err = {0};
        CHECK(result_decode(&again, bytes.items, bytes.count, &err));
        CHECK(again.seed == result.seed);
        CHECK_EQUAL(again.verdict, result.verdict);
        CHECK_TEXT(again.reason, "raft.log-matching");
        CHECK_EQUAL(again.recovery_ns, -1);
        CHECK_EQUAL(again.violations.count, result.violations.count);
        CHECK_EQUAL(again.metastability, result.metastability);
        CHECK_EQUAL(again.is_cut, result.is_cut);
        CHECK_EQUAL(again.arms.count, result.arms.count);
        CHECK_EQUAL(again.arm_windows.count, result.arm_windows.count);
        CHECK_EQUAL(again.episodes.count, result.episodes.count);
        CHECK_EQUAL(memcmp(&again.latency, &result.latency, sizeof(result.latency)), 0);
        encode(&again, &bytes_again);
        CHECK_EQUAL(bytes.count, bytes_again.count);
        CHECK_EQUAL(memcmp(bytes.items, bytes_again.items, bytes.count), 0);
    }
    vec_release(&bytes);
    vec_release(&bytes_again);
    result_release(&result);
    result_release(&again);
}

TEST(result, several_results_follow_each_other)
{
    struct rng rng = rng_stream(2, "result", 0, "test");
    struct run_result result;
    struct vec bytes;
    result_init(&result);
    vec_init(&bytes, 1, UINT32_MAX);
    fill(&result, &rng);
    result_encode(&result, &bytes);
    size_t first = bytes.count;
    fill(&result, &rng);
    uint64_t seed = result.seed;
    result_encode(&result, &bytes);
    const uint8_t *second = (const uint8_t *)bytes.items + first;
    CHECK_EQUAL(result_encoded_size(bytes.items), first);
    CHECK(result_decode(&result, second, result_encoded_size(second), NULL));
    CHECK(result.seed == seed);
    vec_release(&bytes);
    result_release(&result);
}

TEST(result, every_truncation_is_refused)
{
    struct rng rng = rng_stream(3, "result", 0, "test");
    struct run_result result;
    struct vec bytes;
    result_init(&result);
    vec_init(&bytes, 1, UINT32_MAX);
    do {
        fill(&result, &rng);
    } while (result.violations.count == 0);
    encode(&result, &bytes);
    for (uint32_t size = 0; size < bytes.count; size++) {
        struct err err = {0};
        CHECK(!result_decode(&result, bytes.items, size, &err));
        CHECK_EQUAL(err.code, ERR_SYSTEM);
    }
    CHECK_EQUAL(result.violations.count, 0);
    vec_release(&bytes);
    result_release(&result);
}

/* Damage behind the checksum's back: the reader must refuse or give a sane result, and never read
 * outside. */
TEST(result, damage_is_refused_or_harmless)
{
    struct rng rng = rng_stream(4, "result", 0, "test");
    struct run_result result;
    struct vec bytes;
    result_init(&result);
    vec_init(&bytes, 1, UINT32_MAX);
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 2000; round++) {
        fill(&result, &rng);
        encode(&result, &bytes);
        uint8_t *data = bytes.items;
        uint64_t place = RESULT_HEADER_SIZE + rng_below(&rng, bytes.count - 8 - RESULT_HEADER_SIZE);
        uint8_t before = data[place];
        data[place] = (uint8_t)rng_u64(&rng);
        CHECK(!result_decode(&result, data, bytes.count, NULL) || data[place] == before);
        uint64_t checksum = hash_bytes(data, bytes.count - 8);
        memcpy(data + bytes.count - 8, &checksum, 8);
        bool is_fine = result_decode(&result, data, bytes.count, NULL);
        refused += !is_fine;
        CHECK((unsigned)result.verdict < VERDICT_COUNT);
        CHECK(memchr(result.reason, 0, sizeof(result.reason)) != NULL);
    }
    CHECK(refused > 100);
    vec_release(&bytes);
    result_release(&result);
}

TEST(result, a_wrong_byte_is_caught_by_the_checksum)
{
    struct run_result result;
    struct vec bytes;
    result_init(&result);
    vec_init(&bytes, 1, UINT32_MAX);
    encode(&result, &bytes);
    ((uint8_t *)bytes.items)[40] ^= 1;
    struct err err = {0};
    CHECK(!result_decode(&result, bytes.items, bytes.count, &err));
    CHECK(strstr(err.text, "checksum") != NULL);
    vec_release(&bytes);
    result_release(&result);
}

TEST(result, texts_are_cut_between_characters)
{
    char field[6];
    result_copy_text(field, sizeof(field), "abcd\xc3\xa9");
    CHECK_TEXT(field, "abcd");
    result_copy_text(field, sizeof(field), "abc\xc3\xa9");
    CHECK_TEXT(field, "abc\xc3\xa9");
    result_copy_text(field, sizeof(field), NULL);
    CHECK_TEXT(field, "");
    result_copy_text(field, sizeof(field), "abcdefgh");
    CHECK_TEXT(field, "abcde");
}

TEST(result, an_error_has_a_reason_and_nothing_else)
{
    struct run_result result;
    struct rng rng = rng_stream(5, "result", 0, "test");
    result_init(&result);
    fill(&result, &rng);
    result_set_error(&result, 9, "crash:SIGSEGV");
    CHECK_EQUAL(result.seed, 9);
    CHECK_TEXT(verdict_name(result.verdict), "error");
    CHECK_TEXT(result.reason, "crash:SIGSEGV");
    CHECK_EQUAL(result.latency.count, 0);
    CHECK(result_first_violation(&result) == NULL);
    result_release(&result);
}

TEST(result, an_error_keeps_the_violations_before_it)
{
    struct run_result result;
    result_init(&result);
    result_set_error(&result, 9, "hang");
    static const struct {
        const char *check;
        bool is_known;
    } seen[3] = {{"linearizable", true}, {"broken.never", false}, {"linearizable", true}};
    for (uint32_t i = 0; i < 3; i++) {
        struct result_violation *violation = vec_push(&result.violations);
        result_copy_text(violation->check, sizeof(violation->check), seen[i].check);
        violation->is_known = seen[i].is_known;
    }
    result_check_row(&result, "broken.never")->comparisons = 7;
    result_mark_violated(&result);
    CHECK_EQUAL(result.checks.count, 2);
    const struct result_check *broken = result_check_row(&result, "broken.never");
    const struct result_check *known = result_check_row(&result, "linearizable");
    CHECK_EQUAL(result.checks.count, 2);
    CHECK(broken->is_violated && !broken->is_known);
    CHECK_EQUAL(broken->comparisons, 7);
    CHECK(!known->is_violated && known->is_known);
    CHECK_EQUAL(known->comparisons, 1);
    CHECK_TEXT(result_first_violation(&result)->check, "broken.never");
    CHECK_TEXT(verdict_name(result.verdict), "error");
    result_release(&result);
}
