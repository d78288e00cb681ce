/* The raw receive loop in C: dumps the connection-tracking table of its network namespace and throws the bytes away.
 * Beside the same loop in C#, it shows that a ratio against either means the same. */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>

static char buffer[32 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));

int main(void)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg netfilter;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
	};
	const struct nlmsghdr *last;
	ssize_t length;
	int dump = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

	if (dump < 0 || send(dump, &request, sizeof(request), 0) < 0) {
		perror("raw-loop");
		return 1;
	}
	do {
		length = recv(dump, buffer, sizeof(buffer), 0);
		if (length < (ssize_t)NLMSG_LENGTH(sizeof(int))) {
			perror("raw-loop");
			return 1;
		}
		if (((struct nlmsghdr *)buffer)->nlmsg_type == NLMSG_ERROR) {
			fprintf(stderr, "raw-loop: the kernel refused to list the table\n");
			return 1;
		}
		last = (struct nlmsghdr *)(buffer + length - NLMSG_LENGTH(sizeof(int)));
	} while (last->nlmsg_len != NLMSG_LENGTH(sizeof(int)) || last->nlmsg_type != NLMSG_DONE);
	return 0;
}
