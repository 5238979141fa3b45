/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tree, after boltdb/bolt's node.go: nodes are read into memory as a transaction needs them; when
 * it is written, a node that lost items and is less than a quarter full joins a neighbour, and one
 * that is too large for a page is cut so that each piece but the last is half full; both go from
 * the leaves upwards.
 *
 * Two things differ from bolt. A leaf holds one item at least, where bolt wants two, so an entry
 * of nearly a page has a page to itself. And a leaf behind whose last item something is added that
 * does not fit is followed by a new leaf, where bolt adds first and splits afterwards, which writes
 * the full leaf once more: a log is only ever appended to, and here its leaves are full and not
 * half empty. Branches split in the middle as bolt's do. An entry larger than a page lies in a leaf
 * with overflow pages behind it, contiguous.
 *
 * Deliberately not here: keys of other sizes, nested buckets, cursors that change the tree. */
#include "tree.h"

#include <assert.h>

#include "../raft/bytes.h"

#define FILL_BYTES  (PAGE_BYTES / 2) /* of a piece when a node is split: bolt's FillPercent 0.5 */
#define MERGE_BYTES (PAGE_BYTES / 4) /* below this a node that lost items joins a neighbour */

/* -------------------------------------------------------------------------------------- pages */

static uint64_t key_read(const uint8_t *at)
{
    uint64_t key = get_u64(at);
    return __builtin_bswap64(key);
}

static size_t item_bytes(const struct tree_node *node, const struct tree_item *item)
{
    return TREE_ITEM_BYTES + (node->level == 0 ? item->size : 0);
}

/* Reads the item at `at`, whose page ends after `room` bytes from there. */
static bool item_decode(const uint8_t *at, size_t room, bool is_leaf, struct tree_item *item)
{
    *item = (struct tree_item){0};
    if (room < 16) {
        return false;
    }
    uint32_t place = get_u32(at + (is_leaf ? 4 : 0));
    uint32_t key_size = get_u32(at + (is_leaf ? 8 : 4));
    item->size = is_leaf ? get_u32(at + 12) : 0;
    if (key_size != 8 || place > room || room - place < 8 || item->size > room - place - 8) {
        return false;
    }
    item->key = key_read(at + place);
    item->value = is_leaf ? at + place + 8 : NULL;
    item->page = is_leaf ? 0 : get_u64(at + 8);
    return true;
}

/* All items of a page, ascending; env->mem, the caller's. NULL: not a page of a tree. */
static struct tree_item *items_decode(struct sq_env *env, const struct page_header *header,
                                      const uint8_t *image)
{
    size_t size = ((size_t)header->overflow + 1) * PAGE_BYTES;
    bool is_leaf = header->kind == PAGE_LEAF;
    bool is_sound =
        (is_leaf && header->level == 0) || (header->kind == PAGE_BRANCH && header->level > 0 &&
                                            header->count > 0 && header->level < TREE_LEVELS_MAX);
    struct tree_item *items = env->mem->alloc(env, ((size_t)header->count + 1) * sizeof(*items));
    for (uint32_t i = 0; is_sound && i < header->count; i++) {
        size_t at = PAGE_HEADER + (size_t)i * 16;
        is_sound = at < size && item_decode(image + at, size - at, is_leaf, &items[i]) &&
                   (i == 0 || items[i - 1].key < items[i].key);
    }
    if (!is_sound) {
        env->mem->free(env, items);
        return NULL;
    }
    return items;
}

