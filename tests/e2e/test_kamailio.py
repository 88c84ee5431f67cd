"""Kamailio, a SIP proxy of others, stands in front of the server: UDP to it, TCP behind it, and in the way of every dialog. It is also
what stands between a user who hosts a room and those who come."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import BINARY, PATIENCE, Server, free_ports
from raw_client import Participant, SipMessage, crlf
from test_chat import Chat

HERE = Path(__file__).resolve().parent
PROGRAM = "/usr/sbin/kamailio"
LOBBY = "sip:lobby@localhost"


class Kamailio:
    """The proxy, on a free port of loopback, before the server's TCP port; a context manager."""

    def __init__(self, onward: int, port: int | None = None):
        self.directory = tempfile.TemporaryDirectory(prefix="tertulia-kamailio-")
        self.port = port or free_ports(1)[0]
        modules = next(Path("/usr/lib").glob("**/kamailio/modules"))
        text = (HERE / "kamailio.cfg").read_text()
        for name, value in {"PORT": self.port, "SERVER": onward, "MODULES": modules}.items():
            text = text.replace(f"@{name}@", str(value))
        self.configuration = Path(self.directory.name, "kamailio.cfg")
        self.configuration.write_text(text)
        self.log_path = Path(self.directory.name, "log")

    def __enter__(self) -> "Kamailio":
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "-DD", "-E", "-m", "32", "-M", "8", "-Y", self.directory.name, "-f", self.configuration],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.directory.cleanup()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


class Datagrams:
    """A UDP socket that sends to the proxy alone; in the place of a `Sip` stream."""

    def __init__(self, proxy: Kamailio):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.proxy = proxy
        self.seen: set[bytes] = set()
        self.content_type = "application/sdp"

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    def write(self, octets: bytes) -> None:
        """The transport in Via and Contact is the one of this socket."""
        octets = octets.replace(b"SIP/2.0/TCP", b"SIP/2.0/UDP").replace(b";transport=tcp>", b">")
        octets = octets.replace(b"Content-Type: application/sdp", f"Content-Type: {self.content_type}".encode(), 1)
        self.socket.sendto(octets, ("127.0.0.1", self.proxy.port))
        self.written = octets

    def read(self) -> SipMessage:
        """The next message that is not one seen before; asks again, as UDP wants it, while nothing comes."""
        deadline = time.monotonic() + PATIENCE
        self.socket.settimeout(0.5)
        while time.monotonic() < deadline:
            try:
                octets, source = self.socket.recvfrom(65536)
            except TimeoutError:
                self.write(self.written)
                continue
            assert source == ("127.0.0.1", self.proxy.port), f"{source} is not the proxy"
            if octets not in self.seen:
                self.seen.add(octets)
                head, _, body = octets.partition(b"\r\n\r\n")
                return SipMessage(head + b"\r\n\r\n", body)
        raise AssertionError(f"nothing came:\n{self.proxy.log()}")

    def read_final(self) -> SipMessage:
        while True:
            message = self.read()
            if not message.start.startswith("SIP/2.0 1"):
                return message

    def close(self) -> None:
        self.socket.close()


class Caller(Participant):
    """A participant behind the proxy. Its requests within the dialog go by the route set (RFC 3261 §12.2.1.1)."""

    def __init__(self, name: str, proxy: Kamailio):
        self.proxy = proxy
        super().__init__(name, proxy.port)
        self.routes: list[str] = []
        # Of the first request: further rows, and what its body is.
        self.extra, self.content_type = "", "application/sdp"

    def open(self) -> Datagrams:
        return Datagrams(self.proxy)

    def request(self, method: str, uri: str, to: str, body: str = "", more: str = "") -> None:
        within = ";tag=" in to
        super().request(method, uri, to, body, "".join(f"Route: {route}\n" for route in self.routes if within) + more)

    def call_lobby(self) -> SipMessage:
        return self.call_room(LOBBY)

    def call_room(self, uri: str) -> SipMessage:
        self.sip.content_type = self.content_type
        self.request("INVITE", uri, f"<{uri}>", self.offer(), self.extra)
        answer = self.sip.read_final()
        assert answer.start == "SIP/2.0 200 OK", answer.octets
        rows = ",".join(answer.all("Record-Route"))
        # The caller's side stands last (RFC 3261 §12.1.2).
        self.routes = [route.strip() for route in rows.split(",")][::-1]
        self.dialog_to = answer.get("To")
        self.target = re.search(r"<([^>]*)>", answer.get("Contact"))[1]
        self.room_path = re.search(r"(?m)^a=path:(\S+)", answer.body.decode())[1]
        self.request("ACK", self.target, self.dialog_to)
        return answer

    def answer_offer(self, invite: SipMessage) -> None:
        """Takes a later offer of the room, with the same media."""
        names = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        rows = "".join(f"{name}: {value}\n" for name, value in invite.rows if name in names)
        octets = crlf(self.offer())
        contact = f"Contact: <sip:{self.name}@127.0.0.1:{self.sip.port}>\nContent-Type: application/sdp\n"
        self.sip.write(crlf(f"SIP/2.0 200 OK\n{rows}{contact}Content-Length: {len(octets)}\n\n") + octets)
        ack = self.sip.read()
        assert ack.start.startswith("ACK "), ack.octets

    def ask(self, method: str, body: str = "") -> SipMessage:
        """A request within the dialog and its final answer."""
        self.request(method, self.target, self.dialog_to, body)
        return self.sip.read_final()


