/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Trees: what is read, what is refused and where, and that what is written reads back the same. */
#include "sim/input/yaml.h"

#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct diag diag;

static const struct yaml_node *parse_bytes(const char *text, size_t size)
{
    arena_init(&arena);
    diag_init(&diag);
    return yaml_parse("t.yaml", text, size, &arena, &diag);
}

static const struct yaml_node *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void release(void)
{
    arena_release(&arena);
    diag_release(&diag);
}

/* Checks that the text is refused at a place with an error that contains `part`. */
static void check_refused(const char *text, size_t size, uint32_t line, uint32_t column,
                          const char *part)
{
    const struct yaml_node *node = parse_bytes(text, size);
    CHECK(node == NULL);
    CHECK(diag.count >= 1);
    if (diag.kept > 0) {
        CHECK_EQUAL(diag.entries[0].place.line, line);
        CHECK_EQUAL(diag.entries[0].place.column, column);
        if (strstr(diag.entries[0].text, part) == NULL) {
            CHECK_TEXT(diag.entries[0].text, part);
        }
    }
    release();
}

static void check_refused_text(const char *text, uint32_t line, uint32_t column, const char *part)
{
    check_refused(text, strlen(text), line, column, part);
}

TEST(yaml, every_node_knows_its_place)
{
    const struct yaml_node *root = parse("a: 1\nb:\n  - x\n  - {c: 'quoted text'}\n");
    REQUIRE(root != NULL);
    CHECK_EQUAL(root->kind, YAML_MAPPING);
    CHECK_EQUAL(root->count, 2);
    const struct yaml_node *list = yaml_find(root, "b");
    REQUIRE(list != NULL && list->kind == YAML_SEQUENCE && list->count == 2);
    CHECK_EQUAL(list->items[0]->place.line, 3);
    CHECK_EQUAL(list->items[0]->place.column, 5);
    CHECK_TEXT(list->items[0]->place.file, "t.yaml");
    const struct yaml_node *quoted = yaml_find(list->items[1], "c");
    REQUIRE(quoted != NULL);
    CHECK_TEXT(quoted->text, "quoted text");
    CHECK_EQUAL(quoted->width, 13);
    CHECK(!quoted->is_plain);
    CHECK_EQUAL(yaml_find_key(root, "b")->place.line, 2);
    CHECK(yaml_find(root, "absent") == NULL);
    CHECK(yaml_find(NULL, "a") == NULL);
    release();
}

TEST(yaml, columns_count_characters_not_bytes)
{
    const struct yaml_node *root = parse("{\"\xc3\xa4\xc3\xb6\": x, b: y}");
    REQUIRE(root != NULL);
    CHECK_EQUAL(yaml_find_key(root, "b")->place.column, 11);
    release();
}

TEST(yaml, null_values_are_seen)
{
    const struct yaml_node *root = parse("{a: , b: ~, c: null, d: '', e: 'null', f: x}");
    REQUIRE(root != NULL);
    CHECK(yaml_is_null(yaml_find(root, "a")));
    CHECK(yaml_is_null(yaml_find(root, "b")));
    CHECK(yaml_is_null(yaml_find(root, "c")));
    CHECK(!yaml_is_null(yaml_find(root, "d")));
    CHECK(!yaml_is_null(yaml_find(root, "e")));
    CHECK(!yaml_is_null(yaml_find(root, "f")));
    release();
}

TEST(yaml, duplicate_keys_are_refused_with_both_lines)
{
    check_refused_text("a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' is already in line 1");
    check_refused_text("x:\n  k: 1\n  k: 2\n", 3, 3, "key 'k' is already in line 2");
}

TEST(yaml, all_duplicate_keys_are_reported_at_once)
{
    CHECK(parse("{a: 1, a: 2, b: 1, b: 2, b: 3}") == NULL);
    CHECK_EQUAL(diag.count, 3);
    release();
}

