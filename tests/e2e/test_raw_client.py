"""Three participants written from the RFCs talk in a room of the real server, and every MSRP frame is compared to the octet."""

import re
import unittest

from harness import Server
from raw_client import Msrp, Participant, Sip, crlf

# The frames that the room sends. `{name}` is what the test knows, or takes from the octets and finds again below.
ANSWER = """\
MSRP {transaction} {status}
To-Path: {own}
From-Path: {room}
-------{transaction}$
"""
COPY = """\
MSRP {transaction} SEND
To-Path: {own}
From-Path: {room}
Message-ID: {message}
Failure-Report: partial
Byte-Range: 1-{size}/{size}
Content-Type: message/cpim

{body}
-------{transaction}$
"""
REPORT = """\
MSRP {transaction} REPORT
To-Path: {own}
From-Path: {room}
Message-ID: {message}
Byte-Range: 1-{size}/{size}
Status: 000 200 OK
-------{transaction}$
"""

SAID = """\
From: <{sender}>
To: <{to}>
DateTime: 2010-03-02T13:03:37+01:00

Content-Type: text/plain;charset=utf-8

{text}"""

ROOM = "sip:lobby@localhost"


class Conversation(unittest.TestCase):
    """A server and, once they join, people in its lobby."""

    def setUp(self) -> None:
        self.server = self.enterContext(Server())

    def participant(self, name: str, **more: object) -> Participant:
        participant = Participant(name, self.server.sip, **more)
        self.addCleanup(participant.close)
        return participant

    def seated(self, name: str) -> Participant:
        participant = self.participant(name)
        participant.join(ROOM)
        self.assert_answer(participant, "bind0001", "200 OK", participant.bind())
        return participant

    def assert_octets(self, octets: bytes, template: str, **known: object) -> dict[str, str]:
        """Compares octet by octet; gives what stands where the template has a name that is not known."""
        found: dict[str, str] = {}
        pattern = b""
        for number, part in enumerate(re.split(r"\{(\w+)\}", template)):
            if number % 2 == 0:
                pattern += re.escape(crlf(part))
            elif part in known:
                value = known[part]
                pattern += re.escape(value if isinstance(value, bytes) else str(value).encode())
            elif part in found:
                pattern += f"(?P={part})".encode()
            else:
                found[part] = ""
                pattern += rf"(?P<{part}>[A-Za-z0-9.+%=-]+)".encode()
        match = re.fullmatch(pattern, octets, re.DOTALL)
        self.assertIsNotNone(match, f"came:\n{octets.decode(errors='backslashreplace')}\nexpected:\n{template}\nwith {known}")
        return {name: value.decode() for name, value in match.groupdict().items()}

    def assert_answer(self, to: Participant, transaction: str, status: str, octets: bytes | None = None) -> None:
        octets = to.msrp.read() if octets is None else octets
        self.assert_octets(octets, ANSWER, transaction=transaction, status=status, own=to.path, room=to.room_path)

    def assert_copy(self, to: Participant, body: bytes) -> None:
        known = {"own": to.path, "room": to.room_path, "size": len(body), "body": body}
        found = self.assert_octets(to.msrp.read(), COPY, **known)
        self.assertTrue(4 <= len(found["transaction"]) <= 32 and found["transaction"][0].isalnum(), found)

    def say(self, sender: Participant, transaction: str, text: str, to: str = ROOM, rows: str = "") -> bytes:
        """Sends a message whole, and gives its octets."""
        body = crlf(SAID.format(sender=sender.uri, to=to, text=text))
        rows = f"Message-ID: m{transaction}\n{rows}Byte-Range: 1-{len(body)}/{len(body)}\nContent-Type: message/cpim\n"
        sender.send("SEND", transaction, rows, body)
        return body

    def assert_nothing_came(self, *participants: Participant) -> None:
        """What the server wrote before the answer to this would come before it."""
        for number, participant in enumerate(participants):
            participant.send("SEND", f"still{number:03}", f"Message-ID: still{number}\nByte-Range: 1-0/0\n")
            self.assert_answer(participant, f"still{number:03}", "200 OK")


