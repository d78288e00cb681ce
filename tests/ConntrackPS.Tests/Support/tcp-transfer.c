/* A TCP connection that idles until it is told to go on, for tests of restored entries.
 *
 *   tcp-transfer serve PORT                          counts what each connection brings, and answers with the count
 *   tcp-transfer send ADDRESS PORT BYTES GO          connects, exchanges a byte and prints the source port; once the file
 *                                                    GO is there it sends BYTES, and fails unless all of them arrive
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        fail(address);
    return at;
}

/* What a connection brings after its first byte, until its end. */
static void count(int connection)
{
    unsigned long long sum = 0;
    ssize_t length;
    if (read(connection, buffer, 1) != 1 || write(connection, buffer, 1) != 1)
        fail("greet");
    while ((length = read(connection, buffer, sizeof buffer)) > 0)
        sum += length;
    if (length < 0 || write(connection, &sum, sizeof sum) != sizeof sum)
        fail("answer");
    exit(0);
}

_Noreturn static void serve(const char *port)
{
    struct sockaddr_in any = address_of("0.0.0.0", port);
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    signal(SIGCHLD, SIG_IGN);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&any, sizeof any) || listen(s, 16))
        fail("listen");
    for (;;) {
        int connection = accept(s, NULL, NULL);
        if (connection >= 0 && fork() == 0)
            count(connection);
        close(connection);
    }
}

static int transfer(char **arguments)
{
    struct sockaddr_in to = address_of(arguments[0], arguments[1]), from;
    socklen_t size = sizeof from;
    unsigned long long bytes = strtoull(arguments[2], NULL, 10), left = bytes, arrived = 0;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to) || write(s, "?", 1) != 1 || read(s, buffer, 1) != 1)
        fail("connect");
    getsockname(s, (struct sockaddr *)&from, &size);
    printf("%d\n", ntohs(from.sin_port));
    fflush(stdout);
    while (access(arguments[3], F_OK))
        usleep(10000);
    while (left > 0) {
        ssize_t length = write(s, buffer, left < sizeof buffer ? left : sizeof buffer);
        if (length < 0)
            fail("send");
        left -= length;
    }
    shutdown(s, SHUT_WR);
    if (read(s, &arrived, sizeof arrived) != sizeof arrived)
        fail("receive the count");
    printf("%llu arrived\n", arrived);
    return arrived != bytes;
}

int main(int count, char **arguments)
{
    if (count == 3 && !strcmp(arguments[1], "serve"))
        serve(arguments[2]);
    if (count == 6 && !strcmp(arguments[1], "send"))
        return transfer(arguments + 2);
    fprintf(stderr, "usage: tcp-transfer serve PORT | tcp-transfer send ADDRESS PORT BYTES GO\n");
    return 2;
}