TEST(yaml, merge_key_tags_and_odd_keys_are_refused)
{
    check_refused_text("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "extends: base.yaml");
    check_refused_text("a: !!python/object x\n", 1, 4, "tags");
    check_refused_text("a: !!int 5\n", 1, 4, "tags");
    check_refused_text("? [a, b]\n: c\n", 1, 3, "a key must be a word");
}

TEST(yaml, several_documents_and_empty_files_are_refused)
{
    check_refused_text("a: 1\n---\nb: 2\n", 3, 1, "second document");
    check_refused_text("", 0, 0, "empty");
    check_refused_text("# only a comment\n", 0, 0, "empty");
}

TEST(yaml, syntax_errors_have_a_place)
{
    check_refused_text("a: [1, 2\nb: 3\n", 2, 2, "not YAML");
    check_refused_text("a: 'open\n", 2, 1, "not YAML");
    check_refused_text("\ta: 1\n", 1, 1, "not YAML");
    check_refused_text("a: *unknown\n", 1, 4, "not YAML");
}

TEST(yaml, bytes_that_are_no_text_are_refused_at_their_place)
{
    check_refused_text("a: 1\nb: \xff\n", 2, 4, "0xff is not UTF-8");
    check_refused_text("a: \xc3(\n", 1, 4, "0xc3 is not UTF-8");
    check_refused_text("a: \xed\xa0\x80\n", 1, 4, "not UTF-8"); /* a surrogate */
    check_refused_text("a: \xc0\xaf\n", 1, 4, "not UTF-8");     /* overlong */
    check_refused_text("a: \xf4\x90\x80\x80\n", 1, 4, "not UTF-8");
    check_refused_text("a: \xe2\x82", 1, 4, "not UTF-8"); /* cut */
    check_refused("a: \0\n", 5, 1, 4, "control character 0x00");
    check_refused_text("a: \x1b[31m\n", 1, 4, "control character 0x1b");
    check_refused("\xff\xfe"
                  "a\0:\0",
                  6, 1, 1, "not UTF-8");
}

TEST(yaml, an_escaped_nul_is_refused)
{
    check_refused_text("a: \"x\\0y\"\n", 1, 4, "NUL");
}

TEST(yaml, aliases_become_copies)
{
    const struct yaml_node *root = parse("a: &x {k: 1}\nb: *x\n");
    REQUIRE(root != NULL);
    CHECK_TEXT(yaml_find(yaml_find(root, "b"), "k")->text, "1");
    release();
}

TEST(yaml, an_alias_bomb_is_refused)
{
    char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int level = 1; level < 10; level++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at,
                 "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", level,
                 level, level - 1, level - 1, level - 1, level - 1, level - 1, level - 1, level - 1,
                 level - 1, level - 1, level - 1);
    }
    CHECK(parse(text) == NULL);
    REQUIRE(diag.kept == 1);
    CHECK(strstr(diag.entries[0].text, "too many values") != NULL);
    CHECK(arena.used_bytes < 32u << 20);
    release();
}

TEST(yaml, an_alias_inside_its_own_anchor_is_refused)
{
    CHECK(parse("a: &x [1, *x]\n") == NULL);
    CHECK(diag.count >= 1);
    release();
}

TEST(yaml, depth_size_and_anchors_have_limits)
{
    char deep[256] = "a: ";
    for (int level = 0; level < 60; level++) {
        strcat(deep, "[");
    }
    for (int level = 0; level < 60; level++) {
        strcat(deep, "]");
    }
    CHECK(parse(deep) == NULL);
    REQUIRE(diag.kept == 1);
    CHECK_TEXT(diag.entries[0].text, "nested too deeply");
    release();
    size_t size = YAML_BYTES_MAX + 1;
    char *large = malloc(size);
    REQUIRE(large != NULL);
    memset(large, '#', size);
    CHECK(parse_bytes(large, size) == NULL);
    CHECK_EQUAL(diag.entries[0].place.line, 0);
    release();
    memset(large, '&', YAML_ANCHORS_MAX + 1);
    CHECK(parse_bytes(large, YAML_ANCHORS_MAX + 1) == NULL);
    CHECK(strstr(diag.entries[0].text, "'&'") != NULL);
    release();
    free(large);
}

TEST(yaml, a_file_that_cannot_be_read_is_an_error_of_the_file)
{
    arena_init(&arena);
    diag_init(&diag);
    CHECK(yaml_load("/nonexistent/x.yaml", &arena, &diag) == NULL);
    REQUIRE(diag.kept == 1);
    CHECK_TEXT(diag.entries[0].text, "cannot open the file: No such file or directory");
    CHECK_EQUAL(diag.entries[0].place.line, 0);
    CHECK(yaml_load("/", &arena, &diag) == NULL);
    REQUIRE(diag.kept == 2);
    CHECK_TEXT(diag.entries[1].text, "cannot read the file: Is a directory");
    release();
}

TEST(yaml, an_overlay_joins_mappings_and_replaces_the_rest)
{
    const struct yaml_node *root = parse(
        "base: {a: {x: 1, y: 2}, l: [1, 2], s: old}\nover: {a: {y: 3, z: 4}, l: [9], n: 5}\n");
    REQUIRE(root != NULL);
    const struct yaml_node *joined =
        yaml_overlay(&arena, yaml_find(root, "base"), yaml_find(root, "over"), NULL);
    struct text text;
    text_init(&text);
    yaml_write_flow(joined, &text);
    CHECK_TEXT(text_of(&text), "{a: {x: 1, y: 3, z: 4}, l: [9], s: old, n: 5}");
    text_release(&text);
    CHECK(yaml_overlay(&arena, NULL, root, NULL) == root);
    CHECK(yaml_overlay(&arena, root, NULL, NULL) == root);
    release();
}

