/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One doubly linked list; whoever is next is at its front. Fifo and CoDel append at the back, lifo
 * puts in front. Deadlines are kept in order by walking from the back: callers with one time-out
 * send requests whose deadlines grow, so the walk is short.
 *
 * CoDel is the pseudocode of RFC 8289, section 5, with requests for packets: it begins to drop when
 * every request of a whole interval has waited longer than the target, drops faster and faster
 * (interval / sqrt(count)) until one waits less, and never drops the last one that waits. */
#include "queue.h"

#include <assert.h>

static void link_after(struct queue *queue, struct job *before, struct job *job)
{
    job->previous = before;
    job->next = before != NULL ? before->next : queue->first;
    if (job->previous != NULL) {
        job->previous->next = job;
    } else {
        queue->first = job;
    }
    if (job->next != NULL) {
        job->next->previous = job;
    } else {
        queue->last = job;
    }
    job->is_queued = true;
    queue->count++;
}

void queue_put(struct queue *queue, struct job *job)
{
    assert(!job->is_queued);
    struct job *before = queue->last;
    if (queue->discipline == DISCIPLINE_LIFO) {
        before = NULL;
    } else if (queue->discipline == DISCIPLINE_DEADLINE) {
        while (before != NULL && before->deadline > job->deadline) {
            before = before->previous;
        }
    }
    link_after(queue, before, job);
}

void queue_remove(struct queue *queue, struct job *job)
{
    assert(job->is_queued);
    if (job->previous != NULL) {
        job->previous->next = job->next;
    } else {
        queue->first = job->next;
    }
    if (job->next != NULL) {
        job->next->previous = job->previous;
    } else {
        queue->last = job->previous;
    }
    job->next = NULL;
    job->previous = NULL;
    job->is_queued = false;
    queue->count--;
}

struct job *queue_oldest(const struct queue *queue)
{
    return queue->discipline == DISCIPLINE_LIFO ? queue->last : queue->first;
}

static struct job *take_first(struct queue *queue)
{
    struct job *job = queue->first;
    if (job != NULL) {
        queue_remove(queue, job);
    }
    return job;
}

static void drop(struct job *job, struct job ***end)
{
    job->next = NULL;
    **end = job;
    *end = &job->next;
}

bool queue_is_expired(const struct queue *queue, const struct job *job, sq_time now)
{
    return job->deadline != INT64_MAX && job->deadline - queue->slack <= now;
}

/* The first that has not expired. */
static struct job *take_live(struct queue *queue, sq_time now, struct job ***end)
{
    const bool drops = queue->drops_expired || queue->discipline == DISCIPLINE_DEADLINE;
    struct job *job = take_first(queue);
    while (drops && job != NULL && queue_is_expired(queue, job, now)) {
        drop(job, end);
        job = take_first(queue);
    }
    return job;
}

/* ---------------------------------------------------------------------------------------- codel */

/* Floor of the square root. */
static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

/* `from` + interval / sqrt(count). */
static sq_time control_law(const struct codel *codel, sq_time from)
{
    const uint64_t root_q16 = square_root((uint64_t)codel->count << 32);
    return from + (sq_time)(((unsigned __int128)(uint64_t)codel->interval << 16) / root_q16);
}

/* dodequeue of the RFC: the next job, and may it be dropped? */
static struct job *codel_next(struct queue *queue, sq_time now, struct job ***end, bool *may_drop)
{
    struct codel *codel = &queue->codel;
    struct job *job = take_live(queue, now, end);
    *may_drop = false;
    if (job == NULL || now - job->arrived < codel->target || queue->count == 0) {
        codel->first_above = 0;
    } else if (codel->first_above == 0) {
        codel->first_above = now + codel->interval;
    } else {
        *may_drop = now >= codel->first_above;
    }
    return job;
}

static void codel_begin(struct codel *codel, sq_time now)
{
    codel->is_dropping = true;
    const uint32_t delta = codel->count - codel->last_count;
    const bool is_recent = now - codel->drop_next < 16 * codel->interval;
    codel->count = delta > 1 && is_recent ? delta : 1;
    codel->drop_next = control_law(codel, now);
    codel->last_count = codel->count;
}

static struct job *codel_take(struct queue *queue, sq_time now, struct job ***end)
{
    struct codel *codel = &queue->codel;
    bool may_drop;
    struct job *job = codel_next(queue, now, end, &may_drop);
    if (!codel->is_dropping) {
        if (may_drop) {
            drop(job, end);
            job = codel_next(queue, now, end, &may_drop);
            codel_begin(codel, now);
        }
        return job;
    }
    codel->is_dropping = may_drop;
    while (codel->is_dropping && now >= codel->drop_next) {
        drop(job, end);
        codel->count++;
        job = codel_next(queue, now, end, &may_drop);
        codel->is_dropping = may_drop;
        if (may_drop) {
            codel->drop_next = control_law(codel, codel->drop_next);
        }
    }
    return job;
}

struct job *queue_take(struct queue *queue, sq_time now, struct job **dropped)
{
    *dropped = NULL;
    struct job **end = dropped;
    if (queue->discipline == DISCIPLINE_CODEL) {
        return codel_take(queue, now, &end);
    }
    return take_live(queue, now, &end);
}
