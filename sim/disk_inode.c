/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One image and a list of undo records instead of two images. A write saves the old bytes under
 * it and puts the new ones in their place; a sync forgets records and copies nothing, so it
 * costs the same for one dirty page and for a thousand. Only a power loss, which is rare, walks
 * the records: backwards, undoing one after the other, until the image is the durable one. In
 * between it passes through every state the page cache ever had, which is exactly what is needed
 * to say what each sector may hold (see disk_power.c).
 *
 * Records lie one behind the other in one block per inode. Nearly always a sync covers all of
 * them: then the block is empty again and the next write reuses the same warm bytes. A sync that
 * ends while later writes are unsynced drops records from the front only.
 *
 * A truncation does not copy what it cuts off: whole pages move into its record and come back
 * when it is undone. An append has no old bytes to save, only its place. Bytes behind the end of
 * a file are always zero, so extending a file needs no clearing and undoing an extension is
 * clearing.
 *
 * A page written as a whole with nothing but zeros behind its first bytes is kept short (see
 * disk_pool.h), and becomes an ordinary page when anything else is done to it. That is for memory
 * only: nobody can tell from the outside.
 *
 * There is no timer that writes dirty pages back. Only a file whose undo records grow beyond
 * DISK_UNDO_BYTES_MAX has its oldest operations written back, as a kernel does under memory
 * pressure; a program that never syncs, or a disk that lies about syncs, would otherwise eat the
 * machine. */
#include "sim/disk_inode.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <string.h>

#define SLOTS_MAX (UINT32_C(1) << 24)
/* A free slot keeps blocks up to this size for its next file. */
#define KEPT_BYTES_MAX ((size_t)64 << 10)
#define FIRST_EPOCH    1

static_assert(offsetof(struct disk_undo, payload) % 8 == 0, "page pointers in records are aligned");

static const uint8_t zeros[DISK_PAGE_BYTES];

/* A range cut at page boundaries, part by part. */
struct part {
    uint64_t index; /* of the page */
    size_t at;      /* offset in the page */
    size_t size;
};

static inline struct part part_of(uint64_t offset, size_t left)
{
    size_t at = (size_t)(offset % DISK_PAGE_BYTES);
    size_t room = DISK_PAGE_BYTES - at;
    return (struct part){offset / DISK_PAGE_BYTES, at, left < room ? left : room};
}

static struct disk_page **pages_of(const struct disk_inode *inode)
{
    return inode->pages.data;
}

