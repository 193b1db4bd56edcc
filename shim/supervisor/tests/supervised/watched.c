// Calls that name files and addresses, made by hand. Each mode prints what it got, or the error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void tell(const char *what, long got) { printf("%s %s\n", what, got < 0 ? strerrorname_np(errno) : "ok"); }

static long content(int file, char *into) {
    if (file < 0) return -1;
    long length = read(file, into, 3);
    into[length < 0 ? 0 : length] = 0;
    close(file);
    return length;
}

static char path[] = "plain0";
static volatile int over;

static void *change(void *unused) {
    while (!over) {
        memcpy(path, "secret", 6);
        memcpy(path, "plain0", 6);
    }
    return unused;
}

static struct sockaddr_in target;

static void *redirect(void *port) {
    while (!over) {
        target.sin_port = htons(9);
        target.sin_port = htons((int)(long)port);
    }
    return port;
}

int main(int count, char **words) {
    const char *how = words[1];
    char text[4] = "";
    if (!strcmp(how, "files")) {
        int here = open(".", O_PATH | O_DIRECTORY);
        tell("open", syscall(SYS_open, "secret", O_RDONLY));
        tell("openat", syscall(SYS_openat, here, "secret", O_RDONLY));
        tell("openat2", syscall(SYS_openat2, here, "secret", &(long[3]){0}, 24));
        tell("creat", syscall(SYS_creat, "secret", 0600));
        tell("truncate", syscall(SYS_truncate, "secret", 0));
        tell("unlink", syscall(SYS_unlink, "secret"));
        tell("unlinkat", syscall(SYS_unlinkat, here, "secret", 0));
        tell("rename", syscall(SYS_rename, "secret", "x"));
        tell("renameat", syscall(SYS_renameat, here, "secret", here, "x"));
        tell("renameat2", syscall(SYS_renameat2, here, "plain0", here, "secret", 2));
        tell("link", syscall(SYS_link, "secret", "x"));
        tell("linkat", syscall(SYS_linkat, here, "secret", here, "x", 0));
        int only = open("secret", O_PATH);
        char again[40];
        sprintf(again, "/proc/self/fd/%d", only);
        tell("again", open(again, O_RDONLY));
        tell("linkat again", linkat(AT_FDCWD, again, here, "x", AT_SYMLINK_FOLLOW));
        tell("another's", open("/proc/1/root/etc/hostname", O_RDONLY));
        sprintf(again, "/proc/%d/fd/%d", getppid(), 1);
        tell("parent's", open(again, O_WRONLY));
    } else if (!strcmp(how, "kinds")) {
        tell("exclusive", open("plain0", O_CREAT | O_EXCL | O_WRONLY, 0600));
        tell("not a link", open("link", O_RDONLY | O_NOFOLLOW));
        tell("through a link", open("dangling", O_CREAT | O_WRONLY, 0600));
        tell("made", access("made", F_OK));
        tell("folder", open("plain0", O_RDONLY | O_DIRECTORY));
        tell("written folder", open("sub", O_WRONLY));
        int file = open(".", O_TMPFILE | O_RDWR, 0640);
        tell("without a name", file);
        char again[40];
        sprintf(again, "/proc/self/fd/%d", file);
        tell("gets one", linkat(AT_FDCWD, again, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        tell("closed", fcntl(open("plain0", O_RDONLY | O_CLOEXEC), F_GETFD) == FD_CLOEXEC ? 0 : -1);
        tell("kept", fcntl(open("plain0", O_RDONLY), F_GETFD) == 0 ? 0 : -1);
        tell("added", (fcntl(open("plain0", O_WRONLY | O_APPEND | O_NONBLOCK), F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK) ? 0 : -1);
        close(0);
        tell("the lowest", open("plain0", O_RDONLY) == 0 ? 0 : -1);
        tell("own memory", open("/proc/self/mem", O_RDWR));
        tell("own maps", content(open("/proc/thread-self/maps", O_RDONLY), text));
        tell("empty", open("", O_RDONLY));
        tell("nowhere", open((char *)8, O_RDONLY));
        tell("no terminal", open("/dev/tty", O_RDWR));
        tell("dot", unlink("."));
        tell("folder by unlink", unlink("sub"));
        tell("file by rmdir", rmdir("plain0"));
    } else if (!strcmp(how, "closed")) {
        prctl(PR_SET_DUMPABLE, 0);
        tell("closed", open("plain0", O_RDONLY));
    } else if (!strcmp(how, "race")) {
        pthread_t other;
        pthread_create(&other, 0, change, 0);
        int plain = 0, secret = 0;
        for (int tries = 0; tries < 200; tries++) {
            if (content(open(path, O_RDONLY), text) < 0) continue;
            plain += !strcmp(text, "tex");
            secret += !strcmp(text, "key");
        }
        over = 1;
        pthread_join(other, 0);
        printf("%s %s\n", plain ? "read" : "never read", secret ? "lost" : "held");
    } else {
        int port = atoi(words[2]);
        target = (struct sockaddr_in){AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}};
        int one = socket(AF_INET, SOCK_STREAM, 0);
        tell("refused", connect(one, (void *)&target, sizeof target));
        struct sockaddr_in6 mapped = {AF_INET6, htons(9), 0, IN6ADDR_LOOPBACK_INIT, 0};
        tell("six", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&mapped, sizeof mapped));
        tell("fast", sendto(one, "x", 1, MSG_FASTOPEN, (void *)&target, sizeof target));
        tell("short", connect(one, (void *)&target, 8));
        tell("no socket", connect(1, (void *)&target, sizeof target));
        tell("not open", connect(99, (void *)&target, sizeof target));
        struct sockaddr_un local = {AF_UNIX, "local"};
        int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(listener, (void *)&local, sizeof local);
        listen(listener, 1);
        tell("local", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&local, sizeof local));
        target.sin_port = htons(port);
        tell("allowed", connect(one, (void *)&target, sizeof target));
        tell("twice", connect(one, (void *)&target, sizeof target));
        int packets = socket(AF_INET, SOCK_DGRAM, 0);
        tell("packets", connect(packets, (void *)&target, sizeof target));
        struct sockaddr none = {AF_UNSPEC};
        tell("undone", connect(packets, &none, sizeof none));
        tell("not connected", getpeername(packets, (void *)&mapped, &(socklen_t){sizeof mapped}));
        int later = connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&target, sizeof target);
        tell("later", later == 0 || errno == EINPROGRESS ? 0 : -1);
        pthread_t other;
        pthread_create(&other, 0, redirect, (void *)(long)port);
        int lost = 0;
        for (int tries = 0; tries < 200; tries++) {
            int socket_ = socket(AF_INET, SOCK_STREAM, 0);
            int done = connect(socket_, (void *)&target, sizeof target);
            // Nobody listens at 9: to be told so is to have got there.
            lost += done < 0 && errno == ECONNREFUSED;
            close(socket_);
        }
        over = 1;
        pthread_join(other, 0);
        printf("%s\n", lost ? "lost" : "held");
    }
    return 0;
}