TEST(yaml, an_overlay_restarts_where_it_is_told)
{
    static const struct yaml_restart restart = {"retry", "preset"};
    const struct yaml_node *root = parse("base: {retry: {max: 3}, b: {preset: 1, c: 2}}\n"
                                         "over: {retry: {preset: x}, b: {preset: 2}}\n");
    REQUIRE(root != NULL);
    const struct yaml_node *joined =
        yaml_overlay(&arena, yaml_find(root, "base"), yaml_find(root, "over"), &restart);
    struct text text;
    text_init(&text);
    yaml_write_flow(joined, &text);
    CHECK_TEXT(text_of(&text), "{retry: {preset: x}, b: {preset: 2, c: 2}}");
    text_release(&text);
    release();
}

TEST(yaml, replacing_leaves_the_original_alone)
{
    const struct yaml_node *root = parse("{a: 1, b: [x, y], c: 3}");
    REQUIRE(root != NULL);
    struct spec_place place = {0};
    const struct yaml_node *key = yaml_scalar_new(&arena, place, "a");
    const struct yaml_node *nine = yaml_scalar_new(&arena, place, "9");
    const struct yaml_node *changed = yaml_with(&arena, root, key, nine);
    CHECK_TEXT(yaml_find(changed, "a")->text, "9");
    CHECK_TEXT(yaml_find(root, "a")->text, "1");
    const struct yaml_node *removed = yaml_with(&arena, root, key, NULL);
    CHECK_EQUAL(removed->count, 2);
    CHECK(yaml_find(removed, "a") == NULL);
    CHECK_TEXT(yaml_find(removed, "c")->text, "3");
    const struct yaml_node *list = yaml_find(root, "b");
    CHECK_TEXT(yaml_with_item(&arena, list, 1, nine)->items[1]->text, "9");
    CHECK_TEXT(list->items[1]->text, "y");
    release();
}

/* Writes, reads back, writes again: the same bytes, and the same value of `k`. */
TEST(yaml, what_is_written_reads_back_the_same)
{
    static const char *const values[] = {
        "plain",
        "5ms",
        "1.5",
        "-3",
        "",
        "null",
        "~",
        "a: b",
        "- x",
        "# no",
        "a #b",
        "*x",
        "&x",
        "!t",
        "'",
        "\"",
        "\\",
        "a\nb",
        "a\tb",
        " lead",
        "trail ",
        "[1]",
        "{a}",
        "a,b",
        "@x",
        "`x`",
        "%x",
        "|",
        ">",
        "true",
        "p(99)",
        "./x.so",
        "\xc3\xa4",
        "<<",
        "latency{a:b}",
        "a:",
        "\xc2\x85x",
        "\xe2\x80\xa8y",
        "?",
        "...",
        "---",
        "a\r\nb",
    };
    for (size_t index = 0; index < sizeof(values) / sizeof(values[0]); index++) {
        arena_init(&arena);
        diag_init(&diag);
        struct spec_place place = {0};
        const struct yaml_node *items[] = {yaml_scalar_new(&arena, place, values[index])};
        const struct yaml_node *keys[] = {yaml_scalar_new(&arena, place, "k")};
        const struct yaml_node *list = yaml_sequence_new(&arena, place, items, 1);
        const struct yaml_node *in[] = {list};
        const struct yaml_node *tree = yaml_mapping_new(&arena, place, keys, in, 1);
        struct text first;
        text_init(&first);
        yaml_write(tree, &first);
        const struct yaml_node *back =
            yaml_parse("back", text_of(&first), first.length, &arena, &diag);
        CHECK(back != NULL);
        if (back != NULL) {
            CHECK_TEXT(yaml_find(back, "k")->items[0]->text, values[index]);
            struct text second;
            text_init(&second);
            yaml_write(back, &second);
            CHECK_TEXT(text_of(&second), text_of(&first));
            text_release(&second);
        }
        text_release(&first);
        release();
    }
}

TEST(yaml, block_style_nests)
{
    const struct yaml_node *root =
        parse("{a: {b: [{c: 1, d: [x, y]}, {}], e: []}, f: {}, g: [[1, [2]], 3]}");
    REQUIRE(root != NULL);
    struct text text;
    text_init(&text);
    yaml_write(root, &text);
    CHECK_TEXT(text_of(&text), "a:\n"
                               "  b:\n"
                               "    - c: 1\n"
                               "      d: [x, y]\n"
                               "    - {}\n"
                               "  e: []\n"
                               "f: {}\n"
                               "g:\n"
                               "  - - 1\n"
                               "    - [2]\n"
                               "  - 3\n");
    text_release(&text);
    release();
}

