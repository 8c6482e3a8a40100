/* Loaded into a program before its libraries (LD_PRELOAD): moves what it takes for the time of day by as many seconds as
 * the file DC_CLOCK holds, 8 bytes in the machine's order. The file may change while the program runs. Time that only
 * passes (CLOCK_MONOTONIC) stays as it is, so that nothing waits longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("DC_CLOCK");
    if (!path) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    /* A program with the wrong time would be believed. */
    if (page == MAP_FAILED) _exit(127);
    close(file);
    ahead = page;
}

static long long seconds_ahead(void) { return ahead ? *ahead : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds_ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME_COARSE, &precise);
    if (now) *now = precise.tv_sec;
    return precise.tv_sec;
}

/* The kernel knows nothing of this. No machine has run for 30 years, so a larger number is a time of day. */
static struct timespec of_kernel(const struct timespec *until) {
    struct timespec real = *until;
    if (real.tv_sec > 1000000000) real.tv_sec -= seconds_ahead();
    return real;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    typedef int wait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    static wait *next;
    struct timespec real = of_kernel(until);
    /* There are two versions of it; dlsym may find the old one. */
    if (!next) next = (wait *)dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!next) next = (wait *)dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return next(condition, mutex, &real);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    typedef int wait(sem_t *, const struct timespec *);
    static wait *next;
    struct timespec real = of_kernel(until);
    if (!next) next = (wait *)dlsym(RTLD_NEXT, "sem_timedwait");
    return next(semaphore, &real);
}

/* With DC_LOOPBACK, servers that cannot be told to do so listen on loopback instead of on all addresses. */
int bind(int socket, __CONST_SOCKADDR_ARG wanted, socklen_t length) {
    union { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; } address;
    if (!getenv("DC_LOOPBACK") || length > sizeof address)
        return (int)syscall(SYS_bind, socket, wanted.__sockaddr__, length);
    memcpy(&address, wanted.__sockaddr__, length);
    if (address.any.sa_family == AF_INET) address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address.any.sa_family == AF_INET6) address.v6.sin6_addr = in6addr_loopback;
    return (int)syscall(SYS_bind, socket, &address, length);
}