class Joining(Conversation):
    # CONFORMANCE 7701-022, 7701-026, 7701-027, 4579-007, 4579-010, 4975-112, 4975-114, 4975-117
    def test_a_join_is_answered_with_the_room_as_its_contact_and_the_switch_as_its_path(self) -> None:
        alice = self.participant("alice")
        response = alice.join(ROOM)
        self.assertEqual(response.all("Via"), [alice.invite_via])
        self.assertEqual(response.get("From"), f"<{alice.uri}>;tag={alice.tag}")
        self.assertRegex(response.get("To"), rf"^<{ROOM}>;tag=[^;]+$")
        self.assertEqual((response.get("Call-ID"), response.get("CSeq")), (alice.call, "1 INVITE"))
        self.assertRegex(response.get("Contact"), r"^<sip:lobby@[^>]+>(;[^;]+)*;isfocus(;|$)")
        self.assertEqual(response.get("Content-Type"), "application/sdp")
        media = f"""\
m=message {self.server.msrp} TCP/MSRP *
a=path:msrp://127.0.0.1:{self.server.msrp}/{{session}};tcp
"""
        lines = response.body.decode().split("\r\n")
        self.assertEqual([line for line in lines if line.startswith(("m=", "c="))],
                         ["c=IN IP4 127.0.0.1", f"m=message {self.server.msrp} TCP/MSRP *"])
        self.assertIn("a=accept-types:message/cpim", lines)
        self.assertIn("a=accept-wrapped-types:*", lines)
        self.assertIn("a=chatroom:nickname private-messages", lines)
        path = next(line for line in lines if line.startswith("a=path:"))
        self.assert_octets(path.encode(), media.split("\n")[1])

    def test_a_room_is_made_by_who_calls_it_and_ends_with_the_last_who_leaves(self) -> None:
        room = "sip:a-new-room@localhost"
        alice, bob = self.participant("alice"), self.participant("bob")
        for participant in (alice, bob):
            participant.join(room)
            self.assert_answer(participant, "bind0001", "200 OK", participant.bind())
        body = self.say(alice, "tr00001", "the room is ours", to=room)
        self.assert_answer(alice, "tr00001", "200 OK")
        self.assert_copy(bob, body)
        for participant in (alice, bob):
            self.assertEqual(participant.leave().start, "SIP/2.0 200 OK")

    # CONFORMANCE 7701-021
    def test_an_offer_without_message_cpim_is_refused(self) -> None:
        alice = self.participant("alice")
        offer = alice.offer().replace("message/cpim ", "")
        alice.offer = lambda: offer
        self.assertEqual(alice.invite(ROOM).start.split(" ")[1], "488")

    # CONFORMANCE 4975-018, 4975-019, 4975-096
    def test_a_session_is_bound_once_and_by_its_own_uri(self) -> None:
        alice = self.seated("alice")
        thief = Msrp("127.0.0.1", self.server.msrp)
        self.addCleanup(thief.close)
        thief.write(alice.frame("SEND", "thief001", "Message-ID: thief\nByte-Range: 1-0/0\n"))
        self.assert_answer(alice, "thief001", "506 Session Already In Use", thief.read())
        stranger = alice.frame("SEND", "thief002", "Message-ID: thief\nByte-Range: 1-0/0\n")
        unknown = alice.room_path.replace(alice.room_path.split("/")[3], "nosuchsession123456;tcp")
        thief.write(stranger.replace(alice.room_path.encode(), unknown.encode()))
        self.assert_octets(thief.read(), ANSWER, transaction="thief002", status="481 Session Does Not Exist", own=alice.path, room=unknown)
        self.assert_nothing_came(alice)


