/* The MTA's side, as fast as it goes: a thread for each connection, as an MTA has a process for each, blocking.
 *
 *   load postfix ADDRESS CONNECTIONS TRANSACTIONS keep|reconnect OCTETS RECIPIENT
 *   load commands ADDRESS CONNECTIONS TRANSACTIONS keep|reconnect OCTETS RECIPIENT
 *   load socketmap ADDRESS CONNECTIONS QUESTIONS - - KEY
 *   load idle ADDRESS CONNECTIONS - - - -        stands there negotiated and introduced until its input ends
 *
 * `postfix` writes as Postfix does (milter8.c): through a buffer of 4096 octets, which is written when it is full, when
 * an answer is waited for, and when smtpd hands the connection to cleanup after DATA; and it says its macros again
 * before each header and each piece of the body. `commands` writes each command by itself, macros only where they change.
 *
 * ADDRESS is unix:/path or 127.0.0.1:port. A milter is offered everything of version 6; what it does not want is not
 * sent, and where it said that it answers nothing, nothing is waited for. Prints one JSON object; `edits` counts the
 * changes that came before the last words, so that a router can be seen to have routed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 2000, most_groups = 64, most_ids = 64, most_pieces = 4096, header_fields = 12, buffer = 4096 };

static const char *address, *recipient;
static long transactions, taken;
static int reconnecting, buffered;
static size_t body_octets;

/* A command with its macros: where it is in the text, and the bits that leave it out or leave out its answer. */
struct group { size_t from, length; uint32_t not_sent, not_answered; };
/* One write: up to where in the octets to be sent, and whether an answer follows. */
struct piece { size_t to; int answered; };

struct connection {
  pthread_t thread;
  int socket;
  uint32_t agreed;
  /* All that could be said, as packets. */
  char *text;
  size_t used, id_at[most_ids];
  int ids, first_of_message, handed_over, groups;
  struct group group[most_groups];
  /* What of it is said under what was agreed, and in which writes; first of the connection, then of a message. */
  char *out;
  size_t number_at[most_ids];
  int numbers, introduction, pieces;
  struct piece piece[most_pieces];
  unsigned char in[65536];
  size_t in_from, in_to;
  long done, bad, edits;
  float *took;
};

static void die(const char *why) { perror(why); exit(2); }

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static int dial(void) {
  int one = 1, fd;
  if (!strncmp(address, "unix:", 5)) {
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "%s", address + 5);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    while (connect(fd, (void *)&to, sizeof to)) if (errno != EAGAIN && errno != EINTR) die("connect"); else usleep(200);
    return fd;
  }
  struct sockaddr_in to = { .sin_family = AF_INET };
  char host[64];
  snprintf(host, sizeof host, "%.*s", (int)(strrchr(address, ':') - address), address);
  inet_pton(AF_INET, host, &to.sin_addr);
  to.sin_port = htons(atoi(strrchr(address, ':') + 1));
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&to, sizeof to)) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static int send_all(int fd, const char *octets, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, octets, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    octets += written;
    length -= written;
  }
  return 0;
}

/* At least so many octets of what comes are in the buffer. */
static int fill(struct connection *c, size_t wanted) {
  if (c->in_from > 0 && c->in_from == c->in_to) c->in_from = c->in_to = 0;
  if (c->in_from + wanted > sizeof c->in) {
    memmove(c->in, c->in + c->in_from, c->in_to - c->in_from);
    c->in_to -= c->in_from;
    c->in_from = 0;
  }
  while (c->in_to - c->in_from < wanted) {
    ssize_t got = read(c->socket, c->in + c->in_to, sizeof c->in - c->in_to);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    c->in_to += got;
  }
  return 0;
}

/* The code of the next packet; its payload is in *payload until the next is asked for. */
static int packet(struct connection *c, unsigned char **payload) {
  uint32_t length;
  if (fill(c, 5)) return -1;
  memcpy(&length, c->in + c->in_from, 4);
  length = ntohl(length);
  if (length < 1 || length > 60000 || fill(c, 4 + length)) return -1;
  int code = c->in[c->in_from + 4];
  if (payload) *payload = c->in + c->in_from + 5;
  c->in_from += 4 + length;
  return code;
}

/* What is said last, after any changes. */
static int verdict(struct connection *c) {
  for (;;) {
    int code = packet(c, NULL);
    if (code == 'p') continue;
    if (code < 0 || !strchr("+2-hmibeq", code)) return code;
    c->edits += 1;
  }
}

static void begin(struct connection *c, uint32_t not_sent, uint32_t not_answered) {
  c->group[c->groups] = (struct group){ c->used, 0, not_sent, not_answered };
}
static void end(struct connection *c) {
  c->group[c->groups].length = c->used - c->group[c->groups].from;
  c->groups += 1;
}

