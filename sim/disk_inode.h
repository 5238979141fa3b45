/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inodes of a simulated disk: the content of files without their names. An inode is its cached
 * image, page by page, and the list of its unsynced operations, each with what it takes to undo
 * it. The durable image is the cached image with all of them undone; making operations durable
 * is forgetting how to undo them. */
#ifndef SQUALL_SIM_DISK_INODE_H
#define SQUALL_SIM_DISK_INODE_H

#include "sim/base/vec.h"
#include "sim/disk_pool.h"

#include <stdbool.h>

/* A file may not grow beyond this: a wild offset must not eat the machine's memory. */
#define DISK_FILE_BYTES_MAX (UINT64_C(1) << 34)
/* Undo records of one inode beyond this size are written back, oldest first, down to half of it. */
#define DISK_UNDO_BYTES_MAX ((size_t)16 << 20)
/* Longest name, without the NUL. */
#define DISK_NAME_BYTES_MAX 255

enum disk_undo_kind {
    DISK_UNDO_WRITE,
    DISK_UNDO_TRUNCATE,
};

/* What a power loss makes of an operation; private to disk_power. */
enum disk_fate {
    DISK_FATE_LOST,
    DISK_FATE_WHOLE,
    DISK_FATE_TORN,
};

/* One unsynced operation. The payload is `saved` bytes of old content from `offset` on (what lay
 * behind the old end of the file was zeros), and for a truncation, at the next multiple of 8,
 * `page_count` pointers to the pages that it cut off, from the first page wholly behind the new
 * end. */
struct disk_undo {
    uint64_t offset;   /* of a write; new size of a truncation */
    uint64_t old_size; /* of the file */
    uint64_t draw;     /* decides the fate and which sectors are torn */
    uint32_t length;   /* bytes written */
    uint32_t saved;
    uint32_t page_count;
    uint32_t size_bytes;     /* of this record; a multiple of 8 */
    uint32_t previous_bytes; /* size of the record before it, if there still is one */
    uint16_t kind;           /* enum disk_undo_kind */
    uint16_t fate;           /* enum disk_fate */
    uint8_t payload[];
};

struct disk_inode {
    uint64_t size; /* bytes; everything behind it in the last page is zero */
    struct disk_block pages;
    uint64_t page_limit; /* entries of `pages` that mean something; NULL is a hole */
    uint64_t page_count; /* that are not NULL */
    struct disk_block undo;
    size_t undo_head; /* bytes */
    size_t undo_tail;
    uint32_t undo_last;    /* size of the last record, bytes */
    uint32_t undo_count;   /* records */
    uint32_t undo_holders; /* records that hold pages */
    /* While there are users (open files, cached names) the space counts as used; references
     * (durable names, directory operations, syncs in flight) keep the inode alive too. */
    uint32_t users;
    uint32_t references;
    bool is_live;
    uint64_t sequence;    /* operations so far; the last undo_count of them are unsynced */
    uint64_t dirty_bytes; /* written since a sync last began */
    struct disk_inode *next_free;
    char label[DISK_NAME_BYTES_MAX + 1]; /* the last name it had */
};

struct disk_inode_table {
    struct disk_pool *pool;
    struct vec slots;    /* struct disk_inode *; they keep their blocks when they are free */
    uint32_t slot_count; /* slots handed out in this run */
    struct disk_inode *free;
    uint64_t used_pages;
    uint64_t epoch; /* pages with this epoch are in the page cache */
};

void disk_inode_table_init(struct disk_inode_table *table, struct disk_pool *pool);
void disk_inode_table_release(struct disk_inode_table *table);
/* Frees all inodes whatever refers to them; the next ones come in the order of a new table. */
void disk_inode_table_reset(struct disk_inode_table *table);

/* An empty file. It has no users and no references yet: the caller adds one at once. `label` as
 * long as a name. */
