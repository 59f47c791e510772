// SPDX-License-Identifier: GPL-2.0
/*
 * Cases: a TCP socket that a program gives to somebody in the kernel, who reads
 * and writes its bytes then: BPF sockmaps, KCM, MPTCP; and the groups of tasks
 * that a kernel may freeze.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kcm.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loop.h"

#ifndef AF_KCM
#define AF_KCM	41
#endif

/* Instructions of BPF: registers, what is done with them */
#define INSN(op, to, from, at, value) \
	{ .code = (op), .dst_reg = (to), .src_reg = (from), .off = (at), \
	  .imm = (value) }
#define SET(to, value)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define COPY(to, from)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define ADD(to, value)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define LOAD(to, from)	INSN(BPF_LDX | BPF_MEM | BPF_W, to, from, 0, 0)
#define STORE(to, at, value) INSN(BPF_ST | BPF_MEM | BPF_W, to, 0, at, value)
#define SKIP_IF(reg, value, n) INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, n, value)
#define MAP(to, fd)	INSN(BPF_LD | BPF_DW | BPF_IMM, to, \
			     BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define CALL(what)	INSN(BPF_JMP | BPF_CALL, 0, 0, 0, what)
#define EXIT		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* A map for sockets, or -1 where that cannot be */
static int map_new(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP,
		.key_size = 4, .value_size = 4, .max_entries = 2,
	};
	int map = bpf(BPF_MAP_CREATE, &attr);

	return absent(map, "sockmaps") ? -1 : map;
}

static int map_put(int map, uint32_t key, int fd)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)map, .key = (uintptr_t)&key,
		.value = (uintptr_t)&fd,
	};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int map_delete(int map, uint32_t key)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)map, .key = (uintptr_t)&key,
	};

	return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static int prog_new(uint32_t type, const struct bpf_insn *insns, size_t n)
{
	static char log[4096];
	union bpf_attr attr = {
		.prog_type = type, .insns = (uintptr_t)insns,
		.insn_cnt = (uint32_t)n, .license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log, .log_size = sizeof(log),
		.log_level = 1,
	};
	int prog = bpf(BPF_PROG_LOAD, &attr);

	ck_assert_msg(prog >= 0, "%s: %s", strerror(errno), log);
	return prog;
}

#define PROG(type, insns) prog_new(type, insns, sizeof(insns) / sizeof(*insns))

static void attach(int target, int prog, uint32_t type)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)target,
		.attach_bpf_fd = (uint32_t)prog, .attach_type = type,
	};

	OK(bpf(BPF_PROG_ATTACH, &attr));
}

static void detach(int target, int prog, uint32_t type)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)target,
		.attach_bpf_fd = (uint32_t)prog, .attach_type = type,
	};

	OK(bpf(BPF_PROG_DETACH, &attr));
}

/* ---- sockmaps ----------------------------------------------------------- */

/* Nobody looks at its bytes: all arrive, also those that were on the way */
START_TEST(sockmap_takes_a_busy_socket)
{
	static char out[100000], in[sizeof(out)];
	int fd[2], map = map_new();
	size_t i;

	if (map < 0)
		return;
	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)(i % 251);
	sock_pair(fd);
	/* More than one piece of whichever way */
	write_all(fd[0], out, 40000);
	write_all(fd[1], out, 40000);
	OK(map_put(map, 0, fd[1]));
	write_all(fd[0], out + 40000, 60000);
	read_all(fd[1], in, sizeof(in));
	ck_assert_mem_eq(in, out, sizeof(in));
	read_all(fd[0], in, 40000);
	ck_assert_mem_eq(in, out, 40000);
	flow_on(fd);
	OK(map_put(map, 1, fd[0]));
	flow_on(fd);
	OK(map_delete(map, 0));
	OK(map_delete(map, 1));
	FAILS(map_delete(map, 1), EINVAL);
	flow_on(fd);
}
END_TEST