class Callee(Caller):
    """A user agent of another domain, registered at the proxy, that is called by a room."""

    def __init__(self, name: str, proxy: Kamailio):
        super().__init__(name, proxy)
        self.domain = "elsewhere.example"
        self.uri = f"sip:{name}@{self.domain}"

    def register(self) -> SipMessage:
        self.request("REGISTER", f"sip:{self.domain}", f"<{self.uri}>", more="Expires: 600\n")
        return self.sip.read_final()

    def answer(self, request: SipMessage, status: str, body: str = "") -> None:
        names = ("Via", "From", "Call-ID", "CSeq", "Record-Route")
        rows = "".join(f"{name}: {value}\n" for name, value in request.rows if name in names)
        to = request.get("To")
        octets = crlf(body)
        self.sip.write(
            crlf(
                f"SIP/2.0 {status}\n{rows}To: {to}{'' if ';tag=' in to else f';tag={self.tag}'}\n"
                f"Contact: <sip:{self.name}@127.0.0.1:{self.sip.port}>\n"
                + ("Content-Type: application/sdp\n" if octets else "")
                + f"Content-Length: {len(octets)}\n\n"
            )
            + octets
        )

    def take_call(self, invite: SipMessage) -> None:
        """Accepts, and is in the dialog as if it had called (RFC 3261 §12.1.1)."""
        self.answer(invite, "200 OK", self.offer() + "a=setup:active\n")
        ack = self.sip.read()
        assert ack.start.startswith("ACK "), ack.octets
        self.call, self.dialog_to = invite.get("Call-ID"), invite.get("From")
        self.routes = [route.strip() for route in ",".join(invite.all("Record-Route")).split(",")]
        self.target = re.search(r"<([^>]*)>", invite.get("Contact"))[1]
        self.room_path = re.search(r"(?m)^a=path:(\S+)", invite.body.decode())[1].strip()


class CalledThroughKamailio(unittest.TestCase):
    """A room calls people of a domain that only its outbound proxy knows."""

    def setUp(self) -> None:
        port = free_ports(1)[0]
        self.server = self.enterContext(Server(sip_rows=f'outbound_proxy = "sip:127.0.0.1:{port}"'))
        self.proxy = self.enterContext(Kamailio(self.server.sip, port))
        self.callee = Callee("carol", self.proxy)
        self.addCleanup(self.callee.close)
        self.alice = Participant("alice", self.server.sip)
        self.addCleanup(self.alice.close)
        self.alice.join(LOBBY)
        self.alice.bind()

    def told(self) -> tuple[str, str]:
        """The state and the status line of the next NOTIFY, which is answered."""
        notify = self.alice.sip.read()
        self.assertTrue(notify.start.startswith("NOTIFY "), notify.octets)
        rows = "".join(f"{name}: {value}\n" for name, value in notify.rows if name in ("Via", "From", "To", "Call-ID", "CSeq"))
        self.alice.sip.write(crlf(f"SIP/2.0 200 OK\n{rows}Content-Length: 0\n\n"))
        return notify.get("Subscription-State").split(";expires")[0], notify.body.decode().strip()

    def refer(self, uri: str) -> None:
        self.alice.request("REFER", self.alice.target, self.alice.dialog_to, more=f"Refer-To: <{uri}>\n")
        accepted = self.alice.sip.read_final()
        self.assertEqual(accepted.start, "SIP/2.0 202 Accepted", accepted.octets)
        self.assertEqual(self.told(), ("active", "SIP/2.0 100 Trying"))

    # CONFORMANCE 4579-012 4579-016
    def test_a_user_agent_registered_there_is_called_and_seated(self) -> None:
        self.assertEqual(self.callee.register().start, "SIP/2.0 200 OK")
        self.refer(self.callee.uri)
        invite = self.callee.sip.read()
        self.assertEqual(invite.start, f"INVITE sip:carol@127.0.0.1:{self.callee.sip.port} SIP/2.0")
        self.assertIn(";isfocus", invite.get("Contact"))
        self.assertEqual(invite.get("Subject"), "Tea and talk")
        self.assertEqual(invite.all("Route"), [])
        self.callee.answer(invite, "180 Ringing")
        self.assertEqual(self.told(), ("active", "SIP/2.0 180 Ringing"))
        self.callee.take_call(invite)
        self.assertEqual(self.told(), ("terminated;reason=noresource", "SIP/2.0 200 OK"))
        self.assertIn(b" 200 OK\r\n", self.callee.bind())
        # Within the dialog its requests go by the route set, and so do the server's.
        self.assertEqual(self.callee.ask("OPTIONS").start, "SIP/2.0 200 OK")
        self.server.terminate()
        bye = self.callee.sip.read()
        self.assertEqual(bye.start, f"BYE sip:carol@127.0.0.1:{self.callee.sip.port} SIP/2.0", bye.octets)
        self.callee.answer(bye, "200 OK")

    # CONFORMANCE 4579-016
    def test_who_is_not_registered_is_not_found(self) -> None:
        self.refer("sip:nobody@elsewhere.example")
        self.assertEqual(self.told(), ("terminated;reason=noresource", "SIP/2.0 404 Not Found"))


