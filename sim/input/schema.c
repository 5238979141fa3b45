/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checking and completing trees with the schema table, and putting values at paths.
 *
 * schema_read is the one place that turns text into a value; completion calls it to check, the
 * compiler calls it again to read. A completed tree holds only keys of the table, in its order, and
 * only scalars that schema_read accepts, so a reader of it cannot fail. */
#include "sim/input/schema.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

#define NAME_BYTES_MAX 64
#define KEYS_MAX       256 /* of an object, choices of a key, or names to suggest */
#define TEN_YEARS      (INT64_C(3652) * 86400 * NS_PER_S)

const struct schema_key *schema_key_of(const struct schema_object *object, const char *name)
{
    for (uint32_t index = 0; index < object->key_count; index++) {
        if (strcmp(object->keys[index].name, name) == 0) {
            return &object->keys[index];
        }
    }
    fprintf(stderr, "key '%s' of '%s'\n", name, object->name);
    UNREACHABLE();
}

/* ------------------------------------------------------------------------------- reading text */

/* "12.345": thousandths. False when it is not such a number; at most three decimals. */
static bool read_decimal(const char *text, size_t length, int64_t *milli)
{
    uint64_t value = 0;
    uint32_t decimals = 0;
    bool has_point = false;
    if (length == 0 || text[0] == '.' || text[length - 1] == '.' || length > 18) {
        return false;
    }
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '.' && !has_point) {
            has_point = true;
        } else if (text[at] >= '0' && text[at] <= '9') {
            value = value * 10 + (uint64_t)(text[at] - '0');
            decimals += has_point ? 1 : 0;
        } else {
            return false;
        }
    }
    if (decimals > 3 || value > (uint64_t)INT64_MAX / 1000) {
        return false;
    }
    for (; decimals < 3; decimals++) {
        value *= 10;
    }
    *milli = (int64_t)value;
    return true;
}

static bool read_fine_duration(const char *text, int64_t *ps, struct err *err)
{
    size_t length = strlen(text);
    const char *unit = length > 2 ? text + length - 2 : "";
    int64_t milli = 0;
    if (strcmp(unit, "ns") == 0 && read_decimal(text, length - 2, &milli)) {
        *ps = milli;
        return true;
    }
    if (strcmp(unit, "ps") == 0 && read_decimal(text, length - 2, &milli)) {
        *ps = milli / 1000;
        return milli % 1000 == 0 ||
               err_set(err, ERR_INPUT, "duration '%s' is not a multiple of 1ps", text);
    }
    int64_t ns = 0;
    if (!units_duration(text, &ns, err)) {
        return false;
    }
    if (ns < 0 || ns > INT64_MAX / 1000) {
        return err_set(err, ERR_INPUT, "duration '%s' is out of range", text);
    }
    *ps = ns * 1000;
    return true;
}

static bool read_name(const char *text, struct err *err)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(text);
    if (length == 0 || strspn(text, first) == 0 || strspn(text, rest) != length) {
        return err_set(err, ERR_INPUT,
                       "'%s' is not a name: write lower-case letters, digits and '-'", text);
    }
    return length <= NAME_BYTES_MAX ||
           err_set(err, ERR_INPUT, "the name '%s' is longer than %d bytes", text, NAME_BYTES_MAX);
}

/* Copies the choices "a|b|c" apart; words point into `buffer`. */
static uint32_t split_choices(const char *choices, char *buffer, size_t size, const char **words)
{
    size_t length = strlen(choices);
    ASSERT(length < size);
    memcpy(buffer, choices, length + 1);
    uint32_t count = 0;
    for (char *at = buffer; at != NULL;) {
        ASSERT(count < KEYS_MAX);
        words[count++] = at;
        at = strchr(at, '|');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    return count;
}

static bool read_choice(const char *choices, const char *text, int64_t *number, struct err *err)
{
    char buffer[1024];
    const char *words[KEYS_MAX];
    uint32_t count = split_choices(choices, buffer, sizeof(buffer), words);
    for (uint32_t index = 0; index < count; index++) {
        if (strcmp(words[index], text) == 0) {
            *number = (int64_t)index;
            return true;
        }
    }
    const char *nearest = text_nearest(text, words, count);
    if (nearest != NULL) {
        return err_set(err, ERR_INPUT, "unknown word '%s'; did you mean '%s'?", text, nearest);
    }
    struct text list;
    text_init(&list);
    for (uint32_t index = 0; index < count; index++) {
        text_printf(&list, "%s%s",
                    index == 0           ? ""
                    : index + 1 == count ? " or "
                                         : ", ",
                    words[index]);
    }
    err_set(err, ERR_INPUT, "unknown word '%s': write %s", text, text_of(&list));
    text_release(&list);
    return false;
}

static bool read_jitter(const char *text, struct err *err)
{
    static const char prefix[] = "proportional(";
    size_t length = strlen(text);
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0 && text[length - 1] == ')') {
        char percent[64];
        size_t inner = length - sizeof(prefix);
        if (inner >= sizeof(percent)) {
            return err_set(err, ERR_INPUT, "'%s' is too long", text);
        }
        memcpy(percent, text + sizeof(prefix) - 1, inner);
        percent[inner] = '\0';
        uint64_t probability = 0;
        return units_percent(percent, &probability, err);
    }
    int64_t number = 0;
    if (strcmp(text, "proportional") == 0) {
        return err_set(err, ERR_INPUT, "'proportional' has no share: write 'proportional(20%%)'");
    }
    return read_choice("none|full|equal|decorrelated|proportional(20%)", text, &number, err);
}

