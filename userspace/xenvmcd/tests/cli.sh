#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The command line of xenvmcd, on a machine with or without Xen: exit statuses
# and what is said. TAP. Usage: cli.sh XENVMCD
xenvmcd=$1
n=0
failed=0

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# expect NAME STATUS REGEX ARGUMENTS...: one run, stdout and stderr together
expect()
{
	name=$1 status=$2 regex=$3
	shift 3
	n=$((n + 1))
	"$xenvmcd" "$@" > "$tmp/out" 2>&1
	got=$?
	if [ "$got" -eq "$status" ] && grep -Eq -- "$regex" "$tmp/out"; then
		echo "ok $n - $name"
		return
	fi
	failed=1
	echo "not ok $n - $name"
	echo "# got status $got, expected $status and /$regex/ in:"
	sed 's/^/# /' "$tmp/out"
}

here=$(dirname "$0")
printf 'default bridge\nallow web\n' > "$tmp/bad.conf"
printf 'deny web db # quarrel\n' > "$tmp/good.conf"

echo 1..14
expect help_ok 0 '^Usage: xenvmcd' --help
expect version_ok 0 '^xenvmcd [^ ]+$' --version
expect unknown_option_fails 2 "Try 'xenvmcd --help'" --frobnicate
expect missing_argument_fails 2 "Try 'xenvmcd --help'" --config
expect stray_word_fails 2 "got 'start', expected options only" start
expect check_good_policy_ok 0 'good.conf: 1 rules, 0 groups, default bridge, attest optional$' \
	--check-policy "$tmp/good.conf"
expect check_sample_policy_ok 0 'policy.conf: ' --check-policy "$here/../policy.conf"
expect check_bad_policy_fails 2 "bad.conf:2: got the end of the line, expected a domain's name" \
	--check-policy "$tmp/bad.conf"
expect check_missing_policy_fails 2 'none.conf: No such file or directory$' \
	--check-policy "$tmp/none.conf"
expect start_with_bad_policy_fails 2 'xenvmcd: .*/bad.conf:2: got' -c "$tmp/bad.conf"
expect start_with_missing_policy_fails 2 'none.conf: No such file' -c "$tmp/none.conf"
JOURNAL_STREAM=1:2
export JOURNAL_STREAM
expect journal_gets_priorities 2 '^<3>.*/bad.conf:2: got' -c "$tmp/bad.conf"
unset JOURNAL_STREAM

# Where there is a XenStore, these two would do what they say
if [ -e /sys/hypervisor/type ]; then
	echo "ok 13 - start_without_xen_fails # SKIP this machine runs under Xen"
	echo "ok 14 - purge_without_xen_fails # SKIP this machine runs under Xen"
else
	expect start_without_xen_fails 1 'does not run under Xen' -c "$tmp/good.conf"
	expect purge_without_xen_fails 1 'does not run under Xen' --purge
fi
exit $failed