/* Stages items [from, from + count) of a node on a new page. */
static uint64_t stage_items(struct tree *tree, const struct tree_node *node, uint32_t from,
                            uint32_t count)
{
    bool is_leaf = node->level == 0;
    size_t bytes = PAGE_HEADER;
    for (uint32_t i = 0; i < count; i++) {
        bytes += item_bytes(node, &node->items[from + i]);
    }
    uint64_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    struct page_header header = {
        .page = pager_take(tree->pager, pages),
        .kind = is_leaf ? PAGE_LEAF : PAGE_BRANCH,
        .level = node->level,
        .count = (uint16_t)count,
        .overflow = (uint32_t)(pages - 1),
    };
    uint8_t *image = pager_stage(tree->pager, &header);
    uint8_t *data = image + PAGE_HEADER + (size_t)count * 16;
    for (uint32_t i = 0; i < count; i++) {
        const struct tree_item *item = &node->items[from + i];
        uint8_t *start = image + PAGE_HEADER + (size_t)i * 16;
        uint8_t *at = is_leaf ? put_u32(start, 0) : start;
        at = put_u32(at, (uint32_t)(data - start));
        at = put_u32(at, 8);
        if (is_leaf) {
            put_u32(at, item->size);
        } else {
            put_u64(at, item->page);
        }
        data = put_u64(data, __builtin_bswap64(item->key));
        if (is_leaf && item->size > 0) {
            memcpy(data, item->value, item->size);
            data += item->size;
        }
    }
    assert(data == image + bytes);
    return header.page;
}

uint64_t tree_make(struct pager *pager)
{
    struct tree tree = {.pager = pager};
    struct tree_node empty = {.level = 0};
    return stage_items(&tree, &empty, 0, 0);
}

/* -------------------------------------------------------------------------------------- nodes */

static struct tree_node *node_new(struct tree *tree, uint8_t level)
{
    struct sq_env *env = tree->pager->env;
    struct tree_node *node = env->mem->alloc(env, sizeof(*node));
    assert(level < TREE_LEVELS_MAX);
    *node = (struct tree_node){.level = level, .bytes = PAGE_HEADER};
    if (tree->levels[level] == NULL) {
        tree->levels[level] = node;
    } else {
        tree->ends[level]->next = node;
    }
    tree->ends[level] = node;
    return node;
}

static enum sq_status node_load(struct tree *tree, uint64_t page, struct tree_node **loaded)
{
    struct sq_env *env = tree->pager->env;
    struct page_header header;
    uint8_t *image;
    enum sq_status status = pager_read(tree->pager, page, &header, &image);
    if (status != SQ_OK) {
        return status;
    }
    struct tree_item *items = items_decode(env, &header, image);
    if (items == NULL) {
        env->mem->free(env, image);
        return SQ_E_INVALID;
    }
    struct tree_node *node = node_new(tree, header.level);
    node->page = page;
    node->pages = (uint64_t)header.overflow + 1;
    node->items = items;
    node->count = header.count;
    node->capacity = (uint32_t)header.count + 1;
    for (uint32_t i = 0; i < node->count; i++) {
        node->bytes += item_bytes(node, &items[i]);
    }
    if (node->level > 0) {
        env->mem->free(env, image); /* a branch's items point nowhere */
        image = NULL;
    }
    node->image = image;
    *loaded = node;
    return SQ_OK;
}

/* How many items have a key less than `key`. */
static uint32_t lower(const struct tree_item *items, uint32_t count, uint64_t key)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (items[middle].key < key) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* The item of a branch below which `key` is, or would be. */
static uint32_t branch_index(const struct tree_item *items, uint32_t count, uint64_t key)
{
    uint32_t index = lower(items, count, key);
    bool is_exact = index < count && items[index].key == key;
    return is_exact || index == 0 ? index : index - 1;
}

static uint32_t index_in_parent(const struct tree_node *node)
{
    uint32_t index = lower(node->parent->items, node->parent->count, node->key);
    assert(index < node->parent->count);
    assert(node->parent->items[index].child == node);
    return index;
}

static enum sq_status child_of(struct tree *tree, struct tree_node *node, uint32_t index,
                               struct tree_node **child)
{
    assert(node->level > 0);
    assert(index < node->count);
    struct tree_item *item = &node->items[index];
    if (item->child == NULL) {
        struct tree_node *loaded;
        enum sq_status status = node_load(tree, item->page, &loaded);
        if (status != SQ_OK) {
            return status;
        }
        if (loaded->level + 1 != node->level || loaded->count == 0) {
            return SQ_E_INVALID;
        }
        loaded->parent = node;
        loaded->key = item->key;
        item->child = loaded;
    }
    *child = item->child;
    return SQ_OK;
}

