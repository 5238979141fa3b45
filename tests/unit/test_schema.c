/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The schema: reading of every type, completion, paths, and the documents made from the table. The
 * table itself is walked: every default and example must be what its own key accepts. */
#include "sim/input/schema.h"
#include "sim/input/predicate.h"
#include "sim/input/json.h"

#include "analysis/estimate.h"
#include "sim/base/units.h"
#include "sim/input/preset.h"
#include "tests/unit/harness.h"
#include "tests/unit/input_catalog.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t number;
static struct err err;

static bool reads(struct schema_key key, const char *text)
{
    err = (struct err){0};
    return schema_read(&key, text, &number, &err);
}

static bool says(const char *part)
{
    return strstr(err.text, part) != NULL;
}

TEST(schema, counts_are_whole_numbers_in_a_range)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_COUNT, .min = 1, .max = 64};
    CHECK(reads(key, "64"));
    CHECK_EQUAL(number, 64);
    CHECK(reads(key, "0x10"));
    CHECK_EQUAL(number, 16);
    CHECK(!reads(key, "65"));
    CHECK(says("at most 64"));
    CHECK(!reads(key, "0"));
    CHECK(says("at least 1"));
    CHECK(!reads(key, "1.5"));
    CHECK(!reads(key, "-1"));
    CHECK(!reads(key, "18446744073709551615"));
    key.word = "unlimited";
    CHECK(reads(key, "unlimited"));
    CHECK_EQUAL(number, SCHEMA_WORD);
}

TEST(schema, durations_need_a_unit_and_fit_a_range)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_DURATION, .max = NS_PER_S};
    CHECK(reads(key, "250us"));
    CHECK_EQUAL(number, 250000);
    CHECK(!reads(key, "5"));
    CHECK(says("5ms"));
    CHECK(!reads(key, "2s"));
    CHECK(says("at most 1s"));
    CHECK(!reads(key, "-1ms"));
    struct schema_key own = {.name = "k", .type = SCHEMA_DURATION};
    CHECK(reads(own, "1000d"));
    CHECK(!reads(own, "4000d"));
}

TEST(schema, fine_durations_know_picoseconds)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_FINE, .max = 1000000000};
    CHECK(reads(key, "250ps"));
    CHECK_EQUAL(number, 250);
    CHECK(reads(key, "1.5ns"));
    CHECK_EQUAL(number, 1500);
    CHECK(reads(key, "2us"));
    CHECK_EQUAL(number, 2000000);
    CHECK(reads(key, "0"));
    CHECK(!reads(key, "0.5ps"));
    CHECK(!reads(key, "5"));
    CHECK(!reads(key, "2ms"));
    CHECK(!reads(key, "-1ns"));
}

TEST(schema, percentages_need_their_sign)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_PERCENT};
    CHECK(reads(key, "50%"));
    CHECK_EQUAL(number, INT64_C(1) << 31);
    CHECK(!reads(key, "1"));
    CHECK(says("'1%'"));
    CHECK(!reads(key, "101%"));
}

TEST(schema, decimals_and_factors_have_three_digits)
{
    struct schema_key decimal = {.name = "k", .type = SCHEMA_DECIMAL, .max = 4000};
    CHECK(reads(decimal, "0.99"));
    CHECK_EQUAL(number, 990);
    CHECK(reads(decimal, "2"));
    CHECK_EQUAL(number, 2000);
    CHECK(!reads(decimal, "0.9999"));
    CHECK(!reads(decimal, ".5"));
    CHECK(!reads(decimal, "1."));
    CHECK(!reads(decimal, "1.2.3"));
    CHECK(!reads(decimal, ""));
    CHECK(!reads(decimal, "4.001"));
    CHECK(says("at most 4.000"));
    struct schema_key factor = {.name = "k", .type = SCHEMA_FACTOR, .min = 1001, .max = 9000};
    CHECK(reads(factor, "3x"));
    CHECK_EQUAL(number, 3000);
    CHECK(!reads(factor, "3"));
    CHECK(says("'3x'"));
    CHECK(!reads(factor, "1x"));
    CHECK(!reads(factor, "x"));
}

