"""`tertulia chat` in a pipe, and a client that knows nothing of it, in one room."""

import queue
import subprocess
import threading
import unittest

from harness import BINARY, PATIENCE, Server
from raw_client import Participant, crlf

ROOM = "sip:lobby@localhost"


class Chat:
    """A participant in a pipe."""

    def __init__(self, server: Server, name: str):
        self.start("chat", ROOM, "--as", f"sip:{name}@localhost", "--quiet", "--server", f"127.0.0.1:{server.sip}")

    def start(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [BINARY, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put("(the end)")

    def types(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")

    def sees(self) -> str:
        """The next line."""
        return self.lines.get(timeout=PATIENCE)

    def ends(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


class Chatting(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(Server())

    def chat(self, name: str) -> Chat:
        chat = Chat(self.server, name)
        self.addCleanup(chat.kill)
        self.assertEqual(chat.sees(), f"* in {ROOM} as sip:{name}@localhost (nicknames, private messages)")
        return chat

    def test_chat_and_a_client_that_knows_nothing_of_it_understand_each_other(self) -> None:
        alice = self.chat("alice")
        stranger = Participant("stranger", self.server.sip)
        self.addCleanup(stranger.close)
        stranger.join(ROOM)
        stranger.bind()
        alice.types("who are you?")
        self.assertIn(crlf("\n\nwho are you?\n-------"), stranger.msrp.read())
        body = crlf(f"From: <sip:stranger@localhost>\nTo: <{ROOM}>\n\nContent-Type: text/plain\n\nnobody")
        stranger.send("SEND", "tr00001", "Message-ID: nobody\nByte-Range: 1-*/*\nContent-Type: message/cpim\n", body)
        self.assertEqual(alice.sees(), "<stranger> nobody")
        self.assertTrue(stranger.msrp.read().startswith(b"MSRP tr00001 200 "))
        alice.types("/nick Al")
        self.assertEqual(alice.sees(), "* your nickname is Al")
        stranger.send("NICKNAME", "nick0001", 'Use-Nickname: "al"\n')
        self.assertTrue(stranger.msrp.read().startswith(b"MSRP nick0001 425 "))
        alice.types("/msg sip:stranger@localhost psst")
        self.assertIn(crlf("\nTo: <sip:stranger@localhost>\n"), stranger.msrp.read())
        stranger.leave()
        alice.types("/quit")
        self.assertEqual((alice.sees(), alice.sees(), alice.ends()), ("* left", "(the end)", 0))


if __name__ == "__main__":
    unittest.main()