static bool read_count(const char *text, int64_t *number, struct err *err)
{
    uint64_t value = 0;
    if (!units_u64(text, &value, err)) {
        return false;
    }
    if (value >= INT64_MAX) {
        return err_set(err, ERR_INPUT, "number '%s' is too large", text);
    }
    *number = (int64_t)value;
    return true;
}

static bool read_rate(const char *text, int64_t *number, struct err *err)
{
    int64_t milli = 0;
    if (read_decimal(text, strlen(text), &milli)) {
        *number = -1 - milli;
        return true;
    }
    return units_rate(text, number, err);
}

static bool read_percent(const char *text, int64_t *number, struct err *err)
{
    uint64_t probability = 0;
    if (!units_percent(text, &probability, err)) {
        return false;
    }
    *number = (int64_t)probability;
    return true;
}

static bool read_boolean(const char *text, int64_t *number, struct err *err)
{
    *number = strcmp(text, "true") == 0 ? 1 : 0;
    return *number == 1 || strcmp(text, "false") == 0 ||
           err_set(err, ERR_INPUT, "'%s' is not a boolean: write true or false", text);
}

static bool read_factor(const char *text, int64_t *number, struct err *err)
{
    size_t length = strlen(text);
    bool has_unit = length > 1 && text[length - 1] == 'x';
    if (has_unit && read_decimal(text, length - 1, number)) {
        return true;
    }
    return err_set(err, ERR_INPUT, "factor '%s' is not a number of times: write for example '3x'",
                   text);
}

/* Without special words and ranges. */
static bool read_type(const struct schema_key *key, const char *text, int64_t *number,
                      struct err *err)
{
    uint64_t ignored = 0;
    switch (key->type) {
    case SCHEMA_NONE:
        break;
    case SCHEMA_TEXT:
    case SCHEMA_SEEDS:
        return true;
    case SCHEMA_NAME:
        return read_name(text, err);
    case SCHEMA_COUNT:
        return read_count(text, number, err);
    case SCHEMA_BOOLEAN:
        return read_boolean(text, number, err);
    case SCHEMA_CHOICE:
        return read_choice(key->choices, text, number, err);
    case SCHEMA_DURATION:
        return units_duration(text, number, err);
    case SCHEMA_FINE:
        return read_fine_duration(text, number, err);
    case SCHEMA_PERCENT:
        return read_percent(text, number, err);
    case SCHEMA_RATIO:
        return units_ratio(text, number, err);
    case SCHEMA_SIZE:
        return units_size(text, number, err);
    case SCHEMA_BANDWIDTH:
        return units_bandwidth(text, number, err);
    case SCHEMA_RATE:
        return read_rate(text, number, err);
    case SCHEMA_PPM:
        return units_ppm(text, number, err);
    case SCHEMA_FACTOR:
        return read_factor(text, number, err);
    case SCHEMA_DECIMAL:
        return read_decimal(text, strlen(text), number) ||
               err_set(err, ERR_INPUT, "'%s' is not a decimal number with at most three decimals",
                       text);
    case SCHEMA_SHARE:
        return strchr(text, '%') != NULL ? units_percent(text, &ignored, err)
                                         : units_u64(text, &ignored, err);
    case SCHEMA_JITTER:
        return read_jitter(text, err);
    }
    UNREACHABLE();
}

