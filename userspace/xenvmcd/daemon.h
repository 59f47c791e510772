/* SPDX-License-Identifier: GPL-2.0 */
/* What xenvmcd does while it runs. */
#ifndef XENVMCD_DAEMON_H
#define XENVMCD_DAEMON_H

struct policy;

#define DAEMON_POLICY_FILE	"/etc/xenvmc/policy.conf"
#define DAEMON_RUN_DIR		"/run/xenvmcd"
#define DAEMON_LOCK_FILE	DAEMON_RUN_DIR "/lock"

struct policy *daemon_load_policy(const char *path);
int daemon_run(const char *path, struct policy *policy);
int daemon_purge(void);

#endif
