/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tree: a copy-on-write B+tree of pages, from 64-bit keys to byte strings. A transaction changes
 * nodes in memory; tree_write puts every changed node, and every node above it, onto new pages and
 * frees the old ones, so the tree of the last commit is untouched until the new root is known.
 *
 * Items of a branch (24 bytes): u32 place of the key, u32 size of the key (8), u64 page; the key,
 * big-endian, lies behind all items. Items of a leaf (24 bytes and the value): u32 flags (0), u32
 * place of the key, u32 size of the key, u32 size of the value; key and value lie behind all items.
 * Places count from the item itself. All as in bolt, but for the header (pager.h). */
#ifndef SQUALL_MODELS_BOLTLOG_TREE_H
#define SQUALL_MODELS_BOLTLOG_TREE_H

#include "pager.h"

#define TREE_LEVELS_MAX 12
#define TREE_ITEM_BYTES 24 /* of a branch; of a leaf without its value */
#define TREE_VALUE_MAX  (UINT32_C(1) << 30)

struct tree_node;

struct tree_item {
    uint64_t key;
    uint64_t page;           /* branch: of the child; 0 while the child has none */
    struct tree_node *child; /* branch: when it is in memory */
    const uint8_t *value;    /* leaf */
    uint32_t size;
};

struct tree_node {
    struct tree_node *parent;
    struct tree_node *next; /* of the same level in this transaction */
    uint64_t key;           /* under which the parent has it */
    uint64_t page;          /* 0: on none */
    uint64_t pages;
    uint8_t level; /* 0: leaf */
    bool is_dirty;
    bool is_shrunk; /* may have become too small */
    bool is_gone;
    uint32_t count;
    uint32_t capacity;
    size_t bytes; /* on a page */
    struct tree_item *items;
    uint8_t *image; /* of the page that it was read from; values point into it */
};

/* The tree as the open transaction sees it. */
struct tree {
    struct pager *pager;
    struct tree_node *root;
    struct tree_node *levels[TREE_LEVELS_MAX]; /* nodes in memory, in order of their coming */
    struct tree_node *ends[TREE_LEVELS_MAX];
};

/* An empty tree is a leaf without items; this stages one and returns its page. */
uint64_t tree_make(struct pager *pager);
/* Reads the root. Any status but SQ_OK here and below: give the transaction up. SQ_E_INVALID: the
 * pages are not a tree. */
enum sq_status tree_begin(struct tree *tree, struct pager *pager, uint64_t root);
/* Adds or replaces; `value` must stay where it is until tree_write. */
enum sq_status tree_put(struct tree *tree, uint64_t key, const void *value, uint32_t size);
/* Removes all keys from `first` to `last`, and merges what has become too small. */
enum sq_status tree_remove(struct tree *tree, uint64_t first, uint64_t last);
/* Splits what has become too large and stages all that has changed; the page of the root. */
uint64_t tree_write(struct tree *tree);
void tree_drop(struct tree *tree);

/* Readers of a committed tree. */

struct tree_visit {
    /* Each page of the tree, a parent before its children. May be NULL. */
    void (*on_page)(void *context, const struct page_header *header);
    /* Each entry in ascending order; false ends the walk. May be NULL: then leaves are not read
     * but for their headers. */
    bool (*on_entry)(void *context, uint64_t key, const uint8_t *value, uint32_t size);
    void *context;
    uint64_t first; /* keys from here on (pages before it may be left out, too) */
};

enum sq_status tree_walk(struct pager *pager, uint64_t root, const struct tree_visit *visit);
/* The first or the last key; SQ_E_KEY_NOT_FOUND in an empty tree. */
enum sq_status tree_edge(struct pager *pager, uint64_t root, bool is_last, uint64_t *key);

#endif
