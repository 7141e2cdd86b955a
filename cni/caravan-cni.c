/*
 * The CNI plugin as container runtimes start it, once for each call. It hands the call to the daemon of this host and
 * copies the answer: the daemon knows what to do, this knows how to reach it. VERSION is answered here.
 *
 *   to the daemon:   u32 length | {"env":{"CNI_COMMAND":"ADD",...},"config":"what came on standard input"}
 *   from the daemon: u32 length | u8 exit status | text for standard output
 *
 * Lengths are in network order and count what follows them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/caravan/cni.sock"
#define LATEST_VERSION "1.1.0"
#define SUPPORTED_VERSIONS "[\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

enum {
	CONFIG_LIMIT = 1 << 20,       /* a configuration has about 1 KiB; with the result of a long chain some more */
	REQUEST_LIMIT = 2 << 20,      /* the same with its quotes and ends of lines escaped; the daemon's limit too */
	REPLY_LIMIT = 1 << 20,        /* a result has about 1 KiB; the errors of a large GC have more */
	VARIABLE_LIMIT = 4096,        /* the longest path that Linux takes */
	AWAY_LIMIT_MS = 1000,         /* a daemon that restarts is back by then */
	RETRY_MS = 10,
	SENDS_LIMIT = 2,              /* a call at which the daemon dies is tried once more, not for ever */
	SEND_TIMEOUT_S = 10,
	REPLY_TIMEOUT_S = 60,         /* below the two minutes that a kubelet waits for its runtime */
};

/* Codes of the CNI specification. */
enum { INVALID_ENVIRONMENT = 4, IO_FAILURE = 5, INVALID_CONFIG = 7, TRY_AGAIN = 11 };

struct text {
	char *bytes;
	size_t length, limit;
	int overflow;
};

static char config[CONFIG_LIMIT + 1];
static size_t config_length;
static char request_bytes[4 + REQUEST_LIMIT];
static char reply[REPLY_LIMIT];
static char version[16] = LATEST_VERSION;

