/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arrivals. The target rate is a piecewise-linear function of time, and the measure of an interval
 * is its integral. An evenly spaced load starts an operation each time the measure has grown by
 * one; a Poisson load each time it has grown by an exponential of mean one, which is the
 * inhomogeneous Poisson process of that rate (time change; Cinlar 1975, "Introduction to Stochastic
 * Processes", chapter 4). Nothing is rejected, so the k-th arrival is a function of the k-th
 * draw, and a change of rate moves arrivals without reshuffling them.
 *
 * All of it in integers. One operation is EVENT = 2 * 10^12 units, since rates are per 1000 s =
 * 10^12 ns and the two clears the half from the integral of a slope: in a stage that goes from rate
 * a to rate b in D ns, the measure after t ns is 2at + (b-a)t^2/D, and aD + bD over the whole
 * stage, exactly. The arrival is the first nanosecond at which the measure is reached: t = m / (a +
 * sqrt(a^2 + m(b-a)/D)), which is stable near rate zero, with 24 bits of fraction, and then moved
 * to the exact answer by comparing the floored measure, an integer, with m. The root only makes it
 * fast.
 *
 * Evenly spaced loads of constant rate start with an operation at their first instant, ramping ones
 * when the first whole operation is due (as k6 does: at rate zero nothing is due yet).
 *
 * Clients. An operation takes an idle client identity, last used first, or makes a new one: an open
 * load never waits for a client. An identity whose operation ended INFO is never used again, for
 * that operation may still take effect. Process numbers are load * 2^24 + identity, the session on
 * the wire is the process + 1: both unique in the run.
 *
 * Relief. While the spec's relief sheds load (a probe arm), an open load draws every operation and
 * starts its share of them, by a stream of its own; of a closed load, users beyond the share rest.
 * So what is asked afterwards is what would have been asked without it.
 *
 * Scale (a fault). Below one, an open load draws every operation as ever and a coin of its own
 * stream decides which of them start. Above one, a second arrival process runs beside the first, at
 * the rate that is missing, and its operations come from a second source: the superposition of two
 * Poisson processes is one of the sum of the rates. Each scale starts it anew, with a whole gap.
 * Neither touches a stream of the first, so two runs that differ in the scale agree on all else.
 *
 * Virtual users (closed loop) are sources of operations, each with streams of its own, so what one
 * draws does not depend on how fast another is. An open load is one source, two when it is scaled
 * up. The number of users may change, by stages or by a scale: user i acts while the number is
 * above i. One that is to stop ends its operation, and rests when it would start the next; a ramp
 * has changed by a user when the straight line has reached the next whole number.
 *
 * Pairs (update-then-read). A user alternates between an update of a key and a read of the same
 * one, a think time apart. It draws as it would otherwise, and the draws for the read are passed
 * over.
 *
 * Not here: workloads other than reads and updates of single keys; sessions that outlive a
 * time-out. */
#include "sim/load.h"

#include "sim/base/base.h"
#include "sim/base/vec.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 wide;

#define EVENT         INT64_C(2000000000000)
#define FRACTION_BITS 24
#define IDENTITY_BITS 24
#define ORDINAL_BITS  40
#define LAWS_INITIAL  4
#define USERS_MAX     1000000

enum {
    SOURCE_ALL = 0,   /* of an open load: what it does anyhow */
    SOURCE_EXTRA = 1, /* and what it does when it is scaled up */
};

static_assert(IDENTITY_BITS <= 24, "a load's index fits above it in 32 bits");

/* A stretch of the target rate: linear from `from` to `to`, per 1000 s. */
struct stage {
    int64_t from;
    int64_t to;
    int64_t duration_ns;
};

struct arrivals {
    const struct spec_load *spec;
    struct rng rng;
    struct stage stage;
    uint32_t stage_index;
    int64_t stage_start_ns; /* since the load's start */
    wide amount;            /* measure of the last arrival since the stage's start */
    bool is_begun;
};

/* Draws what operations are like: one for an open load, one for each virtual user. */
struct source {
    struct rng keys;
    struct rng kinds;
    struct rng think;
    struct rng shed;
    bool is_resting; /* a user who is one too many */
    bool is_reading; /* update-then-read: the next operation reads `key` */
    uint64_t key;
};

struct identity {
    uint64_t sequence; /* operations so far */
    uint32_t source;   /* of the running operation */
};

struct load {
    struct world *world;
    const struct spec_load *spec;
    uint32_t index;
    int64_t end_ns;
    struct stub *stub;
    struct arrivals arrivals;
    uint32_t factor;       /* millionths */
    struct rng thin;       /* a factor below one: who stays */
    struct arrivals extra; /* above one: beside `arrivals` */
    struct rng extra_rng;
    sched_handle extra_event;
    struct vec sources;    /* struct source */
    uint32_t user_count;   /* closed loop: who act, before the factor */
    uint32_t active_count; /* and after it */
    struct zipf law;
    const char *name; /* of its streams */
    uint64_t arrival_count;
    uint64_t extra_count;
    uint64_t operation_count;
    struct vec identities; /* struct identity */
    struct vec idle;       /* uint32_t, the last used on top */
    unsigned char *payload;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "squall: out of memory (%zu items of %zu bytes of a load)\n", count, size);
        abort();
    }
    return memory;
}

