"""dnsguard-notify as a process: what it is while it speaks with a receiver, and what the command is that it becomes."""

import http.server
import json
import os
import queue
import subprocess
import threading
from pathlib import Path

import pytest

NOTIFY = Path(os.environ.get("DG_BUILD", "build")) / "dnsguard-notify"
PATIENCE = 60
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


def rights(status):
    """What /proc/PID/status says, as {field: value}."""
    return {key: value.strip() for key, value in (line.split(":", 1) for line in status.splitlines() if ":" in line)}


def is_nobody(seen):
    assert seen["Uid"].split() == ["65534"] * 4 and seen["Gid"].split() == ["65534"] * 4 and seen["Groups"] == ""
    assert {seen[key] for key in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert seen["NoNewPrivs"] == "1"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Looks at who posts before it answers."""

    def do_POST(self):
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        pid = self.server.sender.get(timeout=PATIENCE)
        self.server.seen = rights(Path(f"/proc/{pid}/status").read_text())
        self.server.memory = os.stat(f"/proc/{pid}/mem").st_uid
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_it_has_no_rights_while_it_talks():
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.sender = queue.Queue()
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        job = {"url": f"http://127.0.0.1:{server.server_port}/", "body": "{}", "ca_file": "/etc/ssl/certs/ca-certificates.crt",
               "seconds": PATIENCE}
        with subprocess.Popen([str(NOTIFY)], stdin=subprocess.PIPE) as child:
            server.sender.put(child.pid)
            child.communicate(json.dumps(job).encode(), timeout=PATIENCE)
        thread.join(PATIENCE)
    assert child.returncode == 0 and server.body == b"{}"
    is_nobody(server.seen)
    assert server.seen["Seccomp"] == "2" and server.memory == 0  # nor may anybody else, nobody least of all, look into it


def test_the_command_is_nobody_and_hears_nothing_but_the_message():
    job = {"argv": ["/bin/sh", "-c", "cat; echo; env; cat /proc/self/status"], "environment": ["DNSGUARD_ALERT=One"], "input": "the message"}
    done = subprocess.run([str(NOTIFY)], input=json.dumps(job), text=True, capture_output=True, timeout=PATIENCE,
                          env=dict(os.environ, SECRET="of the operator"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the message\n") and "DNSGUARD_ALERT=One" in done.stdout and "of the operator" not in done.stdout
    is_nobody(rights(done.stdout))
