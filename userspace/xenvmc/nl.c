// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: the socket, the family "xenvmc", requests and their answers.
 *
 * With XENVMC_NL_FILE in the environment the kernel's answers are read from
 * that file, as ss(8) does with TCPDIAG_FILE, and requests go to the file named
 * by XENVMC_NL_SENT. This is for tests of the output and is in no manual page.
 *
 * Every function that returns a status has printed why if it is not ST_OK.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/xenvmc_netlink.h>

#include "attr.h"
#include "nl.h"

/* Bytes of events that may wait: more than a second brings. */
#define NL_EVENT_ROOM	(2 * 1024 * 1024)

/* A dump that keeps being overtaken by changes is shown as it is at last. */
#define NL_DUMP_TRIES	5

/*
 * The kernel's own words about the last error. libmnl hands the callbacks below
 * nothing but what belongs to the caller's one; there is one request at a time.
 */
static const char *extack;

static enum status nl_perror(const char *what)
{
	fprintf(stderr, "xenvmc: %s: %s (errno %d)\n", what, strerror(errno),
		errno);
	return ST_KERNEL;
}

/* Finds the kernel's own words behind an error or at the end of a dump. */
static void find_extack(const struct nlmsghdr *nlh, unsigned int offset)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    nlh->nlmsg_len < NLMSG_HDRLEN + MNL_ALIGN(offset))
		return;
	mnl_attr_for_each(attr, nlh, offset) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			extack = mnl_attr_get_str(attr);
	}
}

static int error_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	unsigned int offset = sizeof(*err);

	(void)data;
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err))) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) &&
	    err->msg.nlmsg_len >= NLMSG_HDRLEN)
		offset += err->msg.nlmsg_len - NLMSG_HDRLEN;
	if (!err->error)
		return MNL_CB_STOP;
	find_extack(nlh, offset);
	errno = -err->error;
	return MNL_CB_ERROR;
}

/* The end of a dump carries an error number too. */
static int done_cb(const struct nlmsghdr *nlh, void *data)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*error)) || *error >= 0)
		return MNL_CB_STOP;
	find_extack(nlh, sizeof(*error));
	errno = -*error;
	return MNL_CB_ERROR;
}

/* Not const only because libmnl does not say that it leaves it alone. */
static mnl_cb_t control_cbs[NLMSG_MIN_TYPE] = {
	[NLMSG_ERROR] = error_cb,
	[NLMSG_DONE] = done_cb,
};

/* A recording holds whole messages, one after another. */
static ssize_t replay_recv(struct nl *nl)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)nl->buf;
	size_t more;

	if (fread(nlh, 1, sizeof(*nlh), nl->replay) != sizeof(*nlh) ||
	    nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > NL_BUF_SIZE) {
		errno = EBADMSG;
		return -1;
	}
	more = nlh->nlmsg_len - sizeof(*nlh);
	if (fread(nlh + 1, 1, more, nl->replay) != more) {
		errno = EBADMSG;
		return -1;
	}
	return nlh->nlmsg_len;
}

static int nl_send(struct nl *nl, const struct nlmsghdr *nlh)
{
	if (nl->sock)
		return mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0 ?
			-1 : 0;
	if (nl->sent && fwrite(nlh, 1, nlh->nlmsg_len, nl->sent) !=
	    nlh->nlmsg_len)
		return -1;
	return 0;
}

