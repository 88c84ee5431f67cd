"""SIPp, which knows SIP and nothing of this server, calls rooms over each transport, in good ways and bad.

Each run makes a few hundred calls. The variable TERTULIA_CALLS=10000 makes as many in each run instead, and compares the server's memory
after the first 1000 with that at the end."""

import contextlib
import csv
import os
import subprocess
import sys
import unittest
from pathlib import Path

from harness import PATIENCE, Server, free_ports
from tls_relay import TlsRelay

SCENARIOS = Path(__file__).resolve().parent / "sipp"
CALLS = int(os.environ.get("TERTULIA_CALLS", "300"))
# After these the server is warm.
WARM = 1000
# What the server may have more at the end, in KiB.
GROWTH = 2 * 1024
# Calls in a second. A transaction stays for 32 s after its answer (RFC 3261 timer J, RFC 6026 timer L): where memory is compared,
# the first 1000 calls take as long, so that as many transactions are held then as at the end.
RATE = 250 if CALLS <= WARM else 30

# How SIPp carries, and what stands in Via and Contact.
TRANSPORTS = {"udp": ("u1", "UDP"), "tcp": ("t1", "TCP"), "tls": ("t1", "TLS")}


class Calls(unittest.TestCase):
    def test_calls_over_udp_and_none_fails(self) -> None:
        self.run_calls("udp", "call")

    def test_calls_over_one_tcp_connection_and_none_fails(self) -> None:
        self.run_calls("tcp", "call")

    def test_calls_over_one_tls_connection_and_none_fails(self) -> None:
        self.run_calls("tls", "call")

    def test_calls_to_a_room_that_callers_make_and_none_fails(self) -> None:
        self.run_calls("udp", "call", room="made-by-calling")

    def test_a_session_is_offered_again_over_each_transport(self) -> None:
        self.over_each("reinvite")

    def test_who_is_there_is_told_over_each_transport(self) -> None:
        self.over_each("watch")

    def test_a_cancel_after_the_answer_leaves_the_call_alone_over_each_transport(self) -> None:
        self.over_each("cancel")

    def test_wrong_credentials_are_refused_over_each_transport(self) -> None:
        self.over_each("credentials", auth="digest")

    def test_calls_over_udp_where_a_tenth_is_lost_and_none_fails(self) -> None:
        self.run_calls("udp", "call", lost=10)

    def over_each(self, scenario: str, **more: object) -> None:
        for transport in TRANSPORTS:
            with self.subTest(transport=transport):
                self.run_calls(transport, scenario, **more)

    def run_calls(self, transport: str, scenario: str, room: str = "lobby", auth: str = "open", lost: int = 0) -> None:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(Server(auth))
            port = stack.enter_context(TlsRelay(server.sips)).port if transport == "tls" else server.sip

            def call(count: int) -> None:
                self.sipp(server, port, transport, scenario, room, lost, count)

            if CALLS <= WARM:
                call(CALLS)
                return
            call(WARM)
            warm = resident(server)
            call(CALLS - WARM)
            end = resident(server)
            print(f"{transport} {scenario} lost={lost}: {warm} KiB after {WARM} calls, {end} KiB after {CALLS}", file=sys.stderr)
            self.assertLess(end - warm, GROWTH)

    def sipp(self, server: Server, port: int, transport: str, scenario: str, room: str, lost: int, count: int) -> None:
        """Makes calls; every one must go as the scenario says."""
        directory = Path(server.directory.name)
        statistics, errors = directory / "statistics.csv", directory / "errors.log"
        carrier, via = TRANSPORTS[transport]
        patience = 300 + count // 10
        finished = subprocess.run(
            [
                "sipp", f"127.0.0.1:{port}", "-sf", SCENARIOS / f"{scenario}.xml", "-s", room,
                "-t", carrier, "-key", "via", via, "-i", "127.0.0.1", "-p", str(free_ports(1)[0]),
                "-m", str(count), "-r", str(RATE), "-l", "100", "-nostdin",
                "-recv_timeout", "60000", "-timeout", f"{patience}s", "-timeout_error",
                *(["-lost", str(lost), "-max_retrans", "10"] if lost else []),
                "-trace_stat", "-stf", statistics, "-trace_err", "-error_file", errors,
            ],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=patience + PATIENCE, cwd=directory, check=False,
        )
        told = errors.read_text(errors="replace")[-4000:] if errors.exists() else ""
        told += finished.stderr.decode(errors="replace")[-2000:] + server.log()[-4000:]
        self.assertEqual(finished.returncode, 0, told)
        with statistics.open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        counted = [int(last[name]) for name in ("TotalCallCreated", "SuccessfulCall(C)", "FailedCall(C)")]
        self.assertEqual(counted, [count, count, 0], told)
        if lost:
            self.assertGreater(int(last["Retransmissions(C)"]), 0, "nothing was sent again")
        self.assertIsNone(server.process.poll(), server.log())


def resident(server: Server) -> int:
    """The memory that the server holds, in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


if __name__ == "__main__":
    unittest.main()
