/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arrays indexed by log index, because every entry is looked up several times on each node: an
 * append, a durable report and a commit cost a few nanoseconds each. A log keeps its newest
 * LOG_TAIL_MAX entries, so a run of any length needs bounded memory; consensus logs are written at
 * their end, and that is where the checkers look.
 *
 * Two special terms keep the view honest. UNKNOWN says that an entry is there but was never
 * described (a log found on disk at boot): it matches everything, so it can hide a defect but never
 * invent one. ABSENT marks a gap: it matches nothing.
 *
 * The committed log of a group grows when any node reports a commit index beyond all that was
 * reported before; the entries are taken from that node's memory. In Raft only a leader can be the
 * first. */
#include "analysis/raft_view.h"

#include "sim/base/base.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256

/* ---------------------------------------------------------------------------------------- tails */

void log_tail_release(struct log_tail *tail)
{
    free(tail->entries);
    *tail = (struct log_tail){.entries = NULL};
}

static void clear_from(struct log_tail *tail, uint64_t first)
{
    tail->count = 0;
    tail->first = first;
    tail->forgotten = 0;
}

/* Makes room for one more entry at the end. */
static void make_room(struct log_tail *tail)
{
    if (tail->count < tail->capacity) {
        return;
    }
    if (tail->count == LOG_TAIL_MAX) {
        uint32_t dropped = LOG_TAIL_MAX / 2;
        memmove(tail->entries, tail->entries + dropped,
                (tail->count - dropped) * sizeof(*tail->entries));
        tail->first += dropped;
        tail->forgotten = tail->first;
        tail->count -= dropped;
        return;
    }
    uint32_t capacity = tail->capacity == 0 ? CAPACITY_MIN : tail->capacity * 2;
    struct log_entry *entries = realloc(tail->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        fprintf(stderr, "squall: out of memory (log of %u entries)\n", capacity);
        abort();
    }
    tail->entries = entries;
    tail->capacity = capacity;
}

bool log_tail_set(struct log_tail *tail, uint64_t index, struct log_entry entry)
{
    if (tail->count == 0) {
        tail->first = index;
    }
    if (index < tail->first) {
        return false;
    }
    if (index - tail->first >= (uint64_t)tail->count + LOG_TAIL_MAX / 2) {
        clear_from(tail, index); /* a gap of this size is a new log */
    }
    while (log_tail_end(tail) < index) {
        make_room(tail);
        tail->entries[tail->count++] = (struct log_entry){.term = LOG_TERM_ABSENT};
    }
    if (log_tail_end(tail) == index) {
        make_room(tail);
        tail->count++;
    }
    tail->entries[index - tail->first] = entry;
    return true;
}

void log_tail_cut(struct log_tail *tail, uint64_t index)
{
    if (index <= tail->first) {
        clear_from(tail, index);
    } else if (index < log_tail_end(tail)) {
        tail->count = (uint32_t)(index - tail->first);
    }
}

/* Puts an entry where one of another term may be: then all after it goes, too. */
static void replace(struct log_tail *tail, uint64_t index, uint64_t term, uint64_t hash)
{
    const struct log_entry *old = log_tail_at(tail, index);
    if (old != NULL && old->term != term && old->term != LOG_TERM_UNKNOWN &&
        old->term != LOG_TERM_ABSENT) {
        log_tail_cut(tail, index);
    } else if (old == NULL && index < tail->first) {
        clear_from(tail, index);
    }
    log_tail_set(tail, index, (struct log_entry){.term = term, .hash = hash});
}

/* ----------------------------------------------------------------------------------------- view */

void raft_view_init(struct raft_view *view)
{
    ASSERT(view != NULL);
    *view = (struct raft_view){.nodes = NULL};
}

void raft_view_release(struct raft_view *view)
{
    ASSERT(view != NULL);
    for (uint32_t i = 0; i < view->node_capacity; i++) {
        log_tail_release(&view->nodes[i].memory);
        log_tail_release(&view->nodes[i].durable);
    }
    for (uint32_t i = 0; i < view->group_capacity; i++) {
        log_tail_release(&view->groups[i].committed);
    }
    free(view->nodes);
    free(view->groups);
    *view = (struct raft_view){.nodes = NULL};
}