/* It will be written anew, and so will all above it. */
static void mark_dirty(struct tree_node *node)
{
    for (; node != NULL && !node->is_dirty; node = node->parent) {
        node->is_dirty = true;
    }
}

static void insert(struct tree *tree, struct tree_node *node, uint32_t place,
                   const struct tree_item *item)
{
    struct sq_env *env = tree->pager->env;
    if (node->count == node->capacity) {
        node->capacity = node->capacity < 8 ? 8 : node->capacity * 2;
        node->items =
            env->mem->realloc(env, node->items, (size_t)node->capacity * sizeof(*node->items));
    }
    memmove(node->items + place + 1, node->items + place,
            (size_t)(node->count - place) * sizeof(*node->items));
    node->items[place] = *item;
    node->count++;
    node->bytes += item_bytes(node, item);
}

static void cut_out(struct tree_node *node, uint32_t place, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        node->bytes -= item_bytes(node, &node->items[place + i]);
    }
    node->count -= count;
    memmove(node->items + place, node->items + place + count,
            (size_t)(node->count - place) * sizeof(*node->items));
}

static void free_page(struct tree *tree, struct tree_node *node)
{
    if (node->page != 0) {
        pager_put(tree->pager, node->page, node->pages);
        node->page = 0;
    }
}

/* A new root above the one there is. */
static struct tree_node *grow(struct tree *tree)
{
    struct tree_node *old = tree->root;
    assert(old->count > 0);
    struct tree_node *root = node_new(tree, (uint8_t)(old->level + 1));
    struct tree_item item = {.key = old->items[0].key, .page = old->page, .child = old};
    insert(tree, root, 0, &item);
    old->parent = root;
    old->key = item.key;
    root->is_dirty = true;
    tree->root = root;
    return root;
}

/* ---------------------------------------------------------------------------------------- put */

enum sq_status tree_begin(struct tree *tree, struct pager *pager, uint64_t root)
{
    *tree = (struct tree){.pager = pager};
    return node_load(tree, root, &tree->root);
}

static enum sq_status leaf_for(struct tree *tree, uint64_t key, struct tree_node **leaf)
{
    struct tree_node *node = tree->root;
    enum sq_status status = SQ_OK;
    while (status == SQ_OK && node->level > 0) {
        status = child_of(tree, node, branch_index(node->items, node->count, key), &node);
    }
    *leaf = node;
    return status;
}

/* A leaf right behind `leaf`, for keys from `key` on. */
static struct tree_node *leaf_behind(struct tree *tree, struct tree_node *leaf, uint64_t key)
{
    struct tree_node *parent = leaf->parent != NULL ? leaf->parent : grow(tree);
    struct tree_node *made = node_new(tree, 0);
    struct tree_item item = {.key = key, .child = made};
    insert(tree, parent, index_in_parent(leaf) + 1, &item);
    made->parent = parent;
    made->key = key;
    mark_dirty(parent);
    return made;
}

/* `key` is now the first below `node`: the keys above must not be greater. */
static void lower_keys(struct tree_node *node, uint64_t key)
{
    for (; node->parent != NULL && key < node->key; node = node->parent) {
        node->parent->items[index_in_parent(node)].key = key;
        node->key = key;
    }
}

enum sq_status tree_put(struct tree *tree, uint64_t key, const void *value, uint32_t size)
{
    struct tree_node *leaf;
    assert(size <= TREE_VALUE_MAX);
    enum sq_status status = leaf_for(tree, key, &leaf);
    if (status != SQ_OK) {
        return status;
    }
    struct tree_item item = {.key = key, .value = value, .size = size};
    uint32_t place = lower(leaf->items, leaf->count, key);
    if (place < leaf->count && leaf->items[place].key == key) {
        cut_out(leaf, place, 1);
    } else if (place == leaf->count && place > 0 &&
               leaf->bytes + TREE_ITEM_BYTES + size > PAGE_BYTES) {
        leaf = leaf_behind(tree, leaf, key);
        place = 0;
    }
    insert(tree, leaf, place, &item);
    lower_keys(leaf, key);
    mark_dirty(leaf);
    return SQ_OK;
}

/* ------------------------------------------------------------------------------------- remove */

