"""A page as PDF, printed by a Chromium that is there already, which gets no network and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tinypool_nb.errors import ReportError, shown

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""In the order in which they are looked for on the PATH."""
BUNDLES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
"""Where macOS has them, which puts them on no PATH."""
TIMEOUT = 120.0
"""Seconds that printing may take."""

_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",  # a container's is small
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the page asks for nothing; if it did, it would get nothing
    "--window-size=794,1123",  # A4 at 96 dots an inch: what is as wide as the window is as wide as the paper
    "--virtual-time-budget=60000",  # milliseconds, which pass as soon as the page has nothing more to do
    "--no-pdf-header-footer",
)


def find_chromium() -> str:
    """The command of a Chromium, or of a browser that is one.

    Raises:
        ReportError: there is none.
    """
    found = next(filter(None, map(shutil.which, COMMANDS)), None) or next((path for path in BUNDLES if Path(path).is_file()), None)
    if found is None:
        raise ReportError(
            f"a PDF is printed by Chromium, and there is none on the PATH (looked for {', '.join(COMMANDS)}); install it "
            "(Debian and Ubuntu: apt install chromium), or write the report as .html and print that"
        )
    return found


def print_pdf(html: str, *, timeout: float = TIMEOUT) -> bytes:
    """Print a page that needs no network.

    Args:
        html: the page.
        timeout: seconds.

    Raises:
        ReportError: there is no Chromium, or it failed, with what it said.
    """
    chromium = find_chromium()
    with TemporaryDirectory(prefix="tinypool-", ignore_cleanup_errors=True) as folder:
        page, out = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        # As root, as in a container, there is no sandbox to be had.
        unconfined = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [chromium, *_FLAGS, *unconfined, f"--user-data-dir={folder}/profile", f"--print-to-pdf={out}", page.as_uri()]
        said = _run(command, timeout)
        if not out.is_file() or not (printed := out.read_bytes()).startswith(b"%PDF"):
            raise ReportError(f"{chromium} printed no PDF; it said: {shown(said[-500:])}")
        return printed


def _run(command: list[str], timeout: float) -> str:
    """Run it in a group of its own, so that none of its processes stays if it takes too long; what it said."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        said, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ReportError(f"{command[0]} did not print the report within {timeout:g} s") from None
    finally:
        if process.poll() is None:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return said
