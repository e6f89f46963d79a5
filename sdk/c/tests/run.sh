#!/bin/sh
# Compiles and runs the tests of this folder, with the machine's compilers and their sanitizers.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check="-g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"
for source in src/*.c; do
    # shellcheck disable=SC2086
    ${CC:-cc} $check -c -o "$work/$(basename "$source" .c).o" "$source"
done
passed=0 failed=0
for test in tests/*_test.*; do
    case $test in *.cc) compiler=${CXX:-c++} ;; *) compiler=${CC:-cc} ;; esac
    # shellcheck disable=SC2086
    if $compiler $check -o "$work/test" "$test" "$work"/*.o && "$work/test"; then
        passed=$((passed + 1))
    else
        echo "$test failed"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
