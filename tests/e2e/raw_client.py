"""A SIP and MSRP client on plain sockets, written from the RFCs alone. It writes octets and hands back octets; what they should be
is the tests' affair."""

import hashlib
import re
import secrets
import socket
from dataclasses import dataclass, field

PATIENCE = 30.0


class Stream:
    """A TCP connection that is read in whole messages."""

    def __init__(self, host: str, port: int):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.unread = b""

    @property
    def port(self) -> int:
        """The port on this side."""
        return self.socket.getsockname()[1]

    def write(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def read_until(self, end: bytes) -> bytes:
        """All up to and with `end`."""
        while (at := self.unread.find(end)) < 0:
            self.fill()
        return self.take(at + len(end))

    def take(self, count: int) -> bytes:
        while len(self.unread) < count:
            self.fill()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def fill(self) -> None:
        octets = self.socket.recv(65536)
        if not octets:
            raise EOFError(f"the peer closed the connection; unread: {self.unread!r}")
        self.unread += octets

    def is_closed_by_peer(self) -> bool:
        """Waits for the peer's next octet or its end."""
        try:
            self.fill()
        except EOFError:
            return True
        return False

    def close(self) -> None:
        self.socket.close()


def crlf(text: str) -> bytes:
    """The octets of a message as a test writes it: lines end in CR LF."""
    return text.replace("\n", "\r\n").encode()


class SipMessage:
    """What came over SIP."""

    def __init__(self, head: bytes, body: bytes):
        self.octets, self.body = head + body, body
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode()).split("\r\n")
        self.start, self.rows = lines[0], [tuple(re.split(r"\s*:\s*", line, maxsplit=1)) for line in lines[1:] if line]

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.rows if found.lower() == name.lower()]

    def get(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{name} stands there {len(values)} times: {self.octets!r}"
        return values[0]


class Sip(Stream):
    def read(self) -> SipMessage:
        head = self.read_until(b"\r\n\r\n")
        length = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*(\d+)\r\n", head, re.IGNORECASE)
        assert length, f"no Content-Length: {head!r}"
        return SipMessage(head, self.take(int(length[1])))

    def read_final(self) -> SipMessage:
        """The next message that is no provisional response."""
        while True:
            message = self.read()
            if not message.start.startswith("SIP/2.0 1"):
                return message


class Msrp(Stream):
    def read(self) -> bytes:
        """A whole frame: to the end-line with the transaction id of its first line (RFC 4975 §7.1)."""
        first = self.read_until(b"\r\n")
        transaction = first.split(b" ")[1]
        end = re.compile(rb"\r\n-------" + re.escape(transaction) + rb"[$+#]\r\n")
        while not (match := end.search(b"\r\n" + self.unread)):
            self.fill()
        return first + self.take(match.end() - 2)


@dataclass
class Participant:
    """A user of the domain, seated in a room or on the way to it."""

    name: str
    sip_port: int
    host: str = "127.0.0.1"
    domain: str = "localhost"
    password: str | None = None
    rows: str = ""
    sequence: int = 0
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    call: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.uri = f"sip:{self.name}@{self.domain}"
        self.path = f"msrp://client.invalid:7654/{secrets.token_hex(10)};tcp"
        self.sip = self.open()
        self.msrp: Msrp | None = None

    def open(self) -> Sip:
        """The way to where calls go."""
        return Sip(self.host, self.sip_port)

    def offer(self) -> str:
        """RFC 7701 §9.1."""
        return (
            f"v=0\n"
            f"o={self.name} 2890844526 2890844527 IN IP4 client.invalid\n"
            f"s=-\n"
            f"c=IN IP4 client.invalid\n"
            f"t=0 0\n"
            f"m=message 7654 TCP/MSRP *\n"
            f"a=accept-types:message/cpim text/plain text/html\n"
            f"a=accept-wrapped-types:text/plain text/html *\n"
            f"a=path:{self.path}\n"
            f"a=chatroom:nickname private-messages\n"
        )

    def request(self, method: str, uri: str, to: str, body: str = "", more: str = "") -> None:
        """Writes a request of this call; the next CSeq, but for ACK."""
        self.sequence += method != "ACK"
        octets = crlf(body)
        self.via = f"SIP/2.0/TCP 127.0.0.1:{self.sip.port};branch=z9hG4bK{secrets.token_hex(8)}"
        self.sent = (
            f"{method} {uri} SIP/2.0\n"
            f"Via: {self.via}\n"
            f"Max-Forwards: 70\n"
            f"From: <{self.uri}>;tag={self.tag}\n"
            f"To: {to}\n"
            f"Call-ID: {self.call}\n"
            f"CSeq: {self.sequence} {method}\n"
            f"Contact: <sip:{self.name}@127.0.0.1:{self.sip.port};transport=tcp>\n"
            f"{more}"
            + ("Content-Type: application/sdp\n" if octets else "")
            + f"Content-Length: {len(octets)}\n\n"
        )
        self.sip.write(crlf(self.sent) + octets)

    def invite(self, room: str, more: str = "") -> SipMessage:
        """Calls a room and hands back the final response, acknowledged."""
        self.room = room
        self.request("INVITE", room, f"<{room}>", self.offer(), more)
        self.invite_via = self.via
        response = self.sip.read_final()
        self.dialog_to = response.get("To")
        if not response.start.startswith("SIP/2.0 2"):
            # RFC 3261 §17.1.1.3: the ACK to a failure belongs to the transaction of the INVITE.
            ack = self.sent.replace("INVITE", "ACK").replace(f"To: <{room}>", f"To: {self.dialog_to}")
            ack = re.sub(r"(?m)^(?:Content-Type|Authorization|Contact): .*\n", "", ack)
            self.sip.write(crlf(re.sub(r"Content-Length: \d+", "Content-Length: 0", ack)))
            return response
        self.target = re.search(r"<([^>]*)>", response.get("Contact"))[1]
        self.request("ACK", self.target, self.dialog_to)
        return response

    def join(self, room: str) -> SipMessage:
        """Calls a room, with credentials where it asks for them, and takes the path from its answer."""
        response = self.invite(room)
        if response.start.startswith("SIP/2.0 401") and self.password is not None:
            response = self.invite(room, f"Authorization: {self.credentials('INVITE', room, response)}\n")
        assert response.start == "SIP/2.0 200 OK", response.octets
        self.room_path = re.search(r"(?m)^a=path:(\S+)", response.body.decode())[1]
        return response

    def credentials(self, method: str, uri: str, challenge: SipMessage, algorithm: str = "SHA-256") -> str:
        """RFC 7616 §3.4, with qop=auth."""
        challenges = [dict(re.findall(r'(\w+)="?([^",]*)"?', text)) for text in challenge.all("WWW-Authenticate")]
        asked = next(found for found in challenges if found.get("algorithm", "MD5") == algorithm)
        digest = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}[algorithm]

        def hashed(text: str) -> str:
            return digest(text.encode()).hexdigest()

        client_nonce, count = secrets.token_hex(8), "00000001"
        secret = hashed(f"{self.name}:{asked['realm']}:{self.password}")
        response = hashed(f"{secret}:{asked['nonce']}:{count}:{client_nonce}:auth:{hashed(f'{method}:{uri}')}")
        return (
            f'Digest username="{self.name}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={algorithm}, cnonce="{client_nonce}", qop=auth, nc={count}'
            + (f', opaque="{asked["opaque"]}"' if "opaque" in asked else "")
        )

    def connect(self) -> None:
        """Opens the MSRP connection to where the room's path says."""
        host, port = re.match(r"msrp://([^:/]+):(\d+)/", self.room_path).groups()
        self.msrp = Msrp(host, int(port))

    def frame(self, method: str, transaction: str, rows: str = "", body: bytes | None = None, flag: str = "$") -> bytes:
        """An MSRP request of this session."""
        head = crlf(f"MSRP {transaction} {method}\nTo-Path: {self.room_path}\nFrom-Path: {self.path}\n{rows}")
        content = b"" if body is None else b"\r\n" + body + b"\r\n"
        return head + content + crlf(f"-------{transaction}{flag}\n")

    def send(self, *frame: object, **more: object) -> None:
        self.msrp.write(self.frame(*frame, **more))

    def bind(self) -> bytes:
        """The first request on the connection (RFC 4975 §5.4), and its answer."""
        self.connect()
        self.send("SEND", "bind0001", "Message-ID: bind\nByte-Range: 1-0/0\n")
        return self.msrp.read()

    def leave(self) -> SipMessage:
        self.request("BYE", self.target, self.dialog_to)
        return self.sip.read_final()

    def close(self) -> None:
        self.sip.close()
        if self.msrp:
            self.msrp.close()