static void leaf_remove(struct tree_node *leaf, uint64_t first, uint64_t last)
{
    uint32_t from = lower(leaf->items, leaf->count, first);
    uint32_t to = from;
    while (to < leaf->count && leaf->items[to].key <= last) {
        to++;
    }
    if (to > from) {
        cut_out(leaf, from, to - from);
        leaf->is_shrunk = true;
        mark_dirty(leaf);
    }
}

/* A whole leaf goes, read or not. */
static enum sq_status drop_leaf(struct tree *tree, const struct tree_item *item)
{
    if (item->child != NULL) {
        item->child->is_gone = true;
        free_page(tree, item->child);
        return SQ_OK;
    }
    struct page_header header;
    enum sq_status status = pager_read_header(tree->pager, item->page, &header);
    if (status == SQ_OK && header.kind != PAGE_LEAF) {
        status = SQ_E_INVALID;
    }
    if (status == SQ_OK) {
        pager_put(tree->pager, item->page, (uint64_t)header.overflow + 1);
    }
    return status;
}

/* Removes the range from the leaves below `branch`, which is right above them. */
static enum sq_status thin(struct tree *tree, struct tree_node *branch, uint64_t first,
                           uint64_t last)
{
    uint32_t index = branch_index(branch->items, branch->count, first);
    uint32_t from = UINT32_MAX; /* of the leaves that go as a whole, which are neighbours */
    uint32_t count = 0;
    enum sq_status status = SQ_OK;
    for (; status == SQ_OK && index < branch->count && branch->items[index].key <= last; index++) {
        const struct tree_item *item = &branch->items[index];
        bool is_whole = item->key >= first && index + 1 < branch->count && item[1].key - 1 <= last;
        if (is_whole) {
            from = count == 0 ? index : from;
            count++;
            status = drop_leaf(tree, item);
        } else {
            struct tree_node *leaf;
            status = child_of(tree, branch, index, &leaf);
            if (status == SQ_OK) {
                leaf_remove(leaf, first, last);
            }
        }
    }
    if (count > 0) {
        cut_out(branch, from, count);
        branch->is_shrunk = true;
        mark_dirty(branch);
    }
    return status;
}

/* `node` leaves its parent. */
static void detach(struct tree *tree, struct tree_node *node)
{
    cut_out(node->parent, index_in_parent(node), 1);
    node->parent->is_shrunk = true;
    mark_dirty(node->parent);
    free_page(tree, node);
    node->is_gone = true;
}

/* Puts a node that has become small together with a neighbour, if both fit into a page. */
static enum sq_status join(struct tree *tree, struct tree_node *node)
{
    struct tree_node *parent = node->parent;
    uint32_t index = index_in_parent(node);
    struct tree_node *left = node;
    struct tree_node *right = node;
    enum sq_status status =
        index == 0 ? child_of(tree, parent, 1, &right) : child_of(tree, parent, index - 1, &left);
    if (status != SQ_OK || left->bytes + right->bytes - PAGE_HEADER > PAGE_BYTES) {
        return status;
    }
    for (uint32_t i = 0; i < right->count; i++) {
        if (right->items[i].child != NULL) {
            right->items[i].child->parent = left;
        }
        insert(tree, left, left->count, &right->items[i]);
    }
    mark_dirty(left);
    detach(tree, right);
    return SQ_OK;
}

static enum sq_status rebalance_node(struct tree *tree, struct tree_node *node)
{
    uint32_t least = node->level == 0 ? 1 : 2;
    node->is_shrunk = false;
    if (node->count == 0) {
        detach(tree, node);
        return SQ_OK;
    }
    if (node->bytes > MERGE_BYTES && node->count >= least) {
        return SQ_OK;
    }
    if (node->parent->count < 2) {
        node->parent->is_shrunk = true;
        return SQ_OK;
    }
    return join(tree, node);
}

