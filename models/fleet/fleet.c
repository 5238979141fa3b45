/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `fleet`: many members in one node, each of which needs a grant of limited life from another
 * group: servers that need a lease to be used, storage nodes that must know their membership, tasks
 * that load a table before they serve. It is the client side of batch work: what makes a batch is
 * that the grants of all end together, and what ends badly is how they are asked for again.
 *
 *     ask -----> granted: held ---- renewBefore the end: ask again -----> ...
 *      ^            |
 *      |            +--- grantTime is over before it is renewed: lapsed
 *      +--- failed: after retryDelay
 *
 * A member asks by one call to the group that `target` names, under this group's client policy:
 * `timeout` is the time that the work may take, `retry` says when it is asked for again. A call
 * that the policy gives up is made anew after retryDelay, for ever. What becomes of the work that
 * nobody waits for any more is the affair of the target; the model `server` does it all the same,
 * unless told otherwise, and that makes the law of batch collapse: N members that ask at once for
 * work s each from c workers all get it if and only if N s / c < 2 timeout
 * (analysis/predict_laws.h: law_batch_collapses).
 *
 * Members begin one after another, evenly over joinTime when the node boots for the first time, and
 * over rejoinTime whenever it boots again: grants are in memory and a restart forgets them.
 *
 * Requests of clients are for a member, the key modulo `members`. Who holds a grant answers at once
 * and without content; who does not answers `temporarily-unavailable`. So goodput is the share of
 * members that can be used.
 *
 * The signal `lapse` takes the grants of so many millionths of the members, the first ones, and has
 * them ask at once.
 *
 * What it shows: gauges lease.held and lease.asking (members), counters lease.granted and
 * lease.lapsed (grants that ended before they were renewed).
 *
 * Not here: members that differ from each other, grants that the target takes back, updates. */
#include "../models.h"

#include <assert.h>

enum option {
    OPTION_MEMBERS,
    OPTION_TARGET,
    OPTION_GRANT_TIME,
    OPTION_RENEW_BEFORE,
    OPTION_RETRY_DELAY,
    OPTION_JOIN_TIME,
    OPTION_REJOIN_TIME,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_MEMBERS] = {"members", SQ_OPTION_COUNT, "100", NULL, "members of each node"},
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "manager", NULL,
                       "group that grants; the one that the group's `client` targets"},
    [OPTION_GRANT_TIME] = {"grantTime", SQ_OPTION_DURATION, "0s", NULL,
                           "how long a grant lasts; 0: until the node restarts"},
    [OPTION_RENEW_BEFORE] = {"renewBefore", SQ_OPTION_DURATION, "0s", NULL,
                             "a member asks again so long before the end of its grant"},
    [OPTION_RETRY_DELAY] = {"retryDelay", SQ_OPTION_DURATION, "1s", NULL,
                            "from the failure of a call, with all its retries, to the next one"},
    [OPTION_JOIN_TIME] = {"joinTime", SQ_OPTION_DURATION, "0s", NULL,
                          "members ask for their first grants evenly over this time"},
    [OPTION_REJOIN_TIME] = {"rejoinTime", SQ_OPTION_DURATION, "0s", NULL,
                            "and over this time after a restart of the node"},
};

#define MILLION INT64_C(1000000)

enum alarm { ALARM_ASK, ALARM_LAPSE, ALARM_COUNT };

struct member {
    sq_timer timers[ALARM_COUNT]; /* 0: none is running */
    sq_time due[ALARM_COUNT];     /* what its timer is for; one that comes sooner is set again */
    bool is_held;
    bool is_asking;
};

struct fleet {
    struct sq_env *env;
    int64_t member_count;
    int64_t held;
    int64_t asking;
    struct member members[];
};

static int64_t option(const struct fleet *fleet, enum option which)
{
    return fleet->env->options[which].number;
}

static void show(const struct fleet *fleet, const char *name, int64_t value)
{
    fleet->env->trace->see(fleet->env, SQ_SEE_GAUGE, (uint64_t)value, 0, 0, name);
}

static void count(const struct fleet *fleet, const char *name)
{
    fleet->env->trace->see(fleet->env, SQ_SEE_COUNTER, 1, 0, 0, name);
}

/* ---------------------------------------------------------------------------------------- alarms
 */

/* Sets the member's alarm to `delay` from now, later or sooner than it was. A timer that has fired
 * and waits in the inbox cannot be moved: on_timer finds that it is not due. */
static void set_alarm(struct fleet *fleet, struct member *member, enum alarm which, sq_time delay)
{
    struct sq_env *env = fleet->env;
    member->due[which] = env->clock->monotonic(env) + delay;
    if (member->timers[which] != 0) {
        env->clock->rearm(env, member->timers[which], delay);
        return;
    }
    const uint64_t index = (uint64_t)(member - fleet->members);
    member->timers[which] = env->clock->start(env, delay, index * ALARM_COUNT + which);
}

/* ---------------------------------------------------------------------------------------- grants
 */

