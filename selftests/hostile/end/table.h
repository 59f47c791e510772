/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of cases; part of cases.c.
 *
 * After the name: what the victim has to do, the message or page, the number of
 * the word, and what stands there. The words of a body and of a ring's header
 * are those of core/wire.h, counted from 0.
 */
#define WORD(n, e, t, w, v) \
	{ .name = n, .tell = tell_word, .expected = e, \
	  .type = XVMC_MSG_##t, .word = w, .value = v, .stop = true }
/* In front of the greeting */
#define EARLY(n, e, t, w, v, o) \
	{ .name = n, .tell = tell_word, .expected = e, .early = true, \
	  .type = XVMC_MSG_##t, .word = w, .value = v, .only = o, .stop = true }
/* The greeting, but for a word; the first word after a question */
#define GREETING(n, e, t, w, v, o) \
	{ .name = n, .tell = tell_greeting, .expected = e, .early = true, \
	  .type = XVMC_MSG_##t, .word = w, .value = v, .only = o, .stop = true }
#define ANSWER(n, e, t, w, v) \
	{ .name = n, .tell = tell_answer, .expected = e, \
	  .type = XVMC_MSG_##t, .word = w, .value = v, .stop = true }
#define ANSWER_OTHER(n, e, t, w, v) \
	{ .name = n, .tell = tell_answer, .expected = e, .relative = true, \
	  .type = XVMC_MSG_##t, .word = w, .value = v, .stop = true }
#define TRUE_WORDS	FAR_WORDS	/* no word is false */
#define HONEST(n, e, t)	WORD(n, e, t, TRUE_WORDS, 0)
#define TWICE(n, e, t) \
	{ .name = n, .tell = tell_twice, .expected = e, \
	  .type = XVMC_MSG_##t, .stop = true }
#define LEN(n, e, t, v) \
	{ .name = n, .tell = tell_len, .expected = e, \
	  .type = t, .value = v, .stop = true }
/* A word of a page: an absolute value, or one beside the true index */
#define PAGE(n, e, p, w, v) \
	{ .name = n, .tell = tell_page, .expected = e, \
	  .type = PAGE_##p, .word = w, .value = v, .stop = true }
#define INDEX(n, e, p, w, v) \
	{ .name = n, .tell = tell_page, .expected = e, .relative = true, \
	  .type = PAGE_##p, .word = w, .value = v, .stop = true }
/* An index that says when to kick, at all values in turn */
#define EVENT(n, p, w) \
	{ .name = n, .tell = tell_events, .expected = FINE, \
	  .type = PAGE_##p, .word = w, .stop = true }
/* An index that can not be, while programs sleep */
#define ASLEEP(n, p, w, v) \
	{ .name = n, .tell = tell_asleep, .expected = BREAKS, \
	  .relative = true, .type = PAGE_##p, .word = w, .value = v, \
	  .stop = true }
#define DO(n, e, fn, t, v) \
	{ .name = n, .tell = fn, .expected = e, \
	  .type = t, .value = v, .stop = true }

/* farewell_lies[@w], from the event of the peer on */
#define FAREWELL(n, ev, w) \
	{ .name = n, .tell = tell_farewell, .expected = LEAVES, \
	  .type = XVMC_PEV_##ev, .word = w }

#define VANISH(n, fn, t, v) \
	{ .name = n, .tell = fn, .expected = VANISHES, \
	  .type = t, .word = TRUE_WORDS, .value = v }

/* Refused for the word that is 0; more answers than the ring has room for */
#define UNHEARD(n, t, w) \
	{ .name = n, .tell = tell_unheard, .expected = REFUSES_ALL, \
	  .type = XVMC_MSG_##t, .word = w, \
	  .value = S_CTL / 16 + XVMC_MAX_ANSWERS / 2, .stop = true }

#define UNASKED(n, r) \
	{ .name = n, .tell = tell_before_asked, .expected = REFUSES_ALL, \
	  .type = XVMC_MSG_CONNECT, .word = 2, .relative = r, \
	  .value = S_CTL / 16 + XVMC_MAX_ANSWERS / 2, .stop = true }

#define W_PROD		0
#define W_CONS_EVENT	1
#define W_START_EPOCH	2
#define W_START_SEQ	3
#define W_STOP_EPOCH	4
#define W_CONS		(offsetof(struct xvmc_ring_hdr, cons) / 4)
#define W_PROD_EVENT	(W_CONS + 1)
#define W_BELL_DATA	(offsetof(struct xvmc_ring_hdr, bell_data) / 4)
#define W_BELL_SPACE	(offsetof(struct xvmc_ring_hdr, bell_space) / 4)
#define W_MAGIC		(offsetof(struct xvmc_ring_hdr, magic) / 4)
#define W_ORDER		(W_MAGIC + 1)
#define W_GREF		(offsetof(struct xvmc_ring_hdr, gref) / 4)
#define W_PAD(n)	(offsetof(struct xvmc_ring_hdr, pad##n) / 4)

/* So many of the largest rings are too many: there are small ones already */
#define PAGES_BOUND	(XVMC_MAX_TX_PAGES >> XVMC_RING_MAX_ORDER)
#define S_CTL		(XVMC_PAGE_SIZE << XVMC_CTL_ORDER)
#define S_OURS		(XVMC_PAGE_SIZE << 1)	/* talk_stream() */
#define S_THEIRS	(XVMC_PAGE_SIZE << XVMC_ORDER_LARGE)

static const struct hostile_case hostile_cases[] = {
	/* The greeting */
	EARLY("hello_version_0", BREAKS, HELLO, 0, 0, ONLY_LOW),
	EARLY("hello_version_2", BREAKS, HELLO, 0, 2, ONLY_LOW),
	EARLY("hello_zero_field", BREAKS, HELLO, 0, 0x10001, ONLY_LOW),
	GREETING("hello_features_0", CONNECTS, HELLO, 1, 0, ONLY_LOW),
	GREETING("hello_features_unknown", CONNECTS, HELLO, 1, 2, ONLY_LOW),
	GREETING("hello_features_max", CONNECTS, HELLO, 1, U32_MAX, ONLY_LOW),
	EARLY("hello_no_grant", BREAKS, HELLO, 2, U32_MAX, ONLY_LOW),
	EARLY("hello_grant_0", BREAKS, HELLO, 2, 0, ONLY_LOW),
	{ .name = "hello_given_up", .tell = tell_given_up, .expected = CLOSES,
	  .early = true, .only = ONLY_LOW, .stop = true },
	{ .name = "all_behind_hello_given_up", .tell = tell_behind,
	  .type = XVMC_MSG_HELLO, .expected = CLOSES, .early = true,
	  .only = ONLY_LOW, .stop = true },
	{ .name = "all_behind_bye_before_hello", .tell = tell_behind,
	  .type = XVMC_MSG_BYE, .expected = CLOSES, .early = true,
	  .stop = true },
	EARLY("hello_to_the_higher", BREAKS, HELLO, TRUE_WORDS, 0, ONLY_HIGH),
	EARLY("ack_to_the_lower", BREAKS, HELLO_ACK, TRUE_WORDS, 0, ONLY_LOW),
	EARLY("ack_version_0", BREAKS, HELLO_ACK, 0, 0, ONLY_HIGH),
	EARLY("ack_version_2", BREAKS, HELLO_ACK, 0, 2, ONLY_HIGH),
	EARLY("ack_zero_field", BREAKS, HELLO_ACK, 0, 0x10001, ONLY_HIGH),
	GREETING("ack_features_0", CONNECTS, HELLO_ACK, 1, 0, ONLY_HIGH),
	GREETING("ack_features_unknown", CONNECTS, HELLO_ACK, 1, 2, ONLY_HIGH),
	GREETING("ack_features_max", CONNECTS, HELLO_ACK, 1, U32_MAX,
		 ONLY_HIGH),
	EARLY("ack_with_grant", BREAKS, HELLO_ACK, 2, 8, ONLY_HIGH),
	EARLY("bye_before_hello", CLOSES, BYE, TRUE_WORDS, 0, ONLY_NONE),
	EARLY("ring_add_before_hello", BREAKS, RING_ADD, TRUE_WORDS, 0,
	      ONLY_NONE),
	EARLY("ring_del_before_hello", BREAKS, RING_DEL, TRUE_WORDS, 0,
	      ONLY_NONE),
	EARLY("lend_before_hello", BREAKS, LEND, 1, 1, ONLY_NONE),
	EARLY("connect_before_hello", BREAKS, CONNECT, TRUE_WORDS, 0,
	      ONLY_NONE),
	EARLY("upgrade_before_hello", BREAKS, UPGRADE, TRUE_WORDS, 0,
	      ONLY_NONE),
	EARLY("detach_before_hello", BREAKS, DETACH, TRUE_WORDS, 0, ONLY_NONE),
	HONEST("hello_again", BREAKS, HELLO),
	HONEST("ack_again", BREAKS, HELLO_ACK),
	DO("more_behind_hello_again", BREAKS, tell_more, XVMC_MSG_HELLO,
	   U32_MAX),
	HONEST("bye", ANSWERS, BYE),
	{ .name = "bye_unheard", .tell = tell_bye_unheard,
	  .expected = ANSWERS, .type = XVMC_MSG_CONNECT, .word = 2,
	  .value = 1000 },
	WORD("bye_reason_max", CLOSES, BYE, 0, U32_MAX),

	/* Rings of ours */
	HONEST("ring_add", FINE, RING_ADD),
	WORD("ring_add_255", FINE, RING_ADD, 0, 255),
	WORD("ring_add_256", BREAKS, RING_ADD, 0, 256),
	WORD("ring_add_max", BREAKS, RING_ADD, 0, U32_MAX),
	WORD("ring_add_a_lent_one", BREAKS, RING_ADD, 0, 0),
	WORD("ring_add_a_free_one", BREAKS, RING_ADD, 0, 2),
	TWICE("ring_add_twice", BREAKS, RING_ADD),
	WORD("ring_add_order_0", BREAKS, RING_ADD, 1, 0),
	WORD("ring_add_order_9", BREAKS, RING_ADD, 1, 9),
	WORD("ring_add_order_10", BREAKS, RING_ADD, 1, 10),
	WORD("ring_add_order_max", BREAKS, RING_ADD, 1, U32_MAX),
	WORD("ring_add_token_0", BREAKS, RING_ADD, 2, 0),
	WORD("ring_add_token_max", BREAKS, RING_ADD, 2, U32_MAX),
	HONEST("ring_del", GONE, RING_DEL),
	TWICE("ring_del_twice", BREAKS, RING_DEL),
	WORD("ring_del_a_lent_one", BREAKS, RING_DEL, 0, 0),
	WORD("ring_del_nothing", BREAKS, RING_DEL, 0, 200),
	WORD("ring_del_256", BREAKS, RING_DEL, 0, 256),
	WORD("ring_del_max", BREAKS, RING_DEL, 0, U32_MAX),
	WORD("ring_del_status", BREAKS, RING_DEL, 1, 1),

	/* Rings of the victim's */
	HONEST("ring_gone", STAYS, RING_GONE),
	TWICE("ring_gone_twice", BREAKS, RING_GONE),
	WORD("ring_gone_nothing", BREAKS, RING_GONE, 0, 200),
	WORD("ring_gone_256", BREAKS, RING_GONE, 0, 256),
	WORD("ring_gone_max", BREAKS, RING_GONE, 0, U32_MAX),
	WORD("ring_gone_status_0", BREAKS, RING_GONE, 1, 0),
	WORD("ring_gone_status_max", STAYS, RING_GONE, 1, U32_MAX),

	/* Lends */
	HONEST("lend_a_second_one", BREAKS, LEND),
	WORD("lend_a_lent_one", BREAKS, LEND, 0, 0),
	WORD("lend_nothing", FINE, LEND, 0, 200),
	WORD("lend_256", BREAKS, LEND, 0, 256),
	WORD("lend_max", BREAKS, LEND, 0, U32_MAX),
	WORD("lend_epoch_0", BREAKS, LEND, 1, 0),
	WORD("lend_epoch_max_to_nobody", BREAKS, LEND, 1, U32_MAX),
	WORD("lend_to_0", FINE, LEND, 2, 0),
	WORD("lend_to_nobody", FINE, LEND, 2, S32_MAX),
	WORD("lend_to_max", FINE, LEND, 2, U32_MAX),
	WORD("lend_reason", BREAKS, LEND, 3, 1),
	WORD("lend_reason_max", BREAKS, LEND, 3, U32_MAX),
	ANSWER("lend_before_the_answer", FINE, LEND, TRUE_WORDS, 0),
	ANSWER_OTHER("lend_before_the_answer_tcp", FINE, LEND, TRUE_WORDS, 0),
	HONEST("recall", STAYS, RECALL),
	TWICE("recall_twice", STAYS, RECALL),
	WORD("recall_nothing", FINE, RECALL, 0, 200),
	WORD("recall_a_free_one", FINE, RECALL, 0, 2),
	WORD("recall_256", BREAKS, RECALL, 0, 256),
	WORD("recall_epoch_0", BREAKS, RECALL, 1, 0),
	WORD("recall_another_epoch", FINE, RECALL, 1, 77),
	WORD("recall_max", BREAKS, RECALL, 0, U32_MAX),
	WORD("recall_epoch_max", FINE, RECALL, 1, U32_MAX),
	WORD("recall_from_0", NO_CONN, RECALL, 2, 0),
	WORD("recall_from_nobody", NO_CONN, RECALL, 2, S32_MAX),
	WORD("recall_from_max", NO_CONN, RECALL, 2, U32_MAX),
	DO("recall_from_another", FINE, tell_recall_other, XVMC_MSG_RECALL, 0),
	ANSWER("recall_before_the_answer", FINE, RECALL, TRUE_WORDS, 0),
	WORD("recall_reason_max", STAYS, RECALL, 3, U32_MAX),

	/* Connections */
	HONEST("connect", OPENS, CONNECT),
	TWICE("connect_twice", STAYS, CONNECT),
	WORD("connect_id_0", OPENS, CONNECT, 0, 0),
	WORD("connect_id_max", OPENS, CONNECT, 0, U32_MAX),
	WORD("connect_id_in_use", OPENS, CONNECT, 0, 1),
	WORD("connect_from_port_0", OPENS, CONNECT, 1, 0),
	WORD("connect_from_port_max", OPENS, CONNECT, 1, U32_MAX),
	WORD("connect_token_0_max", OPENS, CONNECT, 4, U32_MAX),
	WORD("connect_token_1_max", OPENS, CONNECT, 5, U32_MAX),
	WORD("connect_token_2_max", OPENS, CONNECT, 6, U32_MAX),
	WORD("connect_token_3_max", OPENS, CONNECT, 7, U32_MAX),
	WORD("connect_port_0", REFUSES, CONNECT, 2, 0),
	WORD("connect_port_max", REFUSES, CONNECT, 2, U32_MAX),
	UNHEARD("connect_unheard", CONNECT, 2),
	WORD("connect_type_0", REFUSES, CONNECT, 3, 0),
	WORD("connect_type_dgram", REFUSES, CONNECT, 3, SOCK_DGRAM),
	WORD("connect_type_max", REFUSES, CONNECT, 3, U32_MAX),
	HONEST("accept_again", ENDS, ACCEPT),
	WORD("accept_0", NO_CONN, ACCEPT, 0, 0),
	WORD("accept_nobody", NO_CONN, ACCEPT, 0, S32_MAX),
	WORD("accept_max", NO_CONN, ACCEPT, 0, U32_MAX),
	ANSWER("accept", OPENS, ACCEPT, TRUE_WORDS, 0),
	ANSWER("accept_by_0", OPENS, ACCEPT, 1, 0),
	ANSWER("accept_by_max", OPENS, ACCEPT, 1, U32_MAX),
	ANSWER("accept_by_one_in_use", OPENS, ACCEPT, 1, 1),
	ANSWER_OTHER("accept_the_upgrade", BREAKS, ACCEPT, TRUE_WORDS, 0),
	HONEST("refuse_late", ENDS, REFUSE),
	WORD("refuse_0", NO_CONN, REFUSE, 0, 0),
	WORD("refuse_nobody", NO_CONN, REFUSE, 0, S32_MAX),
	WORD("refuse_max", NO_CONN, REFUSE, 0, U32_MAX),
	ANSWER("refuse_errno_0", TELLS, REFUSE, 1, 0),
	ANSWER("refuse_errno_134", TELLS, REFUSE, 1, 134),
	ANSWER("refuse_errno_restart", TELLS, REFUSE, 1, 512),
	ANSWER("refuse_errno_negative", TELLS, REFUSE, 1, -ECONNREFUSED),
	ANSWER("refuse_errno_max", TELLS, REFUSE, 1, U32_MAX),
	ANSWER_OTHER("refuse_the_upgrade", BREAKS, REFUSE, TRUE_WORDS, 0),
	HONEST("reset", ENDS, RESET),
	WORD("reset_errno_0", ENDS, RESET, 1, 0),
	WORD("reset_errno_max", ENDS, RESET, 1, U32_MAX),
	WORD("reset_errno_restart", ENDS, RESET, 1, 512),
	ANSWER("reset_for_an_answer", TELLS, RESET, 1, 512),
	ANSWER_OTHER("reset_the_upgrade", BREAKS, RESET, TRUE_WORDS, 0),
	WORD("reset_0", NO_CONN, RESET, 0, 0),
	WORD("reset_max", NO_CONN, RESET, 0, U32_MAX),
	WORD("reset_nobody", NO_CONN, RESET, 0, S32_MAX),
	TWICE("reset_twice", NO_CONN, RESET),
	HONEST("detach", ENDS, DETACH),
	WORD("detach_0", NO_CONN, DETACH, 0, 0),
	WORD("detach_nobody", NO_CONN, DETACH, 0, S32_MAX),
	WORD("detach_max", NO_CONN, DETACH, 0, U32_MAX),
	ANSWER("detach_for_an_answer", TELLS, DETACH, 1, U32_MAX),
	ANSWER_OTHER("detach_the_upgrade", TELLS, DETACH, 1, U32_MAX),
	TWICE("detach_twice", NO_CONN, DETACH),
	WORD("detach_reason_max", ENDS, DETACH, 1, U32_MAX),
	HONEST("upgrade", OPENS, UPGRADE),
	WORD("upgrade_id_0", OPENS, UPGRADE, 0, 0),
	WORD("upgrade_id_max", OPENS, UPGRADE, 0, U32_MAX),
	WORD("upgrade_id_in_use", OPENS, UPGRADE, 0, 2),
	WORD("upgrade_ports_max", REFUSES, UPGRADE, 1, U32_MAX),
	WORD("upgrade_saddr_0", REFUSES, UPGRADE, 2, U32_MAX),
	WORD("upgrade_saddr_1", REFUSES, UPGRADE, 3, U32_MAX),
	WORD("upgrade_saddr_2", REFUSES, UPGRADE, 4, U32_MAX),
	WORD("upgrade_saddr_3", REFUSES, UPGRADE, 5, U32_MAX),
	WORD("upgrade_daddr_0", REFUSES, UPGRADE, 6, U32_MAX),
	WORD("upgrade_daddr_1", REFUSES, UPGRADE, 7, U32_MAX),
	WORD("upgrade_daddr_2", REFUSES, UPGRADE, 8, U32_MAX),
	WORD("upgrade_daddr_3", REFUSES, UPGRADE, 9, U32_MAX),
	WORD("upgrade_nonce_0", REFUSES, UPGRADE, 10, 1),
	WORD("upgrade_nonce_1", REFUSES, UPGRADE, 11, U32_MAX),
	WORD("upgrade_proof_0", REFUSES, UPGRADE, 12, 1),
	WORD("upgrade_proof_1", REFUSES, UPGRADE, 13, U32_MAX),
	TWICE("upgrade_twice", STAYS, UPGRADE),
	WORD("upgrade_unknown", REFUSES, UPGRADE, 1, 0),
	UNHEARD("upgrade_unheard", UPGRADE, 1),
	UNASKED("upgrade_no_before_it_is_asked", false),
	UNASKED("detach_before_it_is_asked", true),
	HONEST("upgrade_ok_again", ENDS, UPGRADE_OK),
	WORD("upgrade_ok_0", NO_CONN, UPGRADE_OK, 0, 0),
	WORD("upgrade_ok_max", NO_CONN, UPGRADE_OK, 0, U32_MAX),
	ANSWER("upgrade_ok", OPENS, UPGRADE_OK, TRUE_WORDS, 0),
	ANSWER("upgrade_ok_by_0", OPENS, UPGRADE_OK, 1, 0),
	ANSWER("upgrade_ok_by_max", OPENS, UPGRADE_OK, 1, U32_MAX),
	ANSWER("upgrade_ok_by_one_in_use", OPENS, UPGRADE_OK, 1, 2),
	ANSWER("upgrade_ok_proof_0", BREAKS, UPGRADE_OK, 2, 1),
	ANSWER("upgrade_ok_proof_1", BREAKS, UPGRADE_OK, 3, U32_MAX),
	ANSWER_OTHER("upgrade_ok_the_connect", BREAKS, UPGRADE_OK, TRUE_WORDS,
		     0),
	WORD("upgrade_ok_nobody", NO_CONN, UPGRADE_OK, 0, S32_MAX),
	WORD("upgrade_no_0", NO_CONN, UPGRADE_NO, 0, 0),
	WORD("upgrade_no_nobody", NO_CONN, UPGRADE_NO, 0, S32_MAX),
	WORD("upgrade_no_max", NO_CONN, UPGRADE_NO, 0, U32_MAX),
	ANSWER("upgrade_no_reason_0", TELLS, UPGRADE_NO, 1, 0),
	ANSWER("upgrade_no_reason_unknown", TELLS, UPGRADE_NO, 1,
	       XENVMC_REASON_MAX + 1),
	ANSWER("upgrade_no_for_reason_max", TELLS, UPGRADE_NO, 1, U32_MAX),
	ANSWER_OTHER("upgrade_no_the_connect", BREAKS, UPGRADE_NO, TRUE_WORDS,
		     0),
	HONEST("upgrade_no_late", ENDS, UPGRADE_NO),
	WORD("upgrade_no_reason_max", ENDS, UPGRADE_NO, 1, U32_MAX),
	DO("accept_for_tcp", BREAKS, tell_other_kind, XVMC_MSG_ACCEPT, 0),
	DO("refuse_for_tcp", BREAKS, tell_other_kind, XVMC_MSG_REFUSE, 0),
	DO("reset_for_tcp", BREAKS, tell_other_kind, XVMC_MSG_RESET, 0),
	DO("upgrade_ok_for_stream", BREAKS, tell_other_kind,
	   XVMC_MSG_UPGRADE_OK, 0),
	DO("upgrade_no_for_stream", BREAKS, tell_other_kind,
	   XVMC_MSG_UPGRADE_NO, 0),

	/* Nothing was cut */
	HONEST("resume_nothing", REFUSES, RESUME),
	WORD("resume_id_0", REFUSES, RESUME, 0, 0),
	WORD("resume_id_max", REFUSES, RESUME, 0, U32_MAX),
	WORD("resume_id_in_use", REFUSES, RESUME, 0, 1),
	WORD("resume_zero_field", BREAKS, RESUME, 1, 1),
	WORD("resume_token_0_max", REFUSES, RESUME, 2, U32_MAX),
	WORD("resume_token_1_max", REFUSES, RESUME, 3, U32_MAX),
	WORD("resume_token_2_max", REFUSES, RESUME, 4, U32_MAX),
	WORD("resume_token_3_max", REFUSES, RESUME, 5, U32_MAX),
	WORD("resume_sent_low_max", REFUSES, RESUME, 6, U32_MAX),
	WORD("resume_sent_high_max", REFUSES, RESUME, 7, U32_MAX),
	WORD("resume_received_low_max", REFUSES, RESUME, 8, U32_MAX),
	WORD("resume_received_high_max", REFUSES, RESUME, 9, U32_MAX),
	LEN("short_resume", BREAKS, XVMC_MSG_RESUME, 39),
	DO("flood_of_resumes", REFUSES, tell_flood, XVMC_MSG_RESUME, 1000),

	/* A stream that has its ring wants none */
	HONEST("want", FINE, WANT),
	TWICE("want_twice", FINE, WANT),
	WORD("want_nobody", NO_CONN, WANT, 0, S32_MAX),
	WORD("want_0", NO_CONN, WANT, 0, 0),
	WORD("want_zero_field", BREAKS, WANT, 1, 1),
	ANSWER("want_before_the_answer", FINE, WANT, TRUE_WORDS, 0),
	DO("want_for_tcp", BREAKS, tell_other_kind, XVMC_MSG_WANT, 0),
	LEN("short_want", BREAKS, XVMC_MSG_WANT, 7),
	DO("flood_of_wants", FINE, tell_flood, XVMC_MSG_WANT, 1000),

	/* Bodies and frames */
	LEN("type_0", NO_TYPE, 0, 0),
	LEN("type_19", NO_TYPE, XVMC_MSG_WANT + 1, 8),
	LEN("type_max", NO_TYPE, U16_MAX, XVMC_CTL_MAX_BODY),
	LEN("empty_body", BREAKS, XVMC_MSG_RING_ADD, 0),
	LEN("short_body", BREAKS, XVMC_MSG_CONNECT, 15),
	LEN("short_upgrade", BREAKS, XVMC_MSG_UPGRADE, 39),
	LEN("upgrade_of_a_former_version", OPENS, XVMC_MSG_UPGRADE, 40),
	LEN("longer_body", STAYS, XVMC_MSG_CONNECT, 17),
	LEN("longest_body", STAYS, XVMC_MSG_CONNECT, XVMC_CTL_MAX_BODY),
	LEN("too_long_body", BREAKS, XVMC_MSG_CONNECT, XVMC_CTL_MAX_BODY + 1),
	DO("frame_longer_than_all", BREAKS, tell_frame, 0, U16_MAX),
	DO("frame_longer_than_there", BREAKS, tell_frame, 0, 8),
	{ .name = "frame_zero_field", .tell = tell_frame, .expected = BREAKS,
	  .word = 1, .value = 1, .stop = true },
	{ .name = "frame_misaligned", .tell = tell_frame, .expected = BREAKS,
	  .relative = true, .stop = true },

	/* Indices and marks */
	INDEX("ctl_prod_one_frame", NO_TYPE, CTL_TX, W_PROD, 8),
	INDEX("ctl_prod_misaligned", BREAKS, CTL_TX, W_PROD, 4),
	INDEX("ctl_prod_back", BREAKS, CTL_TX, W_PROD, -8),
	INDEX("ctl_prod_full", NO_TYPE, CTL_TX, W_PROD, S_CTL),
	INDEX("ctl_prod_beyond", BREAKS, CTL_TX, W_PROD, S_CTL + 8),
	INDEX("ctl_prod_half", BREAKS, CTL_TX, W_PROD, 0x80000000),
	INDEX("ctl_cons_beyond", BREAKS, CTL_RX, W_CONS, 8),
	INDEX("ctl_cons_back", BREAKS, CTL_RX, W_CONS, -S_CTL - 8),
	INDEX("ctl_cons_half", BREAKS, CTL_RX, W_CONS, 0x80000000),
	INDEX("ctl_cons_full", STAYS, CTL_RX, W_CONS, -S_CTL),
	INDEX("data_prod_one", STAYS, DATA_TX, W_PROD, 1),
	INDEX("data_prod_full", STAYS, DATA_TX, W_PROD, S_THEIRS),
	INDEX("data_prod_beyond", BREAKS, DATA_TX, W_PROD, S_THEIRS + 1),
	INDEX("data_prod_full_back", BREAKS, DATA_TX, W_PROD, -S_THEIRS),
	INDEX("data_prod_back", BREAKS, DATA_TX, W_PROD, -1),
	INDEX("data_prod_half", BREAKS, DATA_TX, W_PROD, 0x80000000),
	INDEX("data_cons_beyond", BREAKS, DATA_RX, W_CONS, 1),
	INDEX("data_cons_full_beyond", BREAKS, DATA_RX, W_CONS, S_OURS),
	INDEX("data_cons_back", STAYS, DATA_RX, W_CONS, -1),
	INDEX("data_cons_full", STAYS, DATA_RX, W_CONS, -S_OURS),
	INDEX("data_cons_too_far_back", BREAKS, DATA_RX, W_CONS, -S_OURS - 1),
	INDEX("data_cons_half", BREAKS, DATA_RX, W_CONS, 0x80000000),
	INDEX("data_prod_event", FINE, DATA_RX, W_PROD_EVENT, 0x80000000),
	INDEX("data_cons_event", FINE, DATA_TX, W_CONS_EVENT, 0x80000000),
	INDEX("ctl_prod_event_now", FINE, CTL_RX, W_PROD_EVENT, 1),
	INDEX("ctl_cons_event", FINE, CTL_TX, W_CONS_EVENT, 0x80000000),
	EVENT("data_prod_events", DATA_RX, W_PROD_EVENT),
	EVENT("data_cons_events", DATA_TX, W_CONS_EVENT),
	EVENT("ctl_prod_events", CTL_RX, W_PROD_EVENT),
	EVENT("ctl_cons_events", CTL_TX, W_CONS_EVENT),
	EVENT("own_data_prod_events", DATA_TX, W_PROD_EVENT),
	EVENT("own_data_cons_events", DATA_RX, W_CONS_EVENT),
	EVENT("own_ctl_prod_events", CTL_TX, W_PROD_EVENT),
	EVENT("own_ctl_cons_events", CTL_RX, W_CONS_EVENT),
	ASLEEP("asleep_data_prod_beyond", DATA_TX, W_PROD, S_THEIRS + 1),
	ASLEEP("asleep_data_prod_back", DATA_TX, W_PROD, -1),
	ASLEEP("asleep_data_prod_half", DATA_TX, W_PROD, 0x80000000),
	ASLEEP("asleep_data_cons_beyond", DATA_RX, W_CONS, S_OURS + 1),
	ASLEEP("asleep_data_cons_back", DATA_RX, W_CONS, -1),
	ASLEEP("asleep_data_cons_half", DATA_RX, W_CONS, 0x80000000),
	ASLEEP("asleep_ctl_prod_beyond", CTL_TX, W_PROD, S_CTL + 8),
	ASLEEP("asleep_ctl_prod_back", CTL_TX, W_PROD, -8),
	ASLEEP("asleep_ctl_prod_half", CTL_TX, W_PROD, 0x80000000),
	ASLEEP("asleep_ctl_cons_beyond", CTL_RX, W_CONS, 8),
	ASLEEP("asleep_ctl_cons_back", CTL_RX, W_CONS, -S_CTL - 8),
	ASLEEP("asleep_ctl_cons_half", CTL_RX, W_CONS, 0x80000000),
	PAGE("own_prod_overwritten", FINE, DATA_RX, W_PROD, 0xdeadbeef),
	PAGE("own_cons_overwritten", STAYS, DATA_TX, W_CONS, 0xdeadbeef),
	PAGE("ctl_own_prod_overwritten", FINE, CTL_RX, W_PROD, 0xdeadbeef),
	INDEX("ctl_own_cons_overwritten", FINE, CTL_TX, W_CONS, -8),
	PAGE("data_rx_magic", FINE, DATA_RX, W_MAGIC, 0),
	PAGE("data_rx_order", FINE, DATA_RX, W_ORDER, 31),
	PAGE("data_rx_gref", FINE, DATA_RX, W_GREF, U32_MAX),
	PAGE("data_rx_pad0", FINE, DATA_RX, W_PAD(0), U32_MAX),
	PAGE("data_rx_pad1", FINE, DATA_RX, W_PAD(1), U32_MAX),
	PAGE("data_rx_pad2", FINE, DATA_RX, W_PAD(2), U32_MAX),
	PAGE("data_rx_pad3", FINE, DATA_RX, W_PAD(3), U32_MAX),
	PAGE("data_rx_pad4", FINE, DATA_RX, W_PAD(4), U32_MAX),
	PAGE("data_tx_magic", FINE, DATA_TX, W_MAGIC, 0),
	PAGE("data_tx_order", FINE, DATA_TX, W_ORDER, 31),
	PAGE("data_tx_gref", FINE, DATA_TX, W_GREF, U32_MAX),
	PAGE("data_tx_pad0", FINE, DATA_TX, W_PAD(0), U32_MAX),
	PAGE("data_tx_pad1", FINE, DATA_TX, W_PAD(1), U32_MAX),
	PAGE("data_tx_pad2", FINE, DATA_TX, W_PAD(2), U32_MAX),
	PAGE("data_tx_pad3", FINE, DATA_TX, W_PAD(3), U32_MAX),
	PAGE("data_tx_pad4", FINE, DATA_TX, W_PAD(4), U32_MAX),
	PAGE("ctl_rx_magic", FINE, CTL_RX, W_MAGIC, 0),
	PAGE("ctl_rx_order", FINE, CTL_RX, W_ORDER, 31),
	PAGE("ctl_rx_gref", FINE, CTL_RX, W_GREF, U32_MAX),
	PAGE("ctl_rx_pad0", FINE, CTL_RX, W_PAD(0), U32_MAX),
	PAGE("ctl_rx_pad1", FINE, CTL_RX, W_PAD(1), U32_MAX),
	PAGE("ctl_rx_pad2", FINE, CTL_RX, W_PAD(2), U32_MAX),
	PAGE("ctl_rx_pad3", FINE, CTL_RX, W_PAD(3), U32_MAX),
	PAGE("ctl_rx_pad4", FINE, CTL_RX, W_PAD(4), U32_MAX),
	PAGE("ctl_tx_magic", FINE, CTL_TX, W_MAGIC, 0),
	PAGE("ctl_tx_order", FINE, CTL_TX, W_ORDER, 31),
	PAGE("ctl_tx_gref", FINE, CTL_TX, W_GREF, U32_MAX),
	PAGE("ctl_tx_pad0", FINE, CTL_TX, W_PAD(0), U32_MAX),
	PAGE("ctl_tx_pad1", FINE, CTL_TX, W_PAD(1), U32_MAX),
	PAGE("ctl_tx_pad2", FINE, CTL_TX, W_PAD(2), U32_MAX),
	PAGE("ctl_tx_pad3", FINE, CTL_TX, W_PAD(3), U32_MAX),
	PAGE("ctl_tx_pad4", FINE, CTL_TX, W_PAD(4), U32_MAX),
	PAGE("data_rx_start_epoch", FINE, DATA_RX, W_START_EPOCH, U32_MAX),
	PAGE("data_rx_start_seq", FINE, DATA_RX, W_START_SEQ, U32_MAX),
	PAGE("data_rx_stop_epoch", FINE, DATA_RX, W_STOP_EPOCH, 1),
	PAGE("ctl_rx_start_epoch", FINE, CTL_RX, W_START_EPOCH, U32_MAX),
	PAGE("ctl_rx_start_seq", FINE, CTL_RX, W_START_SEQ, U32_MAX),
	PAGE("ctl_rx_stop_epoch", FINE, CTL_RX, W_STOP_EPOCH, 1),
	PAGE("ctl_tx_start_epoch", FINE, CTL_TX, W_START_EPOCH, U32_MAX),
	PAGE("ctl_tx_start_seq", FINE, CTL_TX, W_START_SEQ, U32_MAX),
	PAGE("ctl_tx_stop_epoch", FINE, CTL_TX, W_STOP_EPOCH, 1),
	PAGE("data_rx_bell_data", FINE, DATA_RX, W_BELL_DATA, U32_MAX),
	PAGE("data_rx_bell_space", FINE, DATA_RX, W_BELL_SPACE, U32_MAX),
	PAGE("data_tx_bell_data", FINE, DATA_TX, W_BELL_DATA, U32_MAX),
	PAGE("data_tx_bell_space", FINE, DATA_TX, W_BELL_SPACE, U32_MAX),
	PAGE("bells_of_nothing", FINE, CTL_TX, W_BELL_DATA, U32_MAX),
	PAGE("room_in_nothing", FINE, CTL_TX, W_BELL_SPACE, U32_MAX),
	PAGE("own_bells_overwritten", FINE, CTL_RX, W_BELL_DATA, U32_MAX),
	PAGE("own_room_overwritten", FINE, CTL_RX, W_BELL_SPACE, U32_MAX),
	PAGE("start_epoch_of_another", STAYS, DATA_TX, W_START_EPOCH, 77),
	PAGE("start_seq_of_another", FINE, DATA_TX, W_START_SEQ, 77),
	PAGE("stop_epoch_of_another", FINE, DATA_TX, W_STOP_EPOCH, 77),
	PAGE("stop_epoch_now", STAYS, DATA_TX, W_STOP_EPOCH, 1),
	DO("bytes_after_stop", STAYS, tell_after_stop, 0, 0),
	DO("bytes_without_start", STAYS, tell_unstarted, 0, 100),
	DO("stop_without_lend", STAYS, tell_after_stop, 0, 1),

	/* Too much, and nothing at all */
	DO("storm", FINE, tell_storm, 0, 20000),
	DO("storm_of_bytes", FINE, tell_lent_storm, XVMC_BELL_DATA, 0),
	DO("storm_of_room", FINE, tell_lent_storm, XVMC_BELL_SPACE, 0),
	DO("storm_beside_a_byte", FINE, tell_storm_beside_a_byte, 0, 7),
	DO("storm_of_offers", FINE, tell_storm_of_offers, 0, 1000),
	{ .name = "storm_before_unheard_answers", .tell = tell_unheard_storm,
	  .expected = REFUSES_ALL, .type = XVMC_MSG_CONNECT, .word = 2,
	  .value = S_CTL / 16 + XVMC_MAX_ANSWERS / 2, .stop = true },
	DO("pages_up_to_the_bound", FINE, tell_pages, 0, PAGES_BOUND - 1),
	DO("pages_beyond_the_bound", GONE, tell_pages, 0, PAGES_BOUND),
	DO("left_up_to_the_bound", FINE, tell_no_last_word, 0,
	   XVMC_MAX_LEFT - 1),
	DO("left_beyond_the_bound", REFUSES, tell_no_last_word, 0,
	   XVMC_MAX_LEFT),
	DO("flood_of_connects", REFUSES, tell_flood, XVMC_MSG_CONNECT, 1000),
	DO("flood_of_upgrades", REFUSES, tell_flood, XVMC_MSG_UPGRADE, 1000),
	DO("flood_of_detaches", NO_CONN, tell_flood, XVMC_MSG_DETACH, 1000),
	DO("flood_of_nothing", NO_TYPE, tell_flood, 999, 1000),

	/* From the moment on at which the victim wants to leave */
	FAREWELL("suspended_prod_jumps", SUSPEND, 0),
	FAREWELL("suspended_writes_on", SUSPEND, 1),
	FAREWELL("suspended_prod_shrinks", SUSPEND, 2),
	FAREWELL("suspended_stop_is_taken_back", SUSPEND, 3),
	FAREWELL("suspended_anything", SUSPEND, 4),
	FAREWELL("suspended_cons_jumps", SUSPEND, 5),
	FAREWELL("leaves_prod_jumps", LEAVE, 0),
	FAREWELL("leaves_writes_on", LEAVE, 1),
	FAREWELL("leaves_anything", LEAVE, 4),
	FAREWELL("leaves_cons_jumps", LEAVE, 5),

	/* Silent from some step on, until dom0 says that it is gone */
	{ .name = "vanishes_before_hello", .tell = tell_nothing,
	  .expected = FINE, .early = true, .only = ONLY_NONE },
	{ .name = "vanishes_when_greeted", .tell = tell_greeting,
	  .expected = STAYS, .early = true, .word = 1 },
	VANISH("vanishes_when_talking", tell_nothing, 0, 0),
	VANISH("vanishes_when_asked", tell_nothing, 0, 1),
	VANISH("vanishes_when_asked_by_upgrade", tell_nothing, 0, 2),
	VANISH("vanishes_when_it_has_asked", tell_word, XVMC_MSG_CONNECT, 0),
	VANISH("vanishes_when_it_has_upgraded", tell_word, XVMC_MSG_UPGRADE, 0),
	VANISH("vanishes_before_lend", tell_answer, XVMC_MSG_ACCEPT, 0),
	VANISH("vanishes_before_lend_tcp", tell_answer, XVMC_MSG_UPGRADE_OK, 0),
	VANISH("vanishes_after_ring_add", tell_word, XVMC_MSG_RING_ADD, 0),
	VANISH("vanishes_after_ring_del", tell_word, XVMC_MSG_RING_DEL, 0),
	VANISH("vanishes_after_ring_gone", tell_word, XVMC_MSG_RING_GONE, 0),
	VANISH("vanishes_after_want", tell_word, XVMC_MSG_WANT, 0),
	VANISH("vanishes_after_accept_and_ring_add", tell_begin,
	       XVMC_MSG_ACCEPT, BEGIN_ADDS),
	VANISH("vanishes_after_accept_and_lend", tell_begin, XVMC_MSG_ACCEPT,
	       BEGIN_LENDS),
	VANISH("vanishes_after_accept_and_bytes", tell_begin, XVMC_MSG_ACCEPT,
	       BEGIN_WRITES),
	VANISH("vanishes_when_accepted_after_lend", tell_begin,
	       XVMC_MSG_CONNECT, BEGIN_LENDS),
	VANISH("vanishes_when_accepted_after_bytes", tell_begin,
	       XVMC_MSG_CONNECT, BEGIN_WRITES),
	VANISH("vanishes_after_upgrade_ok_and_ring_add", tell_begin,
	       XVMC_MSG_UPGRADE_OK, BEGIN_ADDS),
	VANISH("vanishes_after_upgrade_ok_and_lend", tell_begin,
	       XVMC_MSG_UPGRADE_OK, BEGIN_LENDS),
	VANISH("vanishes_after_upgrade_ok_and_bytes", tell_begin,
	       XVMC_MSG_UPGRADE_OK, BEGIN_WRITES),
	VANISH("vanishes_when_upgraded_after_ring_add", tell_begin,
	       XVMC_MSG_UPGRADE, BEGIN_ADDS),
	VANISH("vanishes_when_upgraded_after_lend", tell_begin,
	       XVMC_MSG_UPGRADE, BEGIN_LENDS),
	VANISH("vanishes_when_upgraded_after_bytes", tell_begin,
	       XVMC_MSG_UPGRADE, BEGIN_WRITES),
	VANISH("vanishes_after_recall_tcp", tell_tcp, XVMC_MSG_RECALL, 0),
	VANISH("vanishes_after_detach_tcp", tell_tcp, XVMC_MSG_DETACH, 0),
	VANISH("vanishes_in_the_way_back", tell_way_back, 0, BACK_NOTHING),
	VANISH("vanishes_in_the_way_back_stopped", tell_way_back, 0,
	       BACK_STOPS),
	VANISH("vanishes_in_the_way_back_detached", tell_way_back, 0,
	       BACK_DETACHES),
	VANISH("vanishes_after_recall", tell_word, XVMC_MSG_RECALL, 0),
	VANISH("vanishes_when_recalled", tell_no_answer, XVMC_MSG_RECALL, 0),
	VANISH("vanishes_after_one_stop", tell_one_stop, 0, 0),
	VANISH("vanishes_when_detached", tell_no_answer, XVMC_MSG_RESET, 0),
	VANISH("vanishes_after_detach", tell_word, XVMC_MSG_DETACH, 0),
	{ .name = "vanishes_after_bye", .tell = tell_word, .expected = CLOSES,
	  .type = XVMC_MSG_BYE, .word = TRUE_WORDS },
	{ .name = "vanishes_when_left", .tell = tell_no_bye,
	  .expected = CLOSES },
};
