#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# headers.sh DIR: compile each DIR/linux/*.h alone and beside libc's headers, as
# C and C++, with all warnings as errors, and check what programs rely on. TAP.
# XENVMC_EXPECT_ALL=1 makes a missing compiler a failure.

dir=$1
flags='-Wall -Wextra -Werror -pedantic -fsyntax-only'
n=0
failed=0

# result STATUS NAME LOG
result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
		return
	fi
	failed=$((failed + 1))
	echo "$3" | sed 's/^/# /'
	echo "not ok $n $2"
}

skip()
{
	if [ "${XENVMC_EXPECT_ALL:-0}" = 1 ]; then
		result 1 "$1" "$2"
	else
		n=$((n + 1))
		echo "ok $n $1 # SKIP $2"
	fi
}

# compile COMPILER LANGUAGE STANDARD NAME: the source comes on standard input
compile()
{
	name="$4, $3"

	if ! command -v "${1%% *}" >/dev/null; then
		cat >/dev/null
		skip "$name" "no $1"
		return
	fi
	# flags and compilers are lists of words
	# shellcheck disable=SC2086
	log=$($1 $flags -std="$3" -I"$dir" -x "$2" - 2>&1)
	result $? "$name" "$log"
}

# each NAME: for all languages; the source comes on standard input. No pipes
# here: what runs in one counts in a shell of its own.
each()
{
	source=$(cat)
	for std in c99 c11 gnu17; do
		compile "${CC:-cc}" c $std "$1" <<-END
			$source
		END
	done
	for std in c++11 c++17; do
		compile "${CXX:-c++}" c++ $std "$1" <<-END
			$source
		END
	done
}

# The plan first: ten for each header, five for the rules
set -- "$dir"/linux/*.h
echo "TAP version 13"
echo "1..$(($# * 10 + 5))"

for header; do
	h=linux/${header##*/}
	each "$h alone" <<-END
		#include <$h>
	END
	each "$h twice, after libc" <<-END
		#include <sys/socket.h>
		#include <netinet/in.h>
		#include <$h>
		#include <$h>
	END
done

each "what programs rely on" <<-END
	#include <stddef.h>
	#include <linux/xenvmc.h>
	#include <sys/socket.h>
	#define MUST(name, what) typedef char name[(what) ? 1 : -1]
	MUST(fits, sizeof(struct sockaddr_xenvmc) == sizeof(struct sockaddr));
	MUST(family, offsetof(struct sockaddr_xenvmc, svm_family) ==
	     offsetof(struct sockaddr, sa_family));
	MUST(domid, offsetof(struct sockaddr_xenvmc, svm_domid) == 2);
	MUST(port, offsetof(struct sockaddr_xenvmc, svm_port) == 4);
	MUST(zero, offsetof(struct sockaddr_xenvmc, svm_zero) == 8);
	MUST(uuid, offsetof(struct sockaddr_xenvmc_uuid, svm_uuid) ==
	     sizeof(struct sockaddr_xenvmc));
	MUST(number, AF_XENVMC > 0 && AF_XENVMC < AF_MAX &&
	     PF_XENVMC == AF_XENVMC);
	MUST(reason, XENVMC_REASON_MAX >= XENVMC_REASON_RECLAIM);
END

[ $failed = 0 ]