/* One request and all its answers. Return: 0, or -1 with errno. */
static int nl_talk(struct nl *nl, const struct nlmsghdr *nlh, mnl_cb_t cb,
		   void *data)
{
	ssize_t len;
	int ret;

	extack = NULL;
	if (nl_send(nl, nlh))
		return -1;
	do {
		len = nl->sock ? mnl_socket_recvfrom(nl->sock, nl->buf,
						     sizeof(nl->buf)) :
				 replay_recv(nl);
		if (len < 0)
			return -1;
		ret = mnl_cb_run2(nl->buf, (size_t)len, nl->seq, nl->portid,
				  cb, data, control_cbs, NLMSG_MIN_TYPE);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -1 : 0;
}

static enum status kernel_error(void)
{
	fprintf(stderr, "Kernel answers: %s (errno %d)%s%s\n", strerror(errno),
		errno, extack ? ": " : "", extack ? extack : "");
	return ST_KERNEL;
}

/**
 * nl_prepare() - begin a request
 * @nl: connection
 * @cmd: command of the family
 * @flags: netlink flags besides NLM_F_REQUEST and NLM_F_ACK
 *
 * Return: the message, in the buffer of @nl; attributes can be added to it.
 */
struct nlmsghdr *nl_prepare(struct nl *nl, uint8_t cmd, uint16_t flags)
{
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;

	/* libmnl before 1.0.5 leaves what was received in the padding */
	memset(nl->buf, 0, sizeof(nl->buf));
	nlh = mnl_nlmsg_put_header(nl->buf);
	nlh->nlmsg_type = nl->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	if (nl->sock)
		nl->seq++;
	nlh->nlmsg_seq = nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = nl->family == GENL_ID_CTRL ? 1 : XENVMC_GENL_VERSION;
	return nlh;
}

/**
 * nl_request() - send a request and handle its answers
 * @nl: connection
 * @nlh: request, from nl_prepare()
 * @cb: called for each message of the answer
 * @data: for @cb
 *
 * Return: ST_OK or ST_KERNEL.
 */
enum status nl_request(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb,
		       void *data)
{
	return nl_talk(nl, nlh, cb, data) ? kernel_error() : ST_OK;
}

static const struct attr_policy ctrl_policy[CTRL_ATTR_MAX + 1] = {
	[CTRL_ATTR_FAMILY_ID] = { .type = MNL_TYPE_U16 },
	[CTRL_ATTR_MCAST_GROUPS] = { .type = MNL_TYPE_NESTED },
};

static const struct attr_policy group_policy[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { .type = MNL_TYPE_NUL_STRING },
	[CTRL_ATTR_MCAST_GRP_ID] = { .type = MNL_TYPE_U32 },
};

static bool find_group(const struct nlattr *groups, uint32_t *group)
{
	const struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const struct nlattr *name, *id, *attr;

	mnl_attr_for_each_nested(attr, groups) {
		if (!attr_parse_nested(attr, group_policy,
				       CTRL_ATTR_MCAST_GRP_MAX, tb))
			return false;
		name = tb[CTRL_ATTR_MCAST_GRP_NAME];
		id = tb[CTRL_ATTR_MCAST_GRP_ID];
		if (name && id &&
		    !strcmp(mnl_attr_get_str(name), XENVMC_GENL_GROUP))
			*group = mnl_attr_get_u32(id);
	}
	return true;
}

static int family_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct nl *found = data;

	if (!attr_parse(nlh, ctrl_policy, CTRL_ATTR_MAX, tb) ||
	    !tb[CTRL_ATTR_FAMILY_ID])
		return MNL_CB_ERROR;
	found->family = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (tb[CTRL_ATTR_MCAST_GROUPS] &&
	    !find_group(tb[CTRL_ATTR_MCAST_GROUPS], &found->group))
		return MNL_CB_ERROR;
	return MNL_CB_OK;
}

/* Asking by name also makes the kernel try to load the module. */
static enum status nl_resolve(struct nl *nl)
{
	struct nlmsghdr *nlh;

	nl->family = GENL_ID_CTRL;
	nlh = nl_prepare(nl, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, XENVMC_GENL_NAME);
	if (nl_talk(nl, nlh, family_cb, nl)) {
		if (errno != ENOENT)
			return kernel_error();
		fprintf(stderr,
			"xenvmc: the kernel module xenvmc is not loaded (generic netlink family \"%s\" not found)\n",
			XENVMC_GENL_NAME);
		return ST_KERNEL;
	}
	return ST_OK;
}

