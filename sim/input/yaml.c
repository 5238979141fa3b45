/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From bytes to trees in three steps. The bytes are checked first (size, UTF-8, control characters,
 * number of
 * anchors), because libyaml tells less about such errors, and because its table of anchors is
 * searched linearly. Then
 * libyaml loads a document, which is a graph: an alias is the same node again. Then the graph is
 * copied to a tree in
 * the arena; there aliases become copies, and the limits on nodes and depth end both "alias bombs"
 * and an alias inside
 * its own anchor.
 *
 * Duplicate keys are found with a sort, not by comparing all pairs, so a hostile file costs n log
 * n.
 *
 * Nodes are immutable once they are built: overlays and replacements copy the mappings along their
 * way and share all
 * the rest, which is what makes a sweep of thousands of cells cheap. */
#include "sim/input/yaml.h"

#include "sim/base/base.h"
#include "sim/base/vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct loader {
    yaml_document_t document;
    const char *file;
    struct arena *arena;
    struct diag *diag;
    uint32_t node_count;
    bool has_failed;
    bool has_no_places;
};

static struct spec_place place_of(const struct loader *loader, yaml_mark_t mark)
{
    if (loader->has_no_places) {
        return (struct spec_place){0};
    }
    return (struct spec_place){loader->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static uint32_t width_of(yaml_mark_t start, yaml_mark_t end)
{
    bool is_one_line = start.line == end.line && end.column > start.column;
    return is_one_line ? (uint32_t)(end.column - start.column) : 1;
}

/* ------------------------------------------------------------------------------- bytes */

/* Length of the valid UTF-8 character at `at` that YAML allows, 0 if there is none (RFC 3629). */
static size_t character_length(const unsigned char *at, size_t size)
{
    unsigned char lead = at[0];
    if (lead < 0x80) {
        return (lead >= 0x20 && lead != 0x7f) || lead == '\t' || lead == '\n' || lead == '\r';
    }
    size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || length > size) {
        return 0;
    }
    for (size_t index = 1; index < length; index++) {
        if ((at[index] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
    bool is_surrogate = lead == 0xed && at[1] >= 0xa0;
    bool is_beyond = lead == 0xf4 && at[1] >= 0x90;
    bool is_control = lead == 0xc2 && at[1] < 0xa0 && at[1] != 0x85;
    return is_overlong || is_surrogate || is_beyond || is_control ? 0 : length;
}

static bool check_bytes(const char *file, const char *text, size_t size, struct diag *diag)
{
    const unsigned char *bytes = (const unsigned char *)text;
    struct spec_place place = {file, 1, 1};
    uint32_t anchors = 0;
    if (size > YAML_BYTES_MAX) {
        place.line = 0;
        return diag_error(diag, place, 1, "the file has %zu bytes, more than %zu", size,
                          YAML_BYTES_MAX);
    }
    for (size_t at = 0; at < size;) {
        size_t length = character_length(bytes + at, size - at);
        if (length == 0) {
            return diag_error(diag, place, 1,
                              bytes[at] < 0x80 ? "the control character 0x%02x is not allowed"
                                               : "the byte 0x%02x is not UTF-8",
                              bytes[at]);
        }
        anchors += bytes[at] == '&' ? 1 : 0;
        place.column++;
        if (bytes[at] == '\n') {
            place.line++;
            place.column = 1;
        }
        at += length;
    }
    if (anchors > YAML_ANCHORS_MAX) {
        place.line = 0;
        return diag_error(diag, place, 1, "the file has %" PRIu32 " '&', more than %d", anchors,
                          YAML_ANCHORS_MAX);
    }
    return true;
}

/* ------------------------------------------------------------------------------- graph to tree */

static const struct yaml_node *fail(struct loader *loader, yaml_mark_t mark, const char *text)
{
    if (!loader->has_failed) {
        diag_error(loader->diag, place_of(loader, mark), 1, "%s", text);
    }
    loader->has_failed = true;
    return NULL;
}

static int compare_keys(const void *left, const void *right)
{
    const struct yaml_node *const *a = left;
    const struct yaml_node *const *b = right;
    return strcmp((*a)->text, (*b)->text);
}

/* Reports keys that occur twice; the first of each stays in force. */
static bool check_keys(struct loader *loader, const struct yaml_node *const *keys, uint32_t count)
{
    const struct yaml_node **sorted =
        arena_alloc_array(loader->arena, count, sizeof(const struct yaml_node *));
    for (uint32_t index = 0; index < count; index++) {
        sorted[index] = keys[index];
    }
    sort_stable(sorted, count, sizeof(const struct yaml_node *), compare_keys);
    bool is_fine = true;
    const struct yaml_node *first = count > 0 ? sorted[0] : NULL;
    for (uint32_t index = 1; index < count; index++) {
        if (strcmp(first->text, sorted[index]->text) != 0) {
            first = sorted[index];
            continue;
        }
        is_fine =
            diag_error(loader->diag, sorted[index]->place, sorted[index]->width,
                       "key '%s' is already in line %" PRIu32, first->text, first->place.line);
    }
    return is_fine;
}

static const struct yaml_node *copy_node(struct loader *loader, int id, uint32_t depth);

static const struct yaml_node *copy_scalar(struct loader *loader, const yaml_node_t *from,
                                           struct yaml_node *node)
{
    const char *text = (const char *)from->data.scalar.value;
    if (strlen(text) != from->data.scalar.length) {
        return fail(loader, from->start_mark, "a text must not contain NUL");
    }
    node->kind = YAML_SCALAR;
    node->text = arena_strdup(loader->arena, text);
    node->is_plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->width = width_of(from->start_mark, from->end_mark);
    return node;
}

static const struct yaml_node *copy_sequence(struct loader *loader, const yaml_node_t *from,
                                             struct yaml_node *node, uint32_t depth)
{
    const yaml_node_item_t *start = from->data.sequence.items.start;
    node->kind = YAML_SEQUENCE;
    node->count = (uint32_t)(from->data.sequence.items.top - start);
    const struct yaml_node **items =
        arena_alloc_array(loader->arena, node->count, sizeof(const struct yaml_node *));
    for (uint32_t index = 0; index < node->count; index++) {
        items[index] = copy_node(loader, start[index], depth + 1);
        if (items[index] == NULL) {
            return NULL;
        }
    }
    node->items = items;
    return node;
}

static const struct yaml_node *copy_mapping(struct loader *loader, const yaml_node_t *from,
                                            struct yaml_node *node, uint32_t depth)
{
    const yaml_node_pair_t *start = from->data.mapping.pairs.start;
    node->kind = YAML_MAPPING;
    node->count = (uint32_t)(from->data.mapping.pairs.top - start);
    const struct yaml_node **keys =
        arena_alloc_array(loader->arena, node->count, sizeof(const struct yaml_node *));
    const struct yaml_node **values =
        arena_alloc_array(loader->arena, node->count, sizeof(const struct yaml_node *));
    for (uint32_t index = 0; index < node->count; index++) {
        keys[index] = copy_node(loader, start[index].key, depth + 1);
        if (keys[index] == NULL) {
            return NULL;
        }
        const yaml_node_t *key = yaml_document_get_node(&loader->document, start[index].key);
        if (keys[index]->kind != YAML_SCALAR) {
            return fail(loader, key->start_mark, "a key must be a word");
        }
        if (strcmp(keys[index]->text, "<<") == 0) {
            return fail(loader, key->start_mark,
                        "the merge key '<<' is not supported: use 'extends: base.yaml'");
        }
        values[index] = copy_node(loader, start[index].value, depth + 1);
        if (values[index] == NULL) {
            return NULL;
        }
    }
    node->keys = keys;
    node->items = values;
    loader->has_failed = !check_keys(loader, keys, node->count) || loader->has_failed;
    return node;
}

/* Does the node say its type, other than the one it has anyway? */
static bool has_tag(const yaml_node_t *node)
{
    const char *tag = (const char *)node->tag;
    const char *own = node->type == YAML_SCALAR_NODE     ? YAML_STR_TAG
                      : node->type == YAML_SEQUENCE_NODE ? YAML_SEQ_TAG
                                                         : YAML_MAP_TAG;
    return tag != NULL && strcmp(tag, own) != 0;
}

/* Recursive over the document; YAML_DEPTH_MAX bounds it. */
static const struct yaml_node *copy_node(struct loader *loader, int id, uint32_t depth)
{
    const yaml_node_t *from = yaml_document_get_node(&loader->document, id);
    ASSERT(from != NULL);
    if (depth > YAML_DEPTH_MAX) {
        return fail(loader, from->start_mark, "nested too deeply");
    }
    if (++loader->node_count > YAML_NODES_MAX) {
        return fail(loader, from->start_mark,
                    "too many values (aliases count where they are used)");
    }
    if (has_tag(from)) {
        return fail(loader, from->start_mark, "tags ('!') are not supported");
    }
    struct yaml_node *node = arena_alloc(loader->arena, sizeof(*node));
    node->place = place_of(loader, from->start_mark);
    node->width = 1;
    switch (from->type) {
    case YAML_SCALAR_NODE:
        return copy_scalar(loader, from, node);
    case YAML_SEQUENCE_NODE:
        return copy_sequence(loader, from, node, depth);
    case YAML_MAPPING_NODE:
        return copy_mapping(loader, from, node, depth);
    case YAML_NO_NODE:
        break;
    }
    UNREACHABLE();
}

/* ------------------------------------------------------------------------------- reading */

static const struct yaml_node *report_parser(const yaml_parser_t *parser, struct loader *loader)
{
    const char *problem = parser->problem == NULL ? "not readable" : parser->problem;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) {
        fprintf(stderr, "squall: out of memory (YAML)\n");
        abort();
    }
    if (parser->context != NULL) {
        diag_error(loader->diag, place_of(loader, mark), 1, "not YAML: %s, %s from line %zu",
                   problem, parser->context, parser->context_mark.line + 1);
    } else {
        diag_error(loader->diag, place_of(loader, mark), 1, "not YAML: %s", problem);
    }
    return NULL;
}

/* Loads the one document of the parser's input; the caller deletes loader->document when this is
 * true. */
static bool load_document(yaml_parser_t *parser, struct loader *loader)
{
    if (!yaml_parser_load(parser, &loader->document)) {
        report_parser(parser, loader);
        return false;
    }
    return true;
}

static const struct yaml_node *read_document(yaml_parser_t *parser, struct loader *loader)
{
    if (!load_document(parser, loader)) {
        return NULL;
    }
    const struct yaml_node *root = NULL;
    if (yaml_document_get_root_node(&loader->document) == NULL) {
        struct spec_place place = {loader->file, 0, 0};
        diag_error(loader->diag, place, 1, "the file is empty");
        loader->has_failed = true;
    } else {
        root = copy_node(loader, 1, 1);
    }
    yaml_document_delete(&loader->document);
    if (root == NULL || loader->has_failed) {
        return NULL;
    }
    if (!load_document(parser, loader)) {
        return NULL;
    }
    const yaml_node_t *second = yaml_document_get_root_node(&loader->document);
    if (second != NULL) {
        fail(loader, second->start_mark, "a second document begins: one file holds one scenario");
    }
    yaml_document_delete(&loader->document);
    return second == NULL ? root : NULL;
}

static const struct yaml_node *parse(struct loader *loader, const char *text, size_t size)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        fprintf(stderr, "squall: out of memory (YAML)\n");
        abort();
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text == NULL ? "" : text), size);
    const struct yaml_node *root = read_document(&parser, loader);
    yaml_parser_delete(&parser);
    return root;
}