class Talking(Conversation):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob, self.carol = (self.seated(name) for name in ("alice", "bob", "carol"))

    # CONFORMANCE 7701-001, 7701-002, 7701-003, 7701-040, 7701-041, 7701-072, 7701-075, 4975-091, 4975-092, 4975-094
    def test_what_one_says_reaches_the_others_unchanged_and_not_the_sender(self) -> None:
        body = self.say(self.alice, "tr00001", "Hello. \u00fcber \u2603\n\n-------tr00002$\n")
        self.assert_answer(self.alice, "tr00001", "200 OK")
        self.assert_copy(self.bob, body)
        self.assert_copy(self.carol, body)
        self.assert_nothing_came(self.alice, self.bob, self.carol)

    # CONFORMANCE 7701-042, 7701-048, 7701-100
    def test_a_message_in_chunks_arrives_whole(self) -> None:
        body = crlf(SAID.format(sender=self.alice.uri, to=ROOM, text="a long story " * 300))
        first, rest = body[:1500], body[1500:]
        rows = "Message-ID: story\nByte-Range: {}-*/{}\nContent-Type: message/cpim\n"
        self.alice.send("SEND", "tr00001", rows.format(1, len(body)), first, flag="+")
        self.alice.send("SEND", "tr00002", rows.format(1501, len(body)), rest)
        self.assert_answer(self.alice, "tr00001", "200 OK")
        self.assert_answer(self.alice, "tr00002", "200 OK")
        for participant in (self.bob, self.carol):
            self.assertEqual(self.gathered(participant), body)

    def gathered(self, participant: Participant) -> bytes:
        """The content of the next message, from however many chunks."""
        content = b""
        while True:
            frame = participant.msrp.read()
            head, _, body = frame.partition(b"\r\n\r\n")
            start = int(re.search(rb"\r\nByte-Range: (\d+)-", head)[1])
            self.assertEqual(start, len(content) + 1)
            content += body[: body.rindex(b"\r\n-------")]
            if frame.endswith(b"$\r\n"):
                return content

    # CONFORMANCE 7701-004, 7701-060, 7701-067
    def test_a_whisper_reaches_one_alone(self) -> None:
        body = self.say(self.alice, "tr00001", "for you alone", to=self.bob.uri)
        self.assert_answer(self.alice, "tr00001", "200 OK")
        self.assert_copy(self.bob, body)
        self.assert_nothing_came(self.alice, self.bob, self.carol)

    # CONFORMANCE 4975-075, 4975-081
    def test_a_success_report_comes_when_it_was_asked_for(self) -> None:
        body = self.say(self.alice, "tr00001", "did it arrive?", rows="Success-Report: yes\n")
        self.assert_answer(self.alice, "tr00001", "200 OK")
        known = {"own": self.alice.path, "room": self.alice.room_path, "message": "mtr00001", "size": len(body)}
        self.assert_octets(self.alice.msrp.read(), REPORT, **known)

    # CONFORMANCE 4975-084, 4975-085
    def test_who_wants_no_answer_gets_none(self) -> None:
        for transaction, wish in (("tr00001", "no"), ("tr00002", "partial")):
            body = self.say(self.alice, transaction, "no answer please", rows=f"Failure-Report: {wish}\n")
            self.assert_copy(self.bob, body)
        self.assert_nothing_came(self.alice)

    # CONFORMANCE 7701-039, 7701-062, 7701-063, 7701-073, 7701-074, 4975-149
    def test_what_cannot_be_is_refused_with_its_code_and_reaches_nobody(self) -> None:
        alice, cpim = self.alice, "Content-Type: message/cpim\n"
        good = SAID.format(sender=alice.uri, to=ROOM, text="x")
        table = [
            ("403 Forbidden", cpim, good.replace(alice.uri, self.bob.uri)),
            ("403 Forbidden", cpim, good.replace("DateTime: ", f"To: <{self.bob.uri}>\nDateTime: ")),
            ("404 Not Found", cpim, good.replace(f"To: <{ROOM}>", "To: <sip:nobody@localhost>")),
            ("415 Unsupported Media Type", "Content-Type: text/plain\n", "x"),
            ("400 Bad Request", cpim, "this is no CPIM"),
        ]
        for number, (status, rows, text) in enumerate(table):
            with self.subTest(status=status, text=text):
                body = crlf(text)
                rows = f"Message-ID: wrong{number}\nByte-Range: 1-{len(body)}/{len(body)}\n{rows}"
                alice.send("SEND", f"tr{number:05}", rows, body)
                self.assert_answer(alice, f"tr{number:05}", status)
        alice.send("FOO", "tr99999")
        self.assert_answer(alice, "tr99999", "501 Unknown Method")
        self.assert_nothing_came(self.bob, self.carol)

    # CONFORMANCE 7701-082, 7701-088, 7701-092, 7701-093, 7701-095, 7701-100, 7701-101, 7701-102, 7701-127
    def test_a_nickname_is_one_person_s_until_it_is_given_back(self) -> None:
        dialogue = [
            (self.alice, '"Al the Great"', "200 OK"),
            (self.bob, '"al  the great"', "425 Nickname Reserved Or Already In Use"),
            (self.bob, '"Bob"', "200 OK"),
            (self.bob, '"AL THE GREAT"', "425 Nickname Reserved Or Already In Use"),
            (self.carol, '"Bob"', "425 Nickname Reserved Or Already In Use"),
            (self.carol, '"no end', "424 Malformed Nickname"),
            (self.alice, '"Alice"', "200 OK"),
            (self.bob, '"al the great"', "200 OK"),
            (self.carol, '"Bob"', "200 OK"),
            (self.carol, '""', "200 OK"),
            (self.alice, '"Bob"', "200 OK"),
        ]
        for number, (participant, nickname, status) in enumerate(dialogue):
            with self.subTest(who=participant.name, nickname=nickname):
                participant.send("NICKNAME", f"nick{number:04}", f"Use-Nickname: {nickname}\n")
                self.assert_answer(participant, f"nick{number:04}", status)

    # CONFORMANCE 7701-001, 4975-145
    def test_who_leaves_hears_nothing_more_and_is_not_found(self) -> None:
        self.assertEqual(self.bob.leave().start, "SIP/2.0 200 OK")
        body = self.say(self.alice, "tr00001", "is he gone?")
        self.assert_answer(self.alice, "tr00001", "200 OK")
        self.assert_copy(self.carol, body)
        self.say(self.alice, "tr00002", "come back", to=self.bob.uri)
        self.assert_answer(self.alice, "tr00002", "404 Not Found")
        self.assert_session_is_over(self.bob)

    def assert_session_is_over(self, participant: Participant) -> None:
        """The connection is closed, or what is sent on it gets 481; nothing else comes."""
        try:
            participant.send("SEND", "gone0001", "Message-ID: gone\nByte-Range: 1-0/0\n")
            octets = participant.msrp.read()
        except (EOFError, ConnectionError):
            return
        self.assert_answer(participant, "gone0001", "481 Session Does Not Exist", octets)

    def test_the_end_of_the_server_is_a_bye_to_everybody(self) -> None:
        self.server.terminate()
        for participant in (self.alice, self.bob, self.carol):
            request = participant.sip.read()
            self.assertEqual(request.start.split(" ")[0], "BYE", request.octets)
            rows = "".join(f"{name}: {value}\n" for name, value in request.rows
                           if name in ("Via", "From", "To", "Call-ID", "CSeq"))
            participant.sip.write(crlf(f"SIP/2.0 200 OK\n{rows}Content-Length: 0\n\n"))
        self.assertEqual(self.server.wait(), 0, self.server.log())