static enum status nl_open_socket(struct nl *nl)
{
	int one = 1;

	nl->sock = mnl_socket_open(NETLINK_GENERIC);
	if (!nl->sock)
		return nl_perror("netlink socket");
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return nl_perror("netlink socket");
	/* Older kernels lack these; answers are then less talkative. */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &one,
			      sizeof(one));
	nl->portid = mnl_socket_get_portid(nl->sock);
	nl->seq = (uint32_t)time(NULL);
	return ST_OK;
}

static enum status nl_open_replay(struct nl *nl, const char *file)
{
	const char *sent = secure_getenv("XENVMC_NL_SENT");

	nl->replay = fopen(file, "r");
	if (!nl->replay)
		return nl_perror(file);
	if (!sent)
		return ST_OK;
	nl->sent = fopen(sent, "w");
	return nl->sent ? ST_OK : nl_perror(sent);
}

/**
 * nl_open() - connect to the kernel and find the family
 * @nl: out: connection; to be closed with nl_close() whatever is returned
 *
 * Return: ST_OK or ST_KERNEL.
 */
enum status nl_open(struct nl *nl)
{
	const char *file = secure_getenv("XENVMC_NL_FILE");
	enum status st;

	memset(nl, 0, sizeof(*nl));
	st = file ? nl_open_replay(nl, file) : nl_open_socket(nl);
	return st ? st : nl_resolve(nl);
}

/**
 * nl_close() - disconnect
 * @nl: connection, after nl_open()
 */
void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	if (nl->replay)
		fclose(nl->replay);
	if (nl->sent && fclose(nl->sent))
		nl_perror("XENVMC_NL_SENT");
}

static enum status show_flush(struct print *out)
{
	int err = print_flush(out);

	if (!err)
		return ST_OK;
	errno = -err;
	return nl_perror("output");
}

/* What is left of an interrupted answer is not to be read: a new socket. */
static enum status nl_again(struct nl *nl)
{
	if (!nl->sock)
		return ST_OK;
	nl_close(nl);
	return nl_open(nl);
}

/* libmnl reports an interrupted dump as EINTR. */
static enum status dump_retry(struct nl *nl, uint8_t cmd, mnl_cb_t cb,
			      void *data, struct print *out)
{
	struct nlmsghdr *nlh;
	int tries;

	for (tries = 0; tries < NL_DUMP_TRIES; tries++) {
		if (tries && print_discard(out))
			return nl_perror("output");
		if (tries && nl_again(nl))
			return ST_KERNEL;
		print_list(out);
		nlh = nl_prepare(nl, cmd, NLM_F_DUMP);
		if (!nl_talk(nl, nlh, cb, data))
			return show_flush(out);
		if (errno != EINTR)
			return kernel_error();
	}
	fputs("xenvmc: the list changed each time while it was read, try again\n",
	      stderr);
	return ST_KERNEL;
}

/**
 * nl_show_list() - dump something and print a list
 * @cmd: command of the family
 * @cb: called for each message, prints an object to @out
 * @data: for @cb
 * @out: output, flushed if all went well
 *
 * Return: ST_OK or ST_KERNEL.
 */
enum status nl_show_list(uint8_t cmd, mnl_cb_t cb, void *data,
			 struct print *out)
{
	struct nl nl;
	enum status st;

	st = nl_open(&nl);
	if (!st)
		st = dump_retry(&nl, cmd, cb, data, out);
	nl_close(&nl);
	return st;
}

/**
 * nl_show_one() - get something and print it
 * @cmd: command of the family
 * @cb: called for the answer, prints to @out
 * @data: for @cb
 * @out: output, flushed if all went well
 *
 * Return: ST_OK or ST_KERNEL.
 */
enum status nl_show_one(uint8_t cmd, mnl_cb_t cb, void *data,
			struct print *out)
{
	struct nl nl;
	enum status st;

