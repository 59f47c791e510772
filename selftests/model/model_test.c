// SPDX-License-Identifier: GPL-2.0
/*
 * model_test [--family FAMILY] [--seed SEED] [--from SEED] [--steps N]
 * [--seconds N] [--way WORDS]: does a stream socket answer as TCP may, whatever is
 * called at its two ends?
 *
 * FAMILY is inet, inet6, mapped or xenvmc. Each seed is a connection of its own, and a
 * seed that has found something is named. With SEED only that one is played, with
 * --from all from there on. --way says how the bytes go, for who reads of a
 * failure. The library "check" prints TAP. With
 * XENVMC_TEST_MOVED most connections are on rings before anything else happens.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <pthread.h>

#include "../loop/loop.h"
#include "model.h"

static const struct variant variants[] = {
	{ .name = "inet", .family = AF_INET, .protocol = IPPROTO_TCP,
	  .len = sizeof(struct sockaddr_in) },
	{ .name = "inet6", .family = AF_INET6, .protocol = IPPROTO_TCP,
	  .len = sizeof(struct sockaddr_in6) },
	{ .name = "mapped", .family = AF_INET6, .protocol = IPPROTO_TCP,
	  .mapped = true, .len = sizeof(struct sockaddr_in6) },
	{ .name = "xenvmc", .family = AF_XENVMC,
	  .len = sizeof(struct sockaddr_xenvmc) },
};

static const char * const themes[THEMES] = {
	"transfers are exact", "so are interrupted ones",
	"options change nothing", "streams end as they should",
};

const struct variant *variant = variants;

static uint64_t first_seed = 1;
static int max_steps = 60;
static int64_t seconds = 20;
static bool one_seed;
static const char *way = "";

#define TABLES		4	/* connections that are played at once */

/**
 * struct table - where two ends play
 * @world: what they share
 * @start: both, and their parent, which closes the sockets before they begin
 * @pid: of their processes; 0 once they have ended
 * @deadline: when they should have ended, by now_ms()
 */
struct table {
	struct world world;
	pthread_barrier_t start;
	pid_t pid[2];
	int64_t deadline;
};

static struct table *tables;

static void on_pipe(int signo)
{
	(void)signo;
	pipe_signals++;
}

static void on_alarm(int signo)
{
	(void)signo;
}

static void plan(struct world *world, uint64_t seed)
{
	static const size_t most[] = { 2000, 20000, 200000 };
	uint64_t state = seed;

	memset(world, 0, sizeof(*world));
	world->seed = seed;
	world->theme = seed % THEMES;
	world->blocker = (int)(model_next(&state) % 2);
	world->most = most[model_next(&state) % 3];
	world->steps[0] = 1 + (int)(model_next(&state) % (uint64_t)max_steps);
	world->steps[1] = 1 + (int)(model_next(&state) % (uint64_t)max_steps);
	/* Both must come to each */
	if (world->theme != THEME_ENDS) {
		world->steps[1] = world->steps[0];
		world->meetings = (int)(model_next(&state) % 3);
	}
}

/* What the process of an end does */
static void be(struct table *table, const int fd[2], int side)
{
	struct sigaction alarms = { .sa_handler = on_alarm };
	struct sigaction pipes = { .sa_handler = on_pipe };
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	};
	struct world *world = &table->world;
	struct end e = {
		.world = world, .side = side, .fd = fd[side], .lowat = 1,
		.out = &world->ways[side], .in = &world->ways[!side],
		.random = world->seed * 2 + (uint64_t)side,
	};

	close(fd[!side]);
	sigaction(SIGALRM, &alarms, NULL);
	sigaction(SIGPIPE, &pipes, NULL);
	e.buf = malloc(MODEL_ROOM);
	e.file = memfd_create("stream", 0);
	e.epoll = epoll_create1(0);
	if (!e.buf || e.file < 0 || e.epoll < 0 ||
	    ftruncate(e.file, MODEL_LIMIT) ||
	    pipe2(e.pipe, O_NONBLOCK) ||
	    epoll_ctl(e.epoll, EPOLL_CTL_ADD, e.fd, &event))
		wrong(&e, "%m");
	pthread_barrier_wait(&table->start);
	end_live(&e);
	_exit(0);
}

static void show_log(const struct world *world)
{
	uint32_t calls, i;
	int side;

	for (side = 0; side < 2; side++) {
		calls = atomic_load(&world->calls[side]);
		i = calls > MODEL_LOG ? calls - MODEL_LOG : 0;
		printf("# end %d, the last of %u:\n", side, calls);
		for (; i < calls; i++)
			printf("#   %s\n", world->log[side][i % MODEL_LOG]);
	}
	fflush(stdout);
}

/* Where a process is that does not come back */
static void show_place(pid_t pid)
{
	static const char * const names[] = { "syscall", "wchan", "stack" };
	char path[64], line[256];
	size_t i;
	FILE *file;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file))
			printf("# %s: %s%s", path, line,
			       strchr(line, '\n') ? "" : "\n");
		if (file)
			fclose(file);
	}
}

static long deadline(void)
{
	const char *factor = getenv("XENVMC_DEADLINE_FACTOR");

	return (long)(DEADLINE * (factor ? strtod(factor, NULL) : 1));
}

/* One connection of four moves, if it does, while its ends are busy already */
static void pair(int fd[2], uint64_t seed)
{
	union addr addr;
	int listener;

	if (seed / THEMES % 4) {
		sock_pair(fd);
		return;
	}
	listener = sock_listen(1, &addr);
	fd[0] = sock_connect(&addr);
	fd[1] = OK(accept(listener, NULL, NULL));
	close(listener);
}

