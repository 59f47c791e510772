// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that sleep in the victim: one waits for bytes of the stream of
 * far_talk(), one for room in it, when a word of a shared page is not true.
 *
 * Each byte of both is compared if nothing is to break; else both are to hear
 * of it. Whoever is never woken gives up after a while, and fails the case.
 */
#include <linux/kthread.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "cases.h"

#define ASLEEP_READ	5000
#define ASLEEP_WRITTEN	(3 * XVMC_PAGE_SIZE)	/* a ring of ours has two */
#define ASLEEP_PIECE	2500

/**
 * struct sleeper - a program
 * @sock: where
 * @task: its own
 * @buf: all that it reads or writes
 * @want: how many bytes
 * @done: so many were moved
 * @err: why it has ended
 */
struct sleeper {
	struct socket *sock;
	struct task_struct *task;
	u8 *buf;
	u32 want;
	u32 done;
	int err;
};

static u8 asleep_byte(u32 pos, bool read)
{
	return pos * 7 + (pos >> 8) + read;
}

static int asleep_run(struct sleeper *it, bool reads)
{
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	struct kvec vec;
	int ret = 0;

	while (it->done < it->want) {
		vec.iov_base = it->buf + it->done;
		vec.iov_len = it->want - it->done;
		ret = reads ? kernel_recvmsg(it->sock, &msg, &vec, 1,
					     vec.iov_len, 0) :
			      kernel_sendmsg(it->sock, &msg, &vec, 1,
					     vec.iov_len);
		if (ret <= 0)
			break;
		WRITE_ONCE(it->done, it->done + ret);
	}
	it->err = ret < 0 ? ret : it->done < it->want ? -EPIPE : 0;
	return 0;
}

static int asleep_reads(void *data)
{
	return asleep_run(data, true);
}

static int asleep_writes(void *data)
{
	return asleep_run(data, false);
}

static int asleep_start(struct sleeper *it, bool reads, u32 want)
{
	struct task_struct *task;
	u32 i;

	it->sock = near_socket(0);
	it->want = want;
	it->buf = kvzalloc(want, GFP_KERNEL);
	if (!it->sock || !it->buf)
		return -ENOENT;
	for (i = 0; !reads && i < want; i++)
		it->buf[i] = asleep_byte(i, false);
	task = kthread_create(reads ? asleep_reads : asleep_writes, it,
			      "asleep");
	if (IS_ERR(task))
		return -ENOENT;
	get_task_struct(task);
	wake_up_process(task);
	it->task = task;
	return 0;
}

static bool asleep_has_ended(const struct sleeper *it)
{
	return READ_ONCE(it->task->exit_state);
}

static bool asleep_sleeps(const struct sleeper *it)
{
	return READ_ONCE(it->task->__state) == TASK_INTERRUPTIBLE;
}

/* Its socket's own patience is less than that of who waits here for its end */
static void asleep_join(struct sleeper *it)
{
	if (it->task) {
		kthread_stop(it->task);
		put_task_struct(it->task);
	}
	kvfree(it->buf);
}