	st = nl_open(&nl);
	if (!st)
		st = nl_request(&nl, nl_prepare(&nl, cmd, 0), cb, data);
	if (!st)
		st = show_flush(out);
	nl_close(&nl);
	return st;
}

/* Joins the group, with room for what comes while we print. */
static enum status nl_join(struct nl *nl)
{
	/* Of the controller of families: it tells when one goes. */
	int control = GENL_ID_CTRL;
	int group = (int)nl->group;
	int size = NL_EVENT_ROOM;
	int fd;

	if (!group) {
		fputs("xenvmc: the kernel module tells no events\n", stderr);
		return ST_KERNEL;
	}
	if (!nl->sock)
		return ST_OK;
	fd = mnl_socket_get_fd(nl->sock);
	/* Root is not bound by net.core.rmem_max; others get what it allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &control,
				  sizeof(control)) < 0 ||
	    mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return nl_perror("netlink group");
	return ST_OK;
}

/* A recording has an end. */
static bool nl_at_end(struct nl *nl)
{
	int c = nl->replay ? fgetc(nl->replay) : 0;

	return nl->replay && ungetc(c, nl->replay) == EOF;
}

/**
 * struct listener - who listens to events
 * @nl: connection
 * @cb: called for each
 * @data: for @cb
 * @gone: no more will come
 */
struct listener {
	struct nl *nl;
	mnl_cb_t cb;
	void *data;
	bool gone;
};

/* The family, and with it our membership in its group, goes with the module. */
static int family_news_cb(const struct nlmsghdr *nlh, struct listener *listener)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];

	if (nlh->nlmsg_len < mnl_nlmsg_size(GENL_HDRLEN) ||
	    genl->cmd != CTRL_CMD_DELFAMILY)
		return MNL_CB_OK;
	if (!attr_parse(nlh, ctrl_policy, CTRL_ATTR_MAX, tb))
		return MNL_CB_ERROR;
	listener->gone = tb[CTRL_ATTR_FAMILY_ID] &&
			 mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]) ==
			 listener->nl->family;
	return listener->gone ? MNL_CB_STOP : MNL_CB_OK;
}

static int listen_cb(const struct nlmsghdr *nlh, void *data)
{
	struct listener *listener = data;

	if (nlh->nlmsg_type == GENL_ID_CTRL)
		return family_news_cb(nlh, listener);
	return listener->cb(nlh, listener->data);
}

/* Without room events were lost: the next one's number tells how many. */
static enum status nl_listen(struct nl *nl, mnl_cb_t cb, void *data)
{
	struct listener listener = { .nl = nl, .cb = cb, .data = data };
	ssize_t len;

	while (!nl_at_end(nl)) {
		len = nl->sock ? mnl_socket_recvfrom(nl->sock, nl->buf,
						     sizeof(nl->buf)) :
				 replay_recv(nl);
		if (len < 0 && (errno == ENOBUFS || errno == EINTR))
			continue;
		if (len < 0 || mnl_cb_run2(nl->buf, (size_t)len, 0, 0,
					   listen_cb, &listener, NULL, 0) < 0)
			return nl_perror("events");
		if (listener.gone) {
			fputs("xenvmc: the kernel module is gone\n", stderr);
			return ST_KERNEL;
		}
	}
	return ST_OK;
}

/**
 * nl_monitor() - listen to events
 * @cb: called for each, with nothing but MNL_CB_OK for more
 * @data: for @cb
 *
 * Until a signal ends the program, or the module is unloaded.
 * Return: ST_KERNEL; ST_OK at the end of a recording.
 */
enum status nl_monitor(mnl_cb_t cb, void *data)
{
	struct nl nl;
	enum status st;

	st = nl_open(&nl);
	if (!st)
		st = nl_join(&nl);
	if (!st)
		st = nl_listen(&nl, cb, data);
	nl_close(&nl);
	return st;
}
