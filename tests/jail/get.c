/* get ADDRESS PORT: asks for a page without a library's help, and prints the beginning of the answer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    char answer[2048];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t length;
    if (argc < 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return perror("connect"), 1;
    dprintf(fd, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", argv[1]);
    while ((length = read(fd, answer, sizeof answer)) > 0)
        if (write(1, answer, length) != length) return 1;
    return 0;
}
