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

#define RATE_MAX     INT64_C(1000000000000) /* per 1000 s: 10^9 a second */
#define NO_RATE      INT64_MIN
#define MILLION      1000000
#define MIN_RATE_MAX INT64_C(1000000000) /* per 1000 s: a million a second */
#define VUS_MAX      1000000
/* As in the schema, and so in every normalised text: nobody may have asked for it. */
#define PUSHBACK_MAX_NS_USUAL (5 * NS_PER_S)

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

/* A limit whose word means that there is none. */
static uint32_t limit_of(struct view view, const char *key)
{
    int64_t number = view_number(view, key, SCHEMA_WORD);
    return number == SCHEMA_WORD ? 0 : (uint32_t)number;
}

/* Exact millionths of a percentage. */
static uint32_t share_of(struct build *build, struct view view, const char *key)
{
    int64_t millionths = 0;
    const char *text = view_text(view, key);
    if (text == NULL) {
        return MILLION;
    }
    if (!units_ratio(text, &millionths, NULL) || millionths > MILLION) {
        build_complain(build, view, key, "%s: a percentage up to 100%% with four decimals", key);
        return MILLION;
    }
    return (uint32_t)millionths;
}

/* Mask of the statuses of a list; its choices are the statuses without SQ_OK. */
static uint64_t statuses_of(struct view view, const char *key)
{
    uint64_t mask = 0;
    for (uint32_t index = 0; index < view_count(view, key); index++) {
        int64_t status = view_item_number(view, key, index) + 1;
        ASSERT(status < SQ_STATUS_COUNT);
        mask |= UINT64_C(1) << status;
    }
    return mask;
}

static void read_budget(struct build *build, struct view budget, struct spec_client *client)
{
    const int64_t retry_cost = view_number(budget, "retryCost", 0);
    client->budget = (enum spec_budget)view_number(budget, "type", 0);
    client->budget_capacity = (uint32_t)view_number(budget, "capacity", 1);
    client->budget_retry_cost = (uint32_t)retry_cost;
    client->budget_timeout_cost = (uint32_t)view_number(budget, "timeoutCost", 0);
    client->budget_throttling_cost = (uint32_t)view_number(budget, "throttlingCost", retry_cost);
    client->budget_success_milli = (uint32_t)view_number(budget, "successCredit", 0);
    client->budget_refunds = view_number(budget, "refund", 0) == 1;
    client->budget_tokens_max = (uint32_t)view_number(budget, "maxTokens", 1);
    client->budget_ratio_milli = (uint32_t)view_number(budget, "tokenRatio", 0);
    client->budget_share = share_of(build, budget, "percent");
    client->budget_retries_min = (uint32_t)view_number(budget, "minRetryConcurrency", 0);
}

static void read_hedging(struct build *build, struct view view, struct spec_client *client)
{
    client->hedging = (struct spec_hedging){
        .is_enabled = view_number(view, "enabled", 0) == 1,
        .attempts_max = (uint32_t)view_number(view, "maxAttempts", 2),
        .delay_ns = view_number(view, "hedgingDelay", 0),
        .non_fatal = statuses_of(view, "nonFatal"),
    };
    if (client->hedging.is_enabled && client->attempts_max > 1) {
        build_complain(build, view, "enabled",
                       "a call is hedged or retried, not both: write 'retry: {maxAttempts: 1}'");
    }
}

static void read_breaker(struct build *build, struct view view, struct spec_client *client)
{
    client->breaker = (struct spec_breaker){
        .is_enabled = view_number(view, "enabled", 0) == 1,
        .only_retries = view_number(view, "scope", 0) == 1,
        .is_time_based = view_number(view, "slidingWindowType", 0) == 1,
        .window = (uint32_t)view_number(view, "slidingWindowSize", 1),
        .calls_min = (uint32_t)view_number(view, "minimumNumberOfCalls", 1),
        .failure_share = share_of(build, view, "failureRateThreshold"),
        .slow_share = share_of(build, view, "slowCallRateThreshold"),
        .slow_ns = view_number(view, "slowCallDurationThreshold", 0),
        .open_ns = view_number(view, "waitDurationInOpenState", 1),
        .trial_calls = (uint32_t)view_number(view, "permittedNumberOfCallsInHalfOpenState", 1),
        .failure_on = statuses_of(view, "failureOn"),
    };
    if (client->breaker.failure_share == 0 || client->breaker.slow_share == 0) {
        bool is_failure = client->breaker.failure_share == 0;
        build_complain(build, view, is_failure ? "failureRateThreshold" : "slowCallRateThreshold",
                       "a threshold of 0%% is always reached");
    }
}

