/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/err.h"
#include "tests/unit/harness.h"

#include <string.h>

TEST(err, set_stores_code_and_text_and_returns_false)
{
    struct err err = {0};
    CHECK(!err_set(&err, ERR_INPUT, "unknown key '%s'", "lattency"));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK_TEXT(err.text, "unknown key 'lattency'");
}

TEST(err, wrap_puts_context_in_front_and_keeps_the_code)
{
    struct err err = {0};
    err_set(&err, ERR_SYSTEM, "no space left");
    CHECK(!err_wrap(&err, "writing '%s'", "a.db"));
    CHECK(!err_wrap(&err, "saving"));
    CHECK_EQUAL(err.code, ERR_SYSTEM);
    CHECK_TEXT(err.text, "saving: writing 'a.db': no space left");
}

TEST(err, an_argument_may_be_the_text_itself)
{
    struct err err = {0};
    err_set(&err, ERR_INPUT, "inner");
    err_set(&err, ERR_SYSTEM, "outer of %s", err.text);
    CHECK_TEXT(err.text, "outer of inner");
    err_wrap(&err, "<%s>", err.text);
    CHECK_TEXT(err.text, "<outer of inner>: outer of inner");
}

TEST(err, no_error_struct_is_fine)
{
    CHECK(!err_set(NULL, ERR_INPUT, "nobody %s", "listens"));
    CHECK(!err_wrap(NULL, "still"));
}

TEST(err, a_text_that_is_too_long_ends_in_an_ellipsis)
{
    struct err err = {0};
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&err, ERR_INPUT, "%s", text);
    CHECK_EQUAL(strlen(err.text), sizeof(err.text) - 1);
    CHECK_TEXT(err.text + sizeof(err.text) - 5, "x...");
    err_wrap(&err, "front");
    CHECK_EQUAL(strlen(err.text), sizeof(err.text) - 1);
    CHECK(strncmp(err.text, "front: xxx", 10) == 0);
    CHECK_TEXT(err.text + sizeof(err.text) - 5, "x...");
    err_wrap(&err, "%s", text);
    CHECK_EQUAL(strlen(err.text), sizeof(err.text) - 1);
    CHECK_TEXT(err.text + sizeof(err.text) - 4, "...");
}

TEST(err, a_text_that_just_fits_is_kept_whole)
{
    struct err err = {0};
    char text[sizeof(err.text)];
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&err, ERR_INPUT, "%s", text);
    CHECK_TEXT(err.text, text);
    text[sizeof(text) - 4] = '\0';
    err_set(&err, ERR_INPUT, "%s", text);
    err_wrap(&err, "z");
    CHECK_EQUAL(strlen(err.text), sizeof(err.text) - 1);
    CHECK(err.text[sizeof(err.text) - 2] == 'y');
}
