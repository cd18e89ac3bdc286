// SPDX-License-Identifier: BSD-3-Clause
// Tables of the words in a list X(NAME, name, text), as the lists of drop reasons are:
//   const char *const xy_drop_name[] = {XY_DROPS(XY_LIST_NAME)};
// Any thread.
#pragma once

#define XY_LIST_NAME(NAME, name, text) #name,
#define XY_LIST_TEXT(NAME, name, text) text,