TEST(schema, rates_have_a_unit_or_are_bare_numbers)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_RATE};
    CHECK(reads(key, "200/s"));
    CHECK_EQUAL(number, 200000);
    CHECK(reads(key, "200"));
    CHECK_EQUAL(number, -200001);
    CHECK(reads(key, "0"));
    CHECK_EQUAL(number, -1);
    CHECK(!reads(key, "200/x"));
}

TEST(schema, choices_suggest_the_nearest)
{
    struct schema_key key = {.name = "k", .type = SCHEMA_CHOICE, .choices = "leader|random|first"};
    CHECK(reads(key, "first"));
    CHECK_EQUAL(number, 2);
    CHECK(!reads(key, "leadre"));
    CHECK(says("did you mean 'leader'?"));
    CHECK(!reads(key, "zzz"));
    CHECK(says("write leader, random or first"));
}

TEST(schema, other_types_are_checked)
{
    struct schema_key name = {.name = "k", .type = SCHEMA_NAME};
    CHECK(reads(name, "n-1"));
    CHECK(!reads(name, "N1"));
    CHECK(!reads(name, "-a"));
    CHECK(!reads(name, ""));
    CHECK(!reads(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    struct schema_key boolean = {.name = "k", .type = SCHEMA_BOOLEAN};
    CHECK(reads(boolean, "true"));
    CHECK_EQUAL(number, 1);
    CHECK(!reads(boolean, "yes"));
    struct schema_key jitter = {.name = "k", .type = SCHEMA_JITTER};
    CHECK(reads(jitter, "proportional(20%)"));
    CHECK(reads(jitter, "full"));
    CHECK(!reads(jitter, "proportional"));
    CHECK(!reads(jitter, "proportional()"));
    CHECK(!reads(jitter, "proportional("));
    CHECK(!reads(jitter, "proportional(20)"));
    CHECK(!reads(jitter, "fulll"));
    struct schema_key share = {.name = "k", .type = SCHEMA_SHARE};
    CHECK(reads(share, "20%"));
    CHECK(reads(share, "3"));
    CHECK(!reads(share, "3.5"));
    struct schema_key ppm = {.name = "k", .type = SCHEMA_PPM, .min = -10, .max = 10};
    CHECK(reads(ppm, "-10ppm"));
    CHECK(!reads(ppm, "11ppm"));
    CHECK(!reads(ppm, "5"));
    struct schema_key size = {.name = "k", .type = SCHEMA_SIZE, .max = 4096};
    CHECK(reads(size, "4KiB"));
    CHECK(!reads(size, "8KiB"));
    CHECK(says("at most 4096B"));
    struct schema_key bandwidth = {.name = "k", .type = SCHEMA_BANDWIDTH};
    CHECK(reads(bandwidth, "8mbit"));
    CHECK_EQUAL(number, 1000000);
    CHECK(!reads(bandwidth, "8mbps"));
}

/* ------------------------------------------------------------------------------- the table */

static uint32_t keys_seen;

/* Does the key accept this YAML? */
static bool accepts(const struct schema_key *key, const char *yaml)
{
    struct arena arena;
    struct diag diag;
    arena_init(&arena);
    diag_init(&diag);
    struct schema_key own = *key;
    own.is_required = false;
    const struct schema_object object = {.name = "test", .keys = &own, .key_count = 1};
    char *text = arena_printf(&arena, "%s: %s\n", key->name, yaml);
    const struct yaml_node *node = yaml_parse("t", text, strlen(text), &arena, &diag);
    if (node != NULL) {
        schema_complete(&object, node, "", SCHEMA_FILL_ALL, &arena, &diag);
    }
    bool is_fine = diag.count == 0;
    if (!is_fine) {
        diag_print(&diag, stdout);
    }
    diag_release(&diag);
    arena_release(&arena);
    return is_fine;
}

static void check_object(const struct schema_object *object, uint32_t depth)
{
    REQUIRE(depth < 12);
    REQUIRE(object->key_count > 0);
    bool has_short_key = object->short_key == NULL;
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        keys_seen++;
        CHECK(key->description != NULL && key->description[0] != '\0');
        if (key->description != NULL) {
            CHECK(key->description[strlen(key->description) - 1] != '.');
        }
        CHECK((key->type == SCHEMA_CHOICE) <= (key->choices != NULL));
        CHECK(!(key->is_required && key->initial != NULL));
        CHECK(key->min <= key->max);
        bool needs_example = key->object == NULL && key->initial == NULL;
        CHECK(!needs_example || key->example != NULL || strcmp(key->name, "description") == 0);
        if (key->example != NULL) {
            CHECK(accepts(key, key->example));
        }
        if (key->initial != NULL && key->initial[0] != '\0') {
            CHECK(accepts(key, key->initial));
        }
        has_short_key = has_short_key || strcmp(key->name, object->short_key) == 0;
        if (key->object != NULL) {
            check_object(key->object, depth + 1);
        }
        for (uint32_t other = 0; other < index; other++) {
            CHECK(strcmp(key->name, object->keys[other].name) != 0);
        }
    }
    CHECK(has_short_key);
}

TEST(schema, every_default_and_example_is_accepted_by_its_key)
{
    keys_seen = 0;
    check_object(schema_root(), 0);
    CHECK(keys_seen > 150);
}

TEST(schema, every_preset_is_a_whole_retry_policy_with_a_source)
{
    static const char *const needed[] = {"maxAttempts", "backoff",           "initialBackoff",
                                         "maxBackoff",  "backoffMultiplier", "jitter",
                                         "retryOn",     "redirects",         "budget"};
    const struct schema_key *client = schema_key_of(schema_root(), "client");
    const struct schema_key *retry = schema_key_of(client->object, "retry");
    const struct schema_key *names = schema_key_of(retry->object, "preset");
    uint32_t count = 0;
    for (const struct preset *preset = preset_at(0); preset != NULL; preset = preset_at(count)) {
        int64_t choice = -1;
        CHECK(accepts(client, preset->keys));
        CHECK(schema_read(names, preset->name, &choice, NULL));
        CHECK_EQUAL(choice, count);
        CHECK(strlen(preset->source) > 20);
        CHECK(preset_find(preset->name) == preset);
        for (uint32_t index = 0; index < ARRAY_COUNT(needed); index++) {
            CHECK(strstr(preset->keys, needed[index]) != NULL);
        }
        count++;
    }
    CHECK_EQUAL(count, 11);
    CHECK(preset_find("nonsense") == NULL);
}

/* ------------------------------------------------------------------------------- paths */

static struct arena arena;
static struct diag diag;

static char *flow(const struct yaml_node *node)
{
    struct text text;
    text_init(&text);
    yaml_write_flow(node, &text);
    char *copy = arena_strdup(&arena, text_of(&text));
    text_release(&text);
    return copy;
}

static const char *set(const char *tree, const char *path, const char *value)
{
    err = (struct err){0};
    char *text = arena_printf(&arena, "{tree: %s, value: %s}", tree, value);
    const struct yaml_node *root = yaml_parse("t", text, strlen(text), &arena, &diag);
    if (root == NULL) {
        return "unparsable";
    }
    const struct yaml_node *node =
        schema_set(path, yaml_find(root, "tree"), yaml_find(root, "value"), &arena, &err);
    return node == NULL ? NULL : flow(node);
}

TEST(schema, a_path_sets_a_value_in_a_copy)
{
    arena_init(&arena);
    diag_init(&diag);
    CHECK_TEXT(set("{}", "system.nodes", "5"), "{system: {nodes: 5}}");
    CHECK_TEXT(set("{system: {nodes: 3, model: raft}}", "system.nodes", "5"),
               "{system: {nodes: 5, model: raft}}");
    CHECK_TEXT(set("{load: {a: {rate: 1/s}}}", "load.a.rate", "9/s"), "{load: {a: {rate: 9/s}}}");
    CHECK_TEXT(set("{}", "availability.groups.count", "5"), "{availability: {groups: {count: 5}}}");
    CHECK_TEXT(
        set("{availability: {groups: {name: a, count: 1}}}", "availability.groups.count", "5"),
        "{availability: {groups: {name: a, count: 5}}}");
    CHECK_TEXT(set("{availability: {groups: [{name: a}, {name: b, count: 1}]}}",
                   "availability.groups.b.count", "5"),
               "{availability: {groups: [{name: a}, {name: b, count: 5}]}}");
    CHECK_TEXT(
        set("{availability: {groups: [{name: a}]}}", "availability.groups[0].shocks.share", "1%"),
        "{availability: {groups: [{name: a, shocks: {share: 1%}}]}}");
    CHECK_TEXT(set("{faults: [{name: x}, {name: y}]}", "faults.y.at", "5s"),
               "{faults: [{name: x}, {name: y, at: 5s}]}");
    CHECK_TEXT(set("{faults: [{name: x}, {name: y}]}", "faults[0].at", "5s"),
               "{faults: [{name: x, at: 5s}, {name: y}]}");
    CHECK_TEXT(set("{labels: {}}", "labels.tier", "pr"), "{labels: {tier: pr}}");
    CHECK_TEXT(set("{}", "system.options.electionTimeout", "1s"),
               "{system: {options: {electionTimeout: 1s}}}");
    CHECK_TEXT(set("{faults: [{name: x, between: [1s, 2s]}]}", "faults.x.between[1]", "9s"),
               "{faults: [{name: x, between: [1s, 9s]}]}");
    CHECK_TEXT(set("{network: {default: {loss: 1%}}}", "network.default.loss.loss", "2%"),
               "{network: {default: {loss: {loss: 2%}}}}");
    diag_release(&diag);
    arena_release(&arena);
}

TEST(schema, a_preset_set_anew_forgets_its_neighbours)
{
    arena_init(&arena);
    diag_init(&diag);
    CHECK_TEXT(set("{client: {count: 1, retry: {preset: grpc, maxAttempts: 9}}}",
                   "client.retry.preset", "none"),
               "{client: {count: 1, retry: {preset: none}}}");
    CHECK_TEXT(set("{client: {retry: {preset: grpc}}}", "client.retry.maxAttempts", "9"),
               "{client: {retry: {preset: grpc, maxAttempts: 9}}}");
    diag_release(&diag);
    arena_release(&arena);
}

TEST(schema, a_wrong_path_says_what_is_wrong)
{
    arena_init(&arena);
    diag_init(&diag);
    CHECK(set("{}", "system.nods", "5") == NULL);
    CHECK(says("did you mean 'nodes'?"));
    CHECK(set("{}", "sytem.nodes", "5") == NULL);
    CHECK(says("did you mean 'system'?"));
    CHECK(set("{load: {steady: {}}}", "load.stedy.rate", "5/s") == NULL);
    CHECK(says("did you mean 'steady'?"));
    CHECK(set("{faults: [{name: stall}]}", "faults.stal.at", "5s") == NULL);
    CHECK(says("did you mean 'stall'?"));
    CHECK(set("{faults: [{name: stall}]}", "faults[7].at", "5s") == NULL);
    CHECK(says("no item '7'"));
    CHECK(set("{faults: [{name: stall}]}", "faults[0", "5s") == NULL);
    CHECK(set("{faults: []}", "faults[-1].at", "5s") == NULL);
    CHECK(set("{}", "faults[0].at", "5s") == NULL);
    CHECK(says("has no items"));
    CHECK(set("{}", "system.nodes.more", "5") == NULL);
    CHECK(says("goes on behind"));
    CHECK(set("{}", "system..nodes", "5") == NULL);
    CHECK(says("empty part"));
    CHECK(set("{}", "system.", "5") == NULL);
    CHECK(set("{}", "", "5") == NULL);
    CHECK(set("{system: 5}", "system.nodes", "5") == NULL);
    CHECK(says("no mapping"));
    CHECK(set("{load: 5}", "load.a.rate", "5") == NULL);
    CHECK(says("not a map"));
    diag_release(&diag);
    arena_release(&arena);
}

/* ------------------------------------------------------------------------------- documents */

static char *explain(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    err = (struct err){0};
    FILE *out = open_memstream(&text, &size);
    bool is_fine = schema_explain(path, &test_catalog, out, &err);
    fclose(out);
    if (!is_fine) {
        free(text);
        return NULL;
    }
    return text;
}

static void check_explained(const char *path, const char *part)
{
    char *text = explain(path);
    CHECK(text != NULL);
    if (text != NULL && strstr(text, part) == NULL) {
        CHECK_TEXT(text, part);
    }
    free(text);
}

TEST(schema, explain_shows_keys_subtrees_and_models)
{
    check_explained("network.default.latency", "default: 500us");
    check_explained("load.*.rate", "rate (/s, /m, /h)");
    check_explained("load.steady.rate", "example: rate: 200/s");
    check_explained("load.rate", "constant-arrival-rate");
    check_explained("faults", "faults[].kind: one of NodeChaos, NetworkChaos");
    check_explained("faults[0].at", "strikes once");
    check_explained("faults.stall.delay.jitter", "random part");
    check_explained("client.retry.preset", "aws-standard, aws-standard-2026");
    check_explained("client.circuitBreaker", "client.circuitBreaker.slidingWindowSize");
    check_explained("system.nodes", "range: 1 to 64");
    check_explained("client.deadline", "or none");
    check_explained("thresholds.latency", "limits of metrics");
    check_explained("", "squall: whole number (required)");
    check_explained("model.raft", "options.acks: one of async, one, all");
    check_explained("model.raft", "libraft 0.15.0");
}

TEST(schema, explain_shows_presets_with_their_numbers_and_sources)
{
    check_explained("preset", "preset.envoy-retry-budget\n    ");
    check_explained("preset", "resilience4j's defaults");
    check_explained("preset.aws-standard-2026", "    client.retry.throttlingBackoff: 1s\n");
    check_explained("preset.aws-standard-2026", "    client.retry.budget.retryCost: 14\n");
    check_explained("preset.aws-standard-2026", "    client.retry.budget.throttlingCost: 5\n");
    check_explained("preset.aws-adaptive", "    client.rateLimiter.beta: 0.7\n");
    check_explained("preset.grpc-hedging", "    client.hedging.hedgingDelay: 500ms\n");
    check_explained("preset.grpc", "source: gRPC proposal A6");
    check_explained("preset.grpc", "transparent retry (once in a call, as retry_filter_legacy");
    check_explained("preset.grpc-hedging", "    client.retry.transparent: true\n");
    check_explained("preset.envoy", "    client.limits.maxRetries: 3\n");
    check_explained("preset.grpc", "    client.retry.retryOn: [timeout, temporarily-unavailable");
    CHECK(explain("preset.aws-standart") == NULL);
    CHECK(says("did you mean 'aws-standard'?"));
    CHECK(explain("preset.whatever") == NULL);
    CHECK(says("unknown preset 'whatever'"));
    CHECK(explain("preset.") == NULL);
}

TEST(schema, explain_of_a_wrong_path_suggests_a_right_one)
{
    CHECK(explain("clint") == NULL);
    CHECK(says("did you mean 'client'?"));
    CHECK(explain("client.retri") == NULL);
    CHECK(says("did you mean 'retry'?"));
    CHECK(explain("retry.pushback") == NULL);
    CHECK(says("there are 'client.retry.pushback', 'faults.client.retry"));
    CHECK(explain("cpu.perByte") == NULL);
    CHECK(says("did you mean 'system.host.cpu.perByte'?"));
    CHECK(explain("onFull") == NULL);
    CHECK(says("did you mean 'system.host.queue.onFull'?"));
    CHECK(explain("system.nodes.more") == NULL);
    CHECK(says("goes on behind"));
    CHECK(explain("system.options.x") == NULL);
    CHECK(says("model.NAME"));
    CHECK(explain("model.nonsense") == NULL);
    CHECK(says("unknown model"));
}

TEST(schema, the_json_schema_names_every_key_of_the_table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    schema_json(out);
    fclose(out);
    CHECK(strstr(text, "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\"") != NULL);
    const struct schema_object *root = schema_root();
    for (uint32_t index = 0; index < root->key_count; index++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\"%s\": {\"allOf\"", root->keys[index].name);
        CHECK(strstr(text, quoted) != NULL);
    }
    int depth = 0;
    bool is_inside = false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            is_inside = !is_inside;
        } else if (!is_inside) {
            depth += *at == '{' || *at == '[' ? 1 : *at == '}' || *at == ']' ? -1 : 0;
            CHECK(depth >= 0);
        }
    }
    CHECK_EQUAL(depth, 0);
    CHECK(!is_inside);
    free(text);
}

