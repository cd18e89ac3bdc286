// SPDX-License-Identifier: BSD-3-Clause
// Text as a terminal shows it, in columns. Names and endpoints are others' words: none may speak to
// the terminal, or shift what stands beside it.
#pragma once

#include <stddef.h>

// A copy, malloc'd, without what steers a terminal or has no fixed width: "?" stands there.
char *xy_text_clean(const char *text);
// Of clean text: columns that it takes, and those of its longest word.
size_t xy_text_width(const char *text);
size_t xy_text_word(const char *text);
// Bytes of the first line where it is broken at width columns (at least 2): at a space where there
// is one, else within a word. *columns: that it takes; *skip: spaces behind it.
size_t xy_text_line(const char *text, size_t width, size_t *columns, size_t *skip);
