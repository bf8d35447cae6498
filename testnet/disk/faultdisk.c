// A disk that can fail, and a clock that can be wrong, under an unchanged program: preloaded
// (LD_PRELOAD) into a validator of a testnet. docs/adr/0009-faulty-disks.md says why it is this.
//
// It stands before the C library's calls that change files below $FAULTDISK/data. Every call is
// carried out for real. What would survive a loss of power is written to a journal, which
// testnet/src/disk reads after the process is gone:
//
//   C ino path       a file was made, or is known by this name
//   S ino size       everything below this size is on the disk
//   T ino size       the file was cut to this size
//   P ino            a sync of it failed: nothing written since the last one ever gets to the disk
//   R from TAB to    renamed
//   U path           deleted; its content waits under another name in $FAULTDISK/disk.trash
//   Y directory      the names in it are on the disk
//
// $FAULTDISK/disk.knobs is shared memory with whoever breaks things: see struct knobs.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATH 4096

// Eight bytes each, in the order of testnet/src/disk/knobs.rs.
struct knobs {
    _Atomic uint64_t lying;       // syncs report success and reach nothing
    _Atomic uint64_t failing;     // so many syncs fail
    _Atomic uint64_t full;        // 1: no room is reported; 2: and nothing can be written
    _Atomic uint64_t calls_left;  // the process ends before the call that makes this 0; 0: it goes on
    _Atomic int64_t clock_shift;  // added to the wall clock, in nanoseconds
    _Atomic uint64_t failed_at;   // when a sync of a log first failed, in nanoseconds since 1970
    _Atomic uint64_t said;        // how long the log of promises was then
};

static struct knobs nobody;
static struct knobs *knobs = &nobody;
static char home[PATH], root[PATH];
static size_t root_len;
static int journal = -1;
static atomic_ulong deleted;

static uint64_t now_ns(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("FAULTDISK");
    char path[PATH + 32];
    if (!given || strlen(given) >= PATH - 64) return;
    strcpy(home, given);
    root_len = (size_t)snprintf(root, PATH, "%s/data/", given);
    snprintf(path, sizeof path, "%s/disk.journal", home);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    snprintf(path, sizeof path, "%s/disk.knobs", home);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *knobs, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (journal < 0 || shared == MAP_FAILED) {
        // A validator that was to have a faulty disk must not run on a good one.
        fprintf(stderr, "faultdisk: %s cannot be used\n", home);
        _exit(1);
    }
    knobs = shared;
}

// Whether a file's fate is of interest: not that of RocksDB's own log, nor of locks.
static int watched(const char *path) {
    if (root_len == 0 || strncmp(path, root, root_len) != 0) return 0;
    const char *name = strrchr(path, '/') + 1;
    return strncmp(name, "LOG", 3) != 0 && strcmp(name, "LOCK") != 0 && strcmp(name, "node.lock") != 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    if (root_len == 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH - 1);
    if (len <= 0) return 0;
    path[len] = 0;
    return 1;
}

static int watched_fd(int fd) {
    char path[PATH];
    return path_of(fd, path) && watched(path);
}

static void note(const char *format, ...) {
    char line[3 * PATH];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    // One write: a line is whole or missing, whenever the process ends.
    if (syscall(SYS_write, journal, line, (size_t)len) != len) abort();
}

// Before a call that changes the disk: ends the process where it was told to.
static void pass(void) {
    uint64_t left = atomic_load(&knobs->calls_left);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&knobs->calls_left, &left, left - 1)) {
            if (left == 1) {
                syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
                for (;;) pause();
            }
            return;
        }
    }
}

static int is_full(void) {
    if (atomic_load(&knobs->full) < 2) return 0;
    errno = ENOSPC;
    return 1;
}

static int armed(void) {
    return atomic_load(&knobs->full) == 2 || atomic_load(&knobs->calls_left);
}

static int open_at(int directory, const char *path, int flags, mode_t mode) {
    int ours = directory == AT_FDCWD && (flags & O_CREAT) && watched(path);
    struct stat before;
    int existed = ours && stat(path, &before) == 0;
    if (ours) {
        pass();
        if (!existed && is_full()) return -1;
    }
    int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
    struct stat after;
    if (ours && fd >= 0 && fstat(fd, &after) == 0) {
        if (!existed) note("C %lu %s\n", (unsigned long)after.st_ino, path);
        else if (flags & O_TRUNC) note("T %lu 0\n", (unsigned long)after.st_ino);
    }
    return fd;
}

#define MODE(flags, mode)                      \
    mode_t mode = 0;                           \
    if ((flags) & (O_CREAT | O_TMPFILE)) {     \
        va_list rest;                          \
        va_start(rest, flags);                 \
        mode = (mode_t)va_arg(rest, int);      \
        va_end(rest);                          \
    }

int open(const char *path, int flags, ...) { MODE(flags, mode) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, mode) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, mode) return open_at(at, path, flags, mode); }

ssize_t write(int fd, const void *bytes, size_t len) {
    if (armed() && watched_fd(fd)) {
        pass();
        if (is_full()) return -1;
    }
    return syscall(SYS_write, fd, bytes, len);
}

