// Starts a program 200 times while something else changes what is started:
//   race argv      a thread changes an argument
//   race path      a thread changes the path
//   race shared    a process with the same memory changes the path
//   race link      a process swaps the symbolic link that is started
// The marker of an attempt is there if what is forbidden was started.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 200 };

static char word[64];
static const char *good, *bad;
static volatile int go_on = 1;

static void *flip(void *unused) {
    (void)unused;
    for (int turns = 0; go_on && turns < 20000; turns++) {
        memcpy(word, bad, strlen(bad) + 1);
        for (volatile int i = 0; i < 2000; i++) {}
        memcpy(word, good, strlen(good) + 1);
        for (volatile int i = 0; i < 2000; i++) {}
    }
    return NULL;
}

static int flip_alone(void *unused) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    flip(unused);
    return 0;
}

static void swap_links(void) {
    for (unsigned i = 0;; i++) {
        if (symlink(i % 2 ? "/usr/bin/touch" : "/bin/echo", "link.new") == 0) rename("link.new", "link");
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int in_argv = !strcmp(what, "argv"), is_link = !strcmp(what, "link"), is_shared = !strcmp(what, "shared");
    pid_t swapper = 0;
    if (is_link) {
        symlink("/bin/echo", "link");
        if ((swapper = fork()) == 0) swap_links();
    }
    for (int i = 0; i < TIMES; i++) {
        pid_t child = fork();
        if (child == 0) {
            char marker[32];
            snprintf(marker, sizeof marker, "marker-%d", i);
            good = in_argv ? "something" : "/bin/echo", bad = in_argv ? "forbidden" : "/usr/bin/touch";
            strcpy(word, good);
            if (is_shared) {
                clone(flip_alone, (char *)malloc(65536) + 65536, CLONE_VM, NULL);
            } else if (!is_link) {
                pthread_t thread;
                pthread_create(&thread, NULL, flip, NULL);
            }
            // Different moments of the other's work.
            for (volatile int pause = rand() % 20000 + i * 50; pause > 0; pause--) {}
            char *script = "test \"$1\" != forbidden || : > \"$2\"";
            char *shell[] = {"sh", "-c", script, "sh", word, marker, NULL};
            char *program[] = {"program", marker, NULL};
            char *none[] = {NULL};
            if (in_argv) execve("/bin/sh", shell, none);
            else execve(is_link ? "./link" : word, program, none);
            go_on = 0;
            _exit(126);
        }
        waitpid(child, NULL, 0);
    }
    if (swapper) kill(swapper, SIGKILL);
    int lost = 0;
    for (int i = 0; i < TIMES; i++) {
        char marker[32];
        snprintf(marker, sizeof marker, "marker-%d", i);
        lost += access(marker, F_OK) == 0;
    }
    dprintf(2, "lost %d\n", lost);
    return 0;
}
