/* SPDX-License-Identifier: GPL-2.0 */
/* What a row of the table of cases holds. */
#ifndef _XVMC_HOSTILE_CASES_H
#define _XVMC_HOSTILE_CASES_H

#include "far.h"

/* By the clock of a machine that may be busy: a loop that takes far too long */
#define HOSTILE_SLOW_US	(10 * USEC_PER_SEC)
/* What has to come is waited for so long */
#define HOSTILE_PATIENCE	(60 * HZ)

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
	LEAVES,		/* it has left, and said so, or that we broke it */
};

/* For tell_page(): whose header page */
enum far_page {
	PAGE_CTL_TX,	/* the victim's control ring, which we write */
	PAGE_CTL_RX,	/* ours, which the victim writes */
	PAGE_DATA_TX,	/* a ring that the victim lent us */
	PAGE_DATA_RX,	/* a ring that we lent it */
	FAR_PAGES
};

/* For page_age(): where the indices of all rings are when a lie is told */
enum far_age {
	AGE_NEW,
	AGE_WRAPS,	/* they begin anew with what comes next */
	AGE_FULL_WRAPS,	/* with the last byte of what there is room for */
	AGE_SIGN,	/* as AGE_WRAPS, for a number with a sign */
	AGES
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

/**
 * struct asleep - a word of a header page, told while programs sleep
 * @page: whose
 * @word: which
 * @value: what stands there
 * @relative: beside the true index
 * @breaks: it can not be
 */
struct asleep {
	enum far_page page;
	u32 word;
	u32 value;
	bool relative;
	bool breaks;
};

/* For tell_begin(): how far a connection gets */
enum {
	BEGIN_ADDS = 1,		/* a ring is announced for it */
	BEGIN_LENDS,		/* and lent */
	BEGIN_WRITES,		/* and bytes are on the victim's */
};

/* For tell_way_back(): which of its duties the far end does */
enum {
	BACK_NOTHING,
	BACK_STOPS,
	BACK_DETACHES,
};

/* cases.c */
struct far_msg hostile_honest(const struct far *far, u16 type);
int tell_word(struct far *far, const struct hostile_case *it);
int tell_answer(struct far *far, const struct hostile_case *it);
int tell_unheard(struct far *far, const struct hostile_case *it);

/* storm.c: events all the time */
int tell_storm(struct far *far, const struct hostile_case *it);
int tell_lent_storm(struct far *far, const struct hostile_case *it);
int tell_unheard_storm(struct far *far, const struct hostile_case *it);
int tell_storm_beside_a_byte(struct far *far, const struct hostile_case *it);
int tell_storm_of_offers(struct far *far, const struct hostile_case *it);

/* vanish.c: silence from some step on */
int tell_nothing(struct far *far, const struct hostile_case *it);
int tell_one_stop(struct far *far, const struct hostile_case *it);
int tell_no_answer(struct far *far, const struct hostile_case *it);
int tell_no_bye(struct far *far, const struct hostile_case *it);
int tell_begin(struct far *far, const struct hostile_case *it);
int tell_tcp(struct far *far, const struct hostile_case *it);
int tell_way_back(struct far *far, const struct hostile_case *it);
const char *judge_gone(struct far *far, const struct hostile_case *it);

/* leave.c: while the victim leaves */
int tell_farewell(struct far *far, const struct hostile_case *it);

/* pages.c: of words of header pages */
void page_age(struct far *far, enum far_age age);
const char *page_age_name(enum far_age age);
int page_tell(struct far *far, enum far_page page, u32 word, u32 value,
	      bool relative);
u32 page_next(u32 word);
int tell_page(struct far *far, const struct hostile_case *it);
int tell_events(struct far *far, const struct hostile_case *it);

/* asleep.c: and while somebody sleeps */
int asleep_play(struct far *far, const struct asleep *lie);
int tell_asleep(struct far *far, const struct hostile_case *it);

/* back.c: of streams that were cut */
const char *hostile_back(u32 n, bool low);
const char *hostile_back_name(u32 n);

#endif /* _XVMC_HOSTILE_CASES_H */
