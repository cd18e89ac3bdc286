// SPDX-License-Identifier: BSD-3-Clause
// What `xylem-web --password` and `--token` print: lines for the config, which hold hashes alone. A
// program's exit code comes.
#pragma once

int xy_credentials_password(void); // asked for twice at a terminal, else a line of stdin
int xy_credentials_token(const char *name, char *const *scopes, int count);
