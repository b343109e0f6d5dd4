#!/bin/sh
# fails.sh CODE COMMAND...: passes if the command exits with CODE and says
# exactly one line, "plmc: error: ...", on stderr. The line goes to stdout.
code=$1
shift
errors=$("$@" 2>&1 >/dev/null)
status=$?
printf '%s\n' "$errors"
if [ "$status" -ne "$code" ]; then
  echo "exit code $status, expected $code" >&2
  exit 1
fi
if [ "$(printf '%s\n' "$errors" | wc -l)" -ne 1 ]; then
  echo "more than one line on stderr" >&2
  exit 1
fi
case $errors in
"plmc: error: "*) ;;
*)
  echo "no 'plmc: error:' on stderr" >&2
  exit 1
  ;;
esac