static uint64_t pages_up_to(uint64_t size)
{
    return (size + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES;
}

/* ------------------------------------------------------------------------------------------------
 * the table */

void disk_inode_table_init(struct disk_inode_table *table, struct disk_pool *pool)
{
    ASSERT(table != NULL);
    ASSERT(pool != NULL);
    *table = (struct disk_inode_table){.pool = pool, .epoch = FIRST_EPOCH};
    vec_init(&table->slots, sizeof(struct disk_inode *), SLOTS_MAX);
}

void disk_inode_table_release(struct disk_inode_table *table)
{
    ASSERT(table != NULL);
    vec_release(&table->slots);
    *table = (struct disk_inode_table){0};
}

static void count_pages(struct disk_inode_table *table, struct disk_inode *inode, int64_t delta)
{
    inode->page_count += (uint64_t)delta;
    if (inode->users > 0) {
        table->used_pages += (uint64_t)delta;
    }
    ASSERT(inode->page_count <= inode->page_limit);
}

static struct disk_page **record_pages(struct disk_undo *undo)
{
    return (struct disk_page **)(void *)(undo->payload + (((size_t)undo->saved + 7) & ~(size_t)7));
}

static void free_record_pages(struct disk_inode_table *table, struct disk_undo *undo)
{
    struct disk_page **pages = record_pages(undo);
    for (uint32_t i = 0; i < undo->page_count; i++) {
        if (pages[i] != NULL) {
            disk_pool_page_free(table->pool, pages[i]);
        }
    }
}

static void free_inode(struct disk_inode_table *table, struct disk_inode *inode)
{
    ASSERT(inode->is_live);
    disk_inode_settle(table, inode, inode->sequence);
    struct disk_page **pages = pages_of(inode);
    for (uint64_t i = 0; i < inode->page_limit; i++) {
        if (pages[i] != NULL) {
            disk_pool_page_free(table->pool, pages[i]);
        }
    }
    if (inode->users > 0) {
        table->used_pages -= inode->page_count;
    }
    if (inode->pages.capacity > KEPT_BYTES_MAX) {
        disk_pool_block_free(table->pool, &inode->pages);
    }
    if (inode->undo.capacity > KEPT_BYTES_MAX) {
        disk_pool_block_free(table->pool, &inode->undo);
    }
    inode->is_live = false;
    inode->next_free = table->free;
    table->free = inode;
}

void disk_inode_table_reset(struct disk_inode_table *table)
{
    ASSERT(table != NULL);
    for (uint32_t i = 0; i < table->slot_count; i++) {
        struct disk_inode *inode = *(struct disk_inode **)vec_at(&table->slots, i);
        if (inode->is_live) {
            free_inode(table, inode);
        }
    }
    ASSERT(table->used_pages == 0);
    table->free = NULL;
    table->slot_count = 0;
    table->epoch = FIRST_EPOCH;
}

struct disk_inode *disk_inode_new(struct disk_inode_table *table, const char *label)
{
    ASSERT(table != NULL);
    struct disk_inode *inode = table->free;
    if (inode != NULL) {
        table->free = inode->next_free;
    } else if (table->slot_count < table->slots.count) {
        inode = *(struct disk_inode **)vec_at(&table->slots, table->slot_count);
        table->slot_count++;
    } else {
        inode = arena_alloc(&table->pool->arena, sizeof(*inode));
        vec_append(&table->slots, &inode);
        table->slot_count++;
    }
    ASSERT(!inode->is_live);
    struct disk_block pages = inode->pages;
    struct disk_block undo = inode->undo;
    memset(inode, 0, offsetof(struct disk_inode, label));
    inode->pages = pages;
    inode->undo = undo;
    inode->is_live = true;
    disk_inode_relabel(inode, label);
    return inode;
}

void disk_inode_use(struct disk_inode_table *table, struct disk_inode *inode)
{
    ASSERT(inode->is_live);
    if (inode->users == 0) {
        table->used_pages += inode->page_count;
    }
    inode->users++;
}

void disk_inode_reference(struct disk_inode *inode)
{
    ASSERT(inode->is_live);
    inode->references++;
}

void disk_inode_unuse(struct disk_inode_table *table, struct disk_inode *inode)
{
    ASSERT(inode->users > 0);
    inode->users--;
    if (inode->users == 0) {
        ASSERT(table->used_pages >= inode->page_count);
        table->used_pages -= inode->page_count;
        if (inode->references == 0) {
            free_inode(table, inode);
        }
    }
}

void disk_inode_unreference(struct disk_inode_table *table, struct disk_inode *inode)
{
    ASSERT(inode->references > 0);
    inode->references--;
    if (inode->references == 0 && inode->users == 0) {
        free_inode(table, inode);
    }
}

void disk_inode_relabel(struct disk_inode *inode, const char *label)
{
    size_t length = strlen(label);
    ASSERT(length <= DISK_NAME_BYTES_MAX);
    memcpy(inode->label, label, length + 1);
}

/* ------------------------------------------------------------------------------------------------
 * undo records */

static void drop_first(struct disk_inode_table *table, struct disk_inode *inode)
{
    ASSERT(inode->undo_count > 0);
    struct disk_undo *undo = disk_inode_first(inode);
    if (undo->page_count > 0) {
        free_record_pages(table, undo);
        inode->undo_holders--;
    }
    inode->undo_head += undo->size_bytes;
    inode->undo_count--;
}

void disk_inode_settle(struct disk_inode_table *table, struct disk_inode *inode, uint64_t frontier)
{
    ASSERT(inode->is_live);
    ASSERT(frontier <= inode->sequence);
    if (frontier == inode->sequence && inode->undo_holders == 0) {
        inode->undo_count = 0;
    }
    while (inode->undo_count > 0 && inode->sequence - inode->undo_count < frontier) {
        drop_first(table, inode);
    }
    if (inode->undo_count == 0) {
        inode->undo_head = 0;
        inode->undo_tail = 0;
        inode->undo_last = 0;
    }
}

/* Room for `need` bytes behind the tail: by writing back the oldest operations when there are
 * too many, by moving the records to the front of a block that is at least half empty, or with a
 * larger block. */
static void make_undo_room(struct disk_inode_table *table, struct disk_inode *inode, size_t need)
{
    size_t used = inode->undo_tail - inode->undo_head;
    if (used + need > DISK_UNDO_BYTES_MAX) {
        while (inode->undo_count > 0 && used + need > DISK_UNDO_BYTES_MAX / 2) {
            drop_first(table, inode);
            used = inode->undo_tail - inode->undo_head;
        }
    }
    uint8_t *data = inode->undo.data;
    if (inode->undo_head > 0) {
        memmove(data, data + inode->undo_head, used);
        inode->undo_head = 0;
        inode->undo_tail = used;
    }
    if (used + need > inode->undo.capacity / 2) {
        disk_pool_reserve(table->pool, &inode->undo, used, 2 * (used + need));
    }
}

/* A new record for an operation that saves `saved` bytes and holds `page_count` pages. */
static struct disk_undo *push_undo(struct disk_inode_table *table, struct disk_inode *inode,
                                   enum disk_undo_kind kind, size_t saved, size_t page_count)
{
    size_t size = sizeof(struct disk_undo) + ((saved + 7) & ~(size_t)7);
    size += page_count * sizeof(struct disk_page *);
    ASSERT(size <= UINT32_MAX);
    if (inode->undo.capacity - inode->undo_tail < size || inode->undo_tail > DISK_UNDO_BYTES_MAX) {
        make_undo_room(table, inode, size);
    }
    struct disk_undo *undo =
        (struct disk_undo *)(void *)((uint8_t *)inode->undo.data + inode->undo_tail);
    undo->old_size = inode->size;
    undo->saved = (uint32_t)saved;
    undo->page_count = (uint32_t)page_count;
    undo->size_bytes = (uint32_t)size;
    undo->previous_bytes = inode->undo_last;
    undo->kind = (uint16_t)kind;
    inode->undo_tail += size;
    inode->undo_last = (uint32_t)size;
    inode->undo_count++;
    inode->undo_holders += page_count > 0 ? 1 : 0;
    inode->sequence++;
    return undo;
}

struct disk_undo *disk_inode_last(const struct disk_inode *inode)
{
    if (inode->undo_count == 0) {
        return NULL;
    }
    ASSERT(inode->undo_tail >= inode->undo_head + inode->undo_last);
    return (struct disk_undo *)(void *)((uint8_t *)inode->undo.data + inode->undo_tail -
                                        inode->undo_last);
}

void disk_inode_page_bytes(const struct disk_page *page, void *data, size_t at, size_t size)
{
    size_t there = page == NULL ? 0 : page->is_short ? DISK_SHORT_BYTES : DISK_PAGE_BYTES;
    there = there < at ? 0 : there - at;
    there = there < size ? there : size;
    if (there > 0) {
        memcpy(data, page->data + at, there);
    }
    memset((uint8_t *)data + there, 0, size - there);
}

/* The page `index`, which is there, in full length. */
static struct disk_page *full_page(struct disk_inode_table *table, const struct disk_inode *inode,
                                   uint64_t index)
{
    struct disk_page *page = disk_inode_page(inode, index);
    ASSERT(page != NULL);
    if (page->is_short) {
        struct disk_page *full = disk_pool_page(table->pool);
        disk_inode_page_bytes(page, full->data, 0, DISK_PAGE_BYTES);
        full->epoch = page->epoch;
        pages_of(inode)[index] = full;
        disk_pool_page_free(table->pool, page);
        page = full;
    }
    return page;
}

static void undo_write(struct disk_inode_table *table, const struct disk_inode *inode,
                       const struct disk_undo *undo)
{
    uint64_t offset = undo->offset;
    size_t left = undo->length;
    size_t saved_left = undo->saved;
    const uint8_t *saved = undo->payload;
    while (left > 0) {
        struct part part = part_of(offset, left);
        struct disk_page *page = full_page(table, inode, part.index);
        size_t kept = saved_left < part.size ? saved_left : part.size;
        memcpy(page->data + part.at, saved, kept);
        memset(page->data + part.at + kept, 0, part.size - kept);
        saved += kept;
        saved_left -= kept;
        left -= part.size;
        offset += part.size;
    }
    ASSERT(saved_left == 0);
}

/* Makes entries up to `limit` exist. */
static void reserve_pages(struct disk_inode_table *table, struct disk_inode *inode, uint64_t limit)
{
    if (limit <= inode->page_limit) {
        return;
    }
    size_t used = (size_t)inode->page_limit * sizeof(struct disk_page *);
    size_t need = (size_t)limit * sizeof(struct disk_page *);
    disk_pool_reserve(table->pool, &inode->pages, used, need);
    memset((uint8_t *)inode->pages.data + used, 0, need - used);
    inode->page_limit = limit;
}

static void undo_truncate(struct disk_inode_table *table, struct disk_inode *inode,
                          struct disk_undo *undo)
{
    uint64_t first = pages_up_to(undo->offset);
    struct disk_page **held = record_pages(undo);
    if (undo->page_count > 0) {
        reserve_pages(table, inode, first + undo->page_count);
        inode->undo_holders--;
    }
    for (uint32_t i = 0; i < undo->page_count; i++) {
        struct disk_page **place = &pages_of(inode)[first + i];
        int64_t delta = held[i] != NULL ? 1 : 0;
        if (*place != NULL) {
            /* Left by a later write that has been undone: all zeros. */
            disk_pool_page_free(table->pool, *place);
            delta--;
        }
        *place = held[i];
        count_pages(table, inode, delta);
    }
    if (undo->saved > 0) {
        struct part part = part_of(undo->offset, undo->saved);
        ASSERT(part.size == undo->saved);
        struct disk_page *page = full_page(table, inode, part.index);
        memcpy(page->data + part.at, undo->payload, part.size);
    }
}

void disk_inode_undo_last(struct disk_inode_table *table, struct disk_inode *inode)
{
    struct disk_undo *undo = disk_inode_last(inode);
    ASSERT(undo != NULL);
    switch ((enum disk_undo_kind)undo->kind) {
    case DISK_UNDO_WRITE:
        undo_write(table, inode, undo);
        break;
    case DISK_UNDO_TRUNCATE:
        undo_truncate(table, inode, undo);
        break;
    }
    inode->size = undo->old_size;
    inode->undo_tail -= undo->size_bytes;
    inode->undo_last = undo->previous_bytes;
    inode->undo_count--;
    inode->sequence--;
    if (inode->undo_count == 0) {
        ASSERT(inode->undo_tail == inode->undo_head);
        inode->undo_head = 0;
        inode->undo_tail = 0;
        inode->undo_last = 0;
    }
}

/* ------------------------------------------------------------------------------------------------
 * content */

uint64_t disk_inode_missing_pages(const struct disk_inode *inode, uint64_t offset, size_t size)
{
    ASSERT(size > 0);
    uint64_t end = pages_up_to(offset + size);
    uint64_t missing = 0;
    for (uint64_t index = offset / DISK_PAGE_BYTES; index < end; index++) {
        missing += disk_inode_page(inode, index) == NULL ? 1 : 0;
    }
    return missing;
}

static struct disk_page *add_page(struct disk_inode_table *table, struct disk_inode *inode,
                                  uint64_t index)
{
    ASSERT(index < inode->page_limit);
    struct disk_page *page = disk_pool_page(table->pool);
    pages_of(inode)[index] = page;
    count_pages(table, inode, 1);
    return page;
}

/* Is a whole page nothing but zeros behind its first bytes? Most that are not end with something:
 * SQLite fills its pages from the end. */
static bool fits_short(const uint8_t *page)
{
    return page[DISK_PAGE_BYTES - 1] == 0 && page[DISK_SHORT_BYTES] == 0 &&
           memcmp(page + DISK_SHORT_BYTES, zeros, DISK_PAGE_BYTES - DISK_SHORT_BYTES) == 0;
}

/* Puts part.size bytes into a page, which they may make, and which is in the page cache then. */
static void write_part(struct disk_inode_table *table, struct disk_inode *inode, struct part part,
                       const uint8_t *from)
{
    struct disk_page *page = pages_of(inode)[part.index];
    bool is_whole = part.size == DISK_PAGE_BYTES;
    bool is_short = is_whole && fits_short(from);
    if (page != NULL && is_whole && page->is_short != is_short) {
        disk_pool_page_free(table->pool, page);
        page = is_short ? disk_pool_page_short(table->pool) : disk_pool_page(table->pool);
        pages_of(inode)[part.index] = page;
    } else if (page != NULL) {
        page = is_whole || !page->is_short ? page : full_page(table, inode, part.index);
    } else {
        page = is_short ? disk_pool_page_short(table->pool) : disk_pool_page(table->pool);
        pages_of(inode)[part.index] = page;
        count_pages(table, inode, 1);
        if (!is_whole) {
            memset(page->data, 0, DISK_PAGE_BYTES);
        }
    }
    memcpy(page->data + part.at, from, is_short ? DISK_SHORT_BYTES : part.size);
    page->epoch = table->epoch;
}

void disk_inode_write(struct disk_inode_table *table, struct disk_inode *inode, const void *source,
                      size_t size, uint64_t offset)
{
    ASSERT(inode->is_live);
    ASSERT(size > 0);
    ASSERT(size <= UINT32_MAX);
    ASSERT(offset + size <= DISK_FILE_BYTES_MAX);
    uint64_t end = offset + size;
    uint64_t over = inode->size > offset ? inode->size - offset : 0;
    size_t saved_left = over < size ? (size_t)over : size;
    struct disk_undo *undo = push_undo(table, inode, DISK_UNDO_WRITE, saved_left, 0);
    undo->offset = offset;
    undo->length = (uint32_t)size;
    reserve_pages(table, inode, pages_up_to(end));
    const uint8_t *from = source;
    uint8_t *saved = undo->payload;
    while (size > 0) {
        struct part part = part_of(offset, size);
        size_t kept = saved_left < part.size ? saved_left : part.size;
        if (kept > 0) {
            disk_inode_page_bytes(pages_of(inode)[part.index], saved, part.at, kept);
        }
        write_part(table, inode, part, from);
        saved += kept;
        saved_left -= kept;
        from += part.size;
        offset += part.size;
        size -= part.size;
    }
    inode->size = end > inode->size ? end : inode->size;
    inode->dirty_bytes += undo->length;
}

void disk_inode_truncate(struct disk_inode_table *table, struct disk_inode *inode, uint64_t size)
{
    ASSERT(inode->is_live);
    ASSERT(size <= DISK_FILE_BYTES_MAX);
    if (size == inode->size) {
        return;
    }
    uint64_t first = pages_up_to(size);
    size_t page_count = 0;
    size_t saved = 0;
    struct disk_page *partial = NULL;
    if (size < inode->size) {
        page_count = inode->page_limit > first ? (size_t)(inode->page_limit - first) : 0;
        partial = size % DISK_PAGE_BYTES != 0 ? disk_inode_page(inode, first - 1) : NULL;
        if (partial != NULL) {
            partial = full_page(table, inode, first - 1);
            saved = part_of(size, (size_t)(inode->size - size)).size;
        }
    }
    struct disk_undo *undo = push_undo(table, inode, DISK_UNDO_TRUNCATE, saved, page_count);
    undo->offset = size;
    undo->length = 0;
    if (partial != NULL) {
        uint8_t *tail = partial->data + size % DISK_PAGE_BYTES;
        memcpy(undo->payload, tail, saved);
        memset(tail, 0, saved);
        partial->epoch = table->epoch;
    }
    if (page_count > 0) {
        struct disk_page **held = record_pages(undo);
        memcpy(held, pages_of(inode) + first, page_count * sizeof(struct disk_page *));
        int64_t dropped = 0;
        for (size_t i = 0; i < page_count; i++) {
            dropped += held[i] != NULL ? 1 : 0;
        }
        count_pages(table, inode, -dropped);
        inode->page_limit = first;
    }
    inode->size = size;
}

/* Bytes of [offset, offset + size) that lie before the end of the file. */
static size_t clip(const struct disk_inode *inode, uint64_t offset, size_t size)
{
    uint64_t there = offset < inode->size ? inode->size - offset : 0;
    return there < size ? (size_t)there : size;
}

size_t disk_inode_read(const struct disk_inode *inode, void *data, size_t size, uint64_t offset)
{
    ASSERT(inode->is_live);
    size_t got = clip(inode, offset, size);
    uint8_t *to = data;
    for (size_t left = got; left > 0;) {
        struct part part = part_of(offset, left);
        disk_inode_page_bytes(disk_inode_page(inode, part.index), to, part.at, part.size);
        to += part.size;
        offset += part.size;
        left -= part.size;
    }
    return got;
}

static bool is_uncached(const struct disk_inode_table *table, const struct disk_page *page)
{
    return page != NULL && page->epoch != table->epoch;
}

uint64_t disk_inode_uncached_bytes(const struct disk_inode_table *table,
                                   const struct disk_inode *inode, uint64_t offset, size_t size)
{
    uint64_t bytes = 0;
    for (size_t left = clip(inode, offset, size); left > 0;) {
        struct part part = part_of(offset, left);
        bytes += is_uncached(table, disk_inode_page(inode, part.index)) ? part.size : 0;
        offset += part.size;
        left -= part.size;
    }
    return bytes;
}

uint64_t disk_inode_uncached_pages(const struct disk_inode_table *table,
                                   const struct disk_inode *inode, uint64_t offset, size_t size)
{
    size = clip(inode, offset, size);
    uint64_t count = 0;
    uint64_t end = pages_up_to(offset + size);
    for (uint64_t index = offset / DISK_PAGE_BYTES; size > 0 && index < end; index++) {
        count += is_uncached(table, disk_inode_page(inode, index)) ? 1 : 0;
    }
    return count;
}

void disk_inode_mark_cached(const struct disk_inode_table *table, struct disk_inode *inode,
                            uint64_t offset, size_t size)
{
    size = clip(inode, offset, size);
    uint64_t end = pages_up_to(offset + size);
    for (uint64_t index = offset / DISK_PAGE_BYTES; size > 0 && index < end; index++) {
        struct disk_page *page = disk_inode_page(inode, index);
        if (page != NULL) {
            page->epoch = table->epoch;
        }
    }
}

void disk_inode_flip(struct disk_inode_table *table, struct disk_inode *inode, uint64_t offset,
                     uint64_t bit)
{
    while (offset < inode->size) {
        struct part part = part_of(offset, clip(inode, offset, DISK_PAGE_BYTES));
        if (is_uncached(table, disk_inode_page(inode, part.index))) {
            if (bit < 8 * (uint64_t)part.size) {
                struct disk_page *page = full_page(table, inode, part.index);
                page->data[part.at + bit / 8] ^= (uint8_t)(1U << (bit % 8));
                return;
            }
            bit -= 8 * (uint64_t)part.size;
        }
        offset += part.size;
    }
    UNREACHABLE();
}

void disk_inode_patch(struct disk_inode_table *table, struct disk_inode *inode, const void *source,
                      size_t size, uint64_t offset)
{
    struct part part = part_of(offset, size);
    ASSERT(part.size == size);
    reserve_pages(table, inode, part.index + 1);
    struct disk_page *page = pages_of(inode)[part.index];
    if (page == NULL) {
        page = add_page(table, inode, part.index);
        memset(page->data, 0, DISK_PAGE_BYTES);
    }
    page = full_page(table, inode, part.index);
    memcpy(page->data + part.at, source, size);
}

void disk_inode_cut(struct disk_inode_table *table, struct disk_inode *inode, uint64_t size)
{
    uint64_t first = pages_up_to(size);
    if (size % DISK_PAGE_BYTES != 0) {
        size_t at = (size_t)(size % DISK_PAGE_BYTES);
        if (disk_inode_page(inode, first - 1) != NULL) {
            memset(full_page(table, inode, first - 1)->data + at, 0, DISK_PAGE_BYTES - at);
        }
    }
    while (inode->page_limit > first) {
        struct disk_page *page = pages_of(inode)[inode->page_limit - 1];
        if (page != NULL) {
            disk_pool_page_free(table->pool, page);
            count_pages(table, inode, -1);
        }
        inode->page_limit--;
    }
}

/* ------------------------------------------------------------------------------------------------
 * digest */

/* Undoes on a copy of the page `index` what the record did to it. */
static void undo_on_copy(uint8_t *copy, uint64_t index, struct disk_undo *undo)
{
    uint64_t start = index * DISK_PAGE_BYTES;
    uint64_t end = start + DISK_PAGE_BYTES;
    if (undo->kind == DISK_UNDO_TRUNCATE) {
        uint64_t first = pages_up_to(undo->offset);
        if (index >= first && index - first < undo->page_count) {
            disk_inode_page_bytes(record_pages(undo)[index - first], copy, 0, DISK_PAGE_BYTES);
        } else if (undo->saved > 0 && undo->offset / DISK_PAGE_BYTES == index) {
            memcpy(copy + undo->offset % DISK_PAGE_BYTES, undo->payload, undo->saved);
        }
        return;
    }
    uint64_t from = undo->offset > start ? undo->offset : start;
    uint64_t to = undo->offset + undo->length < end ? undo->offset + undo->length : end;
    for (uint64_t at = from; at < to; at++) {
        uint64_t saved_at = at - undo->offset;
        copy[at - start] = saved_at < undo->saved ? undo->payload[saved_at] : 0;
    }
}

uint64_t disk_inode_durable_digest(const struct disk_inode *inode)
{
    uint64_t size = inode->undo_count > 0 ? disk_inode_first(inode)->old_size : inode->size;
    uint64_t digest = hash_mix(size, 1);
    uint8_t copy[DISK_PAGE_BYTES];
    for (uint64_t index = 0; index < pages_up_to(size); index++) {
        disk_inode_page_bytes(disk_inode_page(inode, index), copy, 0, DISK_PAGE_BYTES);
        uint8_t *behind = (uint8_t *)inode->undo.data + inode->undo_tail;
        uint32_t step = inode->undo_last;
        for (uint32_t left = inode->undo_count; left > 0; left--) {
            behind -= step;
            struct disk_undo *undo = (struct disk_undo *)(void *)behind;
            undo_on_copy(copy, index, undo);
            step = undo->previous_bytes;
        }
        if (memcmp(copy, zeros, DISK_PAGE_BYTES) != 0) {
            digest = hash_mix(digest, index);
            digest = hash_mix(digest, hash_bytes(copy, DISK_PAGE_BYTES));
        }
    }
    return digest;
}
