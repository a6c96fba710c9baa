// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * program.c - children on the event loop: four handles each (process, two pipes, a clock), gone when all are closed.
 *
 * What a child says is bounded; one that says more is ended.
 */
#include "userspace/dnsguardd/program.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/dnsguardd/caps.h"
#include "userspace/lib/quote.h"
#include "userspace/lists/child.h"

#define SAID_MAX (4u << 20)
#define LINGER_MS 5000 /* for what holds the pipes after the program's end */

/* One pipe and what came through it. */
struct stream {
	uv_pipe_t pipe;
	char *text;
	size_t len;
};

struct dg_program {
	struct dg_program_want want;
	uv_process_t process;
	uv_timer_t clock;
	struct stream out, err;
	char chunk[65536];
	char complaint[1024];
	struct dg_program_end ending;
	int handles; /* not yet closed */
	bool exited, stopped;
};

/* ---- the end -------------------------------------------------------------------------------- */

/* The last line, without "dnsguard: " in front; what is not fit for a log is quoted. */
static const char *complaint_take(struct dg_program *program)
{
	char *text = program->err.text, *line;
	size_t len = text ? program->err.len : 0, name = strlen(program->want.name);

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	if (!len)
		return "";
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (!strncmp(line, program->want.name, name) && !strncmp(line + name, ": ", 2))
		line += name + 2;
	snprintf(program->complaint, sizeof(program->complaint), "%s",
		 dg_text_is_clean(line) ? line : DG_QUOTE(line));
	return program->complaint;
}

static void on_closed(uv_handle_t *handle)
{
	struct dg_program *program = handle->data;

	if (--program->handles)
		return;
	if (!program->stopped) {
		program->ending.said = program->out.text ? program->out.text : "";
		program->ending.complaint = complaint_take(program);
		program->want.end(program->want.arg, &program->ending);
	}
	free(program->out.text);
	free(program->err.text);
	free(program);
}

static void shut(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_closed);
}

static void shut_all(struct dg_program *program)
{
	shut((uv_handle_t *)&program->process);
	shut((uv_handle_t *)&program->clock);
	shut((uv_handle_t *)&program->out.pipe);
	shut((uv_handle_t *)&program->err.pipe);
}

/* Gone, and everything it said is here. */
static void settle(struct dg_program *program)
{
	if (program->exited && uv_is_closing((uv_handle_t *)&program->out.pipe) &&
	    uv_is_closing((uv_handle_t *)&program->err.pipe))
		shut_all(program);
}

/*
 * A helper runs as nobody: to end it takes a capability that is off at all other times. One that leads a group of its own, as an
 * operator's command does, ends with all that it has started.
 */
static void signal_send(struct dg_program *program, int number)
{
	dg_caps_killing(1);
	if (!program->exited) {
		kill(-program->process.pid, number);
		uv_process_kill(&program->process, number);
	}
	dg_caps_killing(0);
}

static void on_late(uv_timer_t *clock)
{
	struct dg_program *program = clock->data;

	if (program->exited) {
		shut_all(program);
		return;
	}
	program->ending.late = 1;
	signal_send(program, SIGKILL);
}

static void on_exit_seen(uv_process_t *process, int64_t status, int number)
{
	struct dg_program *program = process->data;

	program->exited = true;
	program->ending.exit_status = number ? -1 : (int)status;
	program->ending.number = number;
	program->ending.late =
		program->ending.late && number; /* else it had ended, and we looked late */
	if (program->stopped) {
		shut((uv_handle_t *)process);
		return;
	}
	uv_timer_start(&program->clock, on_late, LINGER_MS, 0);
	settle(program);
}

/* All but the process, which is watched until it has ended: libuv does not bury one whose handle is closed. */
void dg_program_stop(struct dg_program **program)
{
	struct dg_program *stopped = *program;

	*program = NULL;
	if (!stopped)
		return;
	signal_send(stopped, SIGTERM);
	stopped->stopped = true;
	shut((uv_handle_t *)&stopped->clock);
	shut((uv_handle_t *)&stopped->out.pipe);
	shut((uv_handle_t *)&stopped->err.pipe);
	if (stopped->exited)
		shut((uv_handle_t *)&stopped->process);
}