static void read_limits(struct build *build, struct view view, struct spec_client *client)
{
    struct view limits = view_at(view, "limits");
    client->limits = (struct spec_limits){
        .connections = limit_of(limits, "maxConnections"),
        .pending = limit_of(limits, "maxPendingRequests"),
        .requests = limit_of(limits, "maxRequests"),
        .retries = limit_of(limits, "maxRetries"),
    };
    struct view queue = view_at(view, "queue");
    client->concurrency_max = limit_of(view, "maxConcurrency");
    client->queue_limit = count_of(view_number(queue, "limit", 0));
    client->queue_timeout_ns = view_number(queue, "timeout", SCHEMA_WORD);
    client->queue_timeout_ns =
        client->queue_timeout_ns == SCHEMA_WORD ? 0 : client->queue_timeout_ns;
    if (client->queue_limit > 0 && client->concurrency_max == 0) {
        build_complain(build, queue, "limit", "nothing waits in a queue without 'maxConcurrency'");
    }
}

static void read_pacing(struct build *build, struct view view, struct spec_client *client)
{
    const int64_t rate = view_number(view, "minRate", 1);
    client->pacing = (struct spec_pacing){
        .is_enabled = view_number(view, "type", 0) == 1,
        .beta_milli = (uint32_t)view_number(view, "beta", 0),
        .scale_milli = (uint32_t)view_number(view, "scaleConstant", 1),
        .smoothing_milli = (uint32_t)view_number(view, "smoothing", 1),
        .rate_min_milli = (uint32_t)rate, /* per 1000 s */
    };
    if (rate < 1 || rate > MIN_RATE_MAX) {
        build_complain(build, view, "minRate", "minRate: a rate from 0.001/s to 1000000/s");
        client->pacing.rate_min_milli = 1;
    }
}

static void check_client(struct build *build, struct view view, const struct spec_client *client)
{
    struct view retry = view_at(view, "retry");
    bool waits = client->backoff != SPEC_BACKOFF_NONE;
    if (waits && client->backoff_max_ns < client->backoff_initial_ns) {
        build_complain(build, retry, "maxBackoff", "maxBackoff is less than initialBackoff");
    }
    if (client->deadline_ns < client->timeout_ns) {
        build_complain(build, view, "timeout",
                       "the timeout of an attempt is longer than the deadline of the operation");
    }
    bool is_endless = client->deadline_ns == INT64_MAX && client->attempts_max == UINT32_MAX;
    if (is_endless && !waits) {
        build_complain(build, retry, "maxAttempts",
                       "unlimited attempts need a deadline or a backoff");
    } else if (is_endless && client->pushback == SPEC_PUSHBACK_EXACT) {
        build_complain(build, retry, "pushback",
                       "unlimited attempts, as soon as the server says, need a deadline");
    }
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
        .backoff_throttled_ns = view_number(retry, "throttlingBackoff", 0),
        .backoff_max_ns = view_number(retry, "maxBackoff", 0),
        .backoff_multiplier_milli = (uint32_t)view_number(retry, "backoffMultiplier", 1000),
        .pushback = (enum spec_pushback)view_number(retry, "pushback", 0),
        .pushback_max_ns = view_number(retry, "pushbackMax", 0),
        .is_transparent = view_number(retry, "transparent", 0) == 1,
        .redirects_max = (uint32_t)view_number(retry, "redirects", 0),
        .retry_on = statuses_of(retry, "retryOn"),
    };
    if (client->pushback_max_ns != PUSHBACK_MAX_NS_USUAL && view_has(retry, "pushbackMax")) {
        client->pushback_max_place = view_node(retry, "pushbackMax")->place;
    }
    read_jitter(retry, client);
    read_budget(build, view_at(retry, "budget"), client);
    read_hedging(build, view_at(view, "hedging"), client);
    read_breaker(build, view_at(view, "circuitBreaker"), client);
    read_limits(build, view, client);
    read_pacing(build, view_at(view, "rateLimiter"), client);
    check_client(build, view, client);
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

/* May an operation of one of so many virtual users end in no time? */
static bool may_end_at_once(const struct spec_client *client, uint32_t vus)
{
    const struct spec_limits *limits = &client->limits;
    uint64_t room = (uint64_t)client->concurrency_max + client->queue_limit;
    uint64_t places = (uint64_t)limits->connections + limits->pending;
    bool is_dropped = client->concurrency_max > 0 && vus > room;
    bool is_refused = limits->connections > 0 && limits->pending > 0 && vus > places;
    /* What the breaker does not permit is tried again after a back-off, or ends. */
    bool backs_off = client->backoff != SPEC_BACKOFF_NONE && client->attempts_max > 1 &&
                     (client->retry_on >> SQ_E_UNAVAILABLE & 1) != 0;
    bool is_stopped = client->breaker.is_enabled && !client->breaker.only_retries && !backs_off;
    return is_dropped || is_refused || is_stopped ||
           (limits->requests > 0 && vus > limits->requests);
}

/* A closed loop of such operations would turn for ever at one instant. */
static void check_loop(struct build *build, struct view view, const struct spec_load *load)
{
    bool has_pause = load->think.kind != DIST_CONSTANT || load->think.a > 0;
    if (load->executor == SPEC_CONSTANT_VUS && !has_pause &&
        may_end_at_once(&load->client, load->vus)) {
        build_complain(build, view, "vus",
                       "a client that may refuse operations at once (circuitBreaker, limits, "
                       "maxConcurrency) needs virtual users with a thinkTime");
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
    check_loop(build, view, load);
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
