#!/bin/sh
# interrupt.sh COMMAND...: starts the command, terminates it once it has had
# time to write something, and passes if that ended it. Not by SIGINT: a shell
# starts background children with that one ignored.
"$@" >/dev/null 2>&1 &
child=$!
sleep 3
kill -TERM "$child" || exit 1 # it must not have ended by itself
wait "$child"
test $? -eq 143
