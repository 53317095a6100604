// The load generator of `npm run bench`, with one thread and epoll. It sends requests that were signed beforehand, so it
// needs little CPU time itself. It reports whether it limited a measurement.
//
//   load FILE PORT CONNECTIONS SECONDS [new-connections] [rate=R] [skip=N] [address=127.0.0.2] [addresses=N] [repeat]
//
// FILE: requests, each preceded by its length (32 bits, little endian).
// new-connections: opens a new connection for each request, and closes it after the response. Default: keep-alive.
// rate: requests a second (open loop). Latency counts from the time when a request was due, so it includes waiting for a
//   free connection. Without a rate, each connection sends its next request as soon as it has its response.
// skip: number of requests at the start of FILE to leave out, because they were sent before.
// address: the first source address. addresses: the number of source addresses, used in turn.
// repeat: starts again at the end of FILE, for requests that may be repeated.
// SIGTERM ends the run early. The report is one line of JSON on stdout.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define HEAD_BYTES 16384
/** Maximum time to wait for the remaining responses after the end. */
#define DRAIN_NS (15 * 1000000000LL)
/** Above this share of time, busy or waiting for a core, the generator itself may have been the limit. */
#define BUSY_LIMIT 0.9

struct connection {
  int fd; // -1: not open
  int busy; // a request is in flight
  uint32_t request;
  size_t sent;
  int64_t due; // start of the request's latency
  size_t head_bytes;
  int in_body;
  int chunked;
  int closing; // the server has sent Connection: close
  int status;
  long long body_left;
  char tail[5]; // the last bytes of a chunked body
  char head[HEAD_BYTES];
};

static const uint8_t *file_start;
static uint64_t *offsets; // offset of the length of each request
static uint32_t count, next_request, first_request, repeat, rounds_sent;
static struct connection *connections, **idle;
static int connection_count, idle_count, epoll, new_connections, stopping;
static struct sockaddr_in server, client;
static int address_count = 0;
static uint32_t next_address;
static long long statuses[600], errors, connects, reconnects, connect_failures, in_time;
static char first_error[128];
static uint32_t *latencies; // µs
static size_t latency_count, latency_room;
static int64_t ends_at, in_flight;
static uint64_t sent_total;
static char scratch[1 << 18];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *operation) {
  fprintf(stderr, "load: %s: %s\n", operation, strerror(errno));
  exit(1);
}

static void on_signal(int signal) {
  (void)signal;
  stopping = 1;
}

static const uint8_t *request_bytes(uint32_t index, uint32_t *length) {
  const uint8_t *at = file_start + offsets[index];
  memcpy(length, at, 4);
  return at + 4;
}

static void note_error(const char *operation, int code) {
  errors += 1;
  if (first_error[0] == 0) {
    snprintf(first_error, sizeof first_error, "%s%s%s", operation, code ? ": " : "", code ? strerror(code) : "");
  }
}

static void open_connection(struct connection *c) {
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (address_count > 0) {
    struct sockaddr_in from = client;
    from.sin_addr.s_addr = htonl(ntohl(client.sin_addr.s_addr) + next_address++ % address_count);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) fail("bind");
  }
  connects += 1;
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
}

static void close_connection(struct connection *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

static void set_idle(struct connection *c) {
  c->busy = 0;
  idle[idle_count++] = c;
}

/** Records the request in flight as failed, and closes the connection. */
static void give_up(struct connection *c, const char *why, int code) {
  close_connection(c);
  if (c->busy) {
    note_error(why, code);
    in_flight -= 1;
    set_idle(c);
  }
}

static void write_rest(struct connection *c) {
  uint32_t length;
  const uint8_t *bytes = request_bytes(c->request, &length);
  while (c->sent < length) {
    ssize_t written = send(c->fd, bytes + c->sent, length - c->sent, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS) return;
      // There may still be a response to read.
      if (errno == EPIPE || errno == ECONNRESET) return;
      give_up(c, "write", errno);
      return;
    }
    c->sent += written;
  }
}

static void start_request(struct connection *c, int64_t due) {
  c->busy = 1;
  c->request = next_request++;
  if (repeat && next_request == count) {
    next_request = first_request;
    rounds_sent += 1;
  }
  c->sent = 0;
  c->due = due;
  c->head_bytes = 0;
  c->in_body = 0;
  c->closing = 0;
  in_flight += 1;
  sent_total += 1;
  if (c->fd < 0) {
    open_connection(c); // the request is sent once it is established
  } else {
    write_rest(c);
  }
}

