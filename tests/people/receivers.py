"""Where messages arrive: a webhook's receiver and a mail server, both real, both written down.

Each try that reaches us is one JSON line in a file, synced before it is answered, so that nothing
that we said yes to is forgotten. Some are answered with a failure on purpose: they must come again.
A signature is checked by the standardwebhooks package where it is installed, else by Python's own
hmac; neither is Milepost's implementation.
"""

import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import socketserver
import threading
import time

try:
    from standardwebhooks.webhooks import Webhook
    VERIFIER = "standardwebhooks"
except ImportError:
    Webhook = None
    VERIFIER = "hmac"

# A signature older or newer than this is refused, seconds (the specification's own figure).
TOLERANCE_S = 300


class Book:
    """The file of all that arrived, and who is called when something does."""

    def __init__(self, path, fail_one_in):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.fail_one_in = fail_one_in
        self.lines = []
        self.arrived = lambda line: None

    def write(self, line):
        """Writes a try down; whether to take it. Only first tries are turned away."""
        with self.lock:
            first = not any(l["id"] == line["id"] for l in self.lines)
            firsts = sum(1 for l in self.lines if l["channel"] == line["channel"] and l["first"])
            line["first"] = first
            line["taken"] = not (first and firsts % self.fail_one_in == 0)
            line["at"] = time.time()
            self.lines.append(line)
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        self.arrived(line)
        return line["taken"]


def signed(secret, headers, body):
    """Whether a signature verifies, by somebody else's code."""
    if Webhook is not None:
        try:
            Webhook(secret).verify(body, headers)
            return True
        except Exception:  # whatever it says, it does not verify
            return False
    stamp = headers.get("webhook-timestamp", "0")
    text = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    ours = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    theirs = headers.get("webhook-signature", "").split()
    fresh = abs(time.time() - int(stamp)) <= TOLERANCE_S
    return fresh and any(hmac.compare_digest(ours, sign) for sign in theirs)


def webhooks(address, book, secret):
    """Serves the receiver of a webhook; `secret()` is its secret."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = json.loads(body)
            line = {
                "channel": "webhook",
                "id": headers.get("webhook-id", ""),
                "body": body.decode(),
                "event": said["type"],
                "order": said["data"].get("order"),
                "signed": signed(secret(), headers, body),
            }
            taken = book.write(line)
            try:
                self.send_response(204 if taken else 500)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                pass  # it was killed in the middle: that is what this is about

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(address, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def mails(address, book):
    """Serves a mail server that takes everything (RFC 5321, as much of it as it takes)."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 60

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self):
            try:
                self.session()
            except OSError:
                pass  # it was killed in the middle

        def session(self):
            self.say("220 sink.example.org")
            to = []
            while line := self.rfile.readline():
                command = line.decode(errors="replace").strip()
                verb = command.upper().split(" ")[0]
                if verb in ("EHLO", "HELO"):
                    self.say("250-sink.example.org\r\n250-8BITMIME\r\n250 SMTPUTF8")
                elif verb == "MAIL":
                    to = []
                    self.say("250 ok")
                elif verb == "RCPT":
                    to.append(command.split("<", 1)[1].split(">", 1)[0])
                    self.say("250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    self.say("250 taken" if self.take(to) else "451 not now")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take(self, to):
            text = b""
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    raise OSError("cut off")
                text += line[1:] if line.startswith(b".") else line
            mail = email.message_from_bytes(text, policy=email.policy.default)
            return book.write({
                "channel": "mail",
                "id": str(mail["message-id"]).strip("<>").split("@")[0],
                "body": mail.get_body(("plain",)).get_content(),
                "subject": str(mail["subject"]),
                "order": to[0].split("@")[0],
            })

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(address, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
