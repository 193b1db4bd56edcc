// Writes a file to standard output, by system calls that no library sees.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words) {
    char text[64];
    long file = syscall(SYS_openat, AT_FDCWD, words[count - 1], O_RDONLY);
    long length = file < 0 ? -1 : read((int)file, text, sizeof text);
    return length < 0 ? 1 : write(1, text, (size_t)length) < 0;
}