TEST(schema, json_scalars_are_numbers_only_when_json_says_so)
{
    static const char *const pairs[][2] = {
        {"5", "5"},           {"-1.5", "-1.5"}, {"true", "true"},
        {"0x2a", "\"0x2a\""}, {"01", "\"01\""}, {"5s", "\"5s\""},
        {"", "\"\""},         {"1.", "\"1.\""}, {"a\"b\\\n\x01", "\"a\\\"b\\\\\\n\\u0001\""},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(pairs); index++) {
        struct text text;
        text_init(&text);
        json_add_scalar(&text, pairs[index][0]);
        CHECK_TEXT(text_of(&text), pairs[index][1]);
        text_release(&text);
    }
}

/* ------------------------------------------------------------------------------- predicates */

TEST(predicate, recovery_is_a_share_of_the_baseline)
{
    int64_t ratio = 0;
    CHECK(predicate_recovery("goodput >= 0.9 * baseline", &ratio, &err));
    CHECK_EQUAL(ratio, 900000);
    CHECK(predicate_recovery("goodput>=95%*baseline", &ratio, &err));
    CHECK_EQUAL(ratio, 950000);
    CHECK(predicate_recovery("goodput >= baseline", &ratio, &err));
    CHECK_EQUAL(ratio, 1000000);
    CHECK(predicate_recovery("goodput >= 0.123456 * baseline", &ratio, &err));
    CHECK_EQUAL(ratio, 123456);
    CHECK(!predicate_recovery("goodput >= 0 * baseline", &ratio, &err));
    CHECK(!predicate_recovery("goodput > 0.9 * baseline", &ratio, &err));
    CHECK(!predicate_recovery("goodput >= 0.9", &ratio, &err));
    CHECK(!predicate_recovery("goodput >= x * baseline", &ratio, &err));
    CHECK(!predicate_recovery("goodput >= 0.9 * baseline or so", &ratio, &err));
    CHECK(!predicate_recovery("goodput >= 0.1234567 * baseline", &ratio, &err));
    CHECK(!predicate_recovery("goodput >= 0.x * baseline", &ratio, &err));
    CHECK(!predicate_recovery("", &ratio, &err));
}

