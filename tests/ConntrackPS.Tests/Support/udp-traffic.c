/* UDP traffic for tests and benchmarks of blocking.
 *
 *   udp-traffic echo PORT                  sends every datagram back, on IPv4 and IPv6
 *   udp-traffic sink PORT                  takes every datagram
 *   udp-traffic flood ADDRESS PORT FLOWS   sends from FLOWS sockets in turn, and takes what comes back
 *   udp-traffic ask ADDRESS PORT SOURCE    sends one datagram from a port until it is answered; fails after 2 seconds
 *
 * flood prints the number of datagrams sent when SIGTERM ends it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOURCE_PORT = 20000, BATCH = 64, SIZE = 32 };

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int serve(int port, int answers)
{
    int s = socket(AF_INET6, SOCK_DGRAM, 0), off = 0, big = 8 << 20;
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    static char data[BATCH][SIZE];
    struct sockaddr_in6 from[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];

    setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    if (bind(s, (struct sockaddr *)&any, sizeof any))
        fail("bind");
    while (!stopped) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){ data[i], SIZE };
            messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &parts[i], .msg_iovlen = 1 };
        }
        int count = recvmmsg(s, messages, BATCH, MSG_WAITFORONE, NULL);
        if (answers && count > 0)
            sendmmsg(s, messages, count, 0);
    }
    return 0;
}

static int connected(const char *address, const char *port, int source)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST }, *to;
    if (getaddrinfo(address, port, &hints, &to))
        fail(address);
    int s = socket(to->ai_family, SOCK_DGRAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in6 from = { .sin6_family = to->ai_family, .sin6_port = htons(source) };
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (s < 0 || bind(s, (struct sockaddr *)&from, to->ai_addrlen) || connect(s, to->ai_addr, to->ai_addrlen))
        fail("socket");
    freeaddrinfo(to);
    return s;
}

static int flood(const char *address, const char *port, int flows)
{
    struct rlimit files = { flows + 64, flows + 64 };
    int *sockets = calloc(flows, sizeof *sockets);
    unsigned long sent = 0;
    char data[SIZE] = "";

    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < flows; i++)
        sockets[i] = connected(address, port, SOURCE_PORT + i);
    for (int i = 0; !stopped; i = (i + 1) % flows) {
        /* Two at once; what was answered is thrown away with the full receive buffer. */
        struct iovec part = { data, SIZE };
        struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } } };
        int count = sendmmsg(sockets[i], messages, 2, 0);
        sent += count > 0 ? count : 0;
    }
    printf("%lu\n", sent);
    return 0;
}

static int ask(const char *address, const char *port, int source)
{
    int s = connected(address, port, source);
    char data[SIZE] = "";
    for (int i = 0; i < 20; i++) {
        struct pollfd wait = { .fd = s, .events = POLLIN };
        /* A refusal of an earlier one may come back as an error: it is sent again. */
        (void)!send(s, data, SIZE, 0);
        if (poll(&wait, 1, 100) == 1 && recv(s, data, SIZE, 0) == SIZE)
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = stop };
    sigaction(SIGTERM, &action, NULL);
    if (argc == 3 && (!strcmp(argv[1], "echo") || !strcmp(argv[1], "sink")))
        return serve(atoi(argv[2]), !strcmp(argv[1], "echo"));
    if (argc == 5 && !strcmp(argv[1], "flood"))
        return flood(argv[2], argv[3], atoi(argv[4]));
    if (argc == 5 && !strcmp(argv[1], "ask"))
        return ask(argv[2], argv[3], atoi(argv[4]));
    fprintf(stderr, "udp-traffic echo|sink PORT | flood ADDRESS PORT FLOWS | ask ADDRESS PORT SOURCE\n");
    return 2;
}
