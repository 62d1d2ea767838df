/* SPDX-License-Identifier: MIT */
/*
 * compat.h - kernel constants that liburing 2.3 (Debian 12) lacks.
 */
#ifndef RING_COMPAT_H
#define RING_COMPAT_H

#include <liburing.h>

#ifndef IORING_RECVSEND_BUNDLE /* Linux 6.10 */
#define IORING_RECVSEND_BUNDLE (1U << 4)
#endif

#ifndef IORING_SETUP_NO_SQARRAY /* Linux 6.6 */
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

#ifndef IORING_FEAT_MIN_TIMEOUT /* Linux 6.12 */
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#endif

#ifndef IORING_FEAT_NO_IOWAIT /* Linux 6.15 */
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

/* An enum in newer headers (Linux 6.12), so #ifdef cannot test for it. */
#define PBUF_RING_INCREMENTAL 2

#endif
