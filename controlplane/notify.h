// SPDX-License-Identifier: BSD-3-Clause
// Tells the service manager how we are, by its datagram protocol (sd_notify(3)). Any thread.
#pragma once

// state: "READY=1", "RELOADING=1", "STOPPING=1". Nothing happens without NOTIFY_SOCKET.
void xy_notify(const char *state);
