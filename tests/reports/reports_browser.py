"""Chromium over its DevTools protocol: what it drew, what it said, what it asked the network for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import websocket

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--disable-dev-shm-usage"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def chromium_path() -> str | None:
    """Where chromium is, if it is here."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


class Browser:
    """One process for all tests; each test has its own tab."""

    def __init__(self, path: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="aftershock-chromium-"))
        with (self._folder / "log").open("wb") as log:
            command = [path, *_QUIET, f"--user-data-dir={self._folder / 'profile'}", "about:blank"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._port = self._wait_for_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, 15)
        self._process.wait(timeout=20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def tab(self) -> Tab:
        """A new tab."""
        with urlopen(f"http://127.0.0.1:{self._port}/json/version") as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        return Tab(address)

    def _wait_for_port(self) -> int:
        for _ in range(300):
            said = (self._folder / "log").read_text(errors="replace")
            found = re.search(r"DevTools listening on ws://[^:]+:(\d+)", said)
            if found:
                return int(found[1])
            time.sleep(0.1)
        raise TimeoutError("chromium did not come up")


class Tab:
    """A tab: `calls` are the addresses it asked for, `complaints` its console errors and exceptions."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=30)
        self._id = 0
        self._session: str | None = None
        self.calls: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        self._target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        self("Target.closeTarget", targetId=self._target)
        self._socket.close()

    def __call__(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and give its result."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def width(self, pixels: int) -> None:
        """Make the window that wide."""
        self("Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=pixels < 600)

    def open(self, page: Path, *, charts: bool = True) -> None:
        """Open a file and wait until its charts are drawn."""
        self("Page.navigate", url=page.resolve().as_uri())
        ready = "document.readyState === 'complete'" + (
            " && document.documentElement.dataset.charts === 'drawn'" if charts else ""
        )
        for _ in range(200):
            if self.js(ready):
                return
            time.sleep(0.05)
        raise TimeoutError(f"{page} is not ready: {self.complaints}")

    def js(self, expression: str) -> Any:
        """What an expression gives in the page."""
        found = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", expression))
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.calls.append(parameters["request"]["url"])
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(parameters["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.complaints.append(parameters["entry"]["text"])
