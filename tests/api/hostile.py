"""Hostile requests by name. The service answers each with a 4xx in JSON, whatever state it is in.

They name a collection called ``hostile``, which may be missing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.imaging.pictures import png

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
COLLECTION = "/v1/collections/hostile"
EXTRACT = "/api/v1/extract-embedding"
FORMS = (("/v1/detect", "photo"), ("/add_face", "file"), (f"{COLLECTION}/faces", "photo"), ("/detect-face", "image"))
"""Routes that take a form, and the name of its photo."""


@dataclass(frozen=True)
class Hostile:
    """One request. `path` is sent unchanged in the request line."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


def part(name: str, content: bytes, filename: str | None = None, more: bytes = b"") -> bytes:
    """A part of a form whose boundary is ``b``."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"'
    named = f'{head}; filename="{filename}"' if filename is not None else head
    return named.encode() + more + b"\r\n\r\n" + content + b"\r\n"


END = b"--b--\r\n"


def bodies() -> Iterator[Hostile]:
    """Enormous JSON, and text of any length and kind."""
    enormous = {
        "a hundred thousand brackets": b"[" * 100_000,
        "a hundred thousand objects": b'{"a":' * 100_000,
        "twenty million digits": b"1" * 20_000_000,
        "five million empty lists": b"[" + b"[]," * 5_000_000 + b"[]]",
        "a million keys": b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
    }
    for name, content in enormous.items():
        for method, path in (("POST", "/match"), ("PUT", COLLECTION)):
            yield Hostile(f"{name} to {path}", method, path, JSON, content)
    images: dict[str, dict[str, str]] = {
        "thirteen megabytes of base64": {"image": "QUJD" * 3_500_000},
        "a data prefix that never ends": {"image": "data:" + "a" * 1_000_000},
        "half a character": {"image": "\ud800"},
        "an endless address": {"image": "http://" + "a" * 4090, "image_type": "url"},
    }
    for name, body in images.items():
        yield Hostile(name, "POST", EXTRACT, JSON, json.dumps(body).encode())
    for text in ("\ud800", "x" * 1_000_000):
        yield Hostile(f"an embedder {text[:9]!a}", "PUT", COLLECTION, JSON, json.dumps({"embedder": text}).encode())
        yield Hostile(f"a field {text[:9]!a}", "PUT", COLLECTION, JSON, json.dumps({text: 1}).encode())


def forms() -> Iterator[Hostile]:
    """Forms that are broken or hold the wrong parts."""
    for path, photo in FORMS:
        file = part(photo, b"hello", "a.jpg")
        broken = {
            "garbage": b"\0\1\2" * 100,
            "no end": file,
            "an end alone": END,
            "a part without a name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
            "files for the other fields": part("subject", b"x", "a") + part("id", b"x", "a") + file + END,
            "2000 fields": b"".join(part(f"f{number}", b"") for number in range(2000)) + END,
            "1001 files": part(photo, b"x", "a") * 1001 + END,
            "a header of 100 kilobytes": part(photo, b"x", "a", b"\r\nX: " + b"y" * 100_000) + END,
            "a name of 100 kilobytes": part("n" * 100_000, b"x") + END,
            "an id of 2 megabytes": part("subject", b"x" * 2_000_000) + part("id", b"x" * 2_000_000) + file + END,
            "a path for a name": part(photo, b"hello", "../../etc/passwd") + END,
            "NUL in a name": part(photo, b"hello", "a\0b") + END,
            "an empty file": part("subject", b"a") + part("id", b"a") + part(photo, b"", "a.jpg") + END,
            "a bomb": part("subject", b"a") + part("id", b"a") + part(photo, png(50_000, 50_000, 8, 2), "a.jpg") + END,
        }
        for name, content in broken.items():
            yield Hostile(f"{name} to {path}", "POST", path, FORM, content)
        for kind in ("; boundary=", "; boundary=c", "; boundary=" + "x" * 5000, "; boundary=b; charset=nope"):
            headers = {"Content-Type": "multipart/form-data" + kind}
            yield Hostile(f"a form with {kind[:25]} to {path}", "POST", path, headers, file + END)


def paths() -> Iterator[Hostile]:
    """Invalid names in paths, and methods that no route has."""
    sql = quote("'; DROP TABLE faces; --")
    for text in ("%2e%2e", "a%00", "staff%0A", "a%2Fb", "%F0%9F%98%80", "%E2%80%AE", sql, "%ff%fe", "x" * 5000):
        yield Hostile(f"a collection called {text[:20]}", "GET", f"/v1/collections/{text}/subjects")
        yield Hostile(f"a face called {text[:20]}", "DELETE", f"{COLLECTION}/faces/{text}")
        yield Hostile(f"an older face called {text[:20]}", "DELETE", f"/delete_face/{text}")
        yield Hostile(f"a model called {text[:20]}", "GET", f"/list_faces?model={text}")
    for method in ("PATCH", "PROPFIND", "TRACE", "DELETE"):
        yield Hostile(f"{method} of /match", method, "/match")


REQUESTS = [*bodies(), *forms(), *paths()]