class ControlledThroughKamailio(unittest.TestCase):
    """Conference control, with the proxy in the way of every dialog (RFC 4579)."""

    def setUp(self) -> None:
        port = free_ports(1)[0]
        rows = f'outbound_proxy = "sip:127.0.0.1:{port}"\n[rooms]\nfactory = "factory"'
        self.server = self.enterContext(Server(sip_rows=rows))
        self.proxy = self.enterContext(Kamailio(self.server.sip, port))

    def caller(self, name: str) -> Caller:
        caller = Caller(name, self.proxy)
        self.addCleanup(caller.close)
        return caller

    def taken(self, callee: Caller, method: str) -> SipMessage:
        """The next request to somebody, which they take."""
        request = callee.sip.read()
        self.assertTrue(request.start.startswith(f"{method} "), request.octets)
        names = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        rows = "".join(f"{name}: {value}\n" for name, value in request.rows if name in names)
        callee.sip.write(crlf(f"SIP/2.0 200 OK\n{rows}Content-Length: 0\n\n"))
        return request

    # CONFORMANCE 4579-004 4579-015 4579-020 4579-023 4579-024 7701-108
    def test_a_room_of_the_factory_is_joined_changed_cleared_and_ended(self) -> None:
        alice = self.caller("alice")
        contact = alice.call_room("sip:factory@localhost").get("Contact")
        self.assertIn(";isfocus", contact)
        self.assertIn(b" 200 OK\r\n", alice.bind())
        name = re.search(r"<sip:([^@]+)@", contact)[1]
        self.assertNotEqual(name, "factory")
        # Bob joins by her dialog (RFC 3911), whatever he calls.
        bob = self.caller("bob")
        tag = re.search(r";tag=([^;]+)", alice.dialog_to)[1]
        bob.extra = f"Join: {alice.call};to-tag={tag};from-tag={alice.tag}\n"
        self.assertEqual(re.search(r"<sip:([^@]+)@", bob.call_room(f"sip:{name}@localhost").get("Contact"))[1], name)
        self.assertIn(b" 200 OK\r\n", bob.bind())
        # What the operator changes is offered to both.
        data = f"{self.server.directory.name}/data"
        subprocess.run([BINARY, "room", "set", name, "private_messages=false", "--data-dir", data], check=True, capture_output=True)
        for person in (alice, bob):
            invite = person.sip.read()
            self.assertTrue(invite.start.startswith("INVITE "), invite.octets)
            self.assertIn(b"a=chatroom:nickname\r\n", invite.body)
            person.answer_offer(invite)
        # Who has made the room sends somebody away, and may end it.
        more = f"Refer-To: <{bob.uri};method=BYE>\nRefer-Sub: false\n"
        alice.request("REFER", alice.target, alice.dialog_to, more=more)
        self.assertEqual(alice.sip.read_final().start, "SIP/2.0 202 Accepted")
        self.assertIn("Removed from the room", self.taken(bob, "BYE").get("Reason"))
        more = f"Refer-To: <sip:{name}@localhost;method=BYE>\nRefer-Sub: false\n"
        alice.request("REFER", alice.target, alice.dialog_to, more=more)
        self.assertEqual(alice.sip.read_final().start, "SIP/2.0 202 Accepted")
        self.taken(alice, "BYE")

    # CONFORMANCE 5366-5.2-1
    def test_who_is_listed_in_an_invite_is_called_by_way_of_the_proxy(self) -> None:
        carol = Callee("carol", self.proxy)
        self.addCleanup(carol.close)
        self.assertEqual(carol.register().start, "SIP/2.0 200 OK")
        alice = self.caller("alice")
        listed = (
            "--part\nContent-Type: application/sdp\n\n" + alice.offer() + "\n--part\n"
            "Content-Type: application/resource-lists+xml\nContent-Disposition: recipient-list\n\n"
            '<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
            f'<entry uri="{carol.uri}"/></list></resource-lists>\n--part--\n'
        )
        alice.offer = lambda: listed
        alice.extra = "Require: recipient-list-invite\n"
        alice.content_type = "multipart/mixed;boundary=part"
        alice.call_room("sip:factory@localhost")
        invite = carol.sip.read()
        self.assertIn(";isfocus", invite.get("Contact"))
        carol.take_call(invite)
        self.assertIn(b" 200 OK\r\n", carol.bind())


