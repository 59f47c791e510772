// SPDX-License-Identifier: GPL-2.0
/*
 * What xenvmcd does while it runs: one loop over XenStore's events and signals.
 */
#include "daemon.h"
#include "directory.h"
#include "log.h"
#include "policy.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MS 50	/* that events are taken before something is done */

/**
 * struct loop - the loop's own things
 * @s: the store
 * @dir: the directory
 * @path: policy file, NULL for the default one, which may be absent
 * @sigfd: where signals arrive
 * @done: leave the loop
 */
struct loop {
	struct store *s;
	struct directory *dir;
	const char *path;
	int sigfd;
	bool done;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/**
 * daemon_load_policy() - read the policy, or complain
 * @path: the file, NULL for the default one, which may be absent
 *
 * Return: the policy, or NULL.
 */
struct policy *daemon_load_policy(const char *path)
{
	const char *file = path ? path : DAEMON_POLICY_FILE;
	char err[POLICY_ERR_MAX], text[POLICY_ERR_MAX];
	struct policy *policy;

	policy = policy_load(file, err);
	if (!policy && !path && errno == ENOENT) {
		policy = policy_builtin();
		file = "no policy file";
	}
	if (!policy) {
		log_err("%s", err);
		return NULL;
	}
	policy_describe(policy, text, sizeof(text));
	log_info("%s: %s", file, text);
	return policy;
}

/* The descriptor, which holds the lock until the process ends, or -1. */
static int take_lock(void)
{
	char pid[16];
	ssize_t len;
	int fd;

	if (mkdir(DAEMON_RUN_DIR, 0755) && errno != EEXIST) {
		log_err("%s: %s", DAEMON_RUN_DIR, strerror(errno));
		return -1;
	}
	fd = open(DAEMON_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_err("%s: %s", DAEMON_LOCK_FILE, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		len = read(fd, pid, sizeof(pid) - 1);
		pid[len > 0 ? len : 0] = '\0';
		log_err("another xenvmcd is running, process %s", pid);
		close(fd);
		return -1;
	}
	len = snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(fd, 0) || write(fd, pid, len) != len)
		log_warn("%s: %s", DAEMON_LOCK_FILE, strerror(errno));
	return fd;
}

static struct store *open_store(void)
{
	const char *missing;
	struct store *s;

	s = store_open(&missing);
	if (!s)
		log_err("%s", missing);
	return s;
}

/* Must be before libxenstore starts its thread. */
static int block_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		log_err("signalfd: %s", strerror(errno));
	return fd;
}

static void take_signal(struct loop *loop)
{
	struct signalfd_siginfo info;
	struct policy *policy;

	if (read(loop->sigfd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP) {
		log_info("leaving; what is published stays, so peers stay connected");
		loop->done = true;
		return;
	}
	policy = daemon_load_policy(loop->path);
	if (policy)
		directory_set_policy(loop->dir, policy);
	else
		log_err("the old policy stays in force");
}

/*
 * All that there are, if guests do not bring more all the time: what is left
 * waits in memory of ours, and behind it that a domain is gone.
 */
static int take_events(struct loop *loop)
{
	int64_t end = now_ms() + EVENTS_MS;
	char token[STORE_TOKEN_MAX];
	int err = 0;

	while (!err && now_ms() < end) {
		err = loop->s->ops->next_event(loop->s, token);
		if (!err)
			directory_event(loop->dir, token);
	}
	return err == -EAGAIN ? 0 : err;
}

static int loop_once(struct loop *loop)
{
	struct pollfd fds[] = {
		{ .fd = loop->sigfd, .events = POLLIN },
		{ .fd = store_fd(loop->s), .events = POLLIN },
	};
	int err;

	err = poll(fds, 2, (int)directory_run(loop->dir, now_ms()));
	if (err < 0 && errno != EINTR)
		return -errno;
	if (err <= 0)
		return 0;
	if (fds[0].revents)
		take_signal(loop);
	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	return fds[1].revents ? take_events(loop) : 0;
}

static int loop_run(struct loop *loop)
{
	int err;

	err = directory_start(loop->dir);
	while (!err && !loop->done)
		err = loop_once(loop);
	if (err)
		log_err("lost the connection to xenstored: %s", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * daemon_run() - keep the directory until told to stop
 * @path: policy file to read again on SIGHUP, NULL for the default one
 * @policy: the policy, which this frees
 *
 * Return: an exit status.
 */
int daemon_run(const char *path, struct policy *policy)
{
	struct loop loop = { .path = path };
	int lock, ret = EXIT_FAILURE;

	loop.sigfd = block_signals();
	if (loop.sigfd < 0)
		goto err_policy;
	loop.s = open_store();
	if (!loop.s)
		goto err_sigfd;
	lock = take_lock();
	if (lock < 0)
		goto err_store;
	loop.dir = directory_new(loop.s, policy);
	policy = NULL;
	if (!loop.dir)
		goto err_lock;
	ret = loop_run(&loop);
	directory_free(loop.dir);
err_lock:
	close(lock);
err_store:
	store_close(loop.s);
err_sigfd:
	close(loop.sigfd);
err_policy:
	policy_free(policy);
	return ret;
}

/**
 * daemon_purge() - remove all that any xenvmcd has published
 *
 * Return: an exit status.
 */
int daemon_purge(void)
{
	int lock, n, ret = EXIT_FAILURE;
	struct store *s;

	s = open_store();
	if (!s)
		return ret;
	lock = take_lock();
	if (lock < 0)
		goto err_store;
	n = directory_purge(s);
	if (n < 0) {
		log_err("cannot remove what is published: %s", strerror(-n));
	} else {
		log_info("removed the directories of %d domains", n);
		ret = EXIT_SUCCESS;
	}
	close(lock);
err_store:
	store_close(s);
	return ret;
}
