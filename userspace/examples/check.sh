#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check.sh DIR: run the examples in DIR against each other. TAP.
# Without the module they must say so.

dir=$1
self=32752	# XENVMC_DOMID_SELF
port=$((20000 + $$ % 10000))
failed=0

# result NUMBER NAME STATUS
result()
{
	[ "$3" = 0 ] && echo "ok $1 $2" && return
	failed=1
	echo "not ok $1 $2"
}

echo "TAP version 13"
echo "1..2"

said=$("$dir/client" $self 0 2>&1 >/dev/null)
[ $? = 1 ] && [ -n "$said" ]
result 1 "a client that cannot connect says why" $?

if ! [ -d /sys/module/xenvmc ]; then
	echo "ok 2 echo # SKIP the kernel module xenvmc is not loaded"
	exit $failed
fi

"$dir/server" $port &
server=$!
trap 'kill $server' EXIT
answer=
# until it listens
for _ in $(seq 1000); do
	answer=$("$dir/client" $self $port 2>/dev/null) && break
	kill -0 $server 2>/dev/null || break
done
[ "$answer" = "hello, neighbour" ]
result 2 "echo" $?
exit $failed