static int64_t add_saturated(int64_t left, int64_t right)
{
    ASSERT(right >= 0);
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

/* ------------------------------------------------------------------------------------- arrivals */

/* Integer square root, digit by digit; `value` < 2^126. */
static uint64_t square_root(wide value)
{
    wide root = 0;
    int top = value >> 64 != 0 ? 127 - __builtin_clzll((uint64_t)(value >> 64))
                               : 63 - __builtin_clzll((uint64_t)value | 1);
    for (wide bit = (wide)1 << (top & ~1); bit != 0; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint64_t)root;
}

static wide stage_measure(const struct stage *stage)
{
    return (wide)(uint64_t)stage->duration_ns * (uint64_t)(stage->from + stage->to);
}

/* By how much the rate changes over the stage, whichever way. */
static uint64_t slope_of(const struct stage *stage)
{
    int64_t change = stage->to - stage->from;
    return (uint64_t)(change > 0 ? change : -change);
}

/* Measure of the first t_ns of a sloping stage, floored. */
static wide measure_until(const struct stage *stage, int64_t t_ns)
{
    const uint64_t t = (uint64_t)t_ns;
    const uint64_t duration = (uint64_t)stage->duration_ns;
    const bool is_rising = stage->to > stage->from;
    const uint64_t slope = slope_of(stage);
    const wide square = (wide)t * t;
    const wide remainder = square % duration * slope;
    const wide curve = square / duration * slope + remainder / duration;
    const wide straight = (wide)(2 * (uint64_t)stage->from) * t;
    if (is_rising) {
        return straight + curve;
    }
    return straight - curve - (remainder % duration != 0 ? 1 : 0);
}

/* About when a sloping stage reaches `amount`, by the formula above. */
static int64_t guess_time(const struct stage *stage, wide amount)
{
    const uint64_t duration = (uint64_t)stage->duration_ns;
    const bool is_rising = stage->to > stage->from;
    const uint64_t slope = slope_of(stage);
    const wide product = amount * slope;
    const wide change = (product / duration << 2 * FRACTION_BITS) +
                        (product % duration << 2 * FRACTION_BITS) / duration;
    const wide square = (wide)(uint64_t)stage->from * (uint64_t)stage->from << 2 * FRACTION_BITS;
    wide inside = square + change;
    if (!is_rising) {
        inside = square > change ? square - change : 0;
    }
    wide divisor = ((wide)(uint64_t)stage->from << FRACTION_BITS) + square_root(inside);
    wide time = (amount << FRACTION_BITS) / (divisor > 0 ? divisor : 1);
    return time < duration ? (int64_t)time : stage->duration_ns;
}

/* The first nanosecond of the stage at which the measure is `amount` or more; amount <=
 * stage_measure. */
static int64_t first_reaching(const struct stage *stage, wide amount)
{
    if (stage->from == stage->to) {
        wide rate = (wide)(uint64_t)stage->from * 2;
        return (int64_t)((amount + rate - 1) / rate);
    }
    int64_t high = guess_time(stage, amount); /* will reach it */
    int64_t low = high;                       /* will not */
    int64_t step = 1;
    while (measure_until(stage, high) < amount) {
        low = high;
        high = high < stage->duration_ns - step ? high + step : stage->duration_ns;
        ASSERT(high > low);
        step *= 2;
    }
    step = 1;
    while (measure_until(stage, low) >= amount) {
        if (low == 0) {
            return 0;
        }
        high = low;
        low = low > step ? low - step : 0;
        step *= 2;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (measure_until(stage, middle) >= amount) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static void check_rate(int64_t rate)
{
    ASSERT(rate >= 0);
    ASSERT(rate <= LOAD_RATE_MAX);
}

/* Moves to the stage after the present one; false when there is none. */
static bool next_stage(struct arrivals *arrivals)
{
    const struct spec_load *spec = arrivals->spec;
    if (spec->executor != SPEC_RAMPING_ARRIVAL_RATE || arrivals->stage_index >= spec->stage_count) {
        return false;
    }
    const struct spec_stage *stage = &spec->stages[arrivals->stage_index];
    check_rate(stage->target_per_1000s);
    ASSERT(stage->duration_ns >= 0);
    ASSERT(stage->duration_ns <= LOAD_STAGE_NS_MAX);
    arrivals->stage_index++;
    arrivals->stage_start_ns = add_saturated(arrivals->stage_start_ns, arrivals->stage.duration_ns);
    arrivals->stage = (struct stage){
        .from = arrivals->stage.to,
        .to = stage->target_per_1000s,
        .duration_ns = stage->duration_ns,
    };
    return true;
}

static void arrivals_init(struct arrivals *arrivals, const struct spec_load *spec, struct rng rng)
{
    check_rate(spec->rate_per_1000s);
    *arrivals = (struct arrivals){.spec = spec, .rng = rng};
    bool is_ramping = spec->executor == SPEC_RAMPING_ARRIVAL_RATE;
    arrivals->stage = (struct stage){
        .from = spec->rate_per_1000s,
        .to = spec->rate_per_1000s,
        .duration_ns = is_ramping ? 0 : INT64_MAX,
    };
}

/* By how much the measure grows until the next arrival. */
static uint64_t draw_gap(struct arrivals *arrivals)
{
    static const struct dist exponential = {.kind = DIST_EXPONENTIAL, .a = EVENT};
    const struct spec_load *spec = arrivals->spec;
    const bool is_first = !arrivals->is_begun;
    arrivals->is_begun = true;
    if (spec->arrivals == SPEC_ARRIVALS_POISSON) {
        return (uint64_t)dist_sample(&exponential, &arrivals->rng);
    }
    return is_first && spec->executor != SPEC_RAMPING_ARRIVAL_RATE ? 0 : (uint64_t)EVENT;
}

/* Moves on by `gap`: the time of the arrival since the load's start, INT64_MAX when no more will
 * come. */
static int64_t arrivals_advance(struct arrivals *arrivals, wide gap)
{
    arrivals->amount += gap;
    for (;;) {
        wide total = stage_measure(&arrivals->stage);
        if (total > 0 && arrivals->amount <= total) {
            int64_t time_ns = first_reaching(&arrivals->stage, arrivals->amount);
            return add_saturated(arrivals->stage_start_ns, time_ns);
        }
        if (!next_stage(arrivals)) {
            return INT64_MAX;
        }
        arrivals->amount -= total;
    }
}

/* Begins in the middle, at_ns after the load's start: what came before is left out. */
static void arrivals_seek(struct arrivals *arrivals, int64_t at_ns)
{
    bool is_more = true;
    while (is_more && at_ns - arrivals->stage_start_ns >= arrivals->stage.duration_ns) {
        is_more = next_stage(arrivals);
    }
    const int64_t inside_ns = at_ns - arrivals->stage_start_ns;
    const int64_t length_ns = arrivals->stage.duration_ns;
    arrivals->is_begun = true;
    arrivals->amount = 0;
    if (inside_ns > 0 && length_ns > 0) {
        arrivals->amount =
            measure_until(&arrivals->stage, inside_ns < length_ns ? inside_ns : length_ns);
    }
}

/* ----------------------------------------------------------------------------------- operations */

static uint32_t take_identity(struct load *load)
{
    if (load->idle.count > 0) {
        return *(uint32_t *)vec_pop(&load->idle);
    }
    uint32_t identity = load->identities.count;
    vec_push(&load->identities);
    return identity;
}

static bool is_closed(const struct load *load)
{
    return load->spec->executor == SPEC_CONSTANT_VUS || load->spec->executor == SPEC_RAMPING_VUS;
}

static struct source *source_at(const struct load *load, uint32_t index)
{
    return vec_at(&load->sources, index);
}

/* A source that is not there yet draws what it would have drawn. */
static void grow_sources(struct load *load, uint32_t count)
{
    const uint64_t seed = load->world->seed;
    for (uint32_t i = load->sources.count; i < count; i++) {
        const bool is_extra = !is_closed(load) && i == SOURCE_EXTRA;
        struct source *source = vec_push(&load->sources);
        *source = (struct source){
            .keys = rng_stream(seed, load->name, i, is_extra ? "extra keys" : "keys"),
            .kinds = rng_stream(seed, load->name, i, is_extra ? "extra kinds" : "kinds"),
            .think = rng_stream(seed, load->name, i, "think"),
            .shed = rng_stream(seed, load->name, i, is_extra ? "extra shed" : "shed"),
            .is_resting = true,
        };
    }
}

static void on_vu(void *context, struct sched_event *event);

static void push(struct load *load, int64_t time_ns,
                 void (*fire)(void *context, struct sched_event *event), uint64_t word)
{
    if (time_ns >= load->end_ns) {
        return;
    }
    struct sched_event *event = sched_push(&load->world->sched, time_ns, NULL);
    event->fire = fire;
    event->context = load;
    event->kind = TRACE_LOAD;
    event->words[0] = word;
}

static void on_attempt(void *context, uint64_t word)
{
    struct load *load = context;
    history_attempt(&load->world->history, word);
}

/* What the checkers are told: status, outcome and, of a read, the value. */
static void complete(struct load *load, const struct sq_operation *operation,
                     const struct stub_result *result)
{
    enum sq_status status = result->status;
    struct sq_kv_reply reply = {0};
    if (status == SQ_OK && operation->kind == SQ_KV_READ) {
        if (result->size >= sizeof(reply)) {
            memcpy(&reply, result->data, sizeof(reply));
        } else {
            status = SQ_E_MALFORMED; /* a read without a value is no read */
        }
    }
    enum sq_outcome outcome = SQ_OUTCOME_INFO;
    if (status == SQ_OK) {
        outcome = SQ_OUTCOME_OK;
    } else if (result->is_definite) {
        outcome = SQ_OUTCOME_FAIL;
    }
    history_complete(&load->world->history, operation->id, outcome, status, reply.value,
                     result->replied_by);
}

static void on_done(void *context, uint64_t word, const struct stub_result *result)
{
    struct load *load = context;
    struct world *world = load->world;
    const struct sq_operation *operation = vec_at(&world->history.operations, (uint32_t)word);
    uint32_t identity = operation->process & ((UINT32_C(1) << IDENTITY_BITS) - 1);
    complete(load, operation, result);
    if (operation->outcome != SQ_OUTCOME_INFO) {
        vec_append(&load->idle, &identity);
    }
    if (is_closed(load)) {
        const struct identity *user = vec_at(&load->identities, identity);
        int64_t think_ns = dist_sample(&load->spec->think, &source_at(load, user->source)->think);
        push(load, add_saturated(world_now(world), think_ns), on_vu, user->source);
    }
}

/* A padding that depends on the value, so that bytes under the wrong value differ. */
static void fill_padding(unsigned char *padding, uint32_t size, uint64_t value)
{
    uint64_t word = value;
    for (uint32_t at = 0; at < size; at += (uint32_t)sizeof(word)) {
        word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t left = size - at;
        memcpy(padding + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
}

/* Whose operation it is. */
static uint32_t user_of(const struct load *load, uint32_t source)
{
    const uint32_t count = load->spec->client.count;
    if (is_closed(load)) {
        return source;
    }
    return count > 0 ? (uint32_t)((load->operation_count - 1) % count) : 0;
}

/* The operation that the source wants next, without its process. */
static struct sq_operation draw_operation(struct load *load, uint32_t source_index)
{
    struct source *source = source_at(load, source_index);
    uint64_t key = load->law.count > 0 ? zipf_sample(&load->law, &source->keys)
                                       : rng_below(&source->keys, load->spec->record_count);
    bool is_update = rng_chance(&source->kinds, load->spec->update_proportion);
    if (load->spec->is_paired) {
        is_update = !source->is_reading;
        key = source->is_reading ? source->key : key;
        source->key = key;
        source->is_reading = is_update;
    }
    load->operation_count++;
    ASSERT(load->operation_count >> ORDINAL_BITS == 0);
    return (struct sq_operation){
        .load = load->index,
        .user = user_of(load, source_index),
        .kind = is_update ? SQ_KV_UPDATE : SQ_KV_READ,
        .key = key,
        .argument = is_update ? (uint64_t)load->index << ORDINAL_BITS | load->operation_count : 0,
    };
}

static bool is_shedding(const struct load *load)
{
    const struct spec_relief *relief = &load->world->spec->relief;
    int64_t now = world_now(load->world);
    return relief->is_shed && now >= relief->from_ns && now < relief->until_ns;
}

/* Does an operation of an open load start, or is it left out? */
static bool is_let_in(struct load *load, uint32_t source)
{
    bool is_in = true;
    if (source == SOURCE_ALL && load->factor < LOAD_SCALE_ONE) {
        is_in = rng_below(&load->thin, LOAD_SCALE_ONE) < load->factor;
    }
    if (is_shedding(load)) {
        bool is_kept =
            rng_chance(&source_at(load, source)->shed, load->world->spec->relief.shed_to);
        is_in = is_in && is_kept;
    }
    return is_in;
}

/* Starts the source's next operation, intended now. */
static void start_operation(struct load *load, uint32_t source)
{
    struct world *world = load->world;
    const int64_t now = world_now(world);
    struct sq_operation operation = draw_operation(load, source);
    if (!is_closed(load) && !is_let_in(load, source)) {
        return;
    }
    uint32_t index = take_identity(load);
    struct identity *identity = vec_at(&load->identities, index);
    identity->sequence++;
    identity->source = source;
    operation.process = load->index << IDENTITY_BITS | index;
    uint32_t padding = operation.kind == SQ_KV_UPDATE ? load->spec->value_bytes : 0;
    struct sq_kv_request request = {
        .kind = operation.kind,
        .padding = padding,
        .key = operation.key,
        .value = operation.argument,
        .session = (uint64_t)operation.process + 1,
        .sequence = identity->sequence,
    };
    memcpy(load->payload, &request, sizeof(request));
    fill_padding(load->payload + sizeof(request), padding, operation.argument);
    uint64_t id = history_invoke(&world->history, &operation, now);
    stub_call(load->stub, &(struct stub_call_options){
                              .data = load->payload,
                              .size = sizeof(request) + padding,
                              .intended_ns = now,
                              .on_attempt = on_attempt,
                              .on_done = on_done,
                              .context = load,
                              .word = id,
                          });
}

static void on_vu(void *context, struct sched_event *event)
{
    struct load *load = context;
    struct world *world = load->world;
    uint32_t source = (uint32_t)event->words[0];
    world_trace(world, TRACE_LOAD, world->node_count + load->index, source, load->operation_count);
    if (world->is_auditing) {
        return;
    }
    const struct spec_relief *relief = &world->spec->relief;
    if (source >= load->active_count) {
        source_at(load, source)->is_resting = true;
        return;
    }
    uint64_t kept = (uint64_t)load->active_count * (relief->shed_to >> 16) >> 16;
    if (is_shedding(load) && source >= kept) {
        push(load, relief->until_ns, on_vu, source);
        return;
    }
    start_operation(load, source);
}

static void on_arrival(void *context, struct sched_event *event);

static void push_arrival(struct load *load)
{
    int64_t time_ns = arrivals_advance(&load->arrivals, draw_gap(&load->arrivals));
    push(load, add_saturated(load->spec->start_ns, time_ns), on_arrival, load->arrival_count);
    load->arrival_count++;
}

static void on_arrival(void *context, struct sched_event *event)
{
    struct load *load = context;
    struct world *world = load->world;
    world_trace(world, TRACE_LOAD, world->node_count + load->index, event->words[0],
                load->operation_count);
    if (world->is_auditing) {
        return;
    }
    push_arrival(load);
    start_operation(load, SOURCE_ALL);
}

/* ---------------------------------------------------------------------------------------- scale */

static void on_extra(void *context, struct sched_event *event);

static void push_extra(struct load *load)
{
    ASSERT(load->factor > LOAD_SCALE_ONE);
    const wide gap = (wide)draw_gap(&load->extra) * LOAD_SCALE_ONE;
    const int64_t since_ns = arrivals_advance(&load->extra, gap / (load->factor - LOAD_SCALE_ONE));
    const int64_t time_ns = add_saturated(load->spec->start_ns, since_ns);
    if (time_ns < load->end_ns) {
        struct sched_event *event = sched_push(&load->world->sched, time_ns, &load->extra_event);
        event->fire = on_extra;
        event->context = load;
        event->kind = TRACE_LOAD;
        event->words[0] = load->extra_count;
    }
    load->extra_count++;
}

static void on_extra(void *context, struct sched_event *event)
{
    struct load *load = context;
    struct world *world = load->world;
    load->extra_event = 0;
    world_trace(world, TRACE_LOAD, world->node_count + load->index, event->words[0],
                load->operation_count);
    if (world->is_auditing) {
        return;
    }
    push_extra(load);
    start_operation(load, SOURCE_EXTRA);
}

/* The second arrival process, from now on. */
static void scale_arrivals(struct load *load)
{
    if (load->extra_event != 0) {
        sched_cancel(&load->world->sched, load->extra_event);
        load->extra_event = 0;
    }
    if (load->factor <= LOAD_SCALE_ONE) {
        return;
    }
    grow_sources(load, SOURCE_EXTRA + 1);
    const int64_t since_ns = world_now(load->world) - load->spec->start_ns;
    const struct rng rng = load->extra.spec != NULL ? load->extra.rng : load->extra_rng;
    arrivals_init(&load->extra, load->spec, rng);
    arrivals_seek(&load->extra, since_ns > 0 ? since_ns : 0);
    push_extra(load);
}

/* As many users act as the stages and the scale say; those who rest and are to act start. */
static void set_users(struct load *load, uint32_t user_count)
{
    const int64_t now = world_now(load->world);
    const int64_t start_ns = load->spec->start_ns > now ? load->spec->start_ns : now;
    const uint32_t before = load->active_count;
    const uint64_t scaled = (uint64_t)user_count * load->factor / LOAD_SCALE_ONE;
    load->user_count = user_count;
    load->active_count = scaled < USERS_MAX ? (uint32_t)scaled : USERS_MAX;
    grow_sources(load, load->active_count);
    for (uint32_t i = before; i < load->active_count; i++) {
        struct source *source = source_at(load, i);
        if (source->is_resting) {
            source->is_resting = false;
            push(load, start_ns, on_vu, i);
        }
    }
}

/* ---------------------------------------------------------------------------------------- ramps */

/* Users of a ramping load since_ns after its start, and in *next_ns when that changes, INT64_MAX:
 * no more. */
static uint32_t ramp_at(const struct spec_load *spec, int64_t since_ns, int64_t *next_ns)
{
    uint32_t from = spec->vus;
    int64_t start_ns = 0;
    for (uint32_t i = 0; i < spec->stage_count; i++) {
        const struct spec_stage *stage = &spec->stages[i];
        const int64_t inside_ns = since_ns - start_ns;
        if (inside_ns < stage->duration_ns) {
            const uint32_t to = (uint32_t)stage->target_per_1000s;
            const bool is_rising = to > from;
            const uint32_t change = is_rising ? to - from : from - to;
            const wide length = (uint64_t)stage->duration_ns;
            const uint32_t done = (uint32_t)((wide)(uint64_t)inside_ns * change / length);
            const wide next = change > 0 ? (length * (done + 1) + change - 1) / change : length;
            *next_ns = start_ns + (int64_t)next;
            return is_rising ? from + done : from - done;
        }
        start_ns += stage->duration_ns;
        from = (uint32_t)stage->target_per_1000s;
    }
    *next_ns = INT64_MAX;
    return from;
}

static void on_ramp(void *context, struct sched_event *event)
{
    struct load *load = context;
    struct world *world = load->world;
    int64_t next_ns;
    const uint32_t count = ramp_at(load->spec, world_now(world) - load->spec->start_ns, &next_ns);
    world_trace(world, TRACE_LOAD, world->node_count + load->index, event->words[0], count);
    if (world->is_auditing) {
        return;
    }
    set_users(load, count);
    push(load, add_saturated(load->spec->start_ns, next_ns), on_ramp, event->words[0] + 1);
}

/* --------------------------------------------------------------------------------------- public */

static void make_identities(struct load *load)
{
    vec_init(&load->identities, sizeof(struct identity), UINT32_C(1) << IDENTITY_BITS);
    vec_init(&load->idle, sizeof(uint32_t), UINT32_C(1) << IDENTITY_BITS);
    for (uint32_t i = load->spec->client.count; i > 0; i--) {
        uint32_t identity = i - 1;
        vec_push(&load->identities);
        vec_append(&load->idle, &identity);
    }
}

struct load *load_new(struct world *world, uint32_t index)
{
    ASSERT(index < world->spec->load_count);
    ASSERT(index >> (32 - IDENTITY_BITS) == 0);
    const struct spec_load *spec = &world->spec->loads[index];
    ASSERT(spec->record_count >= 1);
    ASSERT(spec->start_ns >= 0);
    ASSERT(spec->duration_ns >= 0);
    struct load *load = allocate(1, sizeof(*load));
    load->world = world;
    load->spec = spec;
    load->index = index;
    load->end_ns = add_saturated(spec->start_ns, spec->duration_ns);
    const char *name = arena_printf(&world->arena, "load %s", spec->name);
    load->name = name;
    load->factor = LOAD_SCALE_ONE;
    load->stub = stub_new(world, world->node_count + index, 0, &spec->client, name, 0);
    arrivals_init(&load->arrivals, spec, rng_stream(world->seed, name, 0, "arrivals"));
    load->thin = rng_stream(world->seed, name, 0, "thin");
    load->extra_rng = rng_stream(world->seed, name, 0, "extra arrivals");
    vec_init(&load->sources, sizeof(struct source), USERS_MAX);
    grow_sources(load, is_closed(load) ? 0 : SOURCE_ALL + 1);
    make_identities(load);
    if (spec->zipf_theta_milli > 0) {
        load->law = zipf_cache_find(&world->zipf, spec->record_count, spec->zipf_theta_milli);
    }
    load->payload = allocate(sizeof(struct sq_kv_request) + spec->value_bytes, 1);
    return load;
}

void load_free(struct load *load)
{
    if (load == NULL) {
        return;
    }
    stub_free(load->stub);
    vec_release(&load->identities);
    vec_release(&load->idle);
    vec_release(&load->sources);
    free(load->payload);
    free(load);
}

void load_start(struct load *load)
{
    ASSERT(load->arrival_count == 0);
    if (!is_closed(load)) {
        push_arrival(load);
        return;
    }
    if (load->spec->executor == SPEC_CONSTANT_VUS) {
        set_users(load, load->spec->vus);
        return;
    }
    int64_t next_ns;
    set_users(load, ramp_at(load->spec, 0, &next_ns));
    push(load, add_saturated(load->spec->start_ns, next_ns), on_ramp, 0);
}

void load_set_scale(struct load *load, uint32_t factor)
{
    ASSERT(factor <= LOAD_SCALE_MAX);
    if (factor == load->factor) {
        return;
    }
    load->factor = factor;
    if (is_closed(load)) {
        set_users(load, load->user_count);
    } else {
        scale_arrivals(load);
    }
}

struct stub *load_stub(struct load *load)
{
    return load->stub;
}

/* ---------------------------------------------------------------------------------- zipf tables */

struct zipf_law {
    uint32_t theta_milli;
    struct zipf zipf;
};

void zipf_cache_init(struct zipf_cache *cache)
{
    *cache = (struct zipf_cache){0};
}

void zipf_cache_release(struct zipf_cache *cache)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        zipf_release(&cache->laws[i].zipf);
    }
    free(cache->laws);
    *cache = (struct zipf_cache){0};
}

struct zipf zipf_cache_find(struct zipf_cache *cache, uint32_t count, uint32_t theta_milli)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        const struct zipf_law *law = &cache->laws[i];
        if (law->zipf.count == count && law->theta_milli == theta_milli) {
            return law->zipf;
        }
    }
    if (cache->count == cache->capacity) {
        uint32_t capacity = cache->capacity > 0 ? cache->capacity * 2 : LAWS_INITIAL;
        struct zipf_law *laws = allocate(capacity, sizeof(*laws));
        if (cache->count > 0) {
            memcpy(laws, cache->laws, cache->count * sizeof(*laws));
        }
        free(cache->laws);
        cache->laws = laws;
        cache->capacity = capacity;
    }
    struct zipf_law *law = &cache->laws[cache->count];
    cache->count++;
    law->theta_milli = theta_milli;
    zipf_init(&law->zipf, count, theta_milli);
    return law->zipf;
}
