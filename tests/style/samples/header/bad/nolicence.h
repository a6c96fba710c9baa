/*
 * nolicence.h - what it owns.
 */
