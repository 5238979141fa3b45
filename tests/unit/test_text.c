/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/base.h"
#include "sim/base/text.h"
#include "tests/unit/harness.h"

#include <string.h>

TEST(text, an_empty_builder_is_an_empty_text)
{
    struct text text;
    text_init(&text);
    CHECK_TEXT(text_of(&text), "");
    text_clear(&text);
    text_add(&text, "");
    CHECK_TEXT(text_of(&text), "");
    CHECK_EQUAL(text.length, 0);
    text_release(&text);
    CHECK_TEXT(text_of(&text), "");
}

TEST(text, pieces_are_joined)
{
    struct text text;
    text_init(&text);
    text_add(&text, "n1");
    text_printf(&text, "->%s:%d", "n2", 42);
    text_add_bytes(&text, "!?", 1);
    CHECK_TEXT(text_of(&text), "n1->n2:42!");
    CHECK_EQUAL(text.length, 10);
    text_clear(&text);
    CHECK_TEXT(text_of(&text), "");
    text_printf(&text, "%d", 7);
    CHECK_TEXT(text_of(&text), "7");
    text_release(&text);
}

/* Each length meets the edge of the buffer in another way. */
TEST(text, printf_grows_at_every_length)
{
    for (int length = 0; length < 300; length++) {
        struct text text;
        text_init(&text);
        text_printf(&text, "%*s|", length, "");
        text_printf(&text, "%*s", length, "");
        CHECK_EQUAL(text.length, 2 * length + 1);
        CHECK_EQUAL(strlen(text_of(&text)), text.length);
        text_release(&text);
    }
}

TEST(text, bytes_may_hold_zeros)
{
    struct text text;
    text_init(&text);
    text_add_bytes(&text, "a\0b", 3);
    CHECK_EQUAL(text.length, 3);
    CHECK(memcmp(text.data, "a\0b", 4) == 0);
    text_release(&text);
}

TEST(text, distance_counts_edits_and_swaps)
{
    CHECK_EQUAL(text_distance("", "", 5), 0);
    CHECK_EQUAL(text_distance("latency", "latency", 0), 0);
    CHECK_EQUAL(text_distance("latency", "lattency", 5), 1);
    CHECK_EQUAL(text_distance("latency", "latecny", 5), 1);
    CHECK_EQUAL(text_distance("latency", "patency", 5), 1);
    CHECK_EQUAL(text_distance("", "abc", 5), 3);
    CHECK_EQUAL(text_distance("kitten", "sitting", 5), 3);
    CHECK_EQUAL(text_distance("ca", "abc", 5), 3); /* alignment, not full Damerau */
    CHECK_EQUAL(text_distance("abcdef", "fedcba", 9), text_distance("fedcba", "abcdef", 9));
}

TEST(text, distance_stops_behind_the_limit)
{
    CHECK_EQUAL(text_distance("kitten", "sitting", 2), 3);
    CHECK_EQUAL(text_distance("a", "bcdefghij", 3), 4);
    CHECK_EQUAL(text_distance("abc", "xyz", 0), 1);
}

TEST(text, nearest_suggests_what_was_meant)
{
    const char *const keys[] = {"latency", "loss", "bandwidth", "queue", "nodes"};
    CHECK_TEXT(text_nearest("lattency", keys, ARRAY_COUNT(keys)), "latency");
    CHECK_TEXT(text_nearest("bandwith", keys, ARRAY_COUNT(keys)), "bandwidth");
    CHECK_TEXT(text_nearest("node", keys, ARRAY_COUNT(keys)), "nodes");
    CHECK_TEXT(text_nearest("lss", keys, ARRAY_COUNT(keys)), "loss");
    CHECK_TEXT(text_nearest("loss", keys, ARRAY_COUNT(keys)), "loss");
}

TEST(text, nearest_is_silent_when_nothing_is_near)
{
    const char *const keys[] = {"latency", "loss", "x"};
    CHECK(text_nearest("throughput", keys, ARRAY_COUNT(keys)) == NULL);
    CHECK(text_nearest("y", keys, ARRAY_COUNT(keys)) == NULL);
    CHECK(text_nearest("", keys, ARRAY_COUNT(keys)) == NULL);
    CHECK(text_nearest("loss", NULL, 0) == NULL);
}

TEST(text, of_equally_near_ones_the_first_is_taken)
{
    const char *const keys[] = {"cat", "car", "cap"};
    CHECK_TEXT(text_nearest("caz", keys, 3), "cat");
    CHECK_TEXT(text_nearest("cap", keys, 3), "cap");
}

TEST(text, glob_matches_whole_strings)
{
    CHECK(text_glob("", ""));
    CHECK(text_glob("*", ""));
    CHECK(text_glob("*", "net n1>n2"));
    CHECK(text_glob("n?", "n1"));
    CHECK(text_glob("*/wal-*", "data/n1/wal-0007"));
    CHECK(text_glob("a*b*c", "aXXbXbYYcc"));
    CHECK(text_glob("**a**", "bab"));
    CHECK(text_glob("*ab", "aaab"));
    CHECK(!text_glob("", "a"));
    CHECK(!text_glob("n?", "n"));
    CHECK(!text_glob("n?", "n12"));
    CHECK(!text_glob("a*b", "a"));
    CHECK(!text_glob("a*b", "abc"));
    CHECK(!text_glob("?", ""));
    CHECK(!text_glob("N1", "n1"));
}

/* Exponential matchers hang here. */
TEST(text, glob_with_many_stars_ends)
{
    char string[2000];
    memset(string, 'a', sizeof(string) - 1);
    string[sizeof(string) - 1] = '\0';
    CHECK(!text_glob("*a*a*a*a*a*a*a*a*a*a*b", string));
    CHECK(text_glob("*a*a*a*a*a*a*a*a*a*a*", string));
}