static enum sq_status shrink_root(struct tree *tree)
{
    enum sq_status status = SQ_OK;
    while (status == SQ_OK && tree->root->level > 0 && tree->root->count == 1) {
        struct tree_node *child;
        status = child_of(tree, tree->root, 0, &child);
        if (status == SQ_OK) {
            free_page(tree, tree->root);
            tree->root->is_gone = true;
            child->parent = NULL;
            tree->root = child;
        }
    }
    if (status == SQ_OK && tree->root->level > 0 && tree->root->count == 0) {
        free_page(tree, tree->root);
        tree->root->is_gone = true;
        tree->root = node_new(tree, 0);
        tree->root->is_dirty = true;
    }
    return status;
}

static enum sq_status rebalance(struct tree *tree)
{
    enum sq_status status = SQ_OK;
    for (uint32_t level = 0; level < TREE_LEVELS_MAX; level++) {
        struct tree_node *node = tree->levels[level];
        for (; status == SQ_OK && node != NULL; node = node->next) {
            if (node->is_shrunk && !node->is_gone && node->parent != NULL) {
                status = rebalance_node(tree, node);
            }
        }
    }
    return status == SQ_OK ? shrink_root(tree) : status;
}

enum sq_status tree_remove(struct tree *tree, uint64_t first, uint64_t last)
{
    enum sq_status status = SQ_OK;
    uint64_t at = first;
    bool is_more = true;
    while (status == SQ_OK && is_more && at <= last) {
        struct tree_node *node = tree->root;
        is_more = false;
        uint64_t next = at;
        while (status == SQ_OK && node->level > 1) {
            uint32_t index = branch_index(node->items, node->count, at);
            if (index + 1 < node->count) {
                is_more = true;
                next = node->items[index + 1].key;
            }
            status = child_of(tree, node, index, &node);
        }
        if (status == SQ_OK && node->level == 1) {
            status = thin(tree, node, at, last);
        } else if (status == SQ_OK) {
            leaf_remove(node, at, last);
        }
        at = next;
    }
    return status == SQ_OK ? rebalance(tree) : status;
}

/* -------------------------------------------------------------------------------------- write */

/* How many items, from `from` on, share the next page. */
static uint32_t piece(const struct tree_node *node, uint32_t from)
{
    uint32_t least = node->level == 0 ? 1 : 2;
    uint32_t left = node->count - from;
    size_t bytes = PAGE_HEADER;
    for (uint32_t i = 0; i < left; i++) {
        bytes += item_bytes(node, &node->items[from + i]);
    }
    if (bytes <= PAGE_BYTES || left < 2 * least) {
        return left;
    }
    uint32_t count = 0;
    bytes = PAGE_HEADER;
    while (count < left - least) {
        bytes += item_bytes(node, &node->items[from + count]);
        if (count >= least && bytes > FILL_BYTES) {
            break;
        }
        count++;
    }
    return count;
}

static void write_node(struct tree *tree, struct tree_node *node, uint64_t *root)
{
    uint32_t from = 0;
    free_page(tree, node);
    do {
        uint32_t count = piece(node, from);
        if (node->parent == NULL && count < node->count) {
            grow(tree);
        }
        uint64_t page = stage_items(tree, node, from, count);
        if (node->parent == NULL) {
            *root = page;
        } else if (from == 0) {
            struct tree_item *item = &node->parent->items[index_in_parent(node)];
            item->key = node->items[0].key;
            item->page = page;
            node->key = item->key;
        } else {
            struct tree_item item = {.key = node->items[from].key, .page = page};
            insert(tree, node->parent, lower(node->parent->items, node->parent->count, item.key),
                   &item);
        }
        from += count;
    } while (from < node->count);
}

uint64_t tree_write(struct tree *tree)
{
    uint64_t root = tree->root->page;
    for (uint32_t level = 0; level < TREE_LEVELS_MAX; level++) {
        for (struct tree_node *node = tree->levels[level]; node != NULL; node = node->next) {
            if (node->is_dirty && !node->is_gone) {
                write_node(tree, node, &root);
            }
        }
    }
    return root;
}

void tree_drop(struct tree *tree)
{
    struct sq_env *env = tree->pager->env;
    for (uint32_t level = 0; level < TREE_LEVELS_MAX; level++) {
        struct tree_node *node = tree->levels[level];
        while (node != NULL) {
            struct tree_node *next = node->next;
            env->mem->free(env, node->items);
            env->mem->free(env, node->image);
            env->mem->free(env, node);
            node = next;
        }
        tree->levels[level] = NULL;
    }
    tree->root = NULL;
}

