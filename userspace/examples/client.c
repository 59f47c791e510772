// SPDX-License-Identifier: GPL-2.0
/* client DOMID PORT: sends a line to another guest and prints the answer. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/xenvmc.h>

int main(int argc, char **argv)
{
	struct sockaddr_xenvmc addr = {
		.svm_family = AF_XENVMC,
		.svm_domid = argc > 1 ? atoi(argv[1]) : 0,
		.svm_port = argc > 2 ? atoi(argv[2]) : 5000,
	};
	int sock = socket(AF_XENVMC, SOCK_STREAM, 0);
	char line[] = "hello, neighbour\n";

	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "domain %u port %u", addr.svm_domid, addr.svm_port);
	if (send(sock, line, strlen(line), 0) < 0 ||
	    recv(sock, line, strlen(line), MSG_WAITALL) != (ssize_t)strlen(line))
		err(1, "echo");
	return fputs(line, stdout) == EOF;
}
