/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Freelist, as boltdb/bolt's freelist.go and the array type of etcd-io/bbolt have it: one sorted
 * array of page numbers, first fit by a walk from its beginning, a merge whenever pages are
 * released. It is not differential: it is written as a whole by every transaction, which is what
 * makes a file that once was large slow for ever.
 *
 * The array is kept with room in front, so that taking from the beginning moves nothing; that is
 * for the speed of the simulator only, no result depends on it. bbolt's other type, a hash map of
 * spans, finds a run faster, and writes exactly the same list: it is deliberately not here. */
#include "freelist.h"

#include <assert.h>

#define CAPACITY_MIN 512

void freelist_init(struct freelist *list, struct sq_env *env)
{
    *list = (struct freelist){.env = env};
}

void freelist_release(struct freelist *list)
{
    struct sq_env *env = list->env;
    env->mem->free(env, list->ids);
    env->mem->free(env, list->pending);
    env->mem->free(env, list->scratch);
    *list = (struct freelist){.env = env};
}

/* ------------------------------------------------------------------------------------- taking */

/* Takes `pages` ids out at `place`, moving whichever side is shorter. */
static void cut_out(struct freelist *list, size_t place, size_t pages)
{
    uint64_t *ids = list->ids + list->head;
    size_t behind = list->count - place - pages;
    if (place < behind) {
        memmove(ids + pages, ids, place * sizeof(*ids));
        list->head += pages;
    } else {
        memmove(ids + place, ids + place + pages, behind * sizeof(*ids));
    }
    list->count -= pages;
}

uint64_t freelist_take(struct freelist *list, uint64_t pages)
{
    assert(pages > 0);
    const uint64_t *ids = list->ids + list->head;
    size_t start = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (i > start && ids[i] != ids[i - 1] + 1) {
            start = i;
        }
        if (i - start + 1 == pages) {
            uint64_t page = ids[start];
            cut_out(list, start, pages);
            return page;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------- giving */

void freelist_put(struct freelist *list, uint64_t page, uint64_t pages, uint64_t transaction)
{
    struct sq_env *env = list->env;
    assert(list->pending_count == 0 ||
           list->pending[list->pending_count - 1].transaction <= transaction);
    if (list->pending_count + pages > list->pending_capacity) {
        size_t capacity =
            list->pending_capacity < CAPACITY_MIN ? CAPACITY_MIN : list->pending_capacity * 2;
        while (capacity < list->pending_count + pages) {
            capacity *= 2;
        }
        list->pending = env->mem->realloc(env, list->pending, capacity * sizeof(*list->pending));
        list->pending_capacity = capacity;
    }
    for (uint64_t i = 0; i < pages; i++) {
        list->pending[list->pending_count++] = (struct freelist_pending){page + i, transaction};
    }
}

/* Merges the sorted halves [from, middle) and [middle, to) into `target`. */
static void merge(const uint64_t *ids, size_t from, size_t middle, size_t to, uint64_t *target)
{
    size_t left = from;
    size_t right = middle;
    for (size_t i = from; i < to; i++) {
        bool is_left = left < middle && (right >= to || ids[left] < ids[right]);
        target[i] = is_left ? ids[left++] : ids[right++];
    }
}

static bool is_sorted(const uint64_t *ids, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (ids[i - 1] >= ids[i]) {
            return false;
        }
    }
    return true;
}

/* Sorts ids[0 .. count), with as much room behind them. */
static void sort(uint64_t *ids, size_t count)
{
    if (is_sorted(ids, count)) {
        return;
    }
    uint64_t *from = ids;
    uint64_t *to = ids + count;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t middle = at + width < count ? at + width : count;
            size_t end = at + 2 * width < count ? at + 2 * width : count;
            merge(from, at, middle, end, to);
        }
        uint64_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != ids) {
        memcpy(ids, from, count * sizeof(*ids));
    }
}

