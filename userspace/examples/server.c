// SPDX-License-Identifier: GPL-2.0
/* server PORT: echoes what clients of other guests send, one after another. */
#include <err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/xenvmc.h>

int main(int argc, char **argv)
{
	struct sockaddr_xenvmc addr = {
		.svm_family = AF_XENVMC,
		.svm_domid = XENVMC_DOMID_ANY,
		.svm_port = argc > 1 ? atoi(argv[1]) : 5000,
	};
	int conn, sock = socket(AF_XENVMC, SOCK_STREAM, 0);
	char buf[4096];
	ssize_t n;

	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(sock, 16))
		err(1, "port %u", addr.svm_port);
	while ((conn = accept(sock, NULL, NULL)) >= 0) {
		while ((n = recv(conn, buf, sizeof(buf), 0)) > 0 &&
		       send(conn, buf, n, MSG_NOSIGNAL) == n)
			;
		close(conn);
	}
	err(1, "accept");
}