TEST(predicate, up_has_a_rate_a_quantile_or_both)
{
    struct spec_availability up;
    CHECK(predicate_up("success_rate >= 99% and p(99) <= 500ms", &up, &err));
    CHECK_EQUAL(up.success_min, UINT64_C(4252017623));
    CHECK_EQUAL(up.p99_max_ns, 500 * NS_PER_MS);
    CHECK(predicate_up("p(99)<=1s", &up, &err));
    CHECK_EQUAL(up.success_min, 0);
    CHECK(predicate_up("success_rate >= 50%", &up, &err));
    CHECK_EQUAL(up.p99_max_ns, INT64_MAX);
    CHECK(!predicate_up("success_rate >= 99", &up, &err));
    CHECK(!predicate_up("success_rate >= 99% or p(99) <= 1s", &up, &err));
    CHECK(!predicate_up("success_rate >= 9% and success_rate >= 8%", &up, &err));
    CHECK(!predicate_up("success_rate >= 99% and", &up, &err));
    CHECK(!predicate_up("p(95) <= 1s", &up, &err));
    CHECK(!predicate_up("p(99) <= 0s", &up, &err));
    CHECK(!predicate_up("", &up, &err));
}

TEST(predicate, only_what_a_model_shows_has_tags)
{
    struct arena memory;
    struct spec_threshold threshold;
    arena_init(&memory);
    err = (struct err){0};
    CHECK(predicate_metric(&memory, "gauge{name:a.b}", &threshold, &err));
    CHECK_TEXT(threshold.metric, "gauge");
    CHECK_TEXT(threshold.gauge.name, "a.b");
    CHECK(predicate_metric(&memory, "counter{name: c, node: store-1, from: 1s}", &threshold, &err));
    CHECK_TEXT(threshold.gauge.node, "store-1");
    CHECK_EQUAL(threshold.gauge.from_ns, NS_PER_S);
    CHECK(predicate_metric(&memory, "latency", &threshold, &err));
    CHECK(threshold.gauge.name == NULL);
    CHECK(!predicate_metric(&memory, "latency{phase:after}", &threshold, &err));
    CHECK(says("takes no tags"));
    static const char *const bad[] = {"gauge",
                                      "gauge{}",
                                      "gauge{node:n1}",
                                      "gauge{name:}",
                                      "gauge{name:a",
                                      "gauge{name:a}x",
                                      "gauge{nam:a}",
                                      "gauge{name:a,}",
                                      "gauge{name:a,from:7}",
                                      "gauge{name}",
                                      "gauge{name:a}}",
                                      "counter{,name:a}",
                                      "gauge{name:a,from:2s,until:1s}"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        err = (struct err){0};
        CHECK(!predicate_metric(&memory, bad[i], &threshold, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
    }
    arena_release(&memory);
}

TEST(predicate, estimates_have_tags_of_their_own)
{
    struct arena memory;
    struct spec_threshold threshold;
    arena_init(&memory);
    err = (struct err){0};
    CHECK(predicate_metric(&memory, "downtime{service:any}", &threshold, &err));
    CHECK_TEXT(threshold.metric, "downtime");
    CHECK_TEXT(threshold.estimate.service, "any");
    CHECK_EQUAL(threshold.estimate.machines, 0);
    CHECK(predicate_metric(
        &memory,
        "unavailability{service: any, machines: 10, cell:share=1%, method:is, against:exact}",
        &threshold, &err));
    CHECK_EQUAL(threshold.estimate.machines, 10);
    CHECK_TEXT(threshold.estimate.cell, "share=1%");
    CHECK_TEXT(threshold.estimate.method, "is");
    CHECK(threshold.estimate.is_ratio);
    for (int method = 0; method < ESTIMATE_METHOD_COUNT; method++) { /* all that analysis knows */
        const char *name = estimate_method_name((enum estimate_method)method);
        CHECK(predicate_metric(&memory,
                               arena_printf(&memory, "downtime{service:a,method:%s}", name),
                               &threshold, &err));
        CHECK_TEXT(threshold.estimate.method, name);
    }
    static const char *const bad[] = {"downtime",
                                      "downtime{}",
                                      "downtime{machines:3}",
                                      "downtime{service:}",
                                      "downtime{service:a,machines:0}",
                                      "downtime{service:a,machines:65}",
                                      "downtime{service:a,method:guess}",
                                      "downtime{service:a,against:exact}",
                                      "unavailability{service:a,against:theory}",
                                      "unavailability{service:a,name:b}",
                                      "unavailability{service:a"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        err = (struct err){0};
        CHECK(!predicate_metric(&memory, bad[i], &threshold, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
    }
    arena_release(&memory);
}

TEST(predicate, mcr_has_a_window)
{
    struct arena memory;
    struct spec_threshold threshold = {0};
    arena_init(&memory);
    err = (struct err){0};
    CHECK(predicate_metric(&memory, "mcr{window:1m}", &threshold, &err));
    CHECK_TEXT(threshold.metric, "mcr");
    CHECK_EQUAL(threshold.window_ns, 60 * NS_PER_S);
    CHECK(threshold.gauge.name == NULL);
    CHECK(predicate_metric(&memory, "mcr{window: 500ms}", &threshold, &err));
    CHECK_EQUAL(threshold.window_ns, 500 * NS_PER_MS);
    static const char *const bad[] = {"mcr",
                                      "mcr{}",
                                      "mcr{window}",
                                      "mcr{window:}",
                                      "mcr{window:0s}",
                                      "mcr{window:1m",
                                      "mcr{window:7}",
                                      "mcr{name:a}",
                                      "mcr{window:1m}x",
                                      "mcr{",
                                      "mcr{window:1m,from:1s}"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        err = (struct err){0};
        CHECK(!predicate_metric(&memory, bad[i], &threshold, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
    }
    CHECK(!predicate_metric(&memory, "user-uptime{window:1m}", &threshold, &err));
    CHECK(says("takes no tags"));
    arena_release(&memory);
}
