// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guestkit.c - the few tools a bare guest lacks. One word says which:
 *
 *     verify OBJECT       load every program, an XDP one as xdp.frags (replay loads it plain); print "insns NAME NUMBER" for
 *                         each
 *     pass IFACE          attach a native program that passes everything, until standard input closes
 *     ask ADDRESS NAME    send one A query over UDP; print "rcode N" of the answer or "silence"
 *     flood ADDRESS NAME NUMBER [FILE]
 *                         send so many and print how many were answered; FILE says, once it is known, how many will not be
 *     serve               answer every query to port 53 with rcode 0, until standard input closes
 *
 * Runs in guests only, on the side of the tests: it knows neither the loader nor the maps.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "userspace/lib/names.h"

#define ANSWER_WAIT_SECONDS 30
#define FLOOD_WAIT_MS 30000 /* for the next answer */
#define FLOOD_BURST 10
#define DNS_QR 0x80

/* ---- verify ------------------------------------------------------------------------------------- */

/* Offset of a variable in .rodata, -1 when the object has none of that name. */
static int rodata_offset(const struct bpf_object *object, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *info = btf_var_secinfos(section) + i;
		const struct btf_type *var = btf__type_by_id(btf, info->type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), name))
			return info->offset;
	}
	return -1;
}

static int choose_frags(struct bpf_object *object, struct bpf_program *program)
{
	int offset = rodata_offset(object, "dg_frags");
	struct bpf_map *map;
	size_t size;

	if (offset < 0)
		return -ENOENT;
	bpf_object__for_each_map(map, object)
	{
		if (strstr(bpf_map__name(map), ".rodata"))
			((char *)bpf_map__initial_value(map, &size))[offset] = 1;
	}
	return bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
}

static int is_xdp(const struct bpf_program *program)
{
	return bpf_program__type(program) == BPF_PROG_TYPE_XDP;
}

static void print_insns(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		printf("insns %s%s %u\n", bpf_program__name(program),
		       is_xdp(program) ? "+frags" : "", info.verified_insns);
}

static int verify(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int err = object ? 0 : -errno;

	bpf_object__for_each_program(program, object)
	{
		if (!err && is_xdp(program))
			err = choose_frags(object, program);
	}
	if (!err)
		err = bpf_object__load(object);
	bpf_object__for_each_program(program, object)
	{
		if (!err)
			print_insns(program);
	}
	if (err)
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	bpf_object__close(object);
	return err;
}

/* ---- pass --------------------------------------------------------------------------------------- */

static int pass(const char *ifname)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", program, 2, NULL);
	int link = prog < 0 ? -1 : bpf_link_create(prog, if_nametoindex(ifname), BPF_XDP, &options);

	if (link < 0) {
		fprintf(stderr, "pass: %s: %s\n", ifname, strerror(errno));
		return -errno;
	}
	puts("passing");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

/* ---- ask ---------------------------------------------------------------------------------------- */

/* Header with RD, one question of type A: RFC 1035 section 4.1. Returns its length. */
static size_t query_write(const struct dg_name *name, __u8 query[512])
{
	static const __u8 header[12] = { 0x12, 0x34, 0x01, 0x00, 0x00, 0x01 };
	static const __u8 type_class[4] = { 0, 1, 0, 1 };

	memcpy(query, header, sizeof(header));
	memcpy(query + sizeof(header), name->wire, name->len);
	memcpy(query + sizeof(header) + name->len, type_class, sizeof(type_class));
	return sizeof(header) + name->len + sizeof(type_class);
}

/* A socket that talks to port 53 there, and a query for the name. Returns the query's length, or -1. */
static ssize_t asking_open(const char *address, const char *text, int *ret_fd, __u8 query[512])
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(53) };
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct dg_error err = {};
	struct dg_name name;

	if (inet_pton(AF_INET, address, &server.sin_addr) != 1 ||
	    dg_name_parse(text, &name, &err)) {
		fprintf(stderr, "ask: %s %s: %s\n", address, text, err.text);
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&server, sizeof(server))) {
		fprintf(stderr, "ask: %s: %s\n", address, strerror(errno));
		return -1;
	}
	*ret_fd = dg_take_fd(fd);
	return (ssize_t)query_write(&name, query);
}

