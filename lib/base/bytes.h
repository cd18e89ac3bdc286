// SPDX-License-Identifier: BSD-3-Clause
// Unaligned loads and stores with a named byte order. Any thread.
#pragma once

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Xylem runs on x86-64: little endian"
#endif

#define XY_LOAD_STORE(bits)                                               \
	static inline uint##bits##_t xy_le##bits##_load(const void *p)    \
	{                                                                 \
		uint##bits##_t v;                                         \
		memcpy(&v, p, sizeof(v));                                 \
		return v;                                                 \
	}                                                                 \
	static inline void xy_le##bits##_store(void *p, uint##bits##_t v) \
	{                                                                 \
		memcpy(p, &v, sizeof(v));                                 \
	}                                                                 \
	static inline uint##bits##_t xy_be##bits##_load(const void *p)    \
	{                                                                 \
		return __builtin_bswap##bits(xy_le##bits##_load(p));      \
	}                                                                 \
	static inline void xy_be##bits##_store(void *p, uint##bits##_t v) \
	{                                                                 \
		xy_le##bits##_store(p, __builtin_bswap##bits(v));         \
	}

XY_LOAD_STORE(16)
XY_LOAD_STORE(32)
XY_LOAD_STORE(64)
#undef XY_LOAD_STORE

#define XY_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