/* How a limit of a range is written. */
static const char *write_limit(const struct schema_key *key, int64_t limit, char *out, size_t size)
{
    switch (key->type) {
    case SCHEMA_DURATION:
        return units_format_duration(limit, out, size);
    case SCHEMA_FACTOR:
    case SCHEMA_DECIMAL:
        snprintf(out, size, "%" PRId64 ".%03d%s", limit / 1000, (int)(limit % 1000),
                 key->type == SCHEMA_FACTOR ? "x" : "");
        return out;
    case SCHEMA_RATIO:
        snprintf(out, size, "%" PRId64 "%%", limit / 10000);
        return out;
    case SCHEMA_SIZE:
        snprintf(out, size, "%" PRId64 "B", limit);
        return out;
    case SCHEMA_BANDWIDTH:
        snprintf(out, size, "%" PRId64 "B/s", limit);
        return out;
    case SCHEMA_PPM:
        snprintf(out, size, "%" PRId64 "ppm", limit);
        return out;
    case SCHEMA_FINE:
        snprintf(out, size, "%" PRId64 "ps", limit);
        return out;
    case SCHEMA_NONE:
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
    case SCHEMA_COUNT:
    case SCHEMA_BOOLEAN:
    case SCHEMA_CHOICE:
    case SCHEMA_PERCENT:
    case SCHEMA_RATE:
    case SCHEMA_SHARE:
    case SCHEMA_JITTER:
    case SCHEMA_SEEDS:
        snprintf(out, size, "%" PRId64, limit);
        return out;
    }
    UNREACHABLE();
}

static bool has_range(enum schema_type type)
{
    return type == SCHEMA_COUNT || type == SCHEMA_DURATION || type == SCHEMA_FINE ||
           type == SCHEMA_SIZE || type == SCHEMA_RATIO || type == SCHEMA_BANDWIDTH ||
           type == SCHEMA_PPM || type == SCHEMA_FACTOR || type == SCHEMA_DECIMAL;
}

static bool check_range(const struct schema_key *key, const char *text, int64_t number,
                        struct err *err)
{
    if (!has_range(key->type)) {
        return true;
    }
    bool is_default = key->min == 0 && key->max == 0;
    int64_t most = is_default && key->type == SCHEMA_DURATION ? TEN_YEARS : INT64_MAX - 1;
    int64_t max = is_default ? most : key->max;
    char limit[64];
    if (number < key->min) {
        return err_set(err, ERR_INPUT, "'%s' is too small: write at least %s", text,
                       write_limit(key, key->min, limit, sizeof(limit)));
    }
    if (number > max) {
        return err_set(err, ERR_INPUT, "'%s' is too large: write at most %s", text,
                       write_limit(key, max, limit, sizeof(limit)));
    }
    return true;
}

bool schema_read(const struct schema_key *key, const char *text, int64_t *number, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(number != NULL);
    *number = 0;
    if (key->word != NULL && strcmp(key->word, text) == 0) {
        *number = SCHEMA_WORD;
        return true;
    }
    return read_type(key, text, number, err) && check_range(key, text, *number, err);
}

/* ------------------------------------------------------------------------------- completing */

/* Which defaults are filled in. */
enum filling {
    FILL_ALL,
    FILL_WRITTEN, /* none inside inherited objects */
    FILL_NONE,    /* inside such an object */
};

struct completion {
    struct arena *arena;
    struct diag *diag;
    enum filling filling;
};

static const struct yaml_node *complete_object(const struct completion *completion,
                                               const struct schema_object *object,
                                               const struct yaml_node *node, const char *path);

static const struct yaml_node *complete_key(const struct completion *completion,
                                            const struct schema_key *key,
                                            const struct yaml_node *node, const char *path);

static const char *path_of(const struct completion *completion, const char *path, const char *name)
{
    return path[0] == '\0' ? name : arena_printf(completion->arena, "%s.%s", path, name);
}

/* One form for one value: "1000ms" and "1s", "0x10" and "16". */
static const char *normalise(const struct completion *completion, const struct schema_key *key,
                             const char *text, int64_t number)
{
    char buffer[64];
    bool is_word = key->word != NULL && strcmp(key->word, text) == 0;
    if (key->type == SCHEMA_DURATION && !is_word) {
        units_format_duration(number, buffer, sizeof(buffer));
        return arena_strdup(completion->arena, buffer);
    }
    if (key->type == SCHEMA_COUNT && !is_word) {
        return arena_printf(completion->arena, "%" PRId64, number);
    }
    return text;
}

