# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the tools are, and the shared Python of the tests."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