static void process_let_go(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (handle->type == UV_PROCESS)
		shut(handle);
}

void dg_programs_let_go(uv_loop_t *loop)
{
	uv_walk(loop, process_let_go, NULL);
}

/* ---- what it says --------------------------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
	struct dg_program *program = handle->data;

	(void)size;
	*ret = uv_buf_init(program->chunk, sizeof(program->chunk));
}

static int stream_add(struct stream *stream, const char *bytes, size_t len)
{
	char *grown;

	if (stream->len + len > SAID_MAX)
		return -EFBIG;
	grown = realloc(stream->text, stream->len + len + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + stream->len, bytes, len);
	stream->text = grown;
	stream->len += len;
	grown[stream->len] = '\0';
	return 0;
}

/* Hands over every whole line and keeps the rest. A listener may stop the program. */
static void lines_tell(struct dg_program *program)
{
	struct stream *stream = &program->out;
	char *line = stream->text, *end;

	while (!program->stopped && (end = strchr(line, '\n'))) {
		*end = '\0';
		program->want.line(program->want.arg, line);
		line = end + 1;
	}
	stream->len -= (size_t)(line - stream->text);
	memmove(stream->text, line, stream->len + 1);
}

static void on_bytes(uv_stream_t *pipe, ssize_t got, const uv_buf_t *buf)
{
	struct dg_program *program = pipe->data;
	struct stream *stream = (struct stream *)pipe; /* its first member */

	if (got < 0) {
		shut((uv_handle_t *)pipe);
		settle(program);
	} else if (got && stream_add(stream, buf->base, (size_t)got)) {
		signal_send(program, SIGKILL);
	} else if (got && stream == &program->out && program->want.line) {
		lines_tell(program);
	}
}

/* ---- the start ------------------------------------------------------------------------------ */

static void handles_init(uv_loop_t *loop, struct dg_program *program)
{
	uv_timer_init(loop, &program->clock);
	uv_pipe_init(loop, &program->out.pipe, 0);
	uv_pipe_init(loop, &program->err.pipe, 0);
	program->process.data = program->clock.data = program;
	program->out.pipe.data = program->err.pipe.data = program;
	program->handles = 4;
}

static int spawn(uv_loop_t *loop, struct dg_program *program, const char *path)
{
	char *environment[] = { NULL };
	uv_stdio_container_t stdio[] = {
		{ .flags = program->want.input_fd ? UV_INHERIT_FD : UV_IGNORE,
		  .data.fd = program->want.input_fd },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&program->out.pipe },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&program->err.pipe },
	};
	const uv_process_options_t options = { .exit_cb = on_exit_seen,
					       .file = path,
					       .args = program->want.argv,
					       .env = environment,
					       .cwd = "/",
					       .stdio_count = 3,
					       .stdio = stdio };

	return uv_spawn(loop, &program->process, &options);
}

int dg_program_start(uv_loop_t *loop, const struct dg_program_want *want, struct dg_program **ret,
		     struct dg_error *err)
{
	struct dg_program *program;
	char path[PATH_MAX];
	int rc = dg_child_find(want->name, path, err);

	if (rc)
		return rc;
	program = calloc(1, sizeof(*program));
	if (!program)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	program->want = *want;
	handles_init(loop, program);
	rc = spawn(loop, program, path);
	if (rc) {
		program->exited = program->stopped = true;
		shut_all(program);
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot start %s: %s", path, strerror(-rc));
	}
	uv_read_start((uv_stream_t *)&program->out.pipe, on_room, on_bytes);
	uv_read_start((uv_stream_t *)&program->err.pipe, on_room, on_bytes);
	if (want->seconds_max)
		uv_timer_start(&program->clock, on_late, want->seconds_max * 1000ull, 0);
	*ret = program;
	return 0;
}
