/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A read is kept from its begin until all replicas that made its result have S, which may be long
 * after it was answered; so what it is worth does not depend on when the next operation comes, and
 * one run with reads at once gives the whole curve. Reads that look at replicas after the answer
 * was made do not count.
 *
 * What a crash takes from a replica that keeps its rows in memory is not noticed: this is about
 * replicas that stay. */
#include "analysis/visibility.h"

#include "sim/base/base.h"

#define READS_MAX  4096 /* under way at once */
#define NODE_SHIFT 40
#define NOBODY     UINT64_MAX

struct visit {
    sq_time at;
    sq_time early;   /* by so much, once the replica has S */
    uint32_t member; /* of the group */
    bool has_it;
};

struct visibility_read {
    uint64_t id;
    uint64_t update; /* S */
    uint64_t used;   /* replicas, as bits; 0: not answered yet */
    uint32_t object;
    uint32_t group_first;
    uint32_t visit_count;
    struct visit visits[VISIBILITY_REPLICAS_MAX];
};

void visibility_init(struct visibility *visibility)
{
    *visibility = (struct visibility){0};
    vec_init(&visibility->reads, sizeof(struct visibility_read), READS_MAX);
    map_init(&visibility->held);
    histogram_clear(&visibility->too_early);
}

void visibility_release(struct visibility *visibility)
{
    vec_release(&visibility->reads);
    map_release(&visibility->held);
}

void visibility_begin(struct visibility *visibility)
{
    vec_clear(&visibility->reads);
    map_clear(&visibility->held);
    histogram_clear(&visibility->too_early);
}

static uint64_t place_of(sq_node node, uint32_t object)
{
    return ((uint64_t)node << NODE_SHIFT) | object;
}

/* Is it decided how early the read was? Then `early` is. */
static bool is_decided(const struct visibility_read *read, sq_time *early)
{
    bool is_waiting = false;
    *early = INT64_MAX;
    for (uint32_t i = 0; i < read->visit_count; i++) {
        const struct visit *visit = &read->visits[i];
        if (read->used >> visit->member & 1) {
            is_waiting = is_waiting || !visit->has_it;
            *early = visit->has_it && visit->early < *early ? visit->early : *early;
        }
    }
    return read->used != 0 && *early != INT64_MAX && (!is_waiting || *early == 0);
}

static void remove_read(struct visibility *visibility, uint32_t index)
{
    struct visibility_read *read = vec_at(&visibility->reads, index);
    *read =
        *(const struct visibility_read *)vec_at(&visibility->reads, visibility->reads.count - 1);
    vec_pop(&visibility->reads);
}

/* What still waits counts with what it has waited; a read that was never answered does not. */
static void give_up(struct visibility *visibility, uint32_t index, sq_time now)
{
    const struct visibility_read *read = vec_at(&visibility->reads, index);
    sq_time early = INT64_MAX;
    for (uint32_t i = 0; i < read->visit_count; i++) {
        const struct visit *visit = &read->visits[i];
        const sq_time so_far = visit->has_it ? visit->early : now - visit->at;
        const bool is_used = read->used >> visit->member & 1;
        early = is_used && so_far < early ? so_far : early;
    }
    if (early != INT64_MAX) {
        histogram_record(&visibility->too_early, (uint64_t)early);
    }
    remove_read(visibility, index);
}

/* Takes the read away when it is decided; true: another one has its place. */
static bool settle(struct visibility *visibility, uint32_t index)
{
    const struct visibility_read *read = vec_at(&visibility->reads, index);
    sq_time early = 0;
    if (!is_decided(read, &early)) {
        return false;
    }
    histogram_record(&visibility->too_early, (uint64_t)early);
    remove_read(visibility, index);
    return true;
}

static uint32_t find(const struct visibility *visibility, uint64_t id)
{
    for (uint32_t i = visibility->reads.count; i > 0; i--) {
        const struct visibility_read *read = vec_at(&visibility->reads, i - 1);
        if (read->id == id) {
            return i - 1;
        }
    }
    return visibility->reads.count;
}

static void begin_read(struct visibility *visibility, const struct freshness *freshness,
                       uint32_t object, const struct sq_node_info *node, const struct sq_seen *seen)
{
    const uint64_t update = freshness_latest(freshness, object);
    if (update == NOBODY) {
        return;
    }
    if (visibility->reads.count == READS_MAX) {
        give_up(visibility, 0, seen->time);
    }
    struct visibility_read *read = vec_push(&visibility->reads);
    *read = (struct visibility_read){
        .id = seen->a, .update = update, .object = object, .group_first = node->group_first};
}

static void visit(struct visibility *visibility, const struct freshness *freshness,
                  const struct kv_history *history, const struct sq_seen *seen)
{
    const uint32_t index = find(visibility, seen->a);
    if (index == visibility->reads.count) {
        return;
    }
    struct visibility_read *read = vec_at(&visibility->reads, index);
    const uint64_t *value = map_find(&visibility->held, place_of(seen->node, read->object));
    if (read->used != 0 || read->visit_count == VISIBILITY_REPLICAS_MAX) {
        return;
    }
    read->visits[read->visit_count++] = (struct visit){
        .at = seen->time,
        .member = seen->node - read->group_first,
        .has_it = value != NULL && !freshness_is_overwritten(freshness, history, read->object,
                                                             *value, read->update)};
}

/* A write has reached the replica: reads that came too early for it may be decided. */
static void store(struct visibility *visibility, const struct kv_history *history, uint32_t object,
                  const struct sq_seen *seen)
{
    if (seen->c != 0) {
        map_put(&visibility->held, place_of(seen->node, object), seen->b);
    }
    for (uint32_t i = 0; i < visibility->reads.count;) {
        struct visibility_read *read = vec_at(&visibility->reads, i);
        if (read->object == object && kv_history_at(history, read->update)->value == seen->b) {
            for (uint32_t k = 0; k < read->visit_count; k++) {
                struct visit *visit = &read->visits[k];
                if (!visit->has_it && read->group_first + visit->member == seen->node) {
                    visit->has_it = true;
                    visit->early = seen->time - visit->at;
                }
            }
        }
        i += settle(visibility, i) ? 0 : 1;
    }
}

void visibility_on_seen(struct visibility *visibility, const struct freshness *freshness,
                        const struct kv_history *history, const struct sq_node_info *nodes,
                        const struct sq_seen *seen)
{
    const struct sq_node_info *node = &nodes[seen->node];
    uint32_t object = 0;
    if (seen->what == SQ_SEE_VISITED) {
        visit(visibility, freshness, history, seen);
        return;
    }
    const uint64_t key = seen->what == SQ_SEE_STORED ? seen->a : seen->b;
    if ((seen->what != SQ_SEE_STORED && seen->what != SQ_SEE_READ) ||
        !kv_history_object(history, node->group, key, &object)) {
        return;
    }
    if (seen->what == SQ_SEE_STORED) {
        store(visibility, history, object, seen);
    } else if (seen->c == 0) {
        begin_read(visibility, freshness, object, node, seen);
    } else {
        const uint32_t index = find(visibility, seen->a);
        if (index < visibility->reads.count) {
            ((struct visibility_read *)vec_at(&visibility->reads, index))->used = seen->c;
            settle(visibility, index);
        }
    }
}

void visibility_finish(struct visibility *visibility, sq_time now)
{
    while (visibility->reads.count > 0) {
        give_up(visibility, visibility->reads.count - 1, now);
    }
}
