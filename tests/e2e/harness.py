"""Starts the real server for the tests of this directory and stops it again."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = Path(os.environ.get("TERTULIA", TARGET / "debug/tertulia"))

# Long enough for a machine that builds beside the tests. A test that waits as long has failed; none measures time.
PATIENCE = 60.0

CONFIGURATION = """\
domain = "localhost"
data_dir = "{directory}/data"
[sip]
listen = ["udp://127.0.0.1:{sip}", "tcp://127.0.0.1:{sip}", "tls://127.0.0.1:{sips}"]
{sip_rows}
[msrp]
listen = ["tcp://127.0.0.1:{msrp}", "tls://127.0.0.1:{msrps}"]
[http]
listen = ["http://127.0.0.1:{http}"]
[auth]
mode = "{auth}"
[limits]
message_rate = "unlimited"
join_rate = "unlimited"
[[room]]
name = "lobby"
subject = "Tea and talk"
nickname_quarantine = "0s"
"""

USERS = """\
[[users]]
uri = "sip:alice@localhost"
password = "wonderland"
[[users]]
uri = "sip:bob@localhost"
password = "builder"
"""


class Server:
    """A server on free ports of loopback, with a room `lobby`; a context manager."""

    def __init__(self, auth: str = "open", sip_rows: str = ""):
        self.directory = tempfile.TemporaryDirectory(prefix="tertulia-")
        ports = free_ports(5)
        self.sip, self.sips, self.msrp, self.msrps, self.http = ports
        text = CONFIGURATION.format(
            directory=self.directory.name, auth=auth,
            sip=self.sip, sips=self.sips, msrp=self.msrp, msrps=self.msrps, http=self.http, sip_rows=sip_rows,
        )
        self.configuration = Path(self.directory.name, "tertulia.toml")
        self.configuration.write_text(text + (USERS if auth == "digest" else ""))
        self.log_path = Path(self.directory.name, "log")

    def __enter__(self) -> "Server":
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", self.configuration],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory.name,
            )
        try:
            self.wait_until_it_serves()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.process.poll() is None:
                self.terminate()
                self.wait()
        finally:
            self.process.kill()
            self.directory.cleanup()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.is_healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the server does not serve:\n{self.log()}")
            time.sleep(0.01)

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/healthz", timeout=PATIENCE) as response:
                return response.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False


def free_ports(count: int) -> list[int]:
    """Ports that are free for UDP and TCP now; held until all are found, so that they differ."""
    held: list[socket.socket] = []
    ports: list[int] = []
    while len(ports) < count:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held += [tcp, udp]
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            continue
        ports.append(tcp.getsockname()[1])
    for held_socket in held:
        held_socket.close()
    return ports