static void finish_response(struct connection *c) {
  int64_t now = now_ns();
  if (c->status >= 0 && c->status < 600) statuses[c->status] += 1;
  if (latency_count == latency_room) {
    latency_room *= 2;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
    if (latencies == NULL) fail("realloc");
  }
  int64_t us = (now - c->due) / 1000;
  latencies[latency_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
  if (now <= ends_at) in_time += 1;
  in_flight -= 1;
  if (new_connections || c->closing) {
    if (!new_connections) reconnects += 1;
    close_connection(c);
  }
  set_idle(c);
}

/** Parses the head of a response. Returns 0 if it is incomplete, -1 if it is not a response. */
static int parse_head(struct connection *c) {
  char *end = memmem(c->head, c->head_bytes, "\r\n\r\n", 4);
  if (end == NULL) return c->head_bytes < HEAD_BYTES - 1 ? 0 : -1;
  size_t length = end - c->head + 4;
  if (length < 16 || memcmp(c->head, "HTTP/1.", 7) != 0) return -1;
  c->status = atoi(c->head + 9);
  c->body_left = 0;
  c->chunked = 0;
  for (char *line = memmem(c->head, length, "\r\n", 2) + 2; line < end; line = (char *)memmem(line, end + 2 - line, "\r\n", 2) + 2) {
    if (strncasecmp(line, "content-length:", 15) == 0) c->body_left = atoll(line + 15);
    else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0) c->chunked = 1;
    else if (strncasecmp(line, "connection: close", 17) == 0) c->closing = 1;
  }
  if (c->status / 100 == 1 || c->status == 204) c->body_left = 0;
  return (int)length;
}

static void take_body(struct connection *c, const char *bytes, size_t length) {
  if (!c->chunked) {
    c->body_left -= length;
    if (c->body_left <= 0) finish_response(c);
    return;
  }
  char joined[10];
  size_t kept = length < 5 ? length : 5;
  memcpy(joined, c->tail, 5);
  memcpy(joined + 5, bytes + length - kept, kept);
  memcpy(c->tail, joined + kept, 5);
  if (memcmp(c->tail, "0\r\n\r\n", 5) == 0) finish_response(c);
}

static void read_response(struct connection *c) {
  for (;;) {
    ssize_t got = c->in_body ? recv(c->fd, scratch, sizeof scratch, 0)
                             : recv(c->fd, c->head + c->head_bytes, HEAD_BYTES - 1 - c->head_bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      give_up(c, got == 0 ? "closed before the response" : "read", got == 0 ? 0 : errno);
      return;
    }
    if (!c->busy) { // input without a request: the connection cannot be used any more
      close_connection(c);
      return;
    }
    if (c->in_body) {
      take_body(c, scratch, got);
    } else {
      c->head_bytes += got;
      int head = parse_head(c);
      if (head < 0) {
        give_up(c, "not an HTTP response", 0);
        return;
      }
      if (head == 0) continue;
      c->in_body = 1;
      memset(c->tail, 0, sizeof c->tail);
      if (!c->chunked || c->head_bytes > (size_t)head) {
        take_body(c, c->head + head, c->head_bytes - head);
      }
    }
    if (!c->busy) return;
  }
}

