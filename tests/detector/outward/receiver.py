"""A webhook receiver as a process of its own: verifies, writes down, and answers as its plan says.

``python receiver.py FOLDER SECRET PLAN``: PLAN is JSON, one behaviour per request, then always 200:
a status to answer; "slow", an answer that drips; "drop", the connection closed without an answer; "wait",
no answer until the file FOLDER/go is there. FOLDER/port is written when it listens, FOLDER/log.jsonl holds
a line per request.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from standardwebhooks import Webhook


def serve(folder: Path, secret: str, plan: list[int | str]) -> None:
    webhook, lock, log = Webhook(secret), Lock(), (folder / "log.jsonl").open("a")

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            content = webhook.verify(body, dict(self.headers))
            with lock:
                behaviour = plan.pop(0) if plan else 200
                line = {"id": self.headers["webhook-id"], "answer": behaviour, "content": content}
                log.write(json.dumps(line | {"path": self.path}) + "\n")
                log.flush()
            self._behave(behaviour)

        def _behave(self, behaviour: int | str) -> None:
            if behaviour == "drop":
                self.close_connection = True
            elif behaviour == "slow":
                self._drip()
            elif behaviour == "wait":
                while not (folder / "go").exists():
                    time.sleep(0.02)
                self._answer(200)
            else:
                self._answer(int(behaviour))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def _drip(self) -> None:
            """A byte of a header now and then: no single read ever times out."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            for _ in range(40):
                time.sleep(0.1)
                self.wfile.write(b".")
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    (folder / "port.new").write_text(str(server.server_port))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
