// A library to preload. It makes each fsync and fdatasync take FSYNC_DELAY_MS longer, to simulate a slower disk.
// LD_PRELOAD=delay-fsync.so FSYNC_DELAY_MS=5 node dist/cli.js serve
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void delay(void) {
  const char *text = getenv("FSYNC_DELAY_MS");
  double ms = text == NULL ? 0 : atof(text);
  struct timespec left = {(time_t)(ms / 1000), (long)((ms - (long)(ms / 1000) * 1000) * 1e6)};
  while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

static int call(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int result = real(fd);
  int code = errno;
  delay();
  errno = code;
  return result;
}

int fsync(int fd) { return call("fsync", fd); }
int fdatasync(int fd) { return call("fdatasync", fd); }