/* A packet of a code and texts: %d becomes the number of the message, ten digits wide; NULL ends the list. */
static void put(struct connection *c, char code, const char *raw, size_t raw_length, ...) {
  size_t start = c->used;
  const char *text;
  va_list texts;
  c->text[start + 4] = code;
  c->used += 5;
  if (raw_length > 0) memcpy(c->text + c->used, raw, raw_length);
  c->used += raw_length;
  va_start(texts, raw_length);
  while ((text = va_arg(texts, const char *))) {
    const char *number = strstr(text, "%d");
    if (number) {
      c->id_at[c->ids++] = c->used + (number - text);
      c->used += sprintf(c->text + c->used, "%.*s0000000000%s", (int)(number - text), text, number + 2) + 1;
    } else {
      c->used += sprintf(c->text + c->used, "%s", text) + 1;
    }
  }
  va_end(texts);
  uint32_t length = htonl(c->used - start - 4);
  memcpy(c->text + start, &length, 4);
}

/* All that an MTA says of a connection and one message, once; for each message only its number changes. */
static void prepare(struct connection *c) {
  static const char *names[] = { "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type" };
  char to[256], name[32];
  snprintf(to, sizeof to, "<%s>", recipient);
  size_t room = body_octets + body_octets / 65535 * 64 + 16384;
  c->text = malloc(room);
  c->out = malloc(room);
  begin(c, 0x1, 0x1000);
  put(c, 'D', "C", 1, "j", "mx.test", "{daemon_name}", "mx.test", "{client_addr}", "127.0.0.1", NULL);
  put(c, 'C', "client.test\0004\x12\x34", 15, "127.0.0.1", NULL);
  end(c);
  begin(c, 0x2, 0x2000);
  put(c, 'D', "H", 1, NULL);
  put(c, 'H', NULL, 0, "client.test", NULL);
  end(c);
  c->first_of_message = c->groups;
  begin(c, 0x4, 0x4000);
  put(c, 'D', "M", 1, "{mail_addr}", "a@source.test", NULL);
  put(c, 'M', NULL, 0, "<a@source.test>", "SIZE=10240", NULL);
  end(c);
  begin(c, 0x8, 0x8000);
  put(c, 'D', "R", 1, "i", "Q%d", "{rcpt_addr}", recipient, "{rcpt_mailer}", "smtp", "{rcpt_host}", "test", NULL);
  put(c, 'R', NULL, 0, to, NULL);
  end(c);
  begin(c, 0x200, 0x10000);
  put(c, 'D', "T", 1, "i", "Q%d", NULL);
  put(c, 'T', NULL, 0, NULL);
  end(c);
  c->handed_over = c->groups;
  for (int field = 0; field < header_fields; field += 1) {
    begin(c, 0x20, 0x80);
    if (buffered) put(c, 'D', "L", 1, "i", "Q%d", NULL);
    snprintf(name, sizeof name, field < 7 ? "%s" : "X-Field-%.0s%d", field < 7 ? names[field] : "", field);
    put(c, 'L', NULL, 0, name, field == 4 ? " <%d@source.test>" : field == 0 ? " A Sender <a@source.test>"
      : " a value of about the length that the values of header fields have in real mail", NULL);
    end(c);
  }
  begin(c, 0x40, 0x40000);
  put(c, 'D', "N", 1, "i", "Q%d", NULL);
  put(c, 'N', NULL, 0, NULL);
  end(c);
  for (size_t sent = 0; sent < body_octets;) {
    size_t piece = body_octets - sent < 65535 ? body_octets - sent : 65535;
    char *octets = malloc(piece);
    for (size_t at = 0; at < piece; at += 1) octets[at] = at % 80 == 78 ? '\r' : at % 80 == 79 ? '\n' : 'x';
    begin(c, 0x10, 0x80000);
    if (buffered) put(c, 'D', "B", 1, "i", "Q%d", NULL);
    put(c, 'B', octets, piece, NULL);
    end(c);
    free(octets);
    sent += piece;
  }
  begin(c, 0, 0);
  put(c, 'D', "E", 1, "i", "Q%d", NULL);
  put(c, 'E', NULL, 0, NULL);
  end(c);
}

static void add_piece(struct connection *c, size_t to, int answered) {
  if (c->pieces == most_pieces) die("pieces");
  c->piece[c->pieces++] = (struct piece){ to, answered };
}

/* Under what was agreed: what is sent, and where one write ends and the next begins. */
static void arrange(struct connection *c) {
  size_t length = 0, written = 0;
  c->pieces = c->numbers = 0;
  for (int at = 0; at < c->groups; at += 1) {
    struct group *g = &c->group[at];
    int answered = !(c->agreed & g->not_answered);
    if (at == c->first_of_message || at == c->handed_over) {
      if (length > written) add_piece(c, written = length, 0);
      if (at == c->first_of_message) c->introduction = c->pieces;
    }
    if (c->agreed & g->not_sent) continue;
    memcpy(c->out + length, c->text + g->from, g->length);
    for (int id = 0; id < c->ids; id += 1)
      if (c->id_at[id] >= g->from && c->id_at[id] < g->from + g->length)
        c->number_at[c->numbers++] = c->id_at[id] - g->from + length;
    length += g->length;
    while (buffered && length - written > buffer) add_piece(c, written += buffer, 0);
    if (!buffered || answered) add_piece(c, written = length, answered);
  }
}