static bool asleep_wait(const struct sleeper *reader,
			const struct sleeper *writer, unsigned long end)
{
	while (!asleep_sleeps(reader) || !asleep_sleeps(writer)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/* All that is there. How many bytes of it are right, up to the first other */
static u32 asleep_drink(struct far *far, u32 pos)
{
	struct far_own *own = &far->own[0];
	int used = xvmc_ring_used(&own->cons), n;
	u8 byte;

	for (n = 0; n < used; n++) {
		xvmc_ring_copy_out(&own->cons, n, &byte, 1);
		if (byte != asleep_byte(pos + n, false))
			break;
	}
	return used > 0 ? min_t(u32, n, far_read(far, 0)) : 0;
}

static void asleep_feed(struct far *far, u32 pos, u32 len)
{
	static u8 piece[ASLEEP_PIECE];
	u32 i;

	for (i = 0; i < len; i++)
		piece[i] = asleep_byte(pos + i, true);
	far_write_from(far, far_find_lent(far, 0), piece, len);
}

/* The far end does what both wait for, in pieces, and lies before each */
static int asleep_serve(struct far *far, const struct asleep *lie,
			struct sleeper *reader, struct sleeper *writer,
			unsigned long end)
{
	u32 fed = 0, drunk = 0, i;

	while (!asleep_has_ended(reader) || !asleep_has_ended(writer)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		page_tell(far, lie->page, lie->word, lie->value, lie->relative);
		if (fed < ASLEEP_READ && READ_ONCE(reader->done) == fed) {
			i = min_t(u32, ASLEEP_PIECE, ASLEEP_READ - fed);
			asleep_feed(far, fed, i);
			fed += i;
		}
		drunk += asleep_drink(far, drunk);
		far_settle(far);
		schedule_timeout_uninterruptible(1);
	}
	if (reader->err || writer->err)
		return -EIO;
	for (i = 0; i < ASLEEP_READ; i++)
		if (reader->buf[i] != asleep_byte(i, true))
			return -EIO;
	return drunk == ASLEEP_WRITTEN ? 0 : -EIO;
}

static bool asleep_is_over(const struct sleeper *it)
{
	return it->err == -ECONNRESET || it->err == -EPIPE;
}

/* Both are told that it is over */
static int asleep_break(struct far *far, const struct asleep *lie,
			struct sleeper *reader, struct sleeper *writer,
			unsigned long end)
{
	int err = page_tell(far, lie->page, lie->word, lie->value,
			    lie->relative);

	/* Nobody of them looks at a control ring */
	if (!err && (lie->page == PAGE_CTL_TX || lie->page == PAGE_CTL_RX))
		near_ask(far, false);
	while (!err &&
	       (!asleep_has_ended(reader) || !asleep_has_ended(writer))) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		far_settle(far);
		schedule_timeout_uninterruptible(1);
	}
	if (err)
		return err;
	/* As with TCP, one hears the error, the other one that it is over */
	return asleep_is_over(reader) && asleep_is_over(writer) &&
	       (reader->err == -ECONNRESET || writer->err == -ECONNRESET) ? 0 :
								  -EBADMSG;
}

/**
 * asleep_play() - a reader and a writer sleep when a word is not true
 * @far: pair that talks, nothing unread
 * @lie: the word, and whether that breaks the channel
 *
 * Return: 0. -ETIMEDOUT: somebody slept on; -EIO: other bytes, or none;
 * -EBADMSG: somebody was told something else; -ENOENT: there is nobody.
 */
int asleep_play(struct far *far, const struct asleep *lie)
{
	unsigned long wait = HOSTILE_PATIENCE;
	struct sleeper reader = {}, writer = {};
	struct socket *sock = near_socket(0);
	int err;

	if (!sock)
		return -ENOENT;
	sock->sk->sk_rcvtimeo = 2 * wait;
	sock->sk->sk_sndtimeo = 2 * wait;
	err = asleep_start(&reader, true, ASLEEP_READ);
	if (!err)
		err = asleep_start(&writer, false, ASLEEP_WRITTEN);
	if (!err && !asleep_wait(&reader, &writer, jiffies + wait))
		err = -ENOENT;
	if (!err)
		err = (lie->breaks ? asleep_break : asleep_serve)
			(far, lie, &reader, &writer, jiffies + wait);
	asleep_join(&reader);
	asleep_join(&writer);
	return err;
}

/**
 * tell_asleep() - an index that can not be, while programs sleep
 * @far: pair that talks
 * @it: which
 *
 * Return: 0 or a negative errno.
 */
int tell_asleep(struct far *far, const struct hostile_case *it)
{
	struct asleep lie = {
		.page = it->type,
		.word = it->word,
		.value = it->value,
		.relative = it->relative,
		.breaks = it->expected == BREAKS,
	};

	return asleep_play(far, &lie);
}