/* The first `count` pending ids, sorted; good until the next call. */
static uint64_t *sorted_pending(struct freelist *list, size_t count)
{
    struct sq_env *env = list->env;
    if (list->scratch_capacity < 2 * count) {
        list->scratch_capacity = 2 * count < CAPACITY_MIN ? CAPACITY_MIN : 4 * count;
        env->mem->free(env, list->scratch);
        list->scratch = env->mem->alloc(env, list->scratch_capacity * sizeof(*list->scratch));
    }
    for (size_t i = 0; i < count; i++) {
        list->scratch[i] = list->pending[i].page;
    }
    sort(list->scratch, count);
    return list->scratch;
}

/* Room for `more` ids behind the last. */
static void reserve(struct freelist *list, size_t more)
{
    struct sq_env *env = list->env;
    if (list->head + list->count + more <= list->capacity) {
        return;
    }
    size_t capacity = list->capacity < CAPACITY_MIN ? CAPACITY_MIN : list->capacity;
    while (capacity < list->count + more || capacity - list->count - more < capacity / 8) {
        capacity *= 2;
    }
    if (capacity > list->capacity) {
        uint64_t *ids = env->mem->alloc(env, capacity * sizeof(*ids));
        if (list->count > 0) {
            memcpy(ids, list->ids + list->head, list->count * sizeof(*ids));
        }
        env->mem->free(env, list->ids);
        list->ids = ids;
        list->capacity = capacity;
    } else {
        memmove(list->ids, list->ids + list->head, list->count * sizeof(*list->ids));
    }
    list->head = 0;
}

/* How many of the first `count` ids are less than `page`. */
static size_t lower(const uint64_t *ids, size_t count, uint64_t page)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (ids[middle] < page) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

void freelist_settle(struct freelist *list, uint64_t transaction)
{
    size_t count = 0;
    while (count < list->pending_count && list->pending[count].transaction <= transaction) {
        count++;
    }
    if (count == 0) {
        return;
    }
    const uint64_t *released = sorted_pending(list, count);
    reserve(list, count);
    uint64_t *ids = list->ids + list->head;
    size_t left = list->count;
    size_t end = list->count + count;
    for (size_t i = count; i > 0; i--) {
        size_t place = lower(ids, left, released[i - 1]);
        assert(place == left || ids[place] != released[i - 1]);
        size_t moved = left - place;
        end -= moved;
        memmove(ids + end, ids + place, moved * sizeof(*ids));
        ids[--end] = released[i - 1];
        left = place;
    }
    assert(end == left);
    list->count += count;
    list->pending_count -= count;
    memmove(list->pending, list->pending + count, list->pending_count * sizeof(*list->pending));
}

void freelist_add(struct freelist *list, uint64_t page)
{
    assert(list->count == 0 || list->ids[list->head + list->count - 1] < page);
    reserve(list, 1);
    list->ids[list->head + list->count++] = page;
}

/* -------------------------------------------------------------------------------------- bytes */

size_t freelist_bytes(const struct freelist *list)
{
    size_t count = freelist_count(list);
    return (count + (count >= FREELIST_COUNT_WIDE)) * sizeof(uint64_t);
}

void freelist_write(struct freelist *list, uint8_t *at)
{
    uint64_t count = freelist_count(list);
    const uint64_t *pending = sorted_pending(list, list->pending_count);
    const uint64_t *ids = list->ids + list->head;
    size_t done = 0;
    if (count >= FREELIST_COUNT_WIDE) {
        memcpy(at, &count, sizeof(count));
        at += sizeof(count);
    }
    for (size_t i = 0; i <= list->pending_count; i++) {
        bool is_end = i == list->pending_count;
        size_t place =
            is_end ? list->count : done + lower(ids + done, list->count - done, pending[i]);
        if (place > done) {
            memcpy(at, ids + done, (place - done) * sizeof(*ids));
            at += (place - done) * sizeof(*ids);
        }
        if (!is_end) {
            memcpy(at, &pending[i], sizeof(*pending));
            at += sizeof(*pending);
        }
        done = place;
    }
}

bool freelist_read(struct freelist *list, const uint8_t *at, size_t count)
{
    reserve(list, count);
    uint64_t *ids = list->ids + list->head;
    if (count > 0) {
        memcpy(ids, at, count * sizeof(*ids));
    }
    list->count = count;
    return is_sorted(ids, count);
}
