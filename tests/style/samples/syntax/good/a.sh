#!/bin/sh
# fine
if true; then :; fi