class Digest(Conversation):
    def setUp(self) -> None:
        self.server = self.enterContext(Server(auth="digest"))

    # CONFORMANCE 7701-019, 4579-026
    def test_a_user_proves_itself_before_it_is_seated(self) -> None:
        alice = self.participant("alice", password="wonderland")
        refused = alice.invite(ROOM)
        self.assertEqual(refused.start, "SIP/2.0 401 Unauthorized")
        self.assertNotIn(b"msrp:", refused.octets)
        algorithms = [re.search(r"algorithm=([\w-]+)", text)[1] for text in refused.all("WWW-Authenticate")]
        self.assertEqual(algorithms, ["SHA-256", "MD5"])
        for algorithm in algorithms:
            with self.subTest(algorithm=algorithm):
                caller = self.participant("alice", password="wonderland")
                challenge = caller.invite(ROOM)
                credentials = caller.credentials("INVITE", ROOM, challenge, algorithm)
                self.assertEqual(caller.invite(ROOM, f"Authorization: {credentials}\n").start, "SIP/2.0 200 OK")

    def test_a_wrong_password_and_an_unknown_user_get_the_same(self) -> None:
        for name in ("alice", "nobody"):
            with self.subTest(name=name):
                caller = self.participant(name, password="guessed")
                credentials = caller.credentials("INVITE", ROOM, caller.invite(ROOM))
                self.assertRegex(caller.invite(ROOM, f"Authorization: {credentials}\n").start, r"^SIP/2\.0 40[13] ")

    def test_a_user_does_not_speak_as_another(self) -> None:
        bob = self.participant("bob", password="builder")
        challenge = bob.invite(ROOM)
        credentials = bob.credentials("INVITE", ROOM, challenge)
        bob.uri = "sip:alice@localhost"
        self.assertEqual(bob.invite(ROOM, f"Authorization: {credentials}\n").start.split(" ")[1], "403")


class Stranger(Conversation):
    def test_options_are_answered_without_a_call(self) -> None:
        sip = Sip("127.0.0.1", self.server.sip)
        self.addCleanup(sip.close)
        sip.write(crlf(
            f"OPTIONS {ROOM} SIP/2.0\nVia: SIP/2.0/TCP 127.0.0.1:{sip.port};branch=z9hG4bKoptions1\nMax-Forwards: 70\n"
            f"From: <sip:dan@localhost>;tag=dan\nTo: <{ROOM}>\nCall-ID: options@client.invalid\nCSeq: 1 OPTIONS\n"
            "Content-Length: 0\n\n"
        ))
        response = sip.read_final()
        self.assertEqual(response.start, "SIP/2.0 200 OK")
        self.assertRegex(response.get("Allow"), r"\bINVITE\b")


if __name__ == "__main__":
    unittest.main()