static void put(struct text *text, const char *bytes, size_t length)
{
	if (length > text->limit - text->length) {
		text->overflow = 1;
		return;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

static void put_plain(struct text *text, const char *plain)
{
	put(text, plain, strlen(plain));
}

/* A JSON string. Octets above 127 go as they are: who reads it finds out whether they are UTF-8. */
static void put_string(struct text *text, const char *bytes, size_t length)
{
	put(text, "\"", 1);
	for (size_t at = 0; at < length; at++) {
		unsigned char octet = (unsigned char)bytes[at];
		if (octet == '"' || octet == '\\') {
			put(text, octet == '"' ? "\\\"" : "\\\\", 2);
		} else if (octet < 0x20 || octet == 0x7f) {
			char escape[7];
			snprintf(escape, sizeof escape, "\\u%04x", octet);
			put(text, escape, 6);
		} else {
			put(text, bytes + at, 1);
		}
	}
	put(text, "\"", 1);
}

static int write_all(const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return 0;
		bytes += written;
		length -= (size_t)written;
	}
	return 1;
}

static _Noreturn void fail(int code, const char *message, const char *details)
{
	char bytes[8192], number[16];
	struct text text = { bytes, 0, sizeof bytes, 0 };
	snprintf(number, sizeof number, "%d", code);
	put_plain(&text, "{\"cniVersion\":");
	put_string(&text, version, strlen(version));
	put_plain(&text, ",\"code\":");
	put_plain(&text, number);
	put_plain(&text, ",\"msg\":");
	put_string(&text, message, strlen(message));
	put_plain(&text, ",\"details\":");
	put_string(&text, details, strlen(details));
	put_plain(&text, "}\n");
	write_all(bytes, text.length);
	exit(1);
}

static void read_config(void)
{
	/* Somebody who types the command by hand has no configuration to give. */
	if (isatty(STDIN_FILENO))
		return;
	while (config_length < sizeof config) {
		ssize_t got = read(STDIN_FILENO, config + config_length, sizeof config - config_length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			fail(IO_FAILURE, "cannot read the network configuration", strerror(errno));
		if (got == 0)
			return;
		config_length += (size_t)got;
	}
	fail(INVALID_CONFIG, "the network configuration is larger than 1 MiB", "");
}

static size_t skip_space(size_t at)
{
	while (at < config_length && strchr(" \t\r\n", config[at]) != NULL && config[at] != '\0')
		at++;
	return at;
}

/* The end of the JSON string that begins behind the quote at `at - 1`: where its closing quote is, or config_length. */
static size_t string_end(size_t at)
{
	while (at < config_length && config[at] != '"')
		at += config[at] == '\\' ? 2 : 1;
	return at < config_length ? at : config_length;
}

/*
 * The text of a member of the configuration's outermost object. 1: it is in `value`; 0: there is none; -1: it does not
 * fit, or is no text of ASCII without escapes. What is no JSON is the daemon's to judge.
 */
static int member(const char *name, char *value, size_t size)
{
	int depth = 0;
	char before = '\0';
	for (size_t at = skip_space(0); at < config_length; at = skip_space(at)) {
		char c = config[at++];
		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--;
		if (c != '"') {
			before = c;
			continue;
		}
		size_t start = at, end = string_end(at);
		int is_name = depth == 1 && (before == '{' || before == ',') && end - start == strlen(name) &&
			      memcmp(config + start, name, end - start) == 0;
		before = '"';
		at = skip_space(end + 1);
		if (!is_name || at >= config_length || config[at] != ':')
			continue;
		at = skip_space(at + 1);
		if (at >= config_length || config[at] != '"')
			return -1;
		start = at + 1;
		end = string_end(start);
		if (end == config_length || end - start >= size)
			return -1;
		for (size_t index = start; index < end; index++)
			if (config[index] < 0x20 || config[index] > 0x7e || config[index] == '\\')
				return -1;
		memcpy(value, config + start, end - start);
		value[end - start] = '\0';
		return 1;
	}
	return 0;
}

/* Errors and VERSION say the version that was asked with, if it is one. */
static void read_version(void)
{
	char given[sizeof version];
	if (member("cniVersion", given, sizeof given) == 1 && given[0] != '\0' && given[strspn(given, "0123456789.")] == '\0')
		snprintf(version, sizeof version, "%s", given);
}

/* The variables that each command needs; the rest may be empty or absent. */
static void check_environment(const char *command)
{
	static const struct {
		const char *command;
		const char *needs[4];
	} commands[] = {
		{ "ADD", { "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", NULL } },
		{ "DEL", { "CNI_CONTAINERID", "CNI_IFNAME", NULL, NULL } },
		{ "CHECK", { "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", NULL } },
		{ "STATUS", { NULL, NULL, NULL, NULL } },
		{ "GC", { NULL, NULL, NULL, NULL } },
	};
	for (size_t index = 0; index < sizeof commands / sizeof *commands; index++) {
		if (strcmp(command, commands[index].command) != 0)
			continue;
		for (const char *const *name = commands[index].needs; *name != NULL; name++) {
			const char *value = getenv(*name);
			if (value == NULL || *value == '\0')
				fail(INVALID_ENVIRONMENT, "a variable of the environment is missing", *name);
		}
		return;
	}
	fail(INVALID_ENVIRONMENT, "CNI_COMMAND must be ADD, DEL, CHECK, STATUS, GC or VERSION", "");
}

static size_t make_request(void)
{
	static const char *const names[] = { "CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS" };
	struct text text = { request_bytes + 4, 0, REQUEST_LIMIT, 0 };
	const char *separator = "{\"env\":{";
	for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
		const char *value = getenv(names[index]);
		if (value == NULL)
			continue;
		if (strlen(value) > VARIABLE_LIMIT)
			fail(INVALID_ENVIRONMENT, "a variable of the environment is longer than 4096 octets", names[index]);
		put_plain(&text, separator);
		put_string(&text, names[index], strlen(names[index]));
		put_plain(&text, ":");
		put_string(&text, value, strlen(value));
		separator = ",";
	}
	put_plain(&text, "},\"config\":");
	put_string(&text, config, config_length);
	put_plain(&text, "}");
	if (text.overflow)
		fail(INVALID_CONFIG, "the network configuration is larger than 2 MiB when it is written as JSON text", "");
	for (int index = 0; index < 4; index++)
		request_bytes[index] = (char)(text.length >> (24 - 8 * index) & 0xff);
	return 4 + text.length;
}

/* Reads `length` octets: 1, or 0 when the daemon went away before. */
static int receive_all(int fd, void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t got = recv(fd, (char *)bytes + done, length - done, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			fail(TRY_AGAIN, "the daemon has not answered in time", "");
		if (got <= 0)
			return 0;
		done += (size_t)got;
	}
	return 1;
}

static int send_all(int fd, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t sent = send(fd, request_bytes + done, length - done, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			fail(TRY_AGAIN, "the daemon does not take the request", "");
		if (sent <= 0)
			return 0;
		done += (size_t)sent;
	}
	return 1;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval send_timeout = { .tv_sec = SEND_TIMEOUT_S }, reply_timeout = { .tv_sec = REPLY_TIMEOUT_S };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		fail(IO_FAILURE, "cannot make a socket", strerror(errno));
	memcpy(address.sun_path, path, strlen(path) + 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof send_timeout);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &reply_timeout, sizeof reply_timeout);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN && errno != EINTR)
		fail(IO_FAILURE, "cannot connect to the daemon", strerror(errno));
	close(fd);
	return -1;
}

/* Sends the request and ends with the answer. Returns when the daemon went away before it had answered. */
static void exchange(int fd, size_t length)
{
	unsigned char header[5];
	if (!send_all(fd, length) || !receive_all(fd, header, sizeof header))
		return;
	uint32_t reply_length = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
	if (reply_length < 1 || reply_length - 1 > REPLY_LIMIT || header[4] > 1)
		fail(IO_FAILURE, "the daemon's answer is malformed", "");
	if (!receive_all(fd, reply, reply_length - 1))
		return;
	if (!write_all(reply, reply_length - 1))
		exit(1);
	exit(header[4]);
}

static long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(void)
{
	const char *command = getenv("CNI_COMMAND");
	char path[sizeof((struct sockaddr_un *)0)->sun_path] = DEFAULT_SOCKET;
	read_config();
	read_version();
	if (command != NULL && strcmp(command, "VERSION") == 0) {
		printf("{\"cniVersion\":\"%s\",\"supportedVersions\":%s}\n", version, SUPPORTED_VERSIONS);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	check_environment(command == NULL ? "" : command);
	if (member("socket", path, sizeof path) < 0 || path[0] != '/')
		fail(INVALID_CONFIG, "'socket' must be an absolute path of at most 107 letters of ASCII without escapes", "");
	size_t length = make_request();
	long last_ms = now_ms() + AWAY_LIMIT_MS;
	for (int sends = 0; sends < SENDS_LIMIT;) {
		int fd = connect_to(path);
		if (fd >= 0) {
			sends++;
			exchange(fd, length);
			close(fd);
			last_ms = now_ms() + AWAY_LIMIT_MS;
		}
		if (now_ms() >= last_ms)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000L }, NULL);
	}
	fail(TRY_AGAIN, "the daemon of this host cannot be reached", path);
}