static const struct yaml_node *wrong_shape(const struct completion *completion,
                                           const struct schema_key *key,
                                           const struct yaml_node *node, const char *path,
                                           const char *wanted)
{
    if (diag_has(completion->diag, node->place)) {
        return NULL; /* inherited: it was reported where it is written */
    }
    if (yaml_is_null(node)) {
        diag_error(completion->diag, node->place, node->width, "'%s' has no value", path);
    } else if (key->example != NULL) {
        diag_error(completion->diag, node->place, node->width, "'%s' must be %s, such as '%s'",
                   path, wanted, key->example);
    } else {
        diag_error(completion->diag, node->place, node->width, "'%s' must be %s", path, wanted);
    }
    return NULL;
}

/* NULL when the scalar is wrong; the error is reported. */
static const struct yaml_node *complete_scalar(const struct completion *completion,
                                               const struct schema_key *key,
                                               const struct yaml_node *node, const char *path)
{
    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        return wrong_shape(completion, key, node, path, "a single value");
    }
    int64_t number = 0;
    struct err err = {0};
    if (!schema_read(key, node->text, &number, &err)) {
        diag_error(completion->diag, node->place, node->width, "%s: %s", key->name, err.text);
        return NULL;
    }
    const char *text = normalise(completion, key, node->text, number);
    struct yaml_node *copy = yaml_scalar_new(completion->arena, node->place, text);
    copy->width = node->width;
    copy->is_plain = node->is_plain;
    return copy;
}

/* Items of a sequence; what is wrong is left out. */
static const struct yaml_node *complete_items(const struct completion *completion,
                                              const struct schema_key *key,
                                              const struct yaml_node *node, const char *path)
{
    const struct yaml_node **items =
        arena_alloc_array(completion->arena, node->count, sizeof(const struct yaml_node *));
    uint32_t count = 0;
    bool is_bad = false;
    for (uint32_t index = 0; index < node->count; index++) {
        const char *item_path = arena_printf(completion->arena, "%s[%" PRIu32 "]", path, index);
        const struct yaml_node *item =
            key->object != NULL
                ? complete_object(completion, key->object, node->items[index], item_path)
                : complete_scalar(completion, key, node->items[index], item_path);
        is_bad = is_bad || item == NULL || item->is_bad;
        if (item != NULL) {
            items[count++] = item;
        }
    }
    struct yaml_node *copy = yaml_sequence_new(completion->arena, node->place, items, count);
    copy->is_bad = is_bad;
    return copy;
}

static const struct yaml_node *complete_list(const struct completion *completion,
                                             const struct schema_key *key,
                                             const struct yaml_node *node, const char *path)
{
    if (node->kind == YAML_SEQUENCE) {
        return complete_items(completion, key, node, path);
    }
    if (key->form == SCHEMA_ONE_OR_MANY && key->object != NULL) {
        return node->kind == YAML_MAPPING
                   ? complete_object(completion, key->object, node, path)
                   : wrong_shape(completion, key, node, path, "a mapping, or a list of them");
    }
    bool may_be_one = key->form == SCHEMA_ONE_OR_MANY || key->form == SCHEMA_MAP_OF_LISTS;
    if (!may_be_one || node->kind != YAML_SCALAR) {
        return wrong_shape(completion, key, node, path, "a list");
    }
    const struct yaml_node *item = complete_scalar(completion, key, node, path);
    if (item == NULL) {
        return NULL;
    }
    const struct yaml_node **items =
        arena_alloc_array(completion->arena, 1, sizeof(const struct yaml_node *));
    items[0] = item;
    return yaml_sequence_new(completion->arena, node->place, items, 1);
}

