"""A small Hugging Face Hub on loopback: what `huggingface_hub` 2.4 asks of the real one, and the ways it can fail.

    GET  /api/models/ORG/NAME[/revision/REV]      a repository's commit, and its files with sizes and hashes
    HEAD, GET /ORG/NAME/resolve/REV/FILE          a file; large ones are a redirect to another host, as on the Hub
    POST /api/repos/create, /api/validate-yaml, /api/models/ORG/NAME/preupload/REV,
         /ORG/NAME.git/info/lfs/objects/batch, PUT /lfs/OID, POST /api/models/ORG/NAME/commit/REV

A Space is the repository “spaces/ORG/NAME”; what is written to it goes to /api/spaces/… and /spaces/….
"""

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPOSITORY = r"/(?P<name>(spaces/)?[^/]+/[^/]+)"
API = r"/api(/models|(?=/spaces/))"
TOKEN = "hf_secret"


@dataclass
class Repository:
    """Commits by their names, and what branches and tags point to."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    is_gated: bool = False
    is_private: bool = False
    renamed_to: str | None = None

    def commit(self, files: Mapping[str, bytes], ref: str = "main") -> str:
        """A commit with these files alone. Returns its name, 40 digits."""
        tree = sorted((name, _sha256(content)) for name, content in files.items())
        digest = sha1(f"{len(self.commits)} {tree}".encode()).hexdigest()
        self.commits[digest] = dict(files)
        self.refs[ref] = digest
        return digest

    def resolve(self, revision: str) -> str | None:
        commit = self.refs.get(revision, revision)
        return commit if commit in self.commits else None


class HubServer:
    """The server's state, for a test to arrange and to look at."""

    def __init__(self, url: str, elsewhere: str):
        self.url = url
        self.elsewhere = elsewhere  # the same server by another name: the Hub's storage is another host, too
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}  # large files by their SHA-256
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, authorization
        self.is_hanging = False  # answers nobody
        self.status: int | None = None  # answers all with this
        self.breaks_after: dict[str, list[int]] = {}  # file -> after how many bytes its next downloads break off
        self.stalls: set[str] = set()  # files that begin and never go on
        self.spoils: set[str] = set()  # files with a wrong byte
        self.shortens: set[str] = set()  # files that end, in good order, before they are as long as was said
        self.released = threading.Event()

    def repository(self, name: str, files: Mapping[str, bytes] | None = None) -> Repository:
        found = self.repositories.setdefault(name, Repository())
        if files is not None:
            found.commit(files)
        return found

    def asked(self, method: str, part: str) -> int:
        return sum(m == method and part in path for m, path, _ in self.requests)


