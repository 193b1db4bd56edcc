/* The functions of libc that take any number of arguments, which only C can be written for. Each makes them an ordinary
 * call of the library's. Nothing here allocates. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

/* More arguments than this would not fit on the small stacks that some threads have. */
#define MOST 4096

extern char **environ;
int rampart_exec(const char *path, char *const argv[], char *const envp[], int search);
int rampart_open(int dirfd, const char *path, int flags, mode_t mode, int which);

static int collect(va_list args, const char *first, char **argv, size_t *count) {
    size_t n = 0;
    for (const char *arg = first; arg != NULL; arg = va_arg(args, const char *)) {
        if (n + 1 >= MOST) {
            errno = E2BIG;
            return -1;
        }
        argv[n++] = (char *)arg;
    }
    argv[n] = NULL;
    *count = n;
    return 0;
}

int execl(const char *path, const char *arg, ...) {
    char *argv[MOST];
    size_t n;
    va_list args;
    va_start(args, arg);
    int failed = collect(args, arg, argv, &n);
    va_end(args);
    return failed ? -1 : rampart_exec(path, argv, environ, 0);
}

int execlp(const char *file, const char *arg, ...) {
    char *argv[MOST];
    size_t n;
    va_list args;
    va_start(args, arg);
    int failed = collect(args, arg, argv, &n);
    va_end(args);
    return failed ? -1 : rampart_exec(file, argv, environ, 1);
}

int execle(const char *path, const char *arg, ...) {
    char *argv[MOST];
    size_t n;
    va_list args;
    va_start(args, arg);
    int failed = collect(args, arg, argv, &n);
    char *const *envp = failed ? NULL : va_arg(args, char *const *);
    va_end(args);
    return failed ? -1 : rampart_exec(path, argv, envp, 0);
}

/* open(2): the mode is there only with these. */
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list args; \
        va_start(args, flags); \
        mode = va_arg(args, mode_t); \
        va_end(args); \
    }

#undef open
#undef openat
int open(const char *path, int flags, ...) { MODE(flags) return rampart_open(AT_FDCWD, path, flags, mode, 0); }
int open64(const char *path, int flags, ...) { MODE(flags) return rampart_open(AT_FDCWD, path, flags, mode, 1); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return rampart_open(dirfd, path, flags, mode, 2); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE(flags) return rampart_open(dirfd, path, flags, mode, 3); }