static void *grow(void *items, uint32_t from, uint32_t to, size_t size)
{
    void *grown = realloc(items, to * size);
    if (grown == NULL) {
        fprintf(stderr, "squall: out of memory (view of %u nodes)\n", to);
        abort();
    }
    memset((char *)grown + from * size, 0, (to - from) * size);
    return grown;
}

static void reset_node(struct raft_node *node)
{
    clear_from(&node->memory, 1);
    clear_from(&node->durable, 1);
    node->snapshot_index = 0;
    node->snapshot_term = LOG_TERM_UNKNOWN;
    node->leader_term = 0;
    node->verified = 0;
    node->voters = 0;
}

void raft_view_begin(struct raft_view *view, const struct sq_node_info *infos, uint32_t node_count)
{
    ASSERT(view != NULL);
    ASSERT(infos != NULL || node_count == 0);
    uint32_t group_count = 0;
    for (uint32_t i = 0; i < node_count; i++) {
        group_count = infos[i].group >= group_count ? infos[i].group + 1 : group_count;
    }
    if (node_count > view->node_capacity) {
        view->nodes = grow(view->nodes, view->node_capacity, node_count, sizeof(*view->nodes));
        view->node_capacity = node_count;
    }
    if (group_count > view->group_capacity) {
        view->groups = grow(view->groups, view->group_capacity, group_count, sizeof(*view->groups));
        view->group_capacity = group_count;
    }
    for (uint32_t i = 0; i < node_count; i++) {
        reset_node(&view->nodes[i]);
    }
    for (uint32_t i = 0; i < group_count; i++) {
        clear_from(&view->groups[i].committed, 1);
        view->groups[i].commit = 0;
    }
    view->infos = infos;
    view->node_count = node_count;
    view->group_count = group_count;
}

static void lower_verified(struct raft_node *node, uint64_t index)
{
    if (node->verified >= index) {
        node->verified = index == 0 ? 0 : index - 1;
    }
}

static void append(struct raft_node *node, const struct sq_seen *seen)
{
    const struct log_entry *old = log_tail_at(&node->memory, seen->a);
    if (old != NULL && (old->term != seen->b || old->hash != seen->c)) {
        lower_verified(node, seen->a);
    }
    replace(&node->memory, seen->a, seen->b, seen->c);
}

/* Does the log hold another entry where the snapshot ends? */
static bool contradicts(const struct log_tail *log, uint64_t index, uint64_t term)
{
    const struct log_entry *entry = log_tail_at(log, index);
    return entry != NULL && entry->term != LOG_TERM_UNKNOWN && entry->term != LOG_TERM_ABSENT &&
           entry->term != term;
}

/* A snapshot beyond the end of a log, or one that the log contradicts, replaces it: the log goes
 * on after the snapshot. */
static void snapshot(struct raft_node *node, uint64_t index, uint64_t term)
{
    if (index < node->snapshot_index) {
        return;
    }
    node->snapshot_index = index;
    node->snapshot_term = term;
    if (log_tail_end(&node->memory) <= index || contradicts(&node->memory, index, term)) {
        clear_from(&node->memory, index + 1);
    }
    if (log_tail_end(&node->durable) <= index || contradicts(&node->durable, index, term)) {
        clear_from(&node->durable, index + 1);
    }
}

static void load(struct raft_node *node, uint64_t first, uint64_t last, uint64_t snapshot)
{
    uint64_t forgotten = 0;
    if (snapshot != node->snapshot_index) {
        node->snapshot_index = snapshot;
        node->snapshot_term = LOG_TERM_UNKNOWN;
    }
    if (last + 1 - first > LOG_TAIL_MAX / 2 && last >= first) {
        first = last + 1 - LOG_TAIL_MAX / 2;
        forgotten = first;
    }
    clear_from(&node->memory, first);
    node->verified = 0;
    for (uint64_t index = first; index <= last; index++) {
        struct log_entry *known = log_tail_at(&node->durable, index);
        struct log_entry entry = {.term = LOG_TERM_UNKNOWN};
        if (known != NULL && known->term != LOG_TERM_ABSENT) {
            entry = *known;
        }
        log_tail_set(&node->memory, index, entry);
    }
    /* What lies below `first` is no longer on the disk; what was not known is now known to be
     * there. */
    clear_from(&node->durable, first);
    for (uint64_t index = first; index <= last; index++) {
        log_tail_set(&node->durable, index, *log_tail_at(&node->memory, index));
    }
    node->memory.forgotten = forgotten;
    node->durable.forgotten = forgotten;
}

