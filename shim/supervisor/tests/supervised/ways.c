// Starts `touch MARKER` in the way that is named first.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;

static char *t = "/usr/bin/touch", **a;

static int copy(int to) {
    char b[65536];
    int from = open(t, O_RDONLY);
    for (ssize_t n; (n = read(from, b, sizeof b)) > 0;) write(to, b, n);
    return to;
}

static void *start(void *unused) {
    execv(t, a);
    return unused;
}

static int start_shared(void *unused) {
    start(unused);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    char *how = argv[1], *m = argv[2], *words[] = {"touch", m, NULL}, *none[] = {NULL}, path[64];
    a = words;
    if (!strcmp(how, "execve")) execve(t, a, environ);
    if (!strcmp(how, "no environment")) execve(t, a, none);
    if (!strcmp(how, "null environment")) execve(t, a, NULL);
    if (!strcmp(how, "by hand")) syscall(SYS_execve, t, a, environ);
    if (!strcmp(how, "execveat")) execveat(AT_FDCWD, t, a, environ, 0);
    if (!strcmp(how, "execveat of a folder")) execveat(open("/usr", O_PATH), "bin/touch", a, environ, AT_SYMLINK_NOFOLLOW);
    if (!strcmp(how, "execveat of a descriptor")) execveat(open(t, O_PATH), "", a, environ, AT_EMPTY_PATH);
    if (!strcmp(how, "fexecve")) fexecve(open(t, O_RDONLY), a, environ);
    if (!strcmp(how, "another name")) { char *b[] = {"ls", m, NULL}; execv(t, b); }
    if (!strcmp(how, "relative")) { chdir("/usr"); execl("./bin/../bin/touch", "x", m, (char *)NULL); }
    if (!strcmp(how, "link")) { symlink(t, "harmless"); execl("harmless", "harmless", m, (char *)NULL); }
    if (!strcmp(how, "hard link")) { if (!link(t, "hard")) execl("./hard", "hard", m, (char *)NULL); }
    if (!strcmp(how, "proc")) { snprintf(path, sizeof path, "/proc/self/fd/%d", open(t, O_RDONLY)); execv(path, a); }
    if (!strcmp(how, "proc of a thread")) { snprintf(path, sizeof path, "/proc/thread-self/fd/%d", open(t, O_PATH)); execv(path, a); }
    if (!strcmp(how, "dev")) { snprintf(path, sizeof path, "/dev/fd/%d", open(t, O_RDONLY)); execv(path, a); }
    if (!strcmp(how, "proc root")) execv("/proc/self/root/usr/bin/touch", a);
    if (!strcmp(how, "copy")) { close(copy(open("other", O_CREAT | O_WRONLY, 0755))); execl("./other", "other", m, (char *)NULL); }
    if (!strcmp(how, "memory")) fexecve(copy(memfd_create("x", MFD_CLOEXEC)), a, environ);
    if (!strcmp(how, "deleted")) {
        close(copy(open("other", O_CREAT | O_WRONLY, 0755)));
        int file = open("other", O_RDONLY);
        unlink("other");
        execveat(file, "", a, environ, AT_EMPTY_PATH);
    }
    if (!strcmp(how, "vfork")) { if (!vfork()) { execv(t, a); _exit(1); } wait(NULL); }
    if (!strcmp(how, "shared memory")) { clone(start_shared, (char *)malloc(65536) + 65536, CLONE_VM | SIGCHLD, NULL); wait(NULL); }
    if (!strcmp(how, "thread")) { pthread_t thread; pthread_create(&thread, NULL, start, NULL); pthread_join(thread, NULL); }
    if (!strcmp(how, "root")) { if (!chroot("/usr")) execv("/bin/touch", a); }
    if (!strcmp(how, "traced by a friend")) {
        pid_t child = fork();
        if (!child) { ptrace(PTRACE_TRACEME, 0, 0, 0); execv(t, a); _exit(errno); }
        int status;
        waitpid(child, &status, 0);
        ptrace(PTRACE_CONT, child, 0, 0);
        waitpid(child, &status, 0);
        return WEXITSTATUS(status);
    }
    if (!strcmp(how, "not dumpable")) { if (!fork()) { prctl(PR_SET_DUMPABLE, 0); execv(t, a); _exit(errno); } wait(NULL); }
    return errno;
}
