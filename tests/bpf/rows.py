#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the rows that replay plays: rows.py [FILE], standard output without one.

The same rows serve every kernel; each stands for IPv4 and IPv6, without a VLAN tag, with one and with two.
"""
import sys

from book import Book
from scenes import answers, limits, names, protect, questions, senders, strangers, tcp, tcp_queries

SCENES = (strangers, questions, names, answers, senders, limits, tcp, tcp_queries, protect)


def write_book():
    book = Book()
    for scene in SCENES:
        scene.write(book)
    return book


def main():
    text = "\n".join(write_book().lines) + "\n"
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="ascii") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
