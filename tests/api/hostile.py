"""Hostile requests by name. The service answers each with a 4xx in JSON, whatever state it is in.

They name a collection called ``hostile``, which may be missing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.imaging.hostile import flat
from tests.imaging.pictures import png

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
COLLECTION = "/v1/collections/hostile"

JSON_ROUTES = (
    ("POST", "/match"),
    ("POST", "/compare"),
    ("POST", "/mediapipe"),
    ("POST", "/compare-faces"),
    ("POST", "/api/v1/extract-embedding"),
    ("POST", "/api/v1/compare-faces"),
    ("POST", "/v1/compare"),
    ("POST", f"{COLLECTION}/search/embedding"),
    ("POST", f"{COLLECTION}/embeddings"),
    ("POST", f"{COLLECTION}/subjects/delete"),
    ("PUT", COLLECTION),
)
FORM_ROUTES = {
    "/v1/detect": ("photo",),
    "/v1/embed": ("photo",),
    "/v1/verify": ("photo1", "photo2"),
    f"{COLLECTION}/search": ("photo",),
    f"{COLLECTION}/faces": ("photo",),
    "/add_face": ("file",),
    "/match_face": ("file",),
    "/detect-face": ("image",),
    "/extract-embedding": ("image",),
}


@dataclass(frozen=True)
class Hostile:
    """One request. `path` stands as it is in the request line."""

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

BODIES = {
    "not a number": b"NaN",
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000,
    "twenty million digits": b"1" * 20_000_000,
    "five million empty lists": b"[" + b"[]," * 5_000_000 + b"[]]",
    "a million keys": b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
}


def bodies() -> Iterator[Hostile]:
    """Bodies that are not a JSON object, or an enormous one, to routes that take one."""
    for number, (name, content) in enumerate(BODIES.items()):
        # Each body on three routes, so that every route gets its share.
        for method, path in (JSON_ROUTES * 2)[number : number + 3]:
            yield Hostile(f"{name} to {path}", method, path, JSON, content)


def embeddings() -> Iterator[Hostile]:
    """Enormous embeddings; `test_embeddings` has the small ones that are invalid."""
    numbers = {
        "a million numbers": "[" + "0.25," * 999_999 + "0.25]",
        "3 million numbers": "[" + "0.25," * 2_999_999 + "0.25]",
        "numbers of 10,000 digits": f"[{'9' * 10_000}, 1]",
    }
    for name, text in numbers.items():
        for path in ("/compare-faces", "/api/v1/compare-faces"):
            content = b'{"embedding1": %s, "embedding2": [0.6, 0.8]}' % text.encode()
            yield Hostile(f"an embedding of {name} to {path}", "POST", path, JSON, content)


def fields() -> Iterator[Hostile]:
    """Wrong values in fields of JSON."""
    extract = {
        "a photo that is a list": {"image": ["QUJD"]},
        "thirteen megabytes of base64": {"image": "QUJD" * 3_500_000},
        "a data prefix that never ends": {"image": "data:" + "a" * 1_000_000},
        "half a character": {"image": "\ud800"},
        "an endless address": {"image": "http://" + "a" * 4090, "image_type": "url"},
    }
    for name, body in extract.items():
        content = json.dumps(body).encode()
        yield Hostile(f"{name} to extract-embedding", "POST", "/api/v1/extract-embedding", JSON, content)
    collection = {
        "an embedder that is half a character": {"embedder": "\ud800"},
        "an embedder of a million letters": {"embedder": "x" * 1_000_000},
        "a threshold that is true": {"threshold": True},
        "an unknown field": {"name\ud800": 1},
    }
    for name, body in collection.items():
        yield Hostile(f"{name} to a collection", "PUT", COLLECTION, JSON, json.dumps(body).encode())


def options() -> Iterator[Hostile]:
    """Malformed query parameters."""
    form = part("photo", flat("JPEG"), "a.jpg") + END
    numbers = ("1_0", "%205", "%EF%BC%91", "0x10", "1e1", "5.0", "", "9" * 5000)
    for value in numbers:
        yield Hostile(f"max_faces={value[:20]}", "POST", f"/v1/detect?max_faces={value}", FORM, form)
    for value in ("1_0", "%200.5", "true", "0x1"):
        path = f"{COLLECTION}/search?threshold={value}"
        yield Hostile(f"threshold={value}", "POST", path, FORM, form)
    for value in ("yes", "2", "null", "true%20", ""):
        path = f"{COLLECTION}?with_faces={value}"
        yield Hostile(f"with_faces={value}", "DELETE", path)
    for value in ("1_0", "+1", "1.0"):
        yield Hostile(f"limit={value}", "GET", f"{COLLECTION}/subjects?limit={value}")
    many = "&".join(f"a{number}=1" for number in range(1000))
    yield Hostile("a thousand options", "POST", f"/v1/detect?{many}", FORM, form)
    yield Hostile("a detector that is NUL", "POST", "/v1/detect?detector=%00", FORM, form)


def forms() -> Iterator[Hostile]:
    """Forms that are broken or hold the wrong parts."""
    file = part("photo", b"hello", "a.jpg")
    broken = {
        "nothing": b"",
        "garbage": b"\0\1\2" * 100,
        "no end": file,
        "an end alone": END,
        "a part without a name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
        "text for a file": part("photo", b"hello") + END,
        "a file for a subject": part("subject", b"x", "a") + file + END,
        "2000 fields": b"".join(part(f"f{number}", b"") for number in range(2000)) + END,
        "1001 files": part("photo", b"x", "a") * 1001 + END,
        "a header of 100 kilobytes": part("photo", b"x", "a", b"\r\nX: " + b"y" * 100_000) + END,
        "a name of 100 kilobytes": part("n" * 100_000, b"x") + END,
        "a subject of 2 megabytes": part("subject", b"x" * 2_000_000) + file + END,
        "a path for a name": part("photo", b"hello", "../../etc/passwd") + END,
        "NUL in a name": part("photo", b"hello", "a\0b") + END,
    }
    for number, (name, content) in enumerate(broken.items()):
        path = tuple(FORM_ROUTES)[number % 5]
        yield Hostile(f"a form of {name} to {path}", "POST", path, FORM, content)
    kinds = {
        "an empty boundary": "multipart/form-data; boundary=",
        "another boundary": "multipart/form-data; boundary=c",
        "an endless boundary": "multipart/form-data; boundary=" + "x" * 5000,
        "a charset that is none": "multipart/form-data; boundary=b; charset=nope",
    }
    for name, kind in kinds.items():
        yield Hostile(f"a form that says {name}", "POST", "/v1/detect", {"Content-Type": kind}, file + END)
    for path, names in FORM_ROUTES.items():
        for kind, data in {"nothing": b"", "HTML": b"<html>", "a bomb": png(50_000, 50_000, 8, 2)}.items():
            sent = b"".join(part(name, data, "a.jpg") for name in names)
            content = part("subject", b"a") + part("id", b"a") + sent + END
            yield Hostile(f"{kind} for a photo to {path}", "POST", path, FORM, content)


def paths() -> Iterator[Hostile]:
    """Invalid names in paths, and methods that no route has."""
    names = {
        "..": "%2e%2e",
        "NUL": "a%00",
        "a line break": "staff%0A",
        "a slash": "a%2Fb",
        "an emoji": "%F0%9F%98%80",
        "right to left": "%E2%80%AE",
        "SQL": quote("'; DROP TABLE faces; --"),
        "no UTF-8": "%ff%fe",
        "65 letters": "x" * 65,
        "5000 letters": "x" * 5000,
    }
    for name, text in names.items():
        yield Hostile(f"a collection called {name}", "GET", f"/v1/collections/{text}/subjects")
        yield Hostile(f"a face called {name}", "DELETE", f"{COLLECTION}/faces/{text}")
        yield Hostile(f"an older face called {name}", "DELETE", f"/delete_face/{text}")
        yield Hostile(f"a model called {name}", "GET", f"/list_faces?model={text}")
    for method in ("PATCH", "PROPFIND", "TRACE", "DELETE"):
        yield Hostile(f"{method} of /match", method, "/match")
        yield Hostile(f"{method} of /health", method, "/health")


REQUESTS = [*bodies(), *embeddings(), *fields(), *options(), *forms(), *paths()]
