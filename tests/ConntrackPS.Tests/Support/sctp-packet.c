/* Sends one SCTP packet as it would be in the middle of an association, for tests of restored entries.
 *
 *   sctp-packet data|heartbeat|heartbeat-ack SOURCE SOURCE-PORT DESTINATION DESTINATION-PORT TAG
 *
 * The checksum is left out: the router must not check it (nf_conntrack_checksum 0). */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The common header, and one chunk with enough of a body for any of the three (RFC 9260, 3). */
struct packet {
    uint16_t source, destination;
    uint32_t tag, checksum;
    uint8_t type, flags;
    uint16_t length;
    uint32_t body[4];
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address_of(const char *address)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        fail(address);
    return at;
}

int main(int count, char **arguments)
{
    if (count != 7) {
        fprintf(stderr, "usage: sctp-packet TYPE SOURCE SOURCE-PORT DESTINATION DESTINATION-PORT TAG\n");
        return 2;
    }
    const char *type = arguments[1];
    struct sockaddr_in from = address_of(arguments[2]), to = address_of(arguments[4]);
    struct packet packet = {
        .source = htons(atoi(arguments[3])),
        .destination = htons(atoi(arguments[5])),
        .tag = htonl(strtoul(arguments[6], NULL, 0)),
        .type = !strcmp(type, "heartbeat") ? 4 : !strcmp(type, "heartbeat-ack") ? 5 : 0,
        .flags = !strcmp(type, "data") ? 3 : 0,
        .length = htons(20),
    };
    int s = socket(AF_INET, SOCK_RAW, 132);
    if (s < 0 || bind(s, (struct sockaddr *)&from, sizeof from))
        fail("socket");
    if (sendto(s, &packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to) != sizeof packet)
        fail("send");
    return 0;
}