START_TEST(sockmap_refuses_what_is_written)
{
	const struct bpf_insn drop[] = { SET(BPF_REG_0, SK_DROP), EXIT };
	int fd[2], map = map_new();

	if (map < 0)
		return;
	attach(map, PROG(BPF_PROG_TYPE_SK_MSG, drop), BPF_SK_MSG_VERDICT);
	sock_pair(fd);
	flow_on(fd);
	OK(map_put(map, 0, fd[0]));
	FAILS(send(fd[0], "refused", 7, 0), EACCES);
	write_all(fd[1], "back", 4);
	reads(fd[0], "back");
	OK(map_delete(map, 0));
	write_all(fd[0], "there", 5);
	reads(fd[1], "there");
}
END_TEST

/* What one connection brings leaves by another one */
START_TEST(sockmap_sends_bytes_on)
{
	int in[2], out[2], map = map_new();
	const struct bpf_insn on[] = {
		MAP(BPF_REG_2, map), SET(BPF_REG_3, 0), SET(BPF_REG_4, 0),
		CALL(BPF_FUNC_sk_redirect_map), EXIT,
	};
	int i;

	if (map < 0)
		return;
	attach(map, PROG(BPF_PROG_TYPE_SK_SKB, on), BPF_SK_SKB_VERDICT);
	sock_pair(in);
	sock_pair(out);
	flow_on(in);
	flow_on(out);
	OK(map_put(map, 0, out[0]));
	OK(map_put(map, 1, in[1]));
	for (i = 0; i < 20; i++) {
		write_all(in[0], "on and on", 9);
		reads(out[1], "on and on");
	}
	/* The other direction is nobody's but the program's */
	write_all(in[1], "back", 4);
	reads(in[0], "back");
}
END_TEST

/* A signal while the way back is waited for is served, and the call ends */
START_TEST(sockmap_takes_it_beside_signals)
{
	int fd[2], i, map = map_new();

	if (map < 0)
		return;
	for (i = 0; i < 10; i++) {
		sock_pair(fd);
		alarm_in(1);
		OK(map_put(map, 0, fd[1]));
		alarm_in(0);
		flow_on(fd);
		close(fd[0]);
		close(fd[1]);
	}
}
END_TEST

/* ---- groups of tasks ---------------------------------------------------- */

/* The tree of groups, or -1 where that cannot be */
static int groups(void)
{
	int tree, context = (int)syscall(SYS_fsopen, "cgroup2", 0);

	if (absent(context, "cgroup2"))
		return -1;
	OK(syscall(SYS_fsconfig, context, 6 /* create */, NULL, NULL, 0));
	tree = (int)OK(syscall(SYS_fsmount, context, 0, 0));
	close(context);
	return tree;
}

/* Waits until a file of a group has the text */
static void group_says(int group, const char *name, const char *text)
{
	char buf[256];
	ssize_t n;
	int file = OK(openat(group, name, O_RDONLY));

	do {
		struct pollfd pfd = { .fd = file, .events = POLLPRI };

		n = OK(pread(file, buf, sizeof(buf) - 1, 0));
		buf[n] = 0;
		if (strstr(buf, text))
			break;
		OK(poll(&pfd, 1, QUIET));
	} while (1);
	close(file);
}

static void group_set(int group, const char *name, const char *text)
{
	int file = OK(openat(group, name, O_WRONLY));

	ck_assert_int_eq(OK(write(file, text, strlen(text))),
			 (ssize_t)strlen(text));
	close(file);
}

static int group_new(int tree, char name[32])
{
	snprintf(name, 32, "case-%d", getpid());
	OK(mkdirat(tree, name, 0755));
	return OK(openat(tree, name, O_DIRECTORY));
}