static void *map_file(const char *path, size_t *length) {
  int fd = open(path, O_RDONLY);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0) fail(path);
  *length = info.st_size;
  void *start = mmap(NULL, info.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (start == MAP_FAILED) fail("mmap");
  close(fd);
  return start;
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double at(double q) {
  return latency_count == 0 ? 0 : latencies[(size_t)((latency_count - 1) * q)] / 1000.0;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/** Returns the seconds that this process was ready to run and waited for a core. */
static double waited_seconds(void) {
  unsigned long long ran, waited = 0;
  FILE *file = fopen("/proc/self/schedstat", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu %llu", &ran, &waited) != 2) waited = 0;
  fclose(file);
  return waited / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "load: usage: load FILE PORT CONNECTIONS SECONDS [new-connections] [rate=R] [skip=N] [address=A] [addresses=N] [repeat]\n");
    return 64;
  }
  double rate = 0, seconds = atof(argv[4]);
  size_t file_bytes;
  client.sin_family = AF_INET;
  client.sin_addr.s_addr = inet_addr("127.0.0.2");
  for (int i = 5; i < argc; i += 1) {
    if (strcmp(argv[i], "new-connections") == 0) new_connections = 1;
    else if (strcmp(argv[i], "repeat") == 0) repeat = 1;
    else if (strncmp(argv[i], "rate=", 5) == 0) rate = atof(argv[i] + 5);
    else if (strncmp(argv[i], "skip=", 5) == 0) first_request = strtoul(argv[i] + 5, NULL, 10);
    else if (strncmp(argv[i], "addresses=", 10) == 0) address_count = atoi(argv[i] + 10);
    else if (strncmp(argv[i], "address=", 8) == 0) {
      client.sin_addr.s_addr = inet_addr(argv[i] + 8);
      if (address_count == 0) address_count = 1;
    } else {
      fprintf(stderr, "load: unknown option %s\n", argv[i]);
      return 64;
    }
  }
  file_start = map_file(argv[1], &file_bytes);
  latency_room = 1 << 16;
  latencies = malloc(latency_room * sizeof *latencies);
  size_t room = 1 << 16;
  offsets = malloc(room * sizeof *offsets);
  for (uint64_t at = 0; at + 4 <= file_bytes;) {
    uint32_t length;
    memcpy(&length, file_start + at, 4);
    if (count == room) offsets = realloc(offsets, (room *= 2) * sizeof *offsets);
    offsets[count++] = at;
    at += 4 + length;
  }
  if (count <= first_request) {
    fprintf(stderr, "load: no requests left in %s\n", argv[1]);
    return 1;
  }
  next_request = first_request;
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection_count = atoi(argv[3]);
  connections = calloc(connection_count, sizeof *connections);
  idle = calloc(connection_count, sizeof *idle);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event timer_event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &timer_event);
  for (int i = connection_count - 1; i >= 0; i -= 1) {
    connections[i].fd = -1;
    set_idle(&connections[i]);
  }

  double cpu_before = cpu_seconds(), waited_before = waited_seconds();
  int64_t started_at = now_ns(), ran_out_at = 0;
  uint64_t due_count = 0; // open loop: number of requests that were due and sent
  ends_at = started_at + (int64_t)(seconds * 1e9);
  struct epoll_event events[1024];
  double busy_cpu = 0, waited = 0;
  int ended = 0;
  for (;;) {
    int64_t now = now_ns(), wake_at = ends_at;
    int out = next_request >= count;
    if (out && ran_out_at == 0) ran_out_at = now;
    if (!ended && (now >= ends_at || stopping || (out && in_flight == 0))) {
      ended = 1;
      if (stopping && now < ends_at) ends_at = now;
      busy_cpu = cpu_seconds() - cpu_before;
      waited = waited_seconds() - waited_before;
    }
    if (!ended) {
      while (idle_count > 0 && next_request < count) {
        int64_t due = now;
        if (rate > 0) {
          due = started_at + (int64_t)(due_count / rate * 1e9);
          if (due > now) {
            wake_at = due;
            break;
          }
          due_count += 1;
        }
        struct connection *c = idle[--idle_count];
        start_request(c, due);
        if (!c->busy) break; // the request has already failed
      }
    } else {
      wake_at = ends_at + DRAIN_NS;
      if (in_flight == 0 || now >= wake_at || stopping > 1) break;
    }
    struct itimerspec until = {.it_value = {wake_at / 1000000000LL, wake_at % 1000000000LL}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &until, NULL);
    int ready = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < ready; i += 1) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL || c->fd < 0) continue;
      if ((events[i].events & EPOLLOUT) && c->busy) write_rest(c);
      if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        int error = 0;
        socklen_t size = sizeof error;
        if (events[i].events & EPOLLERR) {
          getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        }
        if (error == ECONNREFUSED || error == ETIMEDOUT) {
          connect_failures += 1;
          give_up(c, "connect", error);
        } else {
          read_response(c);
        }
      }
    }
  }
  // If the file had too few requests, the measurement ends when they are used up.
  double elapsed = ((ran_out_at && ran_out_at < ends_at ? ran_out_at : ends_at) - started_at) / 1e9;
  if (ran_out_at && ran_out_at < ends_at) in_time = latency_count;
  double share = busy_cpu / elapsed, wait_share = waited / elapsed;
  int late = rate > 0 && ran_out_at == 0 && due_count + 1 < rate * elapsed * 0.98;
  qsort(latencies, latency_count, sizeof *latencies, compare);
  printf("{\"statuses\":{");
  for (int i = 0, some = 0; i < 600; i += 1) {
    if (statuses[i] > 0) printf("%s\"%d\":%lld", some++ ? "," : "", i, statuses[i]);
  }
  printf("},\"answers\":%zu,\"errors\":%lld,\"firstError\":\"%s\",\"unanswered\":%lld,\"sent\":%llu,\"connects\":%lld,\"reconnects\":%lld,",
         latency_count, errors, first_error, (long long)in_flight, (unsigned long long)sent_total, connects, reconnects);
  printf("\"seconds\":%.3f,\"perSecond\":%.1f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f,", elapsed, in_time / elapsed,
         at(0.5), at(0.9), at(0.99), at(1));
  printf("\"cpuShare\":%.3f,\"waitShare\":%.3f,\"ranOut\":%s,\"behind\":%s,\"wasLimit\":%s}\n", share, wait_share, ran_out_at ? "true" : "false", late ? "true" : "false",
         share + wait_share > BUSY_LIMIT || (ran_out_at && elapsed < seconds / 2) ? "true" : "false");
  return 0;
}