static int ask(const char *address, const char *text)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT_SECONDS };
	dg_scoped_fd int fd = -1;
	__u8 buf[512];
	ssize_t len = asking_open(address, text, &fd, buf), got;

	if (len < 0)
		return -EINVAL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (send(fd, buf, (size_t)len, 0) < 0) {
		fprintf(stderr, "ask: %s: %s\n", address, strerror(errno));
		return -errno;
	}
	got = recv(fd, buf, sizeof(buf), 0);
	if (got < 12)
		puts("silence");
	else
		printf("rcode %d\n", buf[3] & 15);
	return 0;
}

/* ---- flood -------------------------------------------------------------------------------------- */

/* Until so many have come, or none comes for that long. */
static int answers_count(int fd, int most, int wait_ms)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	__u8 buf[512];
	int count = 0;

	while (count < most && poll(&polled, 1, wait_ms) > 0)
		count += recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 12;
	return count;
}

/* The number in this file; a fifo's is waited for. */
static int number_read(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = 0;

	if (!file || fscanf(file, "%d", &number) != 1)
		fprintf(stderr, "flood: no number in %s\n", path);
	if (file)
		fclose(file);
	return number;
}

/* In bursts, with a pause between them: no queue on the way is longer than the whole flood, so that nothing else drops it. */
static int flood(const char *address, const char *text, int number, const char *refused)
{
	int answered = 0, room = 4 << 20; /* for all answers, while the number is waited for */
	dg_scoped_fd int fd = -1;
	__u8 query[512];
	ssize_t len = asking_open(address, text, &fd, query);

	if (len < 0)
		return -EINVAL;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (int i = 0; i < number; i++) {
		query[0] = (__u8)(i >> 8);
		query[1] = (__u8)i;
		send(fd, query, (size_t)len, 0);
		if (i % FLOOD_BURST == 0)
			answered += answers_count(fd, number - answered, 1);
	}
	if (refused)
		number -= number_read(refused);
	printf("%d\n", answered + answers_count(fd, number - answered, FLOOD_WAIT_MS));
	return 0;
}

/* ---- serve -------------------------------------------------------------------------------------- */

static void query_answer(int fd)
{
	struct sockaddr_in client;
	socklen_t client_len = sizeof(client);
	__u8 buf[512];
	ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&client, &client_len);

	if (len < 12)
		return;
	buf[2] |= DNS_QR;
	sendto(fd, buf, (size_t)len, 0, (struct sockaddr *)&client, client_len);
}

static int serve(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(53) };
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd polled[] = { { .fd = fd, .events = POLLIN },
				   { .fd = STDIN_FILENO, .events = POLLIN } };
	int room = 4 << 20; /* for a whole flood: it is not this that loses queries */

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here))) {
		fprintf(stderr, "serve: %s\n", strerror(errno));
		return -errno;
	}
	puts("serving");
	fflush(stdout);
	while (poll(polled, 2, -1) > 0 && !polled[1].revents)
		query_answer(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "verify"))
		return verify(argv[2]) ? 1 : 0;
	if (argc == 3 && !strcmp(argv[1], "pass"))
		return pass(argv[2]) ? 1 : 0;
	if (argc == 4 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv[3]) ? 1 : 0;
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "flood"))
		return flood(argv[2], argv[3], atoi(argv[4]), argv[5]) ? 1 : 0;
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve() ? 1 : 0;
	fputs("usage: guestkit verify OBJECT | pass IFACE | ask ADDRESS NAME | flood ADDRESS NAME NUMBER [FILE] | serve\n",
	      stderr);
	return 2;
}