/* A program of BPF has it in a map as it comes about, before any byte */
START_TEST(sockmap_takes_what_connects)
{
	const struct bpf_insn drop[] = { SET(BPF_REG_0, SK_DROP), EXIT };
	int fd[2], group, ops, listener, map = map_new(), tree = groups();
	const struct bpf_insn take[] = {
		COPY(BPF_REG_6, BPF_REG_1), LOAD(BPF_REG_1, BPF_REG_6),
		SKIP_IF(BPF_REG_1, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, 2),
		SET(BPF_REG_0, 1), EXIT,
		STORE(BPF_REG_10, -4, 0), COPY(BPF_REG_1, BPF_REG_6),
		MAP(BPF_REG_2, map), COPY(BPF_REG_3, BPF_REG_10),
		ADD(BPF_REG_3, -4), SET(BPF_REG_4, BPF_ANY),
		CALL(BPF_FUNC_sock_map_update), SET(BPF_REG_0, 1), EXIT,
	};
	union addr addr;
	char name[32];
	int i;

	if (map < 0 || tree < 0)
		return;
	group = group_new(tree, name);
	group_set(group, "cgroup.procs", "0");
	attach(map, PROG(BPF_PROG_TYPE_SK_MSG, drop), BPF_SK_MSG_VERDICT);
	ops = PROG(BPF_PROG_TYPE_SOCK_OPS, take);
	attach(group, ops, BPF_CGROUP_SOCK_OPS);
	listener = sock_listen(1, &addr);
	for (i = 0; i < 20; i++) {
		fd[0] = sock_connect(&addr);
		fd[1] = OK(accept(listener, NULL, NULL));
		write_all(fd[1], "back", 4);
		reads(fd[0], "back");
		FAILS(send(fd[0], "refused", 7, 0), EACCES);
		OK(map_delete(map, 0));
		flow_on(fd);
		close(fd[0]);
		close(fd[1]);
	}
	detach(group, ops, BPF_CGROUP_SOCK_OPS);
	group_set(tree, "cgroup.procs", "0");
	close(group);
	OK(unlinkat(tree, name, AT_REMOVEDIR));
}
END_TEST

static void sleep_in_recv(int fd)
{
	reads(fd, "thawed");
}

static void sleep_in_poll(int fd)
{
	wait_for(fd, POLLIN);
	reads(fd, "thawed");
}

static void sleep_in_splice(int fd)
{
	char buf[6];
	int by[2];

	OK(pipe(by));
	ck_assert_int_eq(OK(splice(fd, NULL, by[1], NULL, 6, 0)), 6);
	ck_assert_int_eq(OK(read(by[0], buf, 6)), 6);
	ck_assert_mem_eq(buf, "thawed", 6);
}

static void sleep_in_send(int fd)
{
	write_all(fd, "thawed", 6);
}

/* A task of its own in the group, which ends well if the call does */
static pid_t begin(int group, void (*call)(int fd), int fd)
{
	pid_t pid = OK(fork());

	if (pid)
		return pid;
	group_set(group, "cgroup.procs", "0");
	call(fd);
	_exit(0);
}

/* A group is frozen and thawed around calls that sleep: they go on */
START_TEST(frozen_tasks_go_on)
{
	void (*const calls[])(int fd) = { sleep_in_recv, sleep_in_poll,
					  sleep_in_splice, sleep_in_send };
	int group, status, tree = groups();
	char name[32];
	int fd[4][2];
	size_t i, filled;
	pid_t pid[4];

	if (tree < 0)
		return;
	group = group_new(tree, name);
	for (i = 0; i < 4; i++)
		sock_pair(fd[i]);
	filled = fill(fd[3][1]);
	for (i = 0; i < 4; i++)
		pid[i] = begin(group, calls[i], fd[i][1]);
	group_says(group, "cgroup.events", "populated 1");
	poll(NULL, 0, QUIET);
	group_set(group, "cgroup.freeze", "1");
	group_says(group, "cgroup.events", "frozen 1");
	/* It comes while they cannot see it */
	for (i = 0; i < 3; i++)
		write_all(fd[i][0], "thawed", 6);
	drain(fd[3][0], filled);
	group_set(group, "cgroup.freeze", "0");
	for (i = 0; i < 4; i++) {
		OK(waitpid(pid[i], &status, 0));
		ck_assert_msg(!status, "call %zu: status %#x", i, status);
	}
	reads(fd[3][0], "thawed");
	close(group);
	OK(unlinkat(tree, name, AT_REMOVEDIR));
}
END_TEST

