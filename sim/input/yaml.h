/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * YAML trees: what libyaml's document API reads, as an immutable tree in an arena in which every
 * node knows its file,
 * line and column. Every scalar is text; types are the schema's affair.
 *
 * Refused, with the place: files larger than YAML_BYTES_MAX or not UTF-8, nesting deeper than
 * YAML_DEPTH_MAX, more
 * than YAML_NODES_MAX nodes (aliases count as often as they are used, so an "alias bomb" is just a
 * large file),
 * duplicate keys, keys that are not scalars, the merge key '<<', tags, several documents. */
#ifndef SQUALL_INPUT_YAML_H
#define SQUALL_INPUT_YAML_H

#include "sim/base/text.h"
#include "sim/input/diag.h"

#define YAML_BYTES_MAX   ((size_t)1 << 20)
#define YAML_NODES_MAX   50000
#define YAML_ANCHORS_MAX 1000
#define YAML_DEPTH_MAX   24

enum yaml_kind {
    YAML_SCALAR,
    YAML_SEQUENCE,
    YAML_MAPPING,
};

struct yaml_node {
    enum yaml_kind kind;
    struct spec_place place;
    uint32_t width;   /* code points to underline: length of a scalar as written, else 1 */
    bool is_plain;    /* scalar without quotes */
    bool is_bad;      /* an error was reported in it or below it */
    const char *text; /* SCALAR, else NULL */
    uint32_t count;   /* of items */
    const struct yaml_node *const *items; /* SEQUENCE: items; MAPPING: values */
    const struct yaml_node *const *keys;  /* MAPPING: scalars, each text once */
};

/* Reads a file; the tree is good as long as `arena`. NULL: `diag` says why. Adds the text to the
 * diag's sources. */
const struct yaml_node *yaml_load(const char *path, struct arena *arena, struct diag *diag);
const struct yaml_node *yaml_parse(const char *file, const char *text, size_t size,
                                   struct arena *arena, struct diag *diag);

/* Text of our own, such as a default: an error in it is an assertion. Its nodes have no place
 * (line 0). */
const struct yaml_node *yaml_parse_own(const char *text, struct arena *arena);

/* Is it an empty plain scalar, '~' or 'null': a key without a value? */
bool yaml_is_null(const struct yaml_node *node);
/* Is it the plain word 'null'? As the value of an override it takes the key away. */
bool yaml_is_removal(const struct yaml_node *node);
/* Value of a key, or NULL; also NULL when `node` is NULL or no mapping. */
const struct yaml_node *yaml_find(const struct yaml_node *node, const char *key);
/* The key itself, for its place. */
const struct yaml_node *yaml_find_key(const struct yaml_node *node, const char *key);

/* New nodes; `place` is the one to show in messages. Arrays are borrowed. */
struct yaml_node *yaml_scalar_new(struct arena *arena, struct spec_place place, const char *text);
struct yaml_node *yaml_sequence_new(struct arena *arena, struct spec_place place,
                                    const struct yaml_node *const *items, uint32_t count);
struct yaml_node *yaml_mapping_new(struct arena *arena, struct spec_place place,
                                   const struct yaml_node *const *keys,
                                   const struct yaml_node *const *values, uint32_t count);
/* Copy of a mapping (NULL: an empty one) with one key set or, with value NULL, removed. */
const struct yaml_node *yaml_with(struct arena *arena, const struct yaml_node *mapping,
                                  const struct yaml_node *key, const struct yaml_node *value);
/* Copy of a sequence with one item replaced. */
const struct yaml_node *yaml_with_item(struct arena *arena, const struct yaml_node *sequence,
                                       uint32_t index, const struct yaml_node *item);
/* Exception to joining: over's mapping under the key `mapping` replaces base's when it has the key
 * `key`. */
struct yaml_restart {
    const char *mapping;
    const char *key;
};

/* `over` laid over `base`: mappings are joined key by key (base's order first), anything else of
 * `over` replaces. Either tree may be NULL, and so may `restart`. */
const struct yaml_node *yaml_overlay(struct arena *arena, const struct yaml_node *base,
                                     const struct yaml_node *over,
                                     const struct yaml_restart *restart);

/* Block style, two spaces, scalars quoted only where needed; the same tree always gives the same
 * bytes. */
void yaml_write(const struct yaml_node *node, struct text *out);
/* The same on one line, flow style. */
void yaml_write_flow(const struct yaml_node *node, struct text *out);

#endif
