/* A disk that fails on order, for any program and without privileges: LD_PRELOAD puts these functions before the C
   library's. What lies under FAULTY_DISK obeys the word in the file FAULTY_ORDER; everything else, and everything
   while that file is empty or missing, is as always.

     full       no block can be had: what would make a file larger than its blocks fails with ENOSPC
     thin       no write at all succeeds: ENOSPC, as on a volume that was promised more than there is
     broken     flushing fails with EIO
     slow N     each flush takes N ms longer */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path)
{
    const char *disk = getenv("FAULTY_DISK");
    size_t size = disk ? strlen(disk) : 0;
    return size && strncmp(path, disk, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static int on_disk(int fd)
{
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    return below(path);
}

/* Put the order into `word`, and return its number. */
static int order(char word[16])
{
    char text[32] = "";
    int kept = errno, number = 0;
    const char *place = getenv("FAULTY_ORDER");
    int fd = place ? open(place, O_RDONLY | O_CLOEXEC) : -1;
    word[0] = 0;
    if (fd >= 0) {
        ssize_t size = read(fd, text, sizeof text - 1);
        if (size > 0)
            sscanf(text, "%15s %d", word, &number);
        close(fd);
    }
    errno = kept;
    return number;
}

/* Whether a write of `size` bytes at `at` (-1: where the file stands) is to fail. */
static int no_room(int fd, off_t at, size_t size)
{
    char word[16];
    struct stat found;
    order(word);
    if ((strcmp(word, "full") && strcmp(word, "thin")) || !on_disk(fd))
        return 0;
    if (fstat(fd, &found) || !S_ISREG(found.st_mode))
        return 0;
    if (at < 0)
        at = lseek(fd, 0, SEEK_CUR);
    if (!strcmp(word, "full") && at + (off_t)size <= (off_t)found.st_blocks * 512)
        return 0;
    errno = ENOSPC;
    return 1;
}

static size_t total(const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return no_room(fd, -1, size) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return no_room(fd, at, size) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return no_room(fd, at, size) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return no_room(fd, -1, total(parts, count)) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return no_room(fd, at, total(parts, count)) ? -1 : REAL(pwritev)(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return no_room(fd, at, total(parts, count)) ? -1 : REAL(pwritev64)(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    return no_room(fd, at, size) ? ENOSPC : REAL(posix_fallocate)(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    return no_room(fd, at, size) ? ENOSPC : REAL(posix_fallocate64)(fd, at, size);
}

static int flush_fails(int fd)
{
    char word[16];
    int number = order(word);
    if ((strcmp(word, "broken") && strcmp(word, "slow")) || !on_disk(fd))
        return 0;
    if (word[0] == 's') {
        struct timespec pause = {number / 1000, number % 1000 * 1000000L};
        nanosleep(&pause, NULL);
        return 0;
    }
    errno = EIO;
    return 1;
}

int fdatasync(int fd)
{
    return flush_fails(fd) ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return flush_fails(fd) ? -1 : REAL(fsync)(fd);
}

static int looks_full(const char *path)
{
    char word[16];
    order(word);
    return (!strcmp(word, "full") || !strcmp(word, "thin")) && below(path);
}

int statvfs(const char *path, struct statvfs *found)
{
    int result = REAL(statvfs)(path, found);
    if (!result && looks_full(path))
        found->f_bavail = found->f_bfree = 0;
    return result;
}

int statvfs64(const char *path, struct statvfs64 *found)
{
    int result = REAL(statvfs64)(path, found);
    if (!result && looks_full(path))
        found->f_bavail = found->f_bfree = 0;
    return result;
}