struct disk_inode *disk_inode_new(struct disk_inode_table *table, const char *label);
void disk_inode_use(struct disk_inode_table *table, struct disk_inode *inode);
void disk_inode_reference(struct disk_inode *inode);
/* These free the inode with the last one. */
void disk_inode_unuse(struct disk_inode_table *table, struct disk_inode *inode);
void disk_inode_unreference(struct disk_inode_table *table, struct disk_inode *inode);
void disk_inode_relabel(struct disk_inode *inode, const char *label);

/* Pages that a write would allocate. The range ends at or before DISK_FILE_BYTES_MAX, here and
 * below. */
uint64_t disk_inode_missing_pages(const struct disk_inode *inode, uint64_t offset, size_t size);
/* One operation; size 1 .. 2^32 - 1. */
void disk_inode_write(struct disk_inode_table *table, struct disk_inode *inode, const void *source,
                      size_t size, uint64_t offset);
/* One operation, or none when the size stays the same. */
void disk_inode_truncate(struct disk_inode_table *table, struct disk_inode *inode, uint64_t size);
/* Bytes [at, at + size) of a page, NULL for a hole. */
void disk_inode_page_bytes(const struct disk_page *page, void *data, size_t at, size_t size);
/* Copies what is there, and says how much that is. */
size_t disk_inode_read(const struct disk_inode *inode, void *data, size_t size, uint64_t offset);
/* Bytes of the range that lie in pages which are not in the page cache. */
uint64_t disk_inode_uncached_bytes(const struct disk_inode_table *table,
                                   const struct disk_inode *inode, uint64_t offset, size_t size);
/* How many pages of the range are not in the page cache. */
uint64_t disk_inode_uncached_pages(const struct disk_inode_table *table,
                                   const struct disk_inode *inode, uint64_t offset, size_t size);
/* Puts the pages of the range into the page cache. */
void disk_inode_mark_cached(const struct disk_inode_table *table, struct disk_inode *inode,
                            uint64_t offset, size_t size);
/* Flips a bit of the medium: the `bit`-th of those that disk_inode_uncached_bytes counted for
 * the range. */
void disk_inode_flip(struct disk_inode_table *table, struct disk_inode *inode, uint64_t offset,
                     uint64_t bit);

/* Makes all operations with a number below `frontier` (a value that `sequence` had) durable. */
void disk_inode_settle(struct disk_inode_table *table, struct disk_inode *inode, uint64_t frontier);
/* Undoes the last unsynced operation. */
void disk_inode_undo_last(struct disk_inode_table *table, struct disk_inode *inode);
/* The last unsynced operation, NULL if there is none. */
struct disk_undo *disk_inode_last(const struct disk_inode *inode);
/* Puts `size` bytes into a page without recording anything; allocates the page. For disk_power. */
void disk_inode_patch(struct disk_inode_table *table, struct disk_inode *inode, const void *source,
                      size_t size, uint64_t offset);
/* Zeroes everything from `size` on, without recording anything, and drops whole pages. For
 * disk_power. */
void disk_inode_cut(struct disk_inode_table *table, struct disk_inode *inode, uint64_t size);
/* Hash of the durable content; holes and pages of zeros are the same. Costs a copy of every
 * page. */
uint64_t disk_inode_durable_digest(const struct disk_inode *inode);

static inline struct disk_page *disk_inode_page(const struct disk_inode *inode, uint64_t index)
{
    return index < inode->page_limit ? ((struct disk_page **)inode->pages.data)[index] : NULL;
}

/* First of the unsynced operations, oldest first; valid when undo_count > 0. The next one is
 * size_bytes further. */
static inline struct disk_undo *disk_inode_first(const struct disk_inode *inode)
{
    return (struct disk_undo *)(void *)((uint8_t *)inode->undo.data + inode->undo_head);
}

static inline struct disk_undo *disk_undo_next(struct disk_undo *undo)
{
    return (struct disk_undo *)(void *)((uint8_t *)undo + undo->size_bytes);
}

#endif
