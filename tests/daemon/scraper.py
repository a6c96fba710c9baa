"""A real Prometheus beside the daemon: it scrapes it, and answers what it is asked."""

import json
import signal
import subprocess
import time
import urllib.parse

from guarded import PATIENCE, PORT, Http


class Prometheus:
    """A real server that scrapes the daemon every so many seconds, asked through its API. An answer may take as long as that."""

    def __init__(self, world, seconds):
        self.netns, self.port = world.inside, 10531
        config = f"{world.dir}/prometheus.yaml"
        with open(config, "w") as file:
            file.write(f"scrape_configs: [{{job_name: guard, scrape_interval: {seconds}s, scrape_timeout: {seconds}s, "
                       f"static_configs: [{{targets: ['127.0.0.1:{PORT}']}}]}}]\n")
        self.process = subprocess.Popen(
            world.inside.enter("prometheus", f"--config.file={config}", f"--storage.tsdb.path={world.dir}/tsdb",
                               f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path):
        connection = Http(self.netns, port=self.port)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())["data"]

    def scraped(self):
        """The target, once Prometheus has tried it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                target = self.ask("/api/v1/targets")["activeTargets"][0]
            except (OSError, IndexError, KeyError, ValueError):
                continue  # it is still starting
            finally:
                time.sleep(0.1)  # the interval of asking, not a wait for anything
            if target["health"] != "unknown":
                return target
        raise TimeoutError("prometheus has not scraped")

    def value(self, query):
        rows = self.ask("/api/v1/query?" + urllib.parse.urlencode({"query": query}))["result"]
        return [float(row["value"][1]) for row in rows]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
