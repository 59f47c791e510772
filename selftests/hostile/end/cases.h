/* SPDX-License-Identifier: GPL-2.0 */
/* What a row of the table of cases holds. */
#ifndef _XVMC_HOSTILE_CASES_H
#define _XVMC_HOSTILE_CASES_H

#include "far.h"

/* By the clock of a machine that may be busy: a loop that takes far too long */
#define HOSTILE_SLOW_US	(10 * USEC_PER_SEC)

/* What the protocol wants the victim to do */
enum expected {
	FINE,		/* nothing: the connections go on */
	VANISHES,	/* nothing, until dom0 says so; then all ends */
	STAYS,		/* the channel stays; the connection is spoilt */
	ENDS,		/* the connection ends, the channel stays */
	CONNECTS,	/* the pair, with the features that both have */
	OPENS,		/* the connection, and the others go on */
	TELLS,		/* the program is refused, for a reason that exists */
	REFUSES,	/* REFUSE or UPGRADE_NO */
	REFUSES_ALL,	/* each of @value questions */
	GONE,		/* RING_GONE */
	NO_TYPE,	/* skipped and counted */
	NO_CONN,	/* ignored and counted */
	CLOSES,		/* the channel ends in good order */
	ANSWERS,	/* it does, and BYE is said */
	BREAKS,		/* a violation: the channel breaks, once */
};

/* For tell_page(): whose header page */
enum far_page {
	PAGE_CTL_TX,	/* the victim's control ring, which we write */
	PAGE_CTL_RX,	/* ours, which the victim writes */
	PAGE_DATA_TX,	/* a ring that the victim lent us */
	PAGE_DATA_RX,	/* a ring that we lent it */
};

enum only {
	ONLY_NONE,
	ONLY_LOW,	/* the victim offers, and gets HELLO */
	ONLY_HIGH,	/* the victim binds, and gets HELLO_ACK */
};

/**
 * struct hostile_case - a lie
 * @name: of the case
 * @tell: what tells it
 * @expected: what the victim has to do
 * @type: of the message, or &enum far_page
 * @word: of the body or of the page that is false
 * @value: and what stands there
 * @relative: @value is relative to the true one; an answer is one to a question
 *	of the other family
 * @early: in front of the greeting
 * @only: for a victim in that place only
 * @stop: the far end stops what was lent to it, in the end
 */
struct hostile_case {
	const char *name;
	int (*tell)(struct far *far, const struct hostile_case *it);
	enum expected expected;
	u16 type;
	u32 word;
	u32 value;
	bool relative;
	bool early;
	enum only only;
	bool stop;
};

/* back.c: of streams that were cut */
const char *hostile_back(u32 n, bool low);
const char *hostile_back_name(u32 n);

#endif /* _XVMC_HOSTILE_CASES_H */