/* Values of a map, of which the user chose the keys. */
static const struct yaml_node *complete_map(const struct completion *completion,
                                            const struct schema_key *key,
                                            const struct yaml_node *node, const char *path)
{
    if (node->kind != YAML_MAPPING) {
        return wrong_shape(completion, key, node, path, "a map of names to values");
    }
    if (key->form == SCHEMA_OPTIONS || key->form == SCHEMA_SWEEP) {
        return node; /* checked by those who know the model, and the paths */
    }
    static const struct schema_key name_key = {.name = "name", .type = SCHEMA_NAME};
    const struct yaml_node **values =
        arena_alloc_array(completion->arena, node->count, sizeof(const struct yaml_node *));
    const struct yaml_node **keys =
        arena_alloc_array(completion->arena, node->count, sizeof(const struct yaml_node *));
    uint32_t count = 0;
    bool is_bad = false;
    for (uint32_t index = 0; index < node->count; index++) {
        const struct yaml_node *name = node->keys[index];
        const struct yaml_node *value = node->items[index];
        const char *value_path = path_of(completion, path, name->text);
        if (key->object != NULL) {
            bool is_name = complete_scalar(completion, &name_key, name, value_path) != NULL;
            is_bad = is_bad || !is_name;
            value = complete_object(completion, key->object, value, value_path);
        } else if (key->form == SCHEMA_MAP_OF_LISTS) {
            value = complete_list(completion, key, value, value_path);
        } else {
            value = complete_scalar(completion, key, value, value_path);
        }
        is_bad = is_bad || value == NULL || value->is_bad;
        if (value != NULL) {
            keys[count] = name;
            values[count] = value;
            count++;
        }
    }
    struct yaml_node *copy = yaml_mapping_new(completion->arena, node->place, keys, values, count);
    copy->is_bad = is_bad;
    return copy;
}

static const struct yaml_node *complete_key(const struct completion *completion,
                                            const struct schema_key *key,
                                            const struct yaml_node *node, const char *path)
{
    switch (key->form) {
    case SCHEMA_ONE:
        return complete_scalar(completion, key, node, path);
    case SCHEMA_EITHER:
        if (node->kind == YAML_SCALAR) {
            return complete_scalar(completion, key, node, path);
        }
        if (node->kind == YAML_SEQUENCE) {
            return wrong_shape(completion, key, node, path, "a single value or a mapping");
        }
        return complete_object(completion, key->object, node, path);
    case SCHEMA_OBJECT:
        return complete_object(completion, key->object, node, path);
    case SCHEMA_LIST:
    case SCHEMA_ONE_OR_MANY:
        return complete_list(completion, key, node, path);
    case SCHEMA_MAP:
    case SCHEMA_MAP_OF_LISTS:
    case SCHEMA_OPTIONS:
    case SCHEMA_SWEEP:
        return complete_map(completion, key, node, path);
    }
    UNREACHABLE();
}

/* The default of a key as a complete node at `place`, or NULL. */
static const struct yaml_node *default_of(const struct completion *completion,
                                          const struct schema_key *key, struct spec_place place,
                                          const char *path)
{
    if (key->initial == NULL) {
        return NULL;
    }
    char first = key->initial[0];
    if (first != '{' && first != '[') {
        return yaml_scalar_new(completion->arena, place, key->initial);
    }
    struct diag diag;
    diag_init(&diag);
    const struct yaml_node *raw = yaml_parse_own(key->initial, completion->arena);
    struct completion inner = {completion->arena, &diag, completion->filling};
    const struct yaml_node *complete = complete_key(&inner, key, raw, path);
    ASSERT(complete != NULL);
    ASSERT(diag.count == 0);
    diag_release(&diag);
    struct yaml_node *node = arena_alloc(completion->arena, sizeof(*node));
    *node = *complete;
    node->place = place;
    return node;
}

/* "default.latency": a key one level below that may be meant by a word, or NULL. */
static const char *nearest_below(const struct completion *completion,
                                 const struct schema_object *object, const char *word)
{
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        const bool is_one =
            key->form == SCHEMA_OBJECT || (key->form == SCHEMA_ONE_OR_MANY && key->object != NULL);
        if (!is_one || key->is_inherited) {
            continue;
        }
        const char *names[KEYS_MAX];
        for (uint32_t at = 0; at < key->object->key_count; at++) {
            names[at] = key->object->keys[at].name;
        }
        const char *nearest = text_nearest(word, names, key->object->key_count);
        if (nearest != NULL) {
            return arena_printf(completion->arena, "%s.%s", key->name, nearest);
        }
    }
    return NULL;
}