@contextmanager
def serving() -> Iterator[HubServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    server.hub = HubServer(f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.hub
    finally:
        server.hub.released.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def log_message(self, *arguments) -> None:
        pass

    def do_GET(self) -> None:
        self._answer({rf"{API}{REPOSITORY}(/revision/(?P<revision>[^/]+))?": self._info, **self._files})

    def do_HEAD(self) -> None:
        self._answer(self._files)

    def do_POST(self) -> None:
        self._answer(
            {
                "/api/validate-yaml": lambda: self._json({"errors": [], "warnings": []}),
                "/api/repos/create": self._create,
                rf"{API}{REPOSITORY}/preupload/(?P<revision>[^/]+)": self._preupload,
                rf"{REPOSITORY}\.git/info/lfs/objects/batch": self._batch,
                rf"{API}{REPOSITORY}/commit/(?P<revision>[^/]+)": self._commit,
            }
        )

    def do_PUT(self) -> None:
        self._answer({"/lfs/(?P<oid>[0-9a-f]{64})": self._store})

    @property
    def _files(self):
        return {
            rf"{REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<file>.+)": self._file,
            "/storage/(?P<oid>[0-9a-f]{64})/(?P<file>.+)": self._stored,
        }

    def _answer(self, routes) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path, self.headers.get("Authorization")))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.hub.is_hanging:
            self.hub.released.wait()
            self.close_connection = True
            return
        if self.hub.status:
            self._refuse(self.hub.status)
            return
        for pattern, answer in routes.items():
            if match := re.fullmatch(pattern, path):
                answer(**{k: v and unquote(v) for k, v in match.groupdict().items()})
                return
        self._refuse(404, "EntryNotFound")

    # --- reading ------------------------------------------------------------------------------

    def _find(self, name: str, revision: str | None) -> tuple[Repository, str] | None:
        """The repository and the commit; None after a refusal."""
        found = self.hub.repositories.get(name)
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or (found.is_private and not is_known):
            return self._refuse(401, "RepoNotFound")
        commit = found.resolve(revision or "main")
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        return found, commit

    def _info(self, name: str, revision: str | None) -> None:
        found = self.hub.repositories.get(name)
        if found and found.renamed_to:
            self._send(307, b"", {"Location": self.path.replace(name, found.renamed_to)})
            return
        if not (found := self._find(name, revision)):
            return
        repository, commit = found
        siblings = [
            {"rfilename": file, "size": len(content), "blobId": sha1(content).hexdigest(), **_lfs(file, content)}
            for file, content in repository.commits[commit].items()
        ]
        self._json({"id": name, "sha": commit, "siblings": siblings, "private": repository.is_private, "tags": []})

    def _file(self, name: str, revision: str, file: str) -> None:
        if not (found := self._find(name, revision)):
            return
        repository, commit = found
        if repository.is_gated:
            self._refuse(403, "GatedRepo")
            return
        content = repository.commits[commit].get(file)
        if content is None:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
            return
        about = {"X-Repo-Commit": commit}
        if lfs := _lfs(file, content):
            oid = lfs["lfs"]["sha256"]
            self.hub.objects[oid] = content
            about |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            about["Location"] = f"{self.hub.elsewhere}/storage/{oid}/{file}"
            self._send(302, b"", about)
        else:
            self._send_file(file, content, about | {"ETag": f'"{sha1(content).hexdigest()}"'})

    def _stored(self, oid: str, file: str) -> None:
        self._send_file(file, self.hub.objects[oid], {"ETag": f'"{oid}"'})

    def _send_file(self, file: str, content: bytes, about: dict[str, str]) -> None:
        if file in self.hub.spoils:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.command == "GET" and file in self.hub.shortens:
            content = content[:-1]
        start = int(re.match(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
        if start:
            about |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        end = None
        if self.command == "GET" and (breaks := self.hub.breaks_after.get(file)):
            end = breaks.pop(0)
        elif self.command == "GET" and file in self.hub.stalls:
            end = 1000
        self._send(206 if start else 200, content[start:], about, end)
        if end is not None:
            if file in self.hub.stalls:
                self.hub.released.wait()
            self.close_connection = True

    # --- writing ------------------------------------------------------------------------------

    def _create(self) -> None:
        if not self._may_write():
            return
        wanted = json.loads(self.body)
        folder = "spaces/" if wanted.get("type") == "space" else ""
        name = f"{folder}{wanted['organization'] or 'me'}/{wanted['name']}"
        if name in self.hub.repositories:
            self._json({"url": f"{self.hub.url}/{name}"}, 409)
            return
        self.hub.repository(name, {".gitattributes": b""})
        self._json({"url": f"{self.hub.url}/{name}"})

    def _preupload(self, name: str, revision: str) -> None:
        if self._may_write():
            modes = [
                {"path": f["path"], "uploadMode": "lfs" if _is_large(f["path"]) else "regular", "shouldIgnore": False}
                for f in json.loads(self.body)["files"]
            ]
            self._json({"files": modes})

    def _batch(self, name: str) -> None:
        if not self._may_write():
            return
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.elsewhere}/lfs/{wanted['oid']}"}}
            here = wanted["oid"] in self.hub.objects
            objects.append(wanted if here else wanted | {"actions": upload})
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, oid: str) -> None:
        if sha256(self.body).hexdigest() != oid:
            self._refuse(400)
            return
        self.hub.objects[oid] = self.body
        self._send(200, b"")

    def _commit(self, name: str, revision: str) -> None:
        if not self._may_write():
            return
        repository = self.hub.repositories[name]
        files = dict(repository.commits[repository.refs[revision]])
        for line in self.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.commit(files, revision)
        self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit})

    def _may_write(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._refuse(401, message="Invalid credentials in Authorization header")
        return False

    # --- answering ----------------------------------------------------------------------------

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str = "", about: Mapping[str, str] | None = None, message: str = "") -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message, **(about or {})})

    def _send(self, status: int, body: bytes, about: Mapping[str, str] | None = None, end: int | None = None) -> None:
        """`end`: how many bytes of the body are really sent."""
        self.send_response(status)
        for key, value in (about or {}).items():
            if value:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:end])
            self.wfile.flush()


@lru_cache
def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()


def _is_large(file: str) -> bool:
    return file.endswith((".safetensors", ".bin"))


def _lfs(file: str, content: bytes) -> dict:
    if not _is_large(file):
        return {}
    return {"lfs": {"sha256": _sha256(content), "size": len(content), "pointerSize": 134}}
