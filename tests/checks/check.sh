# SPDX-License-Identifier: MIT
#
# Read by the checks that are shell scripts: goes to the top of the tree and prints TAP.

cd "$(dirname "$0")/../.." || exit 1
mkdir -p build/test
output=build/test/${0##*/}.output
failed=0

# check NAME COMMAND...: the command's exit status is the result; its output is shown if it failed.
check()
{
	name=$1
	shift
	if ("$@") >"$output" 2>&1 </dev/null; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		tail -n 50 "$output" | sed 's/^/# /'
		failed=1
		return 1
	fi
}

skip()
{
	echo "ok - $1 # SKIP $2"
}

have()
{
	command -v "$1" >/dev/null
}
