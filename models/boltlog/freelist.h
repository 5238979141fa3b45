/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Freelist: the pages of a file that nothing refers to. A page that a transaction frees is pending
 * until no reader can see a state from before that transaction; then it is free and may be handed
 * out again. The list keeps no disk: it is written and read as bytes. */
#ifndef SQUALL_MODELS_BOLTLOG_FREELIST_H
#define SQUALL_MODELS_BOLTLOG_FREELIST_H

#include "squall.h"

/* From this many on the count does not fit into the page's header and takes a slot of its own. */
#define FREELIST_COUNT_WIDE 0xFFFF

struct freelist_pending {
    uint64_t page;
    uint64_t transaction; /* that freed it */
};

struct freelist {
    struct sq_env *env;
    uint64_t *ids; /* of `capacity`; the free pages are ids[head .. head + count), ascending */
    size_t head;
    size_t count;
    size_t capacity;
    struct freelist_pending *pending; /* in order of transactions */
    size_t pending_count;
    size_t pending_capacity;
    uint64_t *scratch; /* sorted ids of what is being merged */
    size_t scratch_capacity;
};

void freelist_init(struct freelist *list, struct sq_env *env);
void freelist_release(struct freelist *list);

/* Takes `pages` (> 0) contiguous pages: the first place where so many lie side by side, found by
 * walking through the list. 0: there is none. */
uint64_t freelist_take(struct freelist *list, uint64_t pages);
/* `pages` pages from `page` on are pending for `transaction`, which is not before those of earlier
 * calls. */
void freelist_put(struct freelist *list, uint64_t page, uint64_t pages, uint64_t transaction);
/* What transactions up to this one have freed may be handed out from now on. */
void freelist_settle(struct freelist *list, uint64_t transaction);
/* For a list that is made by a scan: `page` is free. Pages come in ascending order. */
void freelist_add(struct freelist *list, uint64_t page);

/* Free and pending pages. */
static inline size_t freelist_count(const struct freelist *list)
{
    return list->count + list->pending_count;
}

/* Bytes of the list when it is written, without the page's header: 8 for each page, free and
 * pending alike (after a crash there are no readers), and 8 for a wide count. */
size_t freelist_bytes(const struct freelist *list);
/* Writes freelist_bytes bytes: all pages in one ascending list. */
void freelist_write(struct freelist *list, uint8_t *at);
/* Reads `count` ids; false when they are not ascending. */
bool freelist_read(struct freelist *list, const uint8_t *at, size_t count);

#endif