/* ------------------------------------------------------------------------------------ readers */

struct frame {
    struct tree_item *items;
    uint8_t *image;
    uint32_t count;
    uint32_t at;
};

struct walk {
    struct pager *pager;
    const struct tree_visit *visit;
    struct frame frames[TREE_LEVELS_MAX];
    uint32_t depth;
};

static enum sq_status enter(struct walk *walk, uint64_t page, uint8_t level_wanted)
{
    struct sq_env *env = walk->pager->env;
    struct page_header header;
    struct frame frame = {0};
    bool is_read = walk->visit->on_entry != NULL || level_wanted > 0;
    enum sq_status status = is_read ? pager_read(walk->pager, page, &header, &frame.image)
                                    : pager_read_header(walk->pager, page, &header);
    if (status != SQ_OK) {
        return status;
    }
    if (is_read) {
        frame.items = items_decode(env, &header, frame.image);
    }
    if ((is_read && frame.items == NULL) || header.level != level_wanted ||
        (!is_read && header.kind != PAGE_LEAF)) {
        env->mem->free(env, frame.items);
        env->mem->free(env, frame.image);
        return SQ_E_INVALID;
    }
    if (walk->visit->on_page != NULL) {
        walk->visit->on_page(walk->visit->context, &header);
    }
    frame.count = is_read ? header.count : 0;
    if (header.level > 0) {
        frame.at = branch_index(frame.items, frame.count, walk->visit->first);
    } else {
        frame.at = lower(frame.items, frame.count, walk->visit->first);
    }
    assert(walk->depth < TREE_LEVELS_MAX);
    walk->frames[walk->depth++] = frame;
    return SQ_OK;
}

static void leave(struct walk *walk)
{
    struct sq_env *env = walk->pager->env;
    struct frame *frame = &walk->frames[--walk->depth];
    env->mem->free(env, frame->items);
    env->mem->free(env, frame->image);
}

enum sq_status tree_walk(struct pager *pager, uint64_t root, const struct tree_visit *visit)
{
    struct walk walk = {.pager = pager, .visit = visit};
    struct page_header header = {0};
    enum sq_status status = pager_read_header(pager, root, &header);
    uint32_t height = header.level;
    if (status == SQ_OK) {
        status = height < TREE_LEVELS_MAX ? enter(&walk, root, (uint8_t)height) : SQ_E_INVALID;
    }
    bool is_going = true;
    while (status == SQ_OK && is_going && walk.depth > 0) {
        struct frame *frame = &walk.frames[walk.depth - 1];
        uint32_t level = height + 1 - walk.depth;
        if (frame->at == frame->count) {
            leave(&walk);
        } else if (level > 0) {
            status = enter(&walk, frame->items[frame->at++].page, (uint8_t)(level - 1));
        } else {
            const struct tree_item *item = &frame->items[frame->at++];
            is_going = visit->on_entry(visit->context, item->key, item->value, item->size);
        }
    }
    while (walk.depth > 0) {
        leave(&walk);
    }
    return status;
}

enum sq_status tree_edge(struct pager *pager, uint64_t root, bool is_last, uint64_t *key)
{
    struct sq_env *env = pager->env;
    enum sq_status status = SQ_OK;
    uint8_t level = TREE_LEVELS_MAX;
    uint64_t page = root;
    while (status == SQ_OK && level > 0) {
        struct page_header header;
        uint8_t *image;
        status = pager_read(pager, page, &header, &image);
        if (status != SQ_OK) {
            break;
        }
        struct tree_item *items = items_decode(env, &header, image);
        if (items == NULL || header.level >= level) {
            status = SQ_E_INVALID;
        } else if (header.count == 0) {
            status = SQ_E_KEY_NOT_FOUND;
        } else {
            const struct tree_item *item = &items[is_last ? header.count - 1 : 0];
            level = header.level;
            page = item->page;
            *key = item->key;
        }
        env->mem->free(env, items);
        env->mem->free(env, image);
    }
    return status;
}
