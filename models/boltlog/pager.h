/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pager: the pages of one file: reads them, hands out and takes back their numbers, and collects
 * what a transaction has to write. Layout of a page's header (16 bytes, little-endian): u64 its
 * number, u8 kind, u8 level (0 in a leaf), u16 count of items, u32 overflow: further pages that
 * belong to it and lie behind it. */
#ifndef SQUALL_MODELS_BOLTLOG_PAGER_H
#define SQUALL_MODELS_BOLTLOG_PAGER_H

#include "freelist.h"

#define PAGE_BYTES  4096
#define PAGE_HEADER 16

enum page_kind {
    PAGE_NONE,
    PAGE_META,
    PAGE_FREELIST,
    PAGE_BRANCH,
    PAGE_LEAF,
};

struct page_header {
    uint64_t page;
    enum page_kind kind;
    uint8_t level;
    uint16_t count;
    uint32_t overflow;
};

/* A run of pages that is to be written. */
struct pager_write {
    uint64_t page;
    uint8_t *image; /* env->mem, the pager's */
    uint64_t pages;
};

struct pager {
    struct sq_env *env;
    sq_file file;
    struct freelist free;
    uint64_t end;         /* number of pages: the first one that was never used */
    uint64_t transaction; /* the one that is open, or the last */
    struct pager_write *writes;
    size_t write_count;
    size_t write_capacity;
    uint64_t written_bytes; /* by flushes, since the caller set it to 0 */
};

void pager_init(struct pager *pager, struct sq_env *env, sq_file file);
void pager_release(struct pager *pager);

/* Reads a page and its overflow; *image is env->mem and the caller's. SQ_E_INVALID: what lies there
 * is not page `page` of the tree. */
enum sq_status pager_read(struct pager *pager, uint64_t page, struct page_header *header,
                          uint8_t **image);
/* The header alone. */
enum sq_status pager_read_header(struct pager *pager, uint64_t page, struct page_header *header);

/* A run of free pages, or new ones at the end of the file. */
uint64_t pager_take(struct pager *pager, uint64_t pages);
/* The open transaction frees them. */
void pager_put(struct pager *pager, uint64_t page, uint64_t pages);

/* Zeroed bytes for `pages` pages from `page` on, with the header written; the pager keeps them
 * until the next flush. */
uint8_t *pager_stage(struct pager *pager, const struct page_header *header);
/* Writes all that is staged, in order of pages, each run by a write of its own. */
enum sq_status pager_flush(struct pager *pager);
/* Forgets what is staged. */
void pager_drop(struct pager *pager);

#endif
