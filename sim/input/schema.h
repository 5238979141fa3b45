/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The schema of the scenario language: one table that describes every key once: form, type, range,
 * choices, default,
 * meaning, example. Checking, defaults, `squall explain`, the JSON Schema and reading all go
 * through it. */
#ifndef SQUALL_INPUT_SCHEMA_H
#define SQUALL_INPUT_SCHEMA_H

#include "sim/input/yaml.h"

/* Value of a scalar that is its key's special word ("none", "forever", "unlimited"). */
#define SCHEMA_WORD INT64_MAX

/* Types of scalars and the number that reading gives. */
enum schema_type {
    SCHEMA_NONE,      /* no scalar: the key holds a mapping */
    SCHEMA_TEXT,      /* any text */
    SCHEMA_NAME,      /* [a-z0-9] [a-z0-9-]*, up to 64 bytes */
    SCHEMA_COUNT,     /* whole number in min .. max */
    SCHEMA_BOOLEAN,   /* true, false: 1, 0 */
    SCHEMA_CHOICE,    /* index in choices */
    SCHEMA_DURATION,  /* ns in min .. max */
    SCHEMA_FINE,      /* duration in ps: "250ps", "1.5ns", "1us" */
    SCHEMA_PERCENT,   /* out of 2^32 */
    SCHEMA_RATIO,     /* percentage, also above 100%: millionths in min .. max */
    SCHEMA_SIZE,      /* bytes in min .. max */
    SCHEMA_BANDWIDTH, /* bytes/s */
    SCHEMA_RATE,      /* "200/s": per 1000 s; bare number: see schema_read */
    SCHEMA_PPM,       /* in min .. max */
    SCHEMA_FACTOR,    /* "3x", "1.5x": thousandths in min .. max */
    SCHEMA_DECIMAL,   /* "0.99", "2": thousandths in min .. max */
    SCHEMA_SHARE,     /* number, or a percentage: text */
    SCHEMA_JITTER,    /* none, full, equal, decorrelated, proportional(20%): text */
    SCHEMA_SEEDS,     /* syntax of seeds_parse: text */
};

enum schema_form {
    SCHEMA_ONE = 0,      /* a scalar */
    SCHEMA_OBJECT,       /* a mapping with the keys of `object` */
    SCHEMA_EITHER,       /* a scalar, short for {object->short_key: scalar}, or a mapping */
    SCHEMA_LIST,         /* a sequence of scalars, or of objects when `object` is set */
    SCHEMA_ONE_OR_MANY,  /* a scalar or a sequence of scalars; with `object` a mapping or a sequence
                            of them, and one mapping stays one */
    SCHEMA_MAP,          /* names to scalars, or to objects when `object` is set */
    SCHEMA_MAP_OF_LISTS, /* names to scalars or sequences of them */
    SCHEMA_SWEEP,        /* paths to sequences of anything: kept as it is */
    SCHEMA_OPTIONS,      /* names to scalars: options of a model */
};

struct schema_object;

struct schema_key {
    const char *name;
    enum schema_form form;
    enum schema_type type;
    const struct schema_object *object;
    const char *initial; /* default as YAML, "{}": the object's own; NULL: the key stays absent */
    const char *choices; /* "a|b|c" */
    const char *word;    /* special word allowed beside the type */
    int64_t min;         /* of the number; both 0: the type's own limits */
    int64_t max;
    bool is_required;
    bool is_inherited;       /* what is not written comes from elsewhere, not from defaults */
    bool is_overlay;         /* laid over something else when it is built: never filled */
    const char *description; /* one sentence and no full stop */
    const char *example;
};

struct schema_object {
    const char *name; /* of the JSON Schema definition */
    const struct schema_key *keys;
    uint32_t key_count;
    const char *short_key;   /* for SCHEMA_EITHER; NULL elsewhere */
    const char *restart_key; /* setting this key forgets the others (a preset); NULL: none */
};

/* The whole file. */
const struct schema_object *schema_root(void);
/* Asserts that the object has the key: what is not in the table cannot be read. */
const struct schema_key *schema_key_of(const struct schema_object *object, const char *name);

/* Reads the text of a scalar. `number` is set for all types but the texts, for which it is 0. A
 * bare number of a SCHEMA_RATE gives -1 - thousandths. */
bool schema_read(const struct schema_key *key, const char *text, int64_t *number, struct err *err);

enum schema_fill {
    SCHEMA_FILL_ALL,     /* every default */
    SCHEMA_FILL_WRITTEN, /* not those of inherited objects */
};

/* Checks `node` (NULL: absent) against `object` and completes it: keys in the order of the table,
 * defaults filled in, scalars normalised. `path` names the place in messages ("" for the root).
 * What is wrong is reported and replaced by its default, or left out, and is_bad is set up to the
 * root. Never NULL. */
const struct yaml_node *schema_complete(const struct schema_object *object,
                                        const struct yaml_node *node, const char *path,
                                        enum schema_fill fill, struct arena *arena,
                                        struct diag *diag);

/* Copy of `tree` with `value` at `path`: keys separated by dots, items of lists by name or as
 * "[0]". Names in maps and lists of objects must exist. NULL: err says why, with a suggestion. */
const struct yaml_node *schema_set(const char *path, const struct yaml_node *tree,
                                   const struct yaml_node *value, struct arena *arena,
                                   struct err *err);

/* Prints one key, or an object with all its keys; "" is the whole file, "model.NAME" the options of
 * a model, "preset" and "preset.NAME" the presets of retries ("network.default.latency",
 * "load.*.rate", "faults"). */
bool schema_explain(const char *path, const struct catalog *catalog, FILE *out, struct err *err);
/* Prints the JSON Schema (draft 2020-12). */
void schema_json(FILE *out);

#endif
