"""The guard: a small process that starts the lab's servers and kills them all, frozen ones too, when the notebook's kernel is gone.

`tinypool_nb.lab.processes` runs it as `python -m tinypool_nb.lab.guard <pid of the kernel>` and talks with it in lines of JSON.

On its stdin, each about the server that the kernel gave that number:

    {"server": 1, "start": ["-m", "tinypool_nb.lab.server", ...]}     arguments of this Python
    {"server": 1, "signal": "SIGKILL"}
    {"server": 1, "say": "stop 5"}                                    a line for the server's stdin
    {"remove": "/tmp/..."}                                            a folder that nothing of the lab leaves behind
    {"end": true}                                                     as the end of stdin, which a forked child of the kernel can hold off

On its stdout:

    {"server": 1, "pid": 4711}
    {"server": 1, "said": "..."}                                      a line of the server's stdout
    {"server": 1, "frozen": true}                                     it really stopped; false: it goes on
    {"server": 1, "exit": -9, "stderr": "..."}                        minus a signal, or the exit status; its last words

Being the servers' parent, it can never signal a process that took over a dead server's pid. It stands in a session of its own, so
that an interrupt of the kernel reaches neither it nor the servers. And should the guard itself be killed, the servers still end: a
running one reads the end of its stdin, and a frozen one, whose process group is orphaned by that, gets SIGHUP and SIGCONT (POSIX,
`_exit`, "Consequences of Process Termination").
"""

import json
import os
import selectors
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress

HEARTBEAT = 1.0
"""Seconds between two looks at the kernel's pid, for a kernel whose forked child holds our pipe open after its death."""
LAST_WORDS = 30
"""Lines of a server's stderr that are kept for its LabError."""


class Lines:
    """Bytes as they come from a pipe, cut into whole lines."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.rest = b""
        self.ended = False

    def read(self) -> list[str]:
        """The lines that one read of what is there completes."""
        try:
            piece = os.read(self.pipe, 1 << 20)
        except BlockingIOError:
            return []
        self.ended = not piece
        *lines, self.rest = (self.rest + piece).split(b"\n")
        if self.ended and self.rest:
            lines.append(self.rest)
        return [line.decode(errors="replace") for line in lines]


class Child:
    """A server that was started and not yet reaped."""

    def __init__(self, number: int, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.number = number
        self.pid = pid
        self.stdin = stdin
        self.stdout = Lines(stdout)
        self.stderr = Lines(stderr)
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)


class Guard:
    """One loop over the kernel's requests, the servers' output and the servers' ends."""

    def __init__(self, kernel: int) -> None:
        self.kernel = kernel
        self.children: dict[int, Child] = {}
        self.folders: list[str] = []
        self.selector = selectors.DefaultSelector()
        self.requests = Lines(sys.stdin.fileno())
        self.listen(self.requests.pipe, self.serve_requests)
        # A signal that lands between two looks at the children must wake the selector: hence its number goes through a pipe.
        self.signals, signal_number = os.pipe()
        os.set_blocking(self.signals, False)
        os.set_blocking(signal_number, False)
        signal.set_wakeup_fd(signal_number, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.listen(self.signals, lambda: os.read(self.signals, 4096))

    def listen(self, pipe: int, act: Callable[[], object]) -> None:
        """Call `act` whenever `pipe` can be read."""
        self.selector.register(pipe, selectors.EVENT_READ, act)

    def run(self) -> None:
        """Serve until the kernel is gone, then leave no server behind."""
        try:
            while not self.requests.ended and os.getppid() == self.kernel:
                for key, _ in self.selector.select(HEARTBEAT):
                    key.data()
                self.look_at_children()
        except BrokenPipeError:
            pass  # nobody listens to us any more: the kernel is gone
        finally:
            for child in self.children.values():
                os.kill(child.pid, signal.SIGKILL)
            for child in self.children.values():
                os.waitpid(child.pid, 0)
            self.remove_folders()

    def report(self, number: int, **facts: object) -> None:
        """Send one line to the kernel."""
        line = json.dumps({"server": number, **facts}).encode() + b"\n"
        while line:  # a SIGCHLD may cut a write short
            line = line[os.write(sys.stdout.fileno(), line) :]

    def serve_requests(self) -> None:
        """Do what the kernel asks. A server that has ended meanwhile is left in peace."""
        for line in self.requests.read():
            request = json.loads(line)
            if "end" in request:
                self.requests.ended = True
                return
            if "remove" in request:
                self.folders.append(request["remove"])
                continue
            number = request["server"]
            if "start" in request:
                self.start(number, request["start"])
            elif child := self.children.get(number):
                if "signal" in request:
                    os.kill(child.pid, signal.Signals[request["signal"]])
                else:
                    self.say(child, request["say"])

    def remove_folders(self) -> None:
        """Remove what was put on disk for the servers: with the kernel gone, nobody else does."""
        if self.folders:
            import shutil  # which takes longer than all the rest here

            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)

    def start(self, number: int, arguments: list[str]) -> None:
        """Start a server, in a process group of its own."""
        their_stdin, stdin = os.pipe()
        stdout, their_stdout = os.pipe()
        stderr, their_stderr = os.pipe()
        theirs = (their_stdin, their_stdout, their_stderr)
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *arguments],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, pipe, standard) for standard, pipe in enumerate(theirs)],
                setpgroup=0,
            )
        except OSError as error:
            for pipe in (stdin, stdout, stderr):
                os.close(pipe)
            self.report(number, exit=1, stderr=f"{sys.executable} does not start: {error}")
            return
        finally:
            for pipe in theirs:
                os.close(pipe)
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe, False)
        child = self.children[number] = Child(number, pid, stdin, stdout, stderr)
        self.listen(stdout, lambda: self.hear(child.stdout, child))
        self.listen(stderr, lambda: self.hear(child.stderr, child))
        self.report(number, pid=pid)

    def say(self, child: Child, line: str) -> None:
        """Write a line to a server's stdin; one that reads no more gets none."""
        with suppress(BrokenPipeError, BlockingIOError):  # it is ending, or frozen with a full pipe: its state tells the kernel
            os.write(child.stdin, line.encode() + b"\n")

    def hear(self, lines: Lines, child: Child) -> None:
        """Take up what a server wrote: stdout is for the kernel, stderr is kept for the case that it fails."""
        for line in lines.read():
            if lines is child.stdout:
                self.report(child.number, said=line)
            else:
                child.last_words.append(line)
        if lines.ended:
            self.selector.unregister(lines.pipe)

    def look_at_children(self) -> None:
        """Report each child that was frozen, goes on or has ended since the last look."""
        for child in tuple(self.children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if not pid:
                continue
            if os.WIFSTOPPED(status):
                self.report(child.number, frozen=True)
            elif os.WIFCONTINUED(status):
                self.report(child.number, frozen=False)
            else:
                self.bury(child, os.waitstatus_to_exitcode(status))

    def bury(self, child: Child, code: int) -> None:
        """Report the end of a child, after everything that it still wrote."""
        del self.children[child.number]
        for lines in (child.stdout, child.stderr):
            for _ in range(2):  # what is left fits into one read, since a pipe holds less; then comes its end
                if not lines.ended:
                    self.hear(lines, child)
            if not lines.ended:
                self.selector.unregister(lines.pipe)
            os.close(lines.pipe)
        os.close(child.stdin)
        self.report(child.number, exit=code, stderr="\n".join(child.last_words))


if __name__ == "__main__":
    Guard(int(sys.argv[1])).run()