/* 0, or what was said instead of "go on". */
static int say(struct connection *c, int from, int to) {
  size_t begin = from == 0 ? 0 : c->piece[from - 1].to;
  for (int at = from; at < to; at += 1) {
    if (send_all(c->socket, c->out + begin, c->piece[at].to - begin)) return -1;
    begin = c->piece[at].to;
    if (!c->piece[at].answered) continue;
    int said = verdict(c);
    if (said != 'c' && said != 'a') return said;
  }
  return 0;
}

static void introduce(struct connection *c) {
  static const char offer[] = "\0\0\0\015O\0\0\0\006\0\0\001\377\0\037\377\377";
  unsigned char *payload;
  uint32_t agreed;
  c->socket = dial();
  c->in_from = c->in_to = 0;
  if (send_all(c->socket, offer, 17) || packet(c, &payload) != 'O') die("negotiation");
  memcpy(&agreed, payload + 8, 4);
  agreed = ntohl(agreed);
  if (c->pieces == 0 || agreed != c->agreed) {
    c->agreed = agreed;
    arrange(c);
  }
  if (say(c, 0, c->introduction)) die("introduction");
}

static void leave(struct connection *c) {
  send_all(c->socket, "\0\0\0\001Q", 5);
  close(c->socket);
}

static void *speak(void *argument) {
  struct connection *c = argument;
  int there = 0;
  for (;;) {
    long number = __sync_fetch_and_add(&taken, 1);
    char digits[32];
    if (number >= transactions) break;
    double began = now();
    if (!there) introduce(c);
    there = 1;
    snprintf(digits, sizeof digits, "%010ld", number % 10000000000L);
    for (int at = 0; at < c->numbers; at += 1) memcpy(c->out + c->number_at[at], digits, 10);
    int said = say(c, c->introduction, c->pieces);
    if (said != 0) c->bad += 1;
    if (said < 0) { close(c->socket); there = 0; }
    else if (reconnecting) { leave(c); there = 0; }
    c->took[c->done++] = now() - began;
  }
  if (there) leave(c);
  return NULL;
}

static void *ask(void *argument) {
  struct connection *c = argument;
  char question[600];
  int length = sprintf(question, "%zu:route %s,", strlen(recipient) + 6, recipient);
  c->socket = dial();
  while (__sync_fetch_and_add(&taken, 1) < transactions) {
    double began = now();
    size_t octets = 0;
    if (send_all(c->socket, question, length)) die("write");
    do {
      if (fill(c, 1)) die("read");
      if (c->in[c->in_from] != ':') octets = octets * 10 + c->in[c->in_from] - '0';
    } while (c->in[c->in_from++] != ':');
    if (fill(c, octets + 1)) die("read");
    if (memcmp(c->in + c->in_from, "OK ", 3)) c->bad += 1;
    c->in_from += octets + 1;
    c->took[c->done++] = now() - began;
  }
  close(c->socket);
  return NULL;
}

static int by_size(const void *one, const void *other) {
  float a = *(const float *)one, b = *(const float *)other;
  return a < b ? -1 : a > b;
}

int main(int count, char **words) {
  if (count != 8) return fprintf(stderr, "load postfix|commands|socketmap|idle ADDRESS CONNECTIONS TRANSACTIONS keep|reconnect OCTETS RECIPIENT\n"), 2;
  int connections = atoi(words[3]);
  static struct connection *all[most_connections];
  address = words[2];
  transactions = atol(words[4]);
  buffered = !strcmp(words[1], "postfix");
  reconnecting = !strcmp(words[5], "reconnect");
  body_octets = atol(words[6]);
  recipient = words[7];
  if (connections < 1 || connections > most_connections) return 2;
  int idle = !strcmp(words[1], "idle"), map = !strcmp(words[1], "socketmap");
  for (int at = 0; at < connections; at += 1) {
    all[at] = calloc(1, sizeof *all[at]);
    all[at]->took = malloc(sizeof(float) * (transactions + 1));
    if (!map) prepare(all[at]);
    if (idle) introduce(all[at]);
  }
  if (idle) {
    char octet;
    printf("{\"connections\":%d}\n", connections);
    fflush(stdout);
    while (read(0, &octet, 1) > 0) {}
    return 0;
  }
  double began = now();
  for (int at = 0; at < connections; at += 1) pthread_create(&all[at]->thread, NULL, map ? ask : speak, all[at]);
  for (int at = 0; at < connections; at += 1) pthread_join(all[at]->thread, NULL);
  double seconds = (now() - began) / 1e6;
  long done = 0, bad = 0, edits = 0;
  float *took = malloc(sizeof(float) * (transactions + 1));
  for (int at = 0; at < connections; at += 1) {
    memcpy(took + done, all[at]->took, sizeof(float) * all[at]->done);
    done += all[at]->done;
    bad += all[at]->bad;
    edits += all[at]->edits;
  }
  qsort(took, done, sizeof(float), by_size);
  printf("{\"transactions\":%ld,\"seconds\":%.6f,\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"edits\":%ld,\"bad\":%ld}\n", done,
    seconds, done / seconds, done ? took[done / 2] : 0, done ? took[done * 99 / 100] : 0, edits, bad);
  return 0;
}