class Host(Chat):
    """`tertulia host` of alice, whose provider the proxy is."""

    def __init__(self, proxy: Kamailio, transport: str, *more: str):
        password = Path(proxy.directory.name, "password")
        password.write_text("wonderland\n")
        self.start(
            "host", "--as", "sip:alice@elsewhere.example", "--server", f"127.0.0.1:{proxy.port}",
            "--transport", transport, "--password-file", password, "--quiet", *more,
        )


class HostedBehindKamailio(unittest.TestCase):
    """Alice hosts a room herself: a proxy and registrar alone stands between her and those who come (RFC 7701 §4)."""

    def setUp(self) -> None:
        self.proxy = self.enterContext(Kamailio(free_ports(1)[0]))
        self.bob, self.carol = Callee("bob", self.proxy), Callee("carol", self.proxy)
        for guest in (self.bob, self.carol):
            self.addCleanup(guest.close)
            self.assertEqual(guest.register().start, "SIP/2.0 200 OK")

    def host(self, transport: str, *more: str) -> Host:
        alice = Host(self.proxy, transport, *more)
        self.addCleanup(alice.kill)
        self.assertEqual(alice.sees(), "* who calls sip:alice@elsewhere.example comes into your room")
        self.assertRegex(alice.sees(), r"^\* your room is sip:alice-room@127\.0\.0\.1:")
        self.assertRegex(alice.sees(), r"^\* in sip:alice-room@127\.0\.0\.1:.* as sip:alice@elsewhere\.example \(")
        return alice

    def talk(self, transport: str) -> None:
        alice = self.host(transport, "--invite", "sip:carol@elsewhere.example", "--subject", "Tea and talk")
        # The proxy has asked for her password, and rings carol.
        self.assertEqual(alice.sees(), "* sip:carol@elsewhere.example is called")
        invite = self.carol.sip.read()
        self.assertEqual(invite.start, f"INVITE sip:carol@127.0.0.1:{self.carol.sip.port} SIP/2.0")
        self.assertIn("<sip:alice@elsewhere.example>;tag=", invite.get("From"))
        self.assertIn(";isfocus", invite.get("Contact"))
        self.assertEqual(invite.all("Proxy-Authorization"), [])
        self.carol.take_call(invite)
        self.assertEqual(alice.sees(), "* sip:carol@elsewhere.example has come")
        self.assertIn(b" 200 OK\r\n", self.carol.bind())
        # Bob calls her address of record, and is in her room.
        answer = self.bob.call_room("sip:alice@elsewhere.example")
        self.assertIn(";isfocus", answer.get("Contact"))
        self.assertEqual(answer.get("Subject"), "Tea and talk")
        self.assertIn(b" 200 OK\r\n", self.bob.bind())
        body = crlf(f"From: <{self.bob.uri}>\nTo: <{self.bob.target}>\n\nContent-Type: text/plain\n\nHello, Alice")
        self.bob.send("SEND", "tr00001", "Message-ID: hello\nByte-Range: 1-*/*\nContent-Type: message/cpim\n", body)
        self.assertEqual(alice.sees(), "<bob> Hello, Alice")
        self.assertIn(b"\r\n\r\nHello, Alice\r\n-------", self.carol.msrp.read())
        self.assertIn(b" 200 OK\r\n", self.bob.msrp.read())
        alice.types("Hello, both")
        for guest in (self.bob, self.carol):
            self.assertIn(b"\r\n\r\nHello, both\r\n-------", guest.msrp.read())
        # With her everybody goes, and nobody finds her any more.
        alice.types("/quit")
        self.assertEqual(alice.sees(), "* left")
        for guest in (self.bob, self.carol):
            bye = guest.sip.read()
            self.assertEqual(bye.start, f"BYE sip:{guest.name}@127.0.0.1:{guest.sip.port} SIP/2.0", bye.octets)
            guest.answer(bye, "200 OK")
        self.assertEqual(alice.ends(), 0)
        self.bob.request("INVITE", "sip:alice@elsewhere.example", "<sip:alice@elsewhere.example>", self.bob.offer())
        self.assertEqual(self.bob.sip.read_final().start, "SIP/2.0 404 Not Registered")

    def test_who_knows_her_address_of_record_alone_speaks_to_her_room(self) -> None:
        alice = self.host("udp")
        dave = Chat.__new__(Chat)
        dave.start(
            "chat", "sip:alice@elsewhere.example", "--as", "sip:dave@elsewhere.example",
            "--server", f"127.0.0.1:{self.proxy.port}", "--quiet",
        )
        self.addCleanup(dave.kill)
        self.assertRegex(dave.sees(), r"^\* in sip:alice@elsewhere\.example as sip:dave@elsewhere\.example ")
        dave.types("Hello, everybody")
        self.assertEqual(alice.sees(), "<dave> Hello, everybody")
        dave.types("/msg alice psst")
        self.assertEqual(alice.sees(), "[dave -> alice] psst")
        alice.types("Hello, Dave")
        self.assertEqual(dave.sees(), "<alice> Hello, Dave")
        dave.types("/quit")
        self.assertEqual((dave.sees(), dave.ends()), ("* left", 0))

    def test_people_come_into_her_room_by_udp(self) -> None:
        self.talk("udp")

    def test_people_come_into_her_room_by_tcp(self) -> None:
        self.talk("tcp")