static void lapse(struct fleet *fleet, struct member *member)
{
    if (member->is_held) {
        member->is_held = false;
        fleet->held--;
        count(fleet, "lease.lapsed");
        show(fleet, "lease.held", fleet->held);
    }
}

static void grant(struct fleet *fleet, struct member *member)
{
    const sq_time lasts = option(fleet, OPTION_GRANT_TIME);
    const sq_time before = option(fleet, OPTION_RENEW_BEFORE);
    count(fleet, "lease.granted");
    if (!member->is_held) {
        member->is_held = true;
        fleet->held++;
        show(fleet, "lease.held", fleet->held);
    }
    if (lasts > 0) {
        set_alarm(fleet, member, ALARM_ASK, lasts - before);
        set_alarm(fleet, member, ALARM_LAPSE, lasts);
    }
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    (void)data;
    (void)size;
    struct fleet *fleet = env->state;
    struct member *member = argument;
    assert(member->is_asking);
    member->is_asking = false;
    fleet->asking--;
    show(fleet, "lease.asking", fleet->asking);
    if (status == SQ_OK) {
        grant(fleet, member);
    } else {
        set_alarm(fleet, member, ALARM_ASK, option(fleet, OPTION_RETRY_DELAY));
    }
}

static void ask(struct fleet *fleet, struct member *member)
{
    struct sq_env *env = fleet->env;
    if (member->is_asking) {
        return;
    }
    member->is_asking = true;
    fleet->asking++;
    show(fleet, "lease.asking", fleet->asking);
    const struct sq_kv_request request = {
        .kind = SQ_KV_READ,
        .key = (uint64_t)(member - fleet->members),
        .session = (uint64_t)env->self + 1,
    };
    env->call->call(env, env->options[OPTION_TARGET].text, &request, sizeof(request), on_reply,
                    member);
}

static void on_timer(struct sq_env *env, uint64_t tag)
{
    struct fleet *fleet = env->state;
    const enum alarm which = (enum alarm)(tag % ALARM_COUNT);
    struct member *member = &fleet->members[tag / ALARM_COUNT];
    const sq_time left = member->due[which] - env->clock->monotonic(env);
    member->timers[which] = 0;
    if (left > 0) {
        set_alarm(fleet, member, which, left);
    } else if (which == ALARM_ASK) {
        ask(fleet, member);
    } else {
        lapse(fleet, member);
    }
}

/* --------------------------------------------------------------------------------------- clients
 */

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct fleet *fleet = env->state;
    struct sq_kv_request kv;
    const struct sq_kv_reply reply = {0};
    enum sq_status status = SQ_E_MALFORMED;
    if (sq_kv_decode(request->data, request->size, &kv)) {
        const struct member *member = &fleet->members[kv.key % (uint64_t)fleet->member_count];
        const bool is_known = kv.kind == SQ_KV_READ;
        status = !is_known ? SQ_E_NOT_SUPPORTED : member->is_held ? SQ_OK : SQ_E_UNAVAILABLE;
    }
    const size_t size = status == SQ_OK ? sizeof(reply) : 0;
    env->call->reply(env, request->reply_to, status, SQ_NODE_NONE, &reply, size);
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct fleet *fleet = env->state;
    if (strcmp(name, "lapse") != 0) {
        env->trace->log(env, "no such signal: %s", name);
        return;
    }
    const int64_t share = value < 0 ? 0 : value < MILLION ? value : MILLION;
    const int64_t struck = fleet->member_count * share / MILLION;
    for (int64_t i = 0; i < struck; i++) {
        lapse(fleet, &fleet->members[i]);
        ask(fleet, &fleet->members[i]);
    }
}

static enum sq_status boot(struct sq_env *env)
{
    const int64_t members = env->options[OPTION_MEMBERS].number;
    const sq_time lasts = env->options[OPTION_GRANT_TIME].number;
    if (members < 1 || members > MILLION ||
        (lasts > 0 && env->options[OPTION_RENEW_BEFORE].number >= lasts)) {
        env->trace->log(env, "members: 1 to 1000000; renewBefore: less than grantTime");
        return SQ_E_INVALID;
    }
    const size_t size = sizeof(struct fleet) + (size_t)members * sizeof(struct member);
    struct fleet *fleet = env->mem->alloc(env, size);
    memset(fleet, 0, size);
    fleet->env = env;
    fleet->member_count = members;
    env->state = fleet;
    show(fleet, "lease.held", 0);
    show(fleet, "lease.asking", 0);
    const sq_time over =
        option(fleet, env->incarnation == 1 ? OPTION_JOIN_TIME : OPTION_REJOIN_TIME);
    for (int64_t i = 0; i < members; i++) {
        const sq_time delay = (sq_time)((__int128)over * i / members);
        set_alarm(fleet, &fleet->members[i], ALARM_ASK, delay);
    }
    return SQ_OK;
}

const struct sq_model model_fleet = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "fleet",
    .version = "1",
    .description = "members that each need a grant of limited life: leases, memberships, start-ups",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .timer = on_timer,
    .signal = on_signal,
};
