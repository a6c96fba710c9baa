/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - what it owns.
 */