const struct yaml_node *yaml_parse(const char *file, const char *text, size_t size,
                                   struct arena *arena, struct diag *diag)
{
    ASSERT(file != NULL);
    ASSERT(text != NULL || size == 0);
    diag_add_source(diag, file, text, size);
    if (!check_bytes(file, text, size, diag)) {
        return NULL;
    }
    struct loader loader = {.file = arena_strdup(arena, file), .arena = arena, .diag = diag};
    return parse(&loader, text, size);
}

const struct yaml_node *yaml_parse_own(const char *text, struct arena *arena)
{
    ASSERT(text != NULL);
    struct diag diag;
    diag_init(&diag);
    struct loader loader = {.file = "", .arena = arena, .diag = &diag, .has_no_places = true};
    const struct yaml_node *root = parse(&loader, text, strlen(text));
    ASSERT(root != NULL);
    diag_release(&diag);
    return root;
}

const struct yaml_node *yaml_load(const char *path, struct arena *arena, struct diag *diag)
{
    ASSERT(path != NULL);
    struct spec_place place = {path, 0, 0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        diag_error(diag, place, 1, "cannot open the file: %s", strerror(errno));
        return NULL;
    }
    struct text content;
    text_init(&content);
    char buffer[16384];
    size_t got = 0;
    errno = 0;
    while (content.length <= YAML_BYTES_MAX && (got = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        text_add_bytes(&content, buffer, got);
    }
    const struct yaml_node *root = NULL;
    if (ferror(file)) {
        diag_error(diag, place, 1, "cannot read the file: %s", strerror(errno));
    } else if (content.length > YAML_BYTES_MAX) {
        diag_error(diag, place, 1, "the file has more than %zu bytes", YAML_BYTES_MAX);
    } else {
        root = yaml_parse(path, text_of(&content), content.length, arena, diag);
    }
    fclose(file);
    text_release(&content);
    return root;
}

/* ------------------------------------------------------------------------------- trees */

bool yaml_is_null(const struct yaml_node *node)
{
    return node != NULL && node->kind == YAML_SCALAR && node->is_plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

bool yaml_is_removal(const struct yaml_node *node)
{
    return yaml_is_null(node) && strcmp(node->text, "null") == 0;
}

/* Index of a key, or `count`. */
static uint32_t index_of(const struct yaml_node *node, const char *key)
{
    uint32_t index = 0;
    while (index < node->count && strcmp(node->keys[index]->text, key) != 0) {
        index++;
    }
    return index;
}

const struct yaml_node *yaml_find(const struct yaml_node *node, const char *key)
{
    ASSERT(key != NULL);
    if (node == NULL || node->kind != YAML_MAPPING) {
        return NULL;
    }
    uint32_t index = index_of(node, key);
    return index < node->count ? node->items[index] : NULL;
}

const struct yaml_node *yaml_find_key(const struct yaml_node *node, const char *key)
{
    ASSERT(key != NULL);
    if (node == NULL || node->kind != YAML_MAPPING) {
        return NULL;
    }
    uint32_t index = index_of(node, key);
    return index < node->count ? node->keys[index] : NULL;
}

struct yaml_node *yaml_scalar_new(struct arena *arena, struct spec_place place, const char *text)
{
    ASSERT(text != NULL);
    struct yaml_node *node = arena_alloc(arena, sizeof(*node));
    *node = (struct yaml_node){.kind = YAML_SCALAR, .place = place, .width = 1, .text = text};
    return node;
}

struct yaml_node *yaml_sequence_new(struct arena *arena, struct spec_place place,
                                    const struct yaml_node *const *items, uint32_t count)
{
    ASSERT(items != NULL || count == 0);
    struct yaml_node *node = arena_alloc(arena, sizeof(*node));
    *node = (struct yaml_node){
        .kind = YAML_SEQUENCE, .place = place, .width = 1, .count = count, .items = items};
    return node;
}

struct yaml_node *yaml_mapping_new(struct arena *arena, struct spec_place place,
                                   const struct yaml_node *const *keys,
                                   const struct yaml_node *const *values, uint32_t count)
{
    ASSERT(keys != NULL || count == 0);
    ASSERT(values != NULL || count == 0);
    struct yaml_node *node = arena_alloc(arena, sizeof(*node));
    *node = (struct yaml_node){.kind = YAML_MAPPING,
                               .place = place,
                               .width = 1,
                               .count = count,
                               .items = values,
                               .keys = keys};
    return node;
}

/* Room for the items of a copy, with the first `count` copied. */
static const struct yaml_node **copy_items(struct arena *arena, const struct yaml_node *const *from,
                                           uint32_t count, uint32_t room)
{
    const struct yaml_node **items =
        arena_alloc_array(arena, room, sizeof(const struct yaml_node *));
    for (uint32_t index = 0; index < count; index++) {
        items[index] = from[index];
    }
    return items;
}

const struct yaml_node *yaml_with(struct arena *arena, const struct yaml_node *mapping,
                                  const struct yaml_node *key, const struct yaml_node *value)
{
    ASSERT(key->kind == YAML_SCALAR);
    struct yaml_node empty = {.kind = YAML_MAPPING, .place = key->place, .width = 1};
    const struct yaml_node *from = mapping == NULL ? &empty : mapping;
    ASSERT(from->kind == YAML_MAPPING);
    const struct yaml_node **keys = copy_items(arena, from->keys, from->count, from->count + 1);
    const struct yaml_node **values = copy_items(arena, from->items, from->count, from->count + 1);
    uint32_t index = index_of(from, key->text);
    uint32_t count = from->count;
    if (value != NULL) {
        keys[index] = key;
        values[index] = value;
        count = index == count ? count + 1 : count;
    } else if (index < count) {
        count--;
        for (uint32_t at = index; at < count; at++) {
            keys[at] = keys[at + 1];
            values[at] = values[at + 1];
        }
    }
    struct yaml_node *copy = yaml_mapping_new(arena, from->place, keys, values, count);
    copy->is_bad = from->is_bad;
    return copy;
}

const struct yaml_node *yaml_with_item(struct arena *arena, const struct yaml_node *sequence,
                                       uint32_t index, const struct yaml_node *item)
{
    ASSERT(sequence->kind == YAML_SEQUENCE);
    ASSERT(index < sequence->count);
    const struct yaml_node **items =
        copy_items(arena, sequence->items, sequence->count, sequence->count);
    items[index] = item;
    struct yaml_node *copy = yaml_sequence_new(arena, sequence->place, items, sequence->count);
    copy->is_bad = sequence->is_bad;
    return copy;
}

/* Does the mapping `value` under `key` begin anew instead of joining the one below it? */
static bool is_restart(const struct yaml_restart *restart, const struct yaml_node *key,
                       const struct yaml_node *value)
{
    return restart != NULL && strcmp(restart->mapping, key->text) == 0 &&
           yaml_find(value, restart->key) != NULL;
}

/* Recursive over trees that the parser bounded. */
const struct yaml_node *yaml_overlay(struct arena *arena, const struct yaml_node *base,
                                     const struct yaml_node *over,
                                     const struct yaml_restart *restart)
{
    if (base == NULL || over == NULL) {
        return over == NULL ? base : over;
    }
    if (base->kind != YAML_MAPPING || over->kind != YAML_MAPPING) {
        return over;
    }
    uint32_t room = base->count + over->count;
    const struct yaml_node **keys = copy_items(arena, base->keys, base->count, room);
    const struct yaml_node **values = copy_items(arena, base->items, base->count, room);
    uint32_t count = base->count;
    for (uint32_t index = 0; index < over->count; index++) {
        uint32_t at = index_of(base, over->keys[index]->text);
        if (at < base->count) {
            bool is_anew = is_restart(restart, over->keys[index], over->items[index]);
            values[at] = is_anew
                             ? over->items[index]
                             : yaml_overlay(arena, base->items[at], over->items[index], restart);
            keys[at] = over->keys[index];
        } else {
            keys[count] = over->keys[index];
            values[count] = over->items[index];
            count++;
        }
    }
    return yaml_mapping_new(arena, over->place, keys, values, count);
}

/* ------------------------------------------------------------------------------- writing */

/* May the text stand without quotes, in flow style too? Stricter than YAML; the empty text and the
 * words for "no value" are not. */
static bool is_plain_text(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char inner[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_./%+-=<>()*^";
    size_t length = strlen(text);
    bool starts_well = strspn(text, letters) > 0 || strspn(text, "0123456789") > 0 ||
                       (text[0] == '-' && strspn(text + 1, "0123456789") > 0) ||
                       (text[0] == '.' && text[1] == '/');
    return length > 0 && starts_well && strspn(text, inner) == length && strcmp(text, "null") != 0;
}

static void write_scalar(const char *text, struct text *out)
{
    if (is_plain_text(text)) {
        text_add(out, text);
        return;
    }
    text_add(out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            text_printf(out, "\\%c", byte);
        } else if (byte == '\n') {
            text_add(out, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            text_printf(out, "\\x%02x", byte);
        } else if (byte == 0xc2 && (unsigned char)at[1] == 0x85) {
            text_add(out, "\\N"); /* next line: would be folded */
            at++;
        } else if (byte == 0xe2 && (unsigned char)at[1] == 0x80 &&
                   ((unsigned char)at[2] == 0xa8 || (unsigned char)at[2] == 0xa9)) {
            text_add(out, (unsigned char)at[2] == 0xa8 ? "\\L" : "\\P");
            at += 2;
        } else {
            text_add_bytes(out, at, 1);
        }
    }
    text_add(out, "\"");
}

void yaml_write_flow(const struct yaml_node *node, struct text *out)
{
    ASSERT(node != NULL);
    if (node->kind == YAML_SCALAR) {
        write_scalar(node->text, out);
        return;
    }
    bool is_mapping = node->kind == YAML_MAPPING;
    text_add(out, is_mapping ? "{" : "[");
    for (uint32_t index = 0; index < node->count; index++) {
        text_add(out, index > 0 ? ", " : "");
        if (is_mapping) {
            write_scalar(node->keys[index]->text, out);
            text_add(out, ": ");
        }
        yaml_write_flow(node->items[index], out);
    }
    text_add(out, is_mapping ? "}" : "]");
}

/* Are all items scalars, so that flow style reads well? */
static bool is_flat(const struct yaml_node *node)
{
    for (uint32_t index = 0; index < node->count; index++) {
        if (node->items[index]->kind != YAML_SCALAR) {
            return false;
        }
    }
    return true;
}

static void write_indent(struct text *out, uint32_t indent)
{
    for (uint32_t at = 0; at < indent; at++) {
        text_add(out, "  ");
    }
}

/* `starts_inside`: the first line continues one that is already indented (after "- "). */
static void write_block(const struct yaml_node *node, uint32_t indent, bool starts_inside,
                        struct text *out)
{
    for (uint32_t index = 0; index < node->count; index++) {
        const struct yaml_node *item = node->items[index];
        if (index > 0 || !starts_inside) {
            write_indent(out, indent);
        }
        bool is_block = item->kind != YAML_SCALAR && item->count > 0 &&
                        !(item->kind == YAML_SEQUENCE && is_flat(item));
        if (node->kind == YAML_SEQUENCE) {
            text_add(out, "- ");
            if (is_block) {
                write_block(item, indent + 1, true, out);
                continue;
            }
        } else {
            write_scalar(node->keys[index]->text, out);
            text_add(out, is_block ? ":\n" : ": ");
            if (is_block) {
                write_block(item, indent + 1, false, out);
                continue;
            }
        }
        yaml_write_flow(item, out);
        text_add(out, "\n");
    }
}

void yaml_write(const struct yaml_node *node, struct text *out)
{
    ASSERT(node != NULL);
    if (node->kind == YAML_SCALAR || node->count == 0) {
        yaml_write_flow(node, out);
        text_add(out, "\n");
        return;
    }
    write_block(node, 0, false, out);
}
