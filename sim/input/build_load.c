/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Clients and loads.
 *
 * Rates come in two spellings: with a unit ("200/s"), or as k6 writes them, a bare number for each
 * timeUnit. A bare number without a timeUnit is refused, except 0. */
#include "sim/input/build.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

#define RATE_MAX INT64_C(1000000000000) /* per 1000 s: 10^9 a second */
#define NO_RATE  INT64_MIN
#define VUS_MAX  1000000

/* ------------------------------------------------------------------------------- client */

static uint32_t count_of(int64_t number)
{
    return number >= UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static void read_jitter(struct view retry, struct spec_client *client)
{
    static const struct {
        const char *name;
        enum spec_jitter jitter;
    } rows[] = {
        {"none", SPEC_JITTER_NONE},
        {"full", SPEC_JITTER_FULL},
        {"equal", SPEC_JITTER_EQUAL},
        {"decorrelated", SPEC_JITTER_DECORRELATED},
    };
    const char *text = view_text(retry, "jitter");
    client->jitter = SPEC_JITTER_NONE;
    if (text == NULL) {
        return;
    }
    for (uint32_t index = 0; index < ARRAY_COUNT(rows); index++) {
        if (strcmp(rows[index].name, text) == 0) {
            client->jitter = rows[index].jitter;
            return;
        }
    }
    const char *open = strchr(text, '(');
    ASSERT(open != NULL);
    char percent[64];
    snprintf(percent, sizeof(percent), "%s", open + 1);
    percent[strlen(percent) - 1] = '\0';
    client->jitter = SPEC_JITTER_PROPORTIONAL;
    bool is_read = units_percent(percent, &client->jitter_proportion, NULL);
    ASSERT(is_read);
}

static void read_budget(struct view budget, struct spec_client *client)
{
    client->budget_enabled = view_number(budget, "type", 0) == 1;
    client->budget_capacity = (uint32_t)view_number(budget, "capacity", 1);
    client->budget_retry_cost = (uint32_t)view_number(budget, "retryCost", 0);
    client->budget_timeout_cost = (uint32_t)view_number(budget, "timeoutCost", 0);
    client->budget_success_milli = (uint32_t)view_number(budget, "successCredit", 0);
}

void build_client(struct build *build, struct view view, struct spec_client *client)
{
    struct view retry = view_at(view, "retry");
    *client = (struct spec_client){
        .count = (uint32_t)view_number(view, "count", 1),
        .deadline_ns = view_number(view, "deadline", INT64_MAX),
        .timeout_ns = view_number(view, "timeout", NS_PER_S),
        .route = (enum spec_route)view_number(view, "route", 0),
        .ignores_late = view_number(view, "lateAnswers", 0) == 1,
        .attempts_max = count_of(view_number(retry, "maxAttempts", 1)),
        .backoff = (enum spec_backoff)view_number(retry, "backoff", 0),
        .backoff_initial_ns = view_number(retry, "initialBackoff", 0),
        .backoff_max_ns = view_number(retry, "maxBackoff", 0),
        .backoff_multiplier_milli = (uint32_t)view_number(retry, "backoffMultiplier", 1000),
        .redirects_max = (uint32_t)view_number(retry, "redirects", 0),
    };
    read_jitter(retry, client);
    read_budget(view_at(retry, "budget"), client);
    for (uint32_t index = 0; index < view_count(retry, "retryOn"); index++) {
        /* The choices are the statuses without SQ_OK. */
        int64_t status = view_item_number(retry, "retryOn", index) + 1;
        ASSERT(status < SQ_STATUS_COUNT);
        client->retry_on |= UINT64_C(1) << status;
    }
    bool waits = client->backoff != SPEC_BACKOFF_NONE;
    if (waits && client->backoff_max_ns < client->backoff_initial_ns) {
        build_complain(build, retry, "maxBackoff", "maxBackoff is less than initialBackoff");
    }
    if (client->deadline_ns < client->timeout_ns) {
        build_complain(build, view, "timeout",
                       "the timeout of an attempt is longer than the deadline of the operation");
    }
    if (client->deadline_ns == INT64_MAX && client->attempts_max == UINT32_MAX && !waits) {
        build_complain(build, retry, "maxAttempts",
                       "unlimited attempts need a deadline or a backoff");
    }
}

static_assert(SQ_STATUS_COUNT <= 64, "statuses fit the mask");

/* ------------------------------------------------------------------------------- load */

struct rates {
    int64_t unit_ns; /* of bare numbers; 0: none is stated */
    bool used_unit;
};

/* Per 1000 s; NO_RATE when the key is absent. */
static int64_t read_rate(struct build *build, struct view view, const char *key,
                         struct rates *rates)
{
    if (!view_has(view, key)) {
        return NO_RATE;
    }
    int64_t rate = view_number(view, key, 0);
    if (rate < 0) {
        int64_t milli = -1 - rate;
        if (milli == 0) {
            return 0;
        }
        if (rates->unit_ns == 0) {
            build_complain(build, view, key,
                           "%s: '%s' has no unit: write '%s/s', or add 'timeUnit: 1s'", key,
                           view_text(view, key), view_text(view, key));
            return 0;
        }
        rates->used_unit = true;
        unsigned __int128 scaled = (unsigned __int128)milli * NS_PER_S / (uint64_t)rates->unit_ns;
        rate = scaled > (unsigned __int128)RATE_MAX ? RATE_MAX + 1 : (int64_t)scaled;
    }
    if (rate > RATE_MAX) {
        build_complain(build, view, key, "%s: at most 1000000000/s", key);
        return RATE_MAX;
    }
    return rate;
}

struct executor_row {
    const char *name;
    const char *needed; /* keys, each between blanks */
    const char *allowed;
};

/* In the order of the choices of load.executor, which is that of enum spec_executor. */
static const struct executor_row executor_rows[] = {
    {"constant-arrival-rate", " rate ", " rate timeUnit duration "},
    {"ramping-arrival-rate", " stages ", " startRate stages timeUnit "},
    {"constant-vus", " vus ", " vus thinkTime duration "},
    {"ramping-vus", " stages ", " startVUs stages thinkTime "},
};

static void check_executor_keys(struct build *build, struct view load,
                                const struct executor_row *row)
{
    static const char *const keys[] = {"rate", "timeUnit",  "duration", "startRate",
                                       "vus",  "thinkTime", "stages",   "startVUs"};
    for (uint32_t index = 0; index < ARRAY_COUNT(keys); index++) {
        char spaced[32];
        snprintf(spaced, sizeof(spaced), " %s ", keys[index]);
        bool is_there = view_has(load, keys[index]);
        if (is_there && strstr(row->allowed, spaced) == NULL) {
            build_complain(build, load, keys[index], "'%s' does not belong to the executor '%s'",
                           keys[index], row->name);
        }
        if (!is_there && strstr(row->needed, spaced) != NULL) {
            build_complain(build, load, NULL, "the executor '%s' needs '%s'", row->name,
                           keys[index]);
        }
    }
}

/* A number of users: written as a rate is, but without a unit. */
static uint32_t read_users(struct build *build, struct view stage)
{
    int64_t milli = -1 - view_number(stage, "target", -1);
    if (milli < 0 || milli % 1000 != 0 || milli / 1000 > VUS_MAX) {
        build_complain(build, stage, "target", "a number of users is a whole number up to %d",
                       VUS_MAX);
        return 0;
    }
    return (uint32_t)(milli / 1000);
}

/* Rates and times. */
static void read_executor(struct build *build, struct view view, struct spec_load *load)
{
    struct rates rates = {.unit_ns = view_number(view, "timeUnit", 0)};
    check_executor_keys(build, view, &executor_rows[load->executor]);
    bool has_users = load->executor == SPEC_RAMPING_VUS;
    bool is_ramp = load->executor == SPEC_RAMPING_ARRIVAL_RATE || has_users;
    int64_t rate = read_rate(build, view, is_ramp ? "startRate" : "rate", &rates);
    load->rate_per_1000s = rate == NO_RATE ? 0 : rate;
    uint32_t count = view_count(view, "stages");
    struct spec_stage *stages = arena_alloc_array(build->arena, count + 1, sizeof(*stages));
    int64_t total = 0;
    for (uint32_t index = 0; index < count; index++) {
        struct view stage = view_item(view, "stages", index);
        if (has_users) {
            stages[index].target_per_1000s = read_users(build, stage);
        } else {
            int64_t target = read_rate(build, stage, "target", &rates);
            stages[index].target_per_1000s = target == NO_RATE ? 0 : target;
        }
        stages[index].duration_ns = view_number(stage, "duration", 0);
        total += stages[index].duration_ns;
        if (total > INT64_MAX / 2) {
            build_complain(build, view, "stages", "the stages are too long");
            break;
        }
    }
    load->stages = stages;
    load->stage_count = count;
    load->duration_ns = is_ramp ? total : view_number(view, "duration", INT64_MAX);
    if (is_ramp && view_has(view, "stages") && total == 0) {
        build_complain(build, view, "stages", "the stages have no length");
    }
    if (view_has(view, "timeUnit") && !rates.used_unit) {
        build_complain(build, view, "timeUnit",
                       "timeUnit goes with rates that are numbers without a unit");
    }
}

static void read_workload(struct build *build, struct view view, struct spec_load *load)
{
    load->record_count = (uint32_t)view_number(view, "recordCount", 1);
    bool is_zipf = view_number(view, "requestDistribution", 1) == 1;
    load->zipf_theta_milli = is_zipf ? (uint32_t)view_number(view, "zipfTheta", 0) : 0;
    load->update_proportion = (uint64_t)view_number(view, "updateProportion", 0);
    load->value_bytes = (uint32_t)view_number(view, "valueSize", 0);
    load->is_paired = view_number(view, "order", 0) == 1;
    if (load->is_paired && load->executor != SPEC_CONSTANT_VUS &&
        load->executor != SPEC_RAMPING_VUS) {
        build_complain(build, view, "order",
                       "update-then-read is what a virtual user does: the executor must be "
                       "constant-vus or ramping-vus");
    }
    const char *read = view_text(view, "readProportion");
    const char *update = view_text(view, "updateProportion");
    int64_t read_millionths = 0;
    int64_t update_millionths = 0;
    if (read == NULL || update == NULL) {
        return;
    }
    bool is_exact =
        units_ratio(read, &read_millionths, NULL) && units_ratio(update, &update_millionths, NULL);
    if (!is_exact || read_millionths + update_millionths != 1000000) {
        build_complain(build, view, "updateProportion",
                       "readProportion and updateProportion must sum to 100%%, not %s + %s", read,
                       update);
    }
}

static void build_load(struct build *build, struct view view, const char *name,
                       struct spec_load *load)
{
    *load = (struct spec_load){
        .name = name,
        .executor = (enum spec_executor)view_number(view, "executor", 0),
        .arrivals = (enum spec_arrivals)view_number(view, "arrivals", 0),
        .start_ns = view_number(view, "startTime", 0),
        .vus = (uint32_t)view_number(view, "vus", 0),
    };
    if (load->executor == SPEC_RAMPING_VUS) {
        load->vus = (uint32_t)view_number(view, "startVUs", 1);
    }
    ASSERT(load->executor < ARRAY_COUNT(executor_rows));
    read_executor(build, view, load);
    build_law(build, view, "thinkTime", 0, &load->think);
    read_workload(build, view_at(view, "workload"), load);
    struct view client = view_at(view, "client");
    build_client(build, client, &load->client);
    if (view_has(client, "target")) {
        build_complain(build, client, "target", "'target' belongs to the load, not to its client");
    }
    if (view_has(view, "target")) {
        load->client.target_group = build_find_group(build, view, "target");
    }
    if (load->client.target_group < build->spec->group_count) {
        load->client.target = build->spec->groups[load->client.target_group].name;
    }
    if (load->start_ns >= build->spec->limit_ns) {
        build_complain(build, view, "startTime", "the load begins after the end of the run");
    }
}

void build_loads(struct build *build)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(build->root, "load");
    spec->loads = arena_alloc_array(build->arena, count + 1, sizeof(*spec->loads));
    spec->load_count = count;
    for (uint32_t index = 0; index < count; index++) {
        const char *name = view_node(build->root, "load")->keys[index]->text;
        build_load(build, view_item(build->root, "load", index), name, &spec->loads[index]);
    }
    struct view client = view_at(build->root, "client");
    if (view_has(client, "target")) {
        build_complain(build, client, "target",
                       "'target' belongs to a load, or to the client of a group");
    }
    /* Checked even when no load uses it. */
    struct spec_client unused;
    build_client(build, client, &unused);
}