static void commit(struct raft_view *view, const struct raft_node *node, const struct sq_seen *seen)
{
    struct raft_group *group = raft_view_group_of(view, seen->node);
    if (seen->a <= group->commit) {
        return;
    }
    uint64_t index = group->commit + 1;
    if (seen->a - group->commit > LOG_TAIL_MAX / 2) {
        index = seen->a - LOG_TAIL_MAX / 2;
    }
    for (; index <= seen->a; index++) {
        const struct log_entry *entry = log_tail_at(&node->memory, index);
        struct log_entry made = {.term = LOG_TERM_UNKNOWN, .other = seen->b};
        if (entry != NULL && entry->term != LOG_TERM_ABSENT) {
            made.term = entry->term;
            made.hash = entry->hash;
        }
        log_tail_set(&group->committed, index, made);
    }
    group->commit = seen->a;
}

void raft_view_on_seen(struct raft_view *view, const struct sq_seen *seen)
{
    ASSERT(seen->node < view->node_count);
    struct raft_node *node = &view->nodes[seen->node];
    if (seen->what == SQ_SEE_APPEND) {
        append(node, seen);
    } else if (seen->what == SQ_SEE_DURABLE) {
        replace(&node->durable, seen->a, seen->b, seen->c);
    } else if (seen->what == SQ_SEE_COMMIT) {
        commit(view, node, seen);
    } else if (seen->what == SQ_SEE_LEADER) {
        node->leader_term = seen->a;
    } else if (seen->what == SQ_SEE_TRUNCATE) {
        lower_verified(node, seen->a);
        log_tail_cut(&node->memory, seen->a);
    } else if (seen->what == SQ_SEE_CUT) {
        log_tail_cut(&node->durable, seen->a);
    } else if (seen->what == SQ_SEE_SNAPSHOT) {
        snapshot(node, seen->a, seen->b);
    } else if (seen->what == SQ_SEE_LOADED) {
        load(node, seen->a, seen->b, seen->c);
    } else if (seen->what == SQ_SEE_CONFIG) {
        node->voters = seen->b;
    }
}

void raft_view_on_life(struct raft_view *view, const struct sq_life_event *life)
{
    ASSERT(life->node < view->node_count);
    struct raft_node *node = &view->nodes[life->node];
    if (life->what == SQ_LIFE_BOOT) {
        clear_from(&node->memory, 1);
        node->leader_term = 0;
        node->verified = 0;
    } else if (life->what == SQ_LIFE_WIPE) {
        reset_node(node);
    }
}

uint64_t raft_view_term_at(const struct raft_node *node, uint64_t index)
{
    if (index == 0) {
        return LOG_TERM_UNKNOWN;
    }
    const struct log_entry *entry = log_tail_at(&node->memory, index);
    if (entry != NULL) {
        return entry->term;
    }
    if (index == node->snapshot_index) {
        return node->snapshot_term;
    }
    if (index < node->snapshot_index || index < node->memory.forgotten) {
        return LOG_TERM_UNKNOWN;
    }
    return LOG_TERM_ABSENT;
}

bool raft_view_is_durable(const struct raft_node *node, uint64_t index, uint64_t term)
{
    if (index <= node->snapshot_index) {
        return true;
    }
    const struct log_entry *entry = log_tail_at(&node->durable, index);
    if (index < node->durable.forgotten) {
        return true;
    }
    if (entry == NULL || entry->term == LOG_TERM_ABSENT) {
        return false;
    }
    return entry->term == term || entry->term == LOG_TERM_UNKNOWN || term == LOG_TERM_UNKNOWN ||
           term == LOG_TERM_ABSENT;
}
