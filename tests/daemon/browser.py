"""Chromium without a head, driven through its DevTools pipe: any width, light or dark, keys, and pictures of a whole page.

Knows nothing of what it shows. The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 120  # seconds
ARGV = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
        "--force-device-scale-factor=1", "--remote-debugging-pipe")


def pipe_high():
    """A pipe whose ends are not among the descriptors that the browser wants for itself."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 16) for end in low]
    for end in low:
        os.close(end)
    return high


class Browser:
    """One tab. `enter` is put before the command line: where the browser lives."""

    def __init__(self, enter=()):
        self.profile = tempfile.mkdtemp(prefix="dg-browser-")
        self.numbers, self.events, self.rest = itertools.count(1), [], b""
        # The browser reads commands from descriptor 3 and writes to 4; a shell puts ours there.
        (there, self.to), (self.answers, back) = pipe_high(), pipe_high()
        line = f'exec "$@" 3<&{there} 4>&{back} {there}<&- {back}>&-'
        self.process = subprocess.Popen(["bash", "-c", line, "bash", *enter, *ARGV, f"--user-data-dir={self.profile}"],
                                        pass_fds=(there, back), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(back)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    session = None

    def message(self, deadline):
        while b"\0" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            chunk = os.read(self.answers, 1 << 20)
            if not chunk:
                raise EOFError("the browser ended")
            self.rest += chunk
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        number, deadline = next(self.numbers), time.monotonic() + PATIENCE
        command = {"id": number, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        os.write(self.to, json.dumps(command).encode() + b"\0")
        while (said := self.message(deadline)).get("id") != number:
            self.events.append(said)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        return said["result"]

    def look(self, url, width=1280, height=900, dark=False, touch=False):
        """Opens a page in a window of that size."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=url)
        return self

    def ask(self, expression):
        """The value of an expression of the page's own language."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, expression):
        deadline = time.monotonic() + PATIENCE
        while not self.ask(expression):
            assert time.monotonic() < deadline, f"it did not become so: {expression}\n{self.ask('document.body.innerText')}"
            time.sleep(0.05)  # the interval of asking
        return self

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, whole=False):
        """The window as PNG; or the whole page, as long as it is."""
        more = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            more = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])

    def complaints(self):
        """What the page's console, and the policy, had to say."""
        self.ask("1")  # what was said before this is among the events now
        said = [event["params"] for event in self.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
        return [str(one.get("entry", one)) for one in said]

    def asked_for(self):
        return [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]

    def close(self):
        os.close(self.to)  # it ends when its pipe does
        os.close(self.answers)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