// Where it overwrites, what was there is no longer safe.
static ssize_t write_at(int fd, const void *bytes, size_t len, off_t at) {
    struct stat before;
    if (watched_fd(fd)) {
        pass();
        if (is_full()) return -1;
        if (fstat(fd, &before) == 0 && at < before.st_size)
            note("T %lu %ld\n", (unsigned long)before.st_ino, (long)at);
    }
    return syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return write_at(fd, bytes, len, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at) { return write_at(fd, bytes, len, at); }

int fallocate(int fd, int mode, off_t from, off_t len) {
    if (armed() && watched_fd(fd) && is_full()) return -1;
    return (int)syscall(SYS_fallocate, fd, mode, from, len);
}
int fallocate64(int fd, int mode, off_t from, off_t len) { return fallocate(fd, mode, from, len); }

static int cut(int fd, off_t len) {
    struct stat after;
    int ours = watched_fd(fd);
    if (ours) pass();
    int result = (int)syscall(SYS_ftruncate, fd, len);
    if (ours && result == 0 && fstat(fd, &after) == 0)
        note("T %lu %ld\n", (unsigned long)after.st_ino, (long)len);
    return result;
}
int ftruncate(int fd, off_t len) { return cut(fd, len); }
int ftruncate64(int fd, off_t len) { return cut(fd, len); }

// A log's sync that fails first is noted with the time and with what was promised by then.
static void note_failure(const char *path) {
    const char *end = strrchr(path, '.');
    char said[PATH + 16];
    struct stat log;
    uint64_t never = 0;
    if (!end || strcmp(end, ".log") != 0) return;
    snprintf(said, sizeof said, "%s/said.log", home);
    if (stat(said, &log) == 0 && atomic_load(&knobs->failed_at) == 0)
        atomic_store(&knobs->said, (uint64_t)log.st_size);
    atomic_compare_exchange_strong(&knobs->failed_at, &never, now_ns());
}

static int sync_with(long call, int fd) {
    char path[PATH];
    struct stat before;
    if (!path_of(fd, path) || fstat(fd, &before) != 0) return (int)syscall(call, fd);
    if (S_ISDIR(before.st_mode)) strcat(path, "/");
    if (!watched(path)) return (int)syscall(call, fd);
    pass();
    if (atomic_load(&knobs->lying)) return 0;
    uint64_t failing = atomic_load(&knobs->failing);
    if (failing > 0 && !S_ISDIR(before.st_mode)) {
        atomic_compare_exchange_strong(&knobs->failing, &failing, failing - 1);
        note_failure(path);
        note("P %lu\n", (unsigned long)before.st_ino);
        errno = EIO;
        return -1;
    }
    int result = (int)syscall(call, fd);
    if (result == 0) {
        // Measured before: what was written meanwhile may not be there.
        if (S_ISDIR(before.st_mode)) note("Y %s\n", path);
        else note("S %lu %ld\n", (unsigned long)before.st_ino, (long)before.st_size);
    }
    return result;
}
int fsync(int fd) { return sync_with(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_with(SYS_fdatasync, fd); }

// Keeps a file's content for the case that its deletion does not reach the disk.
static void keep(const char *path) {
    char kept[PATH + 64];
    snprintf(kept, sizeof kept, "%s/disk.trash/%d.%lu", home, (int)getpid(), atomic_fetch_add(&deleted, 1));
    (void)syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0);
}

int rename(const char *from, const char *to) {
    int ours = watched(to);
    if (ours) {
        pass();
        keep(to);
    }
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (ours && result == 0) note("R %s\t%s\n", from, to);
    return result;
}

static int delete_file(int directory, const char *name, const char *path, int flags) {
    int ours = watched(path) && !(flags & AT_REMOVEDIR);
    if (ours) {
        pass();
        keep(path);
    }
    int result = (int)syscall(SYS_unlinkat, directory, name, flags);
    if (ours && result == 0) note("U %s\n", path);
    return result;
}

int unlink(const char *path) { return delete_file(AT_FDCWD, path, path, 0); }

int unlinkat(int directory, const char *name, int flags) {
    char path[2 * PATH];
    if (directory == AT_FDCWD || name[0] == '/') return delete_file(directory, name, name, flags);
    if (!path_of(directory, path)) return (int)syscall(SYS_unlinkat, directory, name, flags);
    strcat(path, "/");
    strncat(path, name, PATH - 1);
    return delete_file(directory, name, path, flags);
}

// How much room there is.
static int room(const char *call, const char *path, struct statvfs *found) {
    int (*real)(const char *, struct statvfs *);
    *(void **)&real = dlsym(RTLD_NEXT, call);
    int result = real(path, found);
    if (result == 0 && root_len > 0 && atomic_load(&knobs->full) && strncmp(path, root, root_len - 1) == 0)
        found->f_bavail = 0;
    return result;
}
int statvfs(const char *path, struct statvfs *found) { return room("statvfs", path, found); }
int statvfs64(const char *path, struct statvfs64 *found) {
    return room("statvfs64", path, (struct statvfs *)found);
}

// The wall clock. What measures time passed is right.
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    int64_t shift = clock == CLOCK_REALTIME ? atomic_load(&knobs->clock_shift) : 0;
    if (result == 0 && shift != 0) {
        int64_t nanos = time->tv_nsec + shift % 1000000000;
        time->tv_sec += shift / 1000000000 + (nanos < 0 ? -1 : nanos / 1000000000);
        time->tv_nsec = nanos < 0 ? nanos + 1000000000 : nanos % 1000000000;
    }
    return result;
}