class BehindKamailio(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(Server())
        self.proxy = self.enterContext(Kamailio(self.server.sip))
        self.caller = Caller("alice", self.proxy)
        self.addCleanup(self.caller.close)

    def test_a_call_and_the_callers_requests_within_it_go_by_the_route_set(self) -> None:
        answer = self.caller.call_lobby()
        self.assertEqual(len(self.caller.routes), 2, answer.octets)
        self.assertIn(b"m=message ", answer.body)
        self.assertEqual(self.caller.ask("OPTIONS").start, "SIP/2.0 200 OK")
        again = self.caller.ask("INVITE", self.caller.offer())
        self.assertEqual((again.start, again.get("CSeq")), ("SIP/2.0 200 OK", f"{self.caller.sequence} INVITE"))
        self.caller.request("ACK", self.caller.target, self.caller.dialog_to)
        self.assertEqual(self.caller.ask("BYE").start, "SIP/2.0 200 OK")
        self.assertEqual(self.caller.ask("BYE").start[:11], "SIP/2.0 481")

    def test_the_servers_bye_goes_back_by_the_route_set(self) -> None:
        self.caller.call_lobby()
        # Its answer says that the server has the ACK, too.
        self.assertEqual(self.caller.ask("OPTIONS").start, "SIP/2.0 200 OK")
        self.server.terminate()
        bye = self.caller.sip.read()
        contact = f"sip:alice@127.0.0.1:{self.caller.sip.port}"
        self.assertEqual(bye.start, f"BYE {contact} SIP/2.0", bye.octets)
        self.assertEqual(bye.get("Call-ID"), self.caller.call)
        self.assertEqual(bye.all("Route"), [], "the proxy is the only hop between")
        vias = bye.all("Via")
        self.assertEqual(["/UDP " in vias[0], "/TCP " in vias[1], len(vias)], [True, True, 2], vias)
        rows = "".join(f"{name}: {value}\n" for name, value in bye.rows if name in ("Via", "From", "To", "Call-ID", "CSeq"))
        self.caller.sip.write(crlf(f"SIP/2.0 200 OK\n{rows}Content-Length: 0\n\n"))
        self.assertEqual(self.server.wait(), 0, self.server.log())

    def test_a_register_is_forwarded_and_its_answer_comes_back(self) -> None:
        caller = self.caller
        caller.request("REGISTER", "sip:localhost", f"<{caller.uri}>", more="Expires: 600\n")
        answer = caller.sip.read_final()
        self.assertEqual(answer.start, "SIP/2.0 200 OK", answer.octets)
        self.assertIn(f"<sip:alice@127.0.0.1:{caller.sip.port}>", answer.get("Contact"))
        self.assertRegex(answer.get("Contact"), r";expires=\d+")


if __name__ == "__main__":
    unittest.main()
