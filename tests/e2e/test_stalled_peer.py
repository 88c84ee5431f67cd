"""A peer that asks and never reads the answers: its own connection ends, and nobody else notices anything."""

import socket
import unittest

from harness import Server
from raw_client import Participant, crlf

ROOM = "sip:lobby@localhost"
# More answers than any buffer between the two holds.
REQUESTS = 60_000


class StalledPeer(unittest.TestCase):
    def test_a_peer_that_stops_reading_loses_its_connection_and_others_notice_nothing(self) -> None:
        with Server() as server:
            stalled = socket.socket()
            self.addCleanup(stalled.close)
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(("127.0.0.1", server.sip))
            stalled.settimeout(30)
            sent, ended = 0, False
            while sent < REQUESTS and not ended:
                try:
                    stalled.sendall(b"".join(self.options(sent + nth) for nth in range(500)))
                    sent += 500
                except (ConnectionError, socket.timeout):
                    ended = True
                if sent % 10_000 == 0:
                    self.somebody_joins_and_leaves(server, f"caller{sent}")
            self.somebody_joins_and_leaves(server, "last")
            self.assertTrue(ended or self.is_reset(stalled), "a writer without a bound")

    def options(self, number: int) -> bytes:
        return crlf(
            f"OPTIONS sip:localhost SIP/2.0\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKstall{number}\nMax-Forwards: 70\n"
            f"From: <sip:s@localhost>;tag=s\nTo: <sip:localhost>\nCall-ID: stall{number}\nCSeq: 1 OPTIONS\n"
            f"Content-Length: 0\n\n"
        )

    def somebody_joins_and_leaves(self, server: Server, name: str) -> None:
        participant = Participant(name, server.sip)
        participant.join(ROOM)
        participant.bind()
        self.assertEqual(participant.leave().start, "SIP/2.0 200 OK")
        participant.close()

    def is_reset(self, stalled: socket.socket) -> bool:
        """Whether the connection ends when what it holds is read."""
        try:
            while stalled.recv(1 << 20):
                pass
        except socket.timeout:
            return False
        except ConnectionError:
            pass
        return True


if __name__ == "__main__":
    unittest.main()