static bool report_unknown_keys(const struct completion *completion,
                                const struct schema_object *object, const struct yaml_node *node,
                                const char *path)
{
    const char *names[KEYS_MAX];
    ASSERT(object->key_count <= KEYS_MAX);
    for (uint32_t index = 0; index < object->key_count; index++) {
        names[index] = object->keys[index].name;
    }
    bool is_fine = true;
    for (uint32_t index = 0; index < node->count; index++) {
        const struct yaml_node *key = node->keys[index];
        uint32_t at = 0;
        while (at < object->key_count && strcmp(names[at], key->text) != 0) {
            at++;
        }
        if (at < object->key_count) {
            continue;
        }
        is_fine = false;
        if (diag_has(completion->diag, key->place)) {
            continue; /* inherited: it was reported where it is written */
        }
        const char *nearest = text_nearest(key->text, names, object->key_count);
        nearest = nearest != NULL ? nearest : nearest_below(completion, object, key->text);
        const char *inside =
            path[0] == '\0' ? "" : arena_printf(completion->arena, " in '%s'", path);
        if (nearest != NULL) {
            diag_error(completion->diag, key->place, key->width,
                       "unknown key '%s'%s; did you mean '%s'?", key->text, inside, nearest);
        } else {
            diag_error(completion->diag, key->place, key->width, "unknown key '%s'%s", key->text,
                       inside);
        }
    }
    return is_fine;
}

/* The key's value in a complete mapping, or NULL; sets *is_bad when something was reported. */
static const struct yaml_node *complete_member(const struct completion *completion,
                                               const struct schema_key *key,
                                               const struct yaml_node *node, const char *path,
                                               bool *is_bad)
{
    const struct yaml_node *value = yaml_find(node, key->name);
    const char *value_path = path_of(completion, path, key->name);
    struct completion inner = *completion;
    if (key->is_overlay || (key->is_inherited && completion->filling == FILL_WRITTEN)) {
        inner.filling = FILL_NONE;
    }
    if (value != NULL) {
        value = complete_key(&inner, key, value, value_path);
        *is_bad = *is_bad || value == NULL || value->is_bad;
    } else if (key->is_required) {
        diag_error(completion->diag, node->place, node->width, "'%s' is missing", value_path);
        *is_bad = true;
    }
    if (value != NULL || inner.filling == FILL_NONE) {
        return value;
    }
    return default_of(completion, key, node->place, value_path);
}

static const struct yaml_node *complete_object(const struct completion *completion,
                                               const struct schema_object *object,
                                               const struct yaml_node *node, const char *path)
{
    struct arena *arena = completion->arena;
    const struct yaml_node empty = {.kind = YAML_MAPPING, .width = 1};
    bool is_bad = false;
    if (node != NULL && node->kind != YAML_MAPPING) {
        const struct schema_key nameless = {.name = "", .example = NULL};
        if (path[0] == '\0') {
            diag_error(completion->diag, node->place, node->width,
                       "a scenario must be a mapping of keys");
        } else {
            wrong_shape(completion, &nameless, node, path, "a mapping of keys to values");
        }
        is_bad = true;
        node = NULL;
    }
    const struct yaml_node *from = node == NULL ? &empty : node;
    is_bad = !report_unknown_keys(completion, object, from, path) || is_bad;
    const struct yaml_node **keys =
        arena_alloc_array(arena, object->key_count, sizeof(const struct yaml_node *));
    const struct yaml_node **values =
        arena_alloc_array(arena, object->key_count, sizeof(const struct yaml_node *));
    uint32_t count = 0;
    for (uint32_t index = 0; index < object->key_count; index++) {
        const struct schema_key *key = &object->keys[index];
        if (is_bad && node == NULL && key->is_required) {
            continue; /* one error is enough for a value of the wrong shape */
        }
        const struct yaml_node *value = complete_member(completion, key, from, path, &is_bad);
        if (value != NULL) {
            keys[count] = yaml_scalar_new(arena, value->place, key->name);
            values[count] = value;
            count++;
        }
    }
    struct yaml_node *complete = yaml_mapping_new(arena, from->place, keys, values, count);
    complete->is_bad = is_bad;
    return complete;
}

const struct yaml_node *schema_complete(const struct schema_object *object,
                                        const struct yaml_node *node, const char *path,
                                        enum schema_fill fill, struct arena *arena,
                                        struct diag *diag)
{
    ASSERT(object != NULL);
    ASSERT(path != NULL);
    struct completion completion = {arena, diag, fill == SCHEMA_FILL_ALL ? FILL_ALL : FILL_WRITTEN};
    return complete_object(&completion, object, node, path);
}

/* ------------------------------------------------------------------------------- paths */

struct setting {
    struct arena *arena;
    const struct yaml_node *value;
    const char *path; /* the whole of it, for messages */
    struct err *err;
};

/* Cuts the part before the next '.' or '[' off `*rest`, which moves behind it (and behind a '.').
 * NULL when the part is empty. */
