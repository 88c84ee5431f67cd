"""SIPp, which knows SIP and nothing of this server, calls a room a thousand times."""

import csv
import subprocess
import unittest
from pathlib import Path

from harness import PATIENCE, Server, free_ports

SCENARIOS = Path(__file__).resolve().parent / "sipp"
CALLS = 1000


class Calls(unittest.TestCase):
    def test_a_thousand_calls_over_udp_and_none_fails(self) -> None:
        self.call(transport="u1", room="lobby")

    def test_a_thousand_calls_over_one_tcp_connection_and_none_fails(self) -> None:
        self.call(transport="t1", room="lobby")

    def test_a_thousand_calls_to_a_room_that_callers_make_and_none_fails(self) -> None:
        self.call(transport="u1", room="made-by-calling")

    def call(self, transport: str, room: str) -> None:
        with Server() as server:
            directory = Path(server.directory.name)
            statistics, errors = directory / "statistics.csv", directory / "errors.log"
            finished = subprocess.run(
                [
                    "sipp", f"127.0.0.1:{server.sip}", "-sf", SCENARIOS / "call.xml", "-s", room,
                    "-t", transport, "-i", "127.0.0.1", "-p", str(free_ports(1)[0]),
                    "-m", str(CALLS), "-r", "250", "-l", "100", "-nostdin",
                    "-recv_timeout", "30000", "-timeout", "300s", "-timeout_error",
                    "-trace_stat", "-stf", statistics, "-trace_err", "-error_file", errors,
                ],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=300 + PATIENCE, cwd=directory, check=False,
            )
            told = errors.read_text(errors="replace")[-4000:] if errors.exists() else ""
            told += finished.stderr.decode(errors="replace")[-2000:] + server.log()[-4000:]
            self.assertEqual(finished.returncode, 0, told)
            with statistics.open(newline="") as file:
                last = list(csv.DictReader(file, delimiter=";"))[-1]
            counted = [int(last[name]) for name in ("TotalCallCreated", "SuccessfulCall(C)", "FailedCall(C)")]
            self.assertEqual(counted, [CALLS, CALLS, 0], told)
            self.assertIsNone(server.process.poll(), server.log())


if __name__ == "__main__":
    unittest.main()
