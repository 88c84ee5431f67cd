"""Messages far larger than what the server holds: they stream through, others talk meanwhile, and one who stops reading ends only their
own copy."""

import hashlib
import re
import threading
import unittest
from pathlib import Path

from harness import PATIENCE, Server
from raw_client import Participant

ROOM = "sip:lobby@localhost"
BLOCK = bytes(range(256)) * 256
SIZE = 100_000_000
# What the server may take more at its highest than before: bounded queues of a few connections, far below one message.
GROWTH = 48 * 1024 * 1024


def memory(server: Server, name: str) -> int:
    """Octets of VmRSS or VmHWM."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) * 1024


class Listener(threading.Thread):
    """Reads what comes to a participant as it comes, in little memory: messages by their Message-ID, each with the digest of its
    content, its size and how it ended."""

    def __init__(self, who: Participant):
        super().__init__(daemon=True)
        self.who = who
        self.changed = threading.Condition()
        self.may_read = threading.Event()
        self.may_read.set()
        self.sizes: dict[str, int] = {}
        self.digests: dict[str, "hashlib._Hash"] = {}
        self.small: dict[str, bytes] = {}
        self.ended: list[tuple[str, str]] = []
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.frame()
        except (EOFError, OSError):
            pass

    def frame(self) -> None:
        stream = self.who.msrp
        head = stream.read_until(b"\r\n\r\n")
        transaction = head.split(b" ", 2)[1]
        message = re.search(rb"Message-ID: (\S+)", head)[1].decode()
        end = b"\r\n-------" + transaction
        while True:
            at = stream.unread.find(end)
            if at >= 0 and len(stream.unread) >= at + len(end) + 3:
                self.content(message, stream.take(at))
                flag = chr(stream.take(len(end) + 3)[len(end)])
                if flag != "+":
                    with self.changed:
                        self.ended.append((message, flag))
                        self.changed.notify_all()
                return
            # What may be the beginning of the end-line stays.
            self.content(message, stream.take(max(0, len(stream.unread) - len(end) - 3)))
            self.may_read.wait()
            stream.fill()

    def content(self, message: str, octets: bytes) -> None:
        with self.changed:
            self.sizes[message] = self.sizes.get(message, 0) + len(octets)
            self.digests.setdefault(message, hashlib.sha256()).update(octets)
            if self.sizes[message] < 4096:
                self.small[message] = self.small.get(message, b"") + octets
            self.changed.notify_all()

    def wait_for(self, what: str, condition) -> None:
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE * 3):
                raise AssertionError(f"{self.who.name} waits for {what}: {self.sizes} {self.ended}")

    def texts(self) -> list[str]:
        """The texts of the short messages that came whole, in the order of their ends."""
        whole = [message for message, flag in self.ended if flag == "$" and self.sizes[message] < 4096]
        return [self.small[message].split(b"\r\n\r\n", 2)[2].decode() for message in whole]


class Sender(threading.Thread):
    """Sends one long message in one frame, and waits at the marks until it is told to go on."""

    def __init__(self, who: Participant, marks: dict[int, threading.Event]):
        super().__init__(daemon=True)
        self.who, self.marks = who, marks
        head = f"From: <{who.uri}>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
        self.size = len(head) + SIZE
        self.digest = hashlib.sha256(head)
        self.head = head
        self.start()

    def run(self) -> None:
        stream = self.who.msrp
        stream.write(
            (
                f"MSRP long0001 SEND\r\nTo-Path: {self.who.room_path}\r\nFrom-Path: {self.who.path}\r\n"
                f"Message-ID: long0001\r\nByte-Range: 1-*/{self.size}\r\nContent-Type: message/cpim\r\n\r\n"
            ).encode()
            + self.head
        )
        sent = 0
        while sent < SIZE:
            for mark in [mark for mark in self.marks if sent >= mark]:
                self.marks.pop(mark).wait()
            block = BLOCK[: SIZE - sent]
            self.digest.update(block)
            stream.write(block)
            sent += len(block)
        stream.write(b"\r\n-------long0001$\r\n")


class LongMessages(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(Server())
        self.people = [Participant(name, self.server.sip) for name in ("ann", "bea", "cat", "dan", "eve")]
        # Eve takes texts only: what she hears is short.
        eve = self.people[4]
        eve.offer = lambda: Participant.offer(eve).replace("text/html *\n", "text/html\n")
        for person in self.people:
            self.addCleanup(person.close)
            person.join(ROOM)
            person.bind()
        self.ann, self.eve = self.people[0], self.people[4]
        self.listeners = [Listener(person) for person in self.people[1:4]]
        self.before = memory(self.server, "VmRSS")

    def tearDown(self) -> None:
        self.assertLess(memory(self.server, "VmHWM") - self.before, GROWTH)

    def say(self, text: str) -> None:
        """Eve says a text, and is answered."""
        self.said = getattr(self, "said", 0) + 1
        transaction = f"word{self.said:05}"
        body = f"From: <{self.eve.uri}>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: text/plain\r\n\r\n{text}".encode()
        rows = f"Message-ID: {transaction}\nByte-Range: 1-{len(body)}/{len(body)}\nContent-Type: message/cpim\n"
        self.eve.send("SEND", transaction, rows, body)
        while not (frame := self.eve.msrp.read()).startswith(f"MSRP {transaction} ".encode()):
            # Something said by another.
            pass
        self.assertTrue(frame.startswith(f"MSRP {transaction} 200".encode()), frame)

    def long_of(self, listener: Listener) -> str:
        return max(listener.sizes, key=lambda message: listener.sizes[message])

    def heard_whole(self, sender: Sender, listener: Listener) -> None:
        listener.wait_for("the end", lambda: (self.long_of(listener), "$") in listener.ended)
        message = self.long_of(listener)
        self.assertEqual(listener.sizes[message], sender.size)
        self.assertEqual(listener.digests[message].hexdigest(), sender.digest.hexdigest())

    def test_100_mb_stream_to_three_while_others_talk_and_overtake(self) -> None:
        talked = threading.Event()
        sender = Sender(self.ann, {20_000_000: talked})
        for listener in self.listeners:
            listener.wait_for("much", lambda: max(listener.sizes.values(), default=0) > 10_000_000)
        words = [f"word {number}" for number in range(20)]
        for word in words:
            self.say(word)
        for listener in self.listeners:
            listener.wait_for("all words", lambda: len(listener.texts()) == len(words))
            self.assertEqual(listener.texts(), words)
        talked.set()
        for listener in self.listeners:
            self.heard_whole(sender, listener)

    def test_who_stops_reading_in_the_middle_ends_their_own_copy_alone(self) -> None:
        stopped = threading.Event()
        sender = Sender(self.ann, {20_000_000: stopped})
        lazy, others = self.listeners[0], self.listeners[1:]
        for listener in self.listeners:
            listener.wait_for("much", lambda: max(listener.sizes.values(), default=0) > 10_000_000)
        lazy.may_read.clear()
        stopped.set()
        for listener in others:
            self.heard_whole(sender, listener)
        lazy.may_read.set()
        lazy.wait_for("the end of the copy", lambda: (self.long_of(lazy), "#") in lazy.ended)
        lazy.wait_for("a notice", lambda: any("left out" in text for text in lazy.texts()))
        # All is well again.
        self.say("Are you back?")
        lazy.wait_for("the next word", lambda: "Are you back?" in lazy.texts())


if __name__ == "__main__":
    unittest.main()