static const char *next_part(const struct setting *setting, const char **rest)
{
    size_t length = strcspn(*rest, ".[");
    if (length == 0) {
        err_set(setting->err, ERR_INPUT, "the path '%s' has an empty part", setting->path);
        return NULL;
    }
    const char *part = arena_strndup(setting->arena, *rest, length);
    *rest += length;
    if (**rest == '.') {
        (*rest)++;
        if (**rest == '\0') {
            err_set(setting->err, ERR_INPUT, "the path '%s' ends in a point", setting->path);
            return NULL;
        }
    }
    return part;
}

static const struct yaml_node *set_in_object(const struct setting *setting,
                                             const struct schema_object *object,
                                             const struct yaml_node *node, const char *rest);

static const struct yaml_node *key_node(const struct setting *setting, const char *name)
{
    return yaml_scalar_new(setting->arena, setting->value->place, name);
}

static const struct yaml_node *unknown_name(const struct setting *setting, const char *name,
                                            const char *const *names, uint32_t count)
{
    const char *nearest = text_nearest(name, names, count);
    if (nearest != NULL) {
        err_set(setting->err, ERR_INPUT, "unknown key '%s' in the path '%s'; did you mean '%s'?",
                name, setting->path, nearest);
    } else {
        err_set(setting->err, ERR_INPUT, "unknown key '%s' in the path '%s'", name, setting->path);
    }
    return NULL;
}

/* Below a map: the next part is one of its names. */
static const struct yaml_node *set_in_map(const struct setting *setting,
                                          const struct schema_key *key,
                                          const struct yaml_node *node, const char *rest)
{
    const struct yaml_node empty = {.kind = YAML_MAPPING, .place = setting->value->place};
    const struct yaml_node *map = node == NULL ? &empty : node;
    if (map->kind != YAML_MAPPING) {
        err_set(setting->err, ERR_INPUT, "'%s' is not a map, so there is no '%s'", key->name,
                setting->path);
        return NULL;
    }
    if (key->form == SCHEMA_MAP_OF_LISTS || key->form == SCHEMA_SWEEP || key->object == NULL) {
        return yaml_with(setting->arena, map, key_node(setting, rest), setting->value);
    }
    const char *name = next_part(setting, &rest);
    if (name == NULL) {
        return NULL;
    }
    const struct yaml_node *item = yaml_find(map, name);
    if (item == NULL) {
        const char *names[KEYS_MAX];
        uint32_t count = map->count < KEYS_MAX ? map->count : KEYS_MAX;
        for (uint32_t index = 0; index < count; index++) {
            names[index] = map->keys[index]->text;
        }
        return unknown_name(setting, name, names, count);
    }
    const struct yaml_node *value =
        *rest == '\0' ? setting->value : set_in_object(setting, key->object, item, rest);
    bool is_removal = *rest == '\0' && yaml_is_removal(setting->value);
    return value == NULL
               ? NULL
               : yaml_with(setting->arena, map, key_node(setting, name), is_removal ? NULL : value);
}

/* Which item of a list the path means: "[0]" or its name. UINT32_MAX: err is set. */
static uint32_t find_item(const struct setting *setting, const struct yaml_node *list,
                          const char **rest)
{
    if (**rest == '[') {
        uint64_t index = 0;
        const char *end = strchr(*rest, ']');
        size_t length = end == NULL ? 0 : (size_t)(end - *rest) - 1;
        const char *digits = arena_strndup(setting->arena, *rest + 1, length);
        if (end == NULL || !units_u64(digits, &index, setting->err) || index >= list->count) {
            err_set(setting->err, ERR_INPUT, "the list in the path '%s' has no item '%s'",
                    setting->path, digits);
            return UINT32_MAX;
        }
        *rest = end + 1;
        *rest += **rest == '.' ? 1 : 0;
        return (uint32_t)index;
    }
    const char *name = next_part(setting, rest);
    if (name == NULL) {
        return UINT32_MAX;
    }
    const char *names[KEYS_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < list->count; index++) {
        const struct yaml_node *own = yaml_find(list->items[index], "name");
        if (own == NULL || own->kind != YAML_SCALAR) {
            continue;
        }
        if (strcmp(own->text, name) == 0) {
            return index;
        }
        if (count < KEYS_MAX) {
            names[count++] = own->text;
        }
    }
    unknown_name(setting, name, names, count);
    return UINT32_MAX;
}