/* ------------------------------------------------------------------------------- diag */

static char *printed; /* what print_diag made last; the caller frees it */
static size_t printed_size;

static char *print_diag(void)
{
    printed = NULL;
    FILE *out = open_memstream(&printed, &printed_size);
    diag_print(&diag, out);
    fclose(out);
    return printed;
}

TEST(diag, errors_print_in_the_order_of_the_file_with_a_caret)
{
    diag_init(&diag);
    static const char source[] = "a: 1\n  latancy: 5ms\n";
    diag_add_source(&diag, "t.yaml", source, sizeof(source) - 1);
    struct spec_place second = {"t.yaml", 2, 3};
    struct spec_place first = {"t.yaml", 1, 4};
    CHECK(!diag_error(&diag, second, 7, "unknown key '%s'", "latancy"));
    diag_error(&diag, first, 1, "bad");
    diag_error(&diag, first, 1, "bad");
    char *text = print_diag();
    CHECK_TEXT(text, "t.yaml:1:4: error: bad\n"
                     "    1 | a: 1\n"
                     "      |    ^\n"
                     "t.yaml:2:3: error: unknown key 'latancy'\n"
                     "    2 |   latancy: 5ms\n"
                     "      |   ^~~~~~~\n"
                     "2 errors\n");
    free(text);
    CHECK(diag_has(&diag, first));
    struct spec_place other = {"u.yaml", 1, 4};
    CHECK(!diag_has(&diag, other));
    diag_release(&diag);
}

TEST(diag, only_the_first_twenty_are_shown)
{
    diag_init(&diag);
    for (uint32_t line = 1; line <= 25; line++) {
        struct spec_place place = {"t.yaml", line, 1};
        diag_error(&diag, place, 1, "bad");
    }
    CHECK_EQUAL(diag.count, 25);
    char *text = print_diag();
    CHECK(strstr(text, "t.yaml:20:1:") != NULL);
    CHECK(strstr(text, "t.yaml:21:1:") == NULL);
    CHECK(strstr(text, "25 errors, the first 20 shown\n") != NULL);
    free(text);
    diag_release(&diag);
}

TEST(diag, no_error_prints_nothing_and_one_is_singular)
{
    diag_init(&diag);
    char *text = print_diag();
    CHECK_TEXT(text, "");
    free(text);
    struct spec_place nowhere = {0};
    diag_error(&diag, nowhere, 1, "bad");
    struct spec_place file = {"x\033y", 0, 0};
    text = print_diag();
    CHECK_TEXT(text, "error: bad\n1 error\n");
    free(text);
    diag_error(&diag, file, 1, "with a \033[31m control character");
    text = print_diag();
    CHECK_TEXT(text, "error: bad\nx?y: error: with a ?[31m control character\n2 errors\n");
    free(text);
    diag_release(&diag);
}

TEST(diag, a_long_line_is_shown_around_the_column)
{
    diag_init(&diag);
    char source[500];
    memset(source, 'x', sizeof(source));
    source[300] = 'Y';
    diag_add_source(&diag, "t", source, sizeof(source));
    struct spec_place place = {"t", 1, 301};
    diag_error(&diag, place, 500, "here");
    char *text = print_diag();
    char *shown = strchr(text, '\n') + 1;
    char *caret = strchr(shown, '\n') + 1;
    CHECK_EQUAL(strchr(caret, '^') - caret, strchr(shown, 'Y') - shown);
    CHECK(strstr(shown, "| ...x") != NULL);
    CHECK(strlen(shown) < 260);
    free(text);
    diag_release(&diag);
}

TEST(diag, a_place_behind_the_end_of_the_file_is_harmless)
{
    diag_init(&diag);
    diag_add_source(&diag, "t", "a", 1);
    struct spec_place place = {"t", 99, 99};
    diag_error(&diag, place, 5, "nowhere");
    char *text = print_diag();
    CHECK_TEXT(text, "t:99:99: error: nowhere\n   99 | \n      | ^\n1 error\n");
    free(text);
    diag_release(&diag);
}

TEST(diag, what_a_terminal_would_obey_is_not_printed)
{
    diag_init(&diag);
    static const char source[] = "\xc3\xa4\t\x1b[2J\xff\xc2\x9b. x";
    diag_add_source(&diag, "t", source, sizeof(source) - 1);
    struct spec_place place = {"t", 1, 11};
    diag_error(&diag, place, 1, "here");
    char *text = print_diag();
    CHECK_TEXT(text, "t:1:11: error: here\n    1 | \xc3\xa4 ?[2J??. x\n"
                     "      |           ^\n1 error\n");
    free(text);
    diag_release(&diag);
}