static void begin(struct table *table, uint64_t seed)
{
	pthread_barrierattr_t attr;
	int fd[2], side;
	pid_t pid;

	plan(&table->world, seed);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&table->start, &attr, 3);
	pair(fd, seed);
	for (side = 0; side < 2; side++) {
		pid = OK(fork());
		if (!pid)
			be(table, fd, side);
		table->pid[side] = pid;
	}
	close(fd[0]);
	close(fd[1]);
	pthread_barrier_wait(&table->start);
	table->deadline = now_ms() + deadline() * 1000;
}

/* What an end did last, for the one line that says that it hangs */
static const char *last_call(const struct world *world, int side)
{
	uint32_t calls = atomic_load(&world->calls[side]);

	return calls ? world->log[side][(calls - 1) % MODEL_LOG] : "nothing";
}

/* Nothing more of this table, and what was wrong there */
static void judge(struct table *table, bool hangs)
{
	struct world *world = &table->world;
	bool here[2];
	int side;

	for (side = 0; side < 2; side++) {
		here[side] = table->pid[side];
		if (!here[side])
			continue;
		show_place(table->pid[side]);
		kill(table->pid[side], SIGKILL);
	}
	if (!hangs && !atomic_load(&world->failed))
		return;
	show_log(world);
	if (atomic_load(&world->failed))
		ck_abort_msg("%s: seed %llu: %s", way,
			     (unsigned long long)world->seed, world->text);
	ck_abort_msg("%s: seed %llu: hangs: %s: %s; %s: %s", way,
		     (unsigned long long)world->seed,
		     here[0] ? "end 0" : "gone", last_call(world, 0),
		     here[1] ? "end 1" : "gone", last_call(world, 1));
}

/* Waits for an end. Return: a table where both have ended, or NULL */
static struct table *wait_for_end(void)
{
	struct table *table;
	int status, side;
	pid_t pid;

	/* So that waiting ends, to look whether anybody hangs */
	alarm_in(1000);
	pid = waitpid(-1, &status, 0);
	alarm_in(0);
	for (table = tables; table < tables + TABLES; table++) {
		for (side = 0; side < 2; side++) {
			if (pid <= 0 || table->pid[side] != pid)
				continue;
			table->pid[side] = 0;
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				atomic_store(&table->world.failed, 2);
			if (!table->pid[!side])
				return table;
		}
		if ((table->pid[0] || table->pid[1]) &&
		    now_ms() > table->deadline)
			judge(table, true);
	}
	return NULL;
}

struct sum {
	uint64_t seeds;
	uint64_t calls;
	uint64_t bytes;
};

static void add(struct sum *sum, const struct world *world)
{
	int side;

	sum->seeds++;
	for (side = 0; side < 2; side++) {
		sum->calls += world->calls[side];
		sum->bytes += world->ways[side].read;
	}
}

/* Plays @seed and each THEMES-th after it, at all tables, until @end */
static struct sum play(uint64_t seed, int64_t end)
{
	struct sum sum = {};
	struct table *table;
	int busy = 0;

	for (table = tables; table < tables + TABLES; table++) {
		if (busy && one_seed)
			break;
		begin(table, seed);
		seed += THEMES;
		busy++;
	}
	while (busy) {
		table = wait_for_end();
		if (!table)
			continue;
		judge(table, false);
		add(&sum, &table->world);
		if (now_ms() < end) {
			begin(table, seed);
			seed += THEMES;
		} else {
			busy--;
		}
	}
	return sum;
}

START_TEST(seeds_of_a_theme)
{
	int64_t end = now_ms() + seconds * 1000 / THEMES;
	uint64_t seed = first_seed;
	struct sum sum;

	if (!one_seed)
		seed += (uint64_t)_i - first_seed % THEMES;
	else
		end = 0;
	tables = mmap(NULL, TABLES * sizeof(*tables), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(tables != MAP_FAILED);
	sum = play(seed, end);
	printf("# %s: %llu seeds from %llu on, %llu calls, %llu bytes\n",
	       themes[seed % THEMES], (unsigned long long)sum.seeds,
	       (unsigned long long)seed, (unsigned long long)sum.calls,
	       (unsigned long long)sum.bytes);
	fflush(stdout);
}
END_TEST

static int run(void)
{
	Suite *suite = suite_create(variant->name);
	SRunner *runner = srunner_create(suite);
	TCase *tc = tcase_create("model");
	int failed;

	tcase_set_timeout(tc, (double)(seconds + 4 * deadline()));
	tcase_add_loop_test(tc, seeds_of_a_theme, 0, one_seed ? 1 : THEMES);
	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_set_tap(runner, "-");
	if (puts("TAP version 13") == EOF || fflush(stdout))
		return EXIT_FAILURE;
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner) || !srunner_ntests_run(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(void)
{
	fputs("usage: model_test [--family inet|inet6|mapped|xenvmc]\n", stderr);
	fputs("\t[--seed SEED] [--from SEED] [--steps N] [--seconds N]\n",
	      stderr);
	fputs("\t[--way WORDS]\n", stderr);
	return 2;
}

static const struct variant *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		if (!strcmp(variants[i].name, name))
			return &variants[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "family", required_argument, NULL, 'f' },
		{ "from", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "way", required_argument, NULL, 'w' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "f:b:s:n:t:w:", options, NULL)) >= 0) {
		if (opt == 'f')
			variant = find(optarg);
		else if (opt == 'b' || opt == 's')
			first_seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			max_steps = atoi(optarg);
		else if (opt == 't')
			seconds = atoll(optarg);
		else if (opt == 'w')
			way = optarg;
		else
			return usage();
		one_seed |= opt == 's';
	}
	if (!*way && variant)
		way = variant->name;
	if (!variant || optind < argc || max_steps < 1 || seconds < 1)
		return usage();
	return run();
}
