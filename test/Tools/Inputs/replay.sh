#!/bin/sh
# replay.sh PLMC_OPT LINE IN OUT: runs the line in the file LINE as
# --print-pipeline wrote it, with this plmc-opt, from IN to OUT.
eval "$(sed "s|^[^ ]*|$1|" "$2") $3 -o $4"