/* Killed while they are frozen: the other ends hear of it */
START_TEST(frozen_tasks_can_be_killed)
{
	int fd[2], group, status, tree = groups();
	char name[32];
	pid_t pid;

	if (tree < 0)
		return;
	group = group_new(tree, name);
	sock_pair(fd);
	pid = begin(group, sleep_in_recv, fd[1]);
	close(fd[1]);
	group_says(group, "cgroup.events", "populated 1");
	poll(NULL, 0, QUIET);
	group_set(group, "cgroup.freeze", "1");
	group_says(group, "cgroup.events", "frozen 1");
	OK(kill(pid, SIGKILL));
	OK(waitpid(pid, &status, 0));
	ck_assert(WIFSIGNALED(status));
	read_eof(fd[0]);
	close(group);
	OK(unlinkat(tree, name, AT_REMOVEDIR));
}
END_TEST

/* ---- KCM ---------------------------------------------------------------- */

/* A multiplexor that takes five bytes for a message, or -1 */
static int kcm_new(int *prog)
{
	const struct bpf_insn five[] = { SET(BPF_REG_0, 5), EXIT };
	int kcm = socket(AF_KCM, SOCK_DGRAM, KCMPROTO_CONNECTED);

	if (absent(kcm, "KCM"))
		return -1;
	*prog = PROG(BPF_PROG_TYPE_SOCKET_FILTER, five);
	return kcm;
}

static void message_is(int kcm, const char *want)
{
	char buf[64];

	ck_assert_int_eq(OK(recv(kcm, buf, sizeof(buf), 0)),
			 (ssize_t)strlen(want));
	ck_assert_mem_eq(buf, want, strlen(want));
}

START_TEST(kcm_takes_a_busy_socket)
{
	struct kcm_attach give = {};
	struct kcm_unattach take = {};
	int fd[2], i, kcm = kcm_new(&give.bpf_fd);

	if (kcm < 0)
		return;
	sock_pair(fd);
	flow_on(fd);
	/* One and a half */
	write_all(fd[0], "early", 5);
	write_all(fd[0], "sp", 2);
	give.fd = fd[1];
	OK(ioctl(kcm, SIOCKCMATTACH, &give));
	write_all(fd[0], "lit", 3);
	message_is(kcm, "early");
	message_is(kcm, "split");
	for (i = 0; i < 20; i++) {
		write_all(fd[0], "therethere", 10);
		message_is(kcm, "there");
		message_is(kcm, "there");
		ck_assert_int_eq(OK(send(kcm, "back", 4, 0)), 4);
		reads(fd[0], "back");
	}
	take.fd = fd[1];
	OK(ioctl(kcm, SIOCKCMUNATTACH, &take));
	flow_on(fd);
}
END_TEST

START_TEST(kcm_hears_of_the_end)
{
	struct kcm_attach give = {};
	int fd[2], kcm = kcm_new(&give.bpf_fd);

	if (kcm < 0)
		return;
	sock_pair(fd);
	give.fd = fd[1];
	OK(ioctl(kcm, SIOCKCMATTACH, &give));
	write_all(fd[0], "last.", 5);
	close(fd[0]);
	message_is(kcm, "last.");
	/* The connection is the program's, and tells of it */
	wait_for(fd[1], POLLRDHUP);
}
END_TEST

TCase *taken_case(void)
{
	TCase *tc = tcase_create("taken");

	tcase_set_timeout(tc, DEADLINE);
	tcase_add_test(tc, sockmap_takes_a_busy_socket);
	tcase_add_test(tc, sockmap_refuses_what_is_written);
	tcase_add_test(tc, sockmap_sends_bytes_on);
	tcase_add_test(tc, sockmap_takes_it_beside_signals);
	tcase_add_test(tc, sockmap_takes_what_connects);
	tcase_add_test(tc, frozen_tasks_go_on);
	tcase_add_test(tc, frozen_tasks_can_be_killed);
	tcase_add_test(tc, kcm_takes_a_busy_socket);
	tcase_add_test(tc, kcm_hears_of_the_end);
	return tc;
}
