"""A local stand-in for Kaggle, which the real `kaggle` package talks to.

The package can be pointed at ``http://localhost`` (KAGGLE_API_ENVIRONMENT=LOCALHOST) but not at a port of one's choice.
So this server is an HTTP proxy as well: with the variables of `KaggleServer.environment`, every request of the package,
https ones included, ends up here, and none can leave the machine.

It does what the package's own source expects of Kaggle: a POST with credentials is answered by a redirect to storage,
which knows ranges, ETag and If-Range, or by an error in JSON.
"""

import base64
import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

USERNAME, KEY, TOKEN = "someone", "0123456789abcdef", "KGAT_0123456789abcdef"
_SIGNATURE = "X-Signature=secret"


@dataclass
class KaggleServer:
    """Serves one archive on a port of its own; a context manager.

    Attributes:
        archive: The file that is served.
        api_status: HTTP status of API requests, where it is an error.
        cuts: For each storage request in turn, bytes after which its connection breaks; later ones run to the end.
        hang_after: Bytes after which every storage request falls silent, or None.
        bytes_per_s: Most bytes a second of a storage request.
        says_length: Whether storage announces the length.
        etag: Identity of the archive.
        authorizations: The Authorization header of each request seen, "" for none.
        ranges: The Range header of each storage request seen, "" for none.
        paths: Path of each request seen.
        deserted: Storage requests whose client went away before the end.
    """

    archive: bytes = b""
    api_status: int = 200
    cuts: list[int] = field(default_factory=list)
    hang_after: int | None = None
    bytes_per_s: float = float("inf")
    says_length: bool = True
    etag: str = '"one"'
    authorizations: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    deserted: int = 0

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"kaggle": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def environment(self, home: Path, *, credentials: str = "key") -> dict[str, str]:
        """Variables for the client.

        Args:
            home: Stands in for the user's home folder.
            credentials: ``"key"``, ``"token"`` or ``"none"``.
        """
        address = f"http://127.0.0.1:{self._server.server_port}"
        chosen = {
            "key": {"KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY},
            "token": {"KAGGLE_API_TOKEN": TOKEN},
            "none": {},
        }[credentials]
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": address,
            "https_proxy": address,
            "HOME": str(home),
            **chosen,
        }

    def accepts(self, authorization: str) -> bool:
        """Whether a request's credentials are good."""
        basic = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        return authorization in {f"Basic {basic}", f"Bearer {TOKEN}"}

    @property
    def is_open(self) -> bool:
        """Whether no request to stop has come."""
        return self._is_open


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        authorization = self._note()
        call = urlsplit(self.path).path
        if call == "/api/v1/security.OAuthService/IntrospectToken":
            self._json(200, {"active": request["token"] == TOKEN, "username": USERNAME})
        elif self.kaggle.api_status != 200:
            self._json(self.kaggle.api_status, {"code": self.kaggle.api_status, "message": "No way"})
        elif not self.kaggle.accepts(authorization):
            self._json(401, {"code": 401, "message": "Unauthenticated"})
        elif call == "/api/v1/datasets.DatasetApiService/DownloadDataset" and (
            (request["ownerSlug"], request["datasetSlug"]) == ("paultimothymooney", "chest-xray-pneumonia")
        ):
            self.send_response(302)
            self.send_header("Location", f"http://storage.test/archive.zip?{_SIGNATURE}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._json(404, {"code": 404, "message": "Not found"})

    def do_GET(self) -> None:
        self._note()
        url = urlsplit(self.path)
        if (url.hostname, url.path, url.query) != ("storage.test", "/archive.zip", _SIGNATURE):
            self._json(404, {"code": 404, "message": "Not found"})
            return
        kaggle, total = self.kaggle, len(self.kaggle.archive)
        wanted = self.headers.get("Range", "")
        kaggle.ranges.append(wanted)
        start = 0
        if wanted and self.headers.get("If-Range", kaggle.etag) == kaggle.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if kaggle.says_length:
            self.send_header("Content-Length", str(total - start))
        self.send_header("Content-Type", "application/zip")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", kaggle.etag)
        self.send_header("Last-Modified", "Sat, 24 Mar 2018 19:41:59 GMT")
        self.send_header("Connection", "close")
        self.end_headers()
        self._send(start, min(total, start + kaggle.cuts.pop(0)) if kaggle.cuts else total)
        self.close_connection = True

    def _send(self, start: int, end: int) -> None:
        kaggle, step = self.kaggle, 16 * 1024
        for at in range(start, end, step):
            while kaggle.hang_after is not None and at >= kaggle.hang_after and kaggle.is_open:
                time.sleep(0.02)
            try:
                self.wfile.write(kaggle.archive[at : min(end, at + step)])
            except OSError:
                kaggle.deserted += 1
                return
            time.sleep(step / kaggle.bytes_per_s)

    def _note(self) -> str:
        authorization = self.headers.get("Authorization", "")
        self.kaggle.authorizations.append(authorization)
        self.kaggle.paths.append(self.path)
        return authorization

    def _json(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""
