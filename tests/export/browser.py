"""A headless Chromium, driven over a pipe by the DevTools protocol: messages of JSON, each ended by a zero byte."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import PATIENCE

Point = tuple[float, float]  # x, y

SECONDS = PATIENCE  # after which something that was waited for counts as missing
NOTHING = "\u2013"  # what a page shows where there is no answer
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
KEY_CODES = {"Backspace": 8, "Tab": 9, "Enter": 13, " ": 32}
KEY_CODES |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}

# Chromium reads commands from descriptor 3 and answers on 4; dup2 makes them ones that it inherits.
LAUNCH = """
import os, sys
commands, answers = int(sys.argv[1]), int(sys.argv[2])
os.dup2(commands, 3), os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab of a browser of its own, until `close`."""

    def __init__(self, folder: Path) -> None:
        executable = next(filter(None, map(shutil.which, BROWSERS)), None)
        if executable is None:
            pytest.skip("needs a browser: apt install chromium")
        arguments = [
            "--headless",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "about:blank",
        ]
        commands, self._out = _above_four(os.pipe())
        self._in, answers = _above_four(os.pipe())
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCH, str(commands), str(answers), executable, *arguments],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._unread, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):
            os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _message(self) -> dict[str, Any]:
        """Return the next answer or event."""
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], SECONDS)
            data = os.read(self._in, 1 << 20) if ready else b""
            assert data, "the browser does not answer"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed

    def open(self, path: Path, width: int = 1200, height: int = 900, **media: str) -> None:
        """Open a file, on a screen of a size, with media features such as prefers_color_scheme="dark"."""
        self.screen(width, height, **media)
        self.events.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def screen(self, width: int, height: int, **media: str) -> None:
        """Choose the size of the screen and media features."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, code: str) -> Any:
        """Return the value of an expression, or of the promise that it is."""
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.01)

    def wait_for_event(self, method: str) -> None:
        """Wait until the browser has told of an event since the page was opened."""
        end = time.monotonic() + SECONDS
        while not any(event["method"] == method for event in self.events):
            assert time.monotonic() < end, f"never happened: {method}"
            self.run("0")

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def frame(self, selector: str) -> tuple[float, float, float, float]:
        """Return an element's left, top, width and height on the screen, scrolled into view."""
        code = f"""(() => {{
            const found = document.querySelector({json.dumps(selector)});
            found.scrollIntoView({{block: "center"}});
            const {{left, top, width, height}} = found.getBoundingClientRect();
            return [left, top, width, height];
        }})()"""
        left, top, width, height = self.run(code)
        return left, top, width, height

    def click(self, selector: str) -> None:
        """Click on an element's middle."""
        left, top, width, height = self.frame(selector)
        self.mouse([(left + width / 2, top + height / 2)])

    def mouse(self, points: list[Point]) -> None:
        """Press the mouse at the first point, move it over the others, release it at the last."""
        for kind, (x, y) in [
            ("mousePressed", points[0]),
            *(("mouseMoved", point) for point in points),
            ("mouseReleased", points[-1]),
        ]:
            button = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def touch(self, points: list[Point]) -> None:
        """Move a finger over points."""
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": points[0][0], "y": points[0][1]}])
        for x, y in points:
            self.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, name: str, shift: bool = False) -> None:
        """Press and release a key, by its KeyboardEvent.key."""
        text = {" ": " ", "Enter": "\r"}.get(name)
        both = {"key": name, "modifiers": 8 * shift, "windowsVirtualKeyCode": KEY_CODES[name]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **both, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **both)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file.absolute())])

    def drop(self, selector: str, file: Path) -> None:
        """Drop a file on an element."""
        left, top, width, height = self.frame(selector)
        data = {"items": [], "files": [str(file.absolute())], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=left + width / 2, y=top + height / 2, data=data)

    def paste(self, file: Path) -> None:
        """Paste a file that was copied."""
        code = """(name, text) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
        content = base64.b64encode(file.read_bytes()).decode("ascii")
        self.run(f"({code})({json.dumps(file.name)}, '{content}')")

    def screenshot(self, **options: Any) -> bytes:
        """Return the visible page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])

    def complaints(self) -> list[str]:
        """Return what was written to the console, and every exception, since the page was opened."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]


def _above_four(pair: tuple[int, int]) -> tuple[int, int]:
    """Return two descriptors as ones above 4, so that making 3 and 4 of others does not close them."""
    import fcntl

    found = tuple(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in pair)
    for descriptor in pair:
        os.close(descriptor)
    return found[0], found[1]
