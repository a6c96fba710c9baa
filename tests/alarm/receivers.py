# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is told: a web server of the test's own, and a real Alertmanager, both in the guarded namespace."""

import http.server
import json
import socket
import threading
import time
from pathlib import Path

from guarded import PATIENCE, Http, wait_for

AM_PORT = 9093


class Receiver:
    """Takes every POST; `answer` is the status that it gives, `authorization` what came
    with the last one. Until `go` is set it keeps what it heard to itself, and its sender waiting."""

    def __init__(self, room):
        outer = self
        self.got, self.answer, self.authorization = [], 200, None
        self.go = threading.Event()
        self.go.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.authorization = self.headers["Authorization"]
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.answer == 200:
                    outer.got.append((time.monotonic(), self.path, body))
                outer.go.wait(PATIENCE)
                self.send_response(outer.answer)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = room.inside.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.server.server_bind()
        self.server.server_activate()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def told(self, path="/hook"):
        """[(alertname, status)] in the order in which they came."""
        return [(alert["labels"]["alertname"], alert["status"])
                for _, where, body in list(self.got) if where == path for alert in body["alerts"]]

    def when(self, name, status="firing", path="/hook"):
        return next(at for at, where, body in self.got if where == path
                    and (body["alerts"][0]["labels"]["alertname"], body["status"]) == (name, status))

    def hears(self, *wanted, path="/hook"):
        """Waits for so many messages, and holds them against what is wanted."""
        deadline = time.monotonic() + PATIENCE
        while len(self.told(path)) < len(wanted):
            assert time.monotonic() < deadline, f"wanted {wanted}, heard {self.told(path)}"
            time.sleep(0.02)
        assert self.told(path) == list(wanted), f"wanted {wanted}, heard {self.told(path)}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Alertmanager:
    """Hands on to the receiver's /from-am at once, each alert by itself."""

    def __init__(self, room, receiver):
        self.room = room
        path = Path(room.dir) / "alertmanager.yaml"
        path.write_text(f"""
route: {{receiver: test, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: test, webhook_configs: [{{url: "{receiver.url}/from-am"}}]}}]
""")
        room.start("prometheus-alertmanager", f"--config.file={path}", f"--storage.path={room.dir}/am",
                   f"--web.listen-address=127.0.0.1:{AM_PORT}", "--cluster.listen-address=")
        wait_for(self.is_ready)

    def get(self, path):
        connection = Http(self.room.inside, port=AM_PORT)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def is_ready(self):
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def alerts(self):
        return {alert["labels"]["alertname"]: alert for alert in json.loads(self.get("/api/v2/alerts")[1])}