static const struct yaml_node *without_item(struct arena *arena, const struct yaml_node *list,
                                            uint32_t index)
{
    const struct yaml_node **items = arena_alloc_array(arena, list->count, sizeof(*items));
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        items[count] = list->items[i];
        count += i == index ? 0 : 1;
    }
    return yaml_sequence_new(arena, list->place, items, count);
}

static const struct yaml_node *set_in_list(const struct setting *setting,
                                           const struct schema_key *key,
                                           const struct yaml_node *node, const char *rest)
{
    if (node == NULL || node->kind != YAML_SEQUENCE) {
        err_set(setting->err, ERR_INPUT, "'%s' has no items, so there is no '%s'", key->name,
                setting->path);
        return NULL;
    }
    uint32_t index = find_item(setting, node, &rest);
    if (index == UINT32_MAX) {
        return NULL;
    }
    const struct yaml_node *value = setting->value;
    if (*rest != '\0' && key->object != NULL) {
        value = set_in_object(setting, key->object, node->items[index], rest);
    } else if (*rest != '\0') {
        err_set(setting->err, ERR_INPUT, "the path '%s' goes on behind a single value",
                setting->path);
        return NULL;
    }
    if (*rest == '\0' && yaml_is_removal(value)) {
        return without_item(setting->arena, node, index);
    }
    return value == NULL ? NULL : yaml_with_item(setting->arena, node, index, value);
}

/* The new value of `key`, whose old one is `node` (or NULL), for the rest of the path. */
static const struct yaml_node *set_below(const struct setting *setting,
                                         const struct schema_key *key, const struct yaml_node *node,
                                         const char *rest)
{
    if (*rest == '\0') {
        return setting->value;
    }
    switch (key->form) {
    case SCHEMA_ONE:
        break;
    case SCHEMA_EITHER:
        if (node != NULL && node->kind == YAML_SCALAR) {
            node = yaml_with(setting->arena, NULL, key_node(setting, key->object->short_key), node);
        }
        return set_in_object(setting, key->object, node, rest);
    case SCHEMA_OBJECT:
        return set_in_object(setting, key->object, node, rest);
    case SCHEMA_ONE_OR_MANY:
        return key->object != NULL && (node == NULL || node->kind == YAML_MAPPING)
                   ? set_in_object(setting, key->object, node, rest)
                   : set_in_list(setting, key, node, rest);
    case SCHEMA_LIST:
        return set_in_list(setting, key, node, rest);
    case SCHEMA_MAP:
    case SCHEMA_MAP_OF_LISTS:
    case SCHEMA_OPTIONS:
    case SCHEMA_SWEEP:
        return set_in_map(setting, key, node, rest);
    }
    err_set(setting->err, ERR_INPUT, "the path '%s' goes on behind the single value '%s'",
            setting->path, key->name);
    return NULL;
}

/* Recursive along the path, through objects of the table: as deep as the table is. */
static const struct yaml_node *set_in_object(const struct setting *setting,
                                             const struct schema_object *object,
                                             const struct yaml_node *node, const char *rest)
{
    if (node != NULL && node->kind != YAML_MAPPING) {
        err_set(setting->err, ERR_INPUT, "'%s' leads through a value that is no mapping",
                setting->path);
        return NULL;
    }
    const char *name = next_part(setting, &rest);
    if (name == NULL) {
        return NULL;
    }
    const char *names[KEYS_MAX];
    const struct schema_key *key = NULL;
    for (uint32_t index = 0; index < object->key_count; index++) {
        names[index] = object->keys[index].name;
        key = strcmp(names[index], name) == 0 ? &object->keys[index] : key;
    }
    if (key == NULL) {
        return unknown_name(setting, name, names, object->key_count);
    }
    const struct yaml_node *value = set_below(setting, key, yaml_find(node, name), rest);
    if (value == NULL) {
        return NULL;
    }
    if (*rest == '\0' && yaml_is_removal(setting->value)) {
        return yaml_with(setting->arena, node, key_node(setting, name), NULL);
    }
    bool is_restart = object->restart_key != NULL && strcmp(object->restart_key, name) == 0;
    return yaml_with(setting->arena, is_restart ? NULL : node, key_node(setting, name), value);
}

const struct yaml_node *schema_set(const char *path, const struct yaml_node *tree,
                                   const struct yaml_node *value, struct arena *arena,
                                   struct err *err)
{
    ASSERT(path != NULL);
    ASSERT(value != NULL);
    struct setting setting = {arena, value, path, err};
    return set_in_object(&setting, schema_root(), tree, path);
}
