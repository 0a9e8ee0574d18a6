"""Hostile requests by name. The service answers each with a 4xx in JSON, whatever state it is in.

They name a collection called ``hostile``, which may be missing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.imaging.pictures import flat, png

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
COLLECTION = "/v1/collections/hostile"
EXTRACT = "/api/v1/extract-embedding"
UPLOADS = {
    **dict.fromkeys(("/v1/detect", "/v1/embed", f"{COLLECTION}/search", f"{COLLECTION}/faces"), ("photo",)),
    **dict.fromkeys(("/add_face", "/match_face"), ("file",)),
    **dict.fromkeys(("/detect-face", "/extract-embedding"), ("image",)),
    "/v1/verify": ("photo1", "photo2"),
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


def bodies() -> Iterator[Hostile]:
    """Enormous JSON, and values that the routes' own tests do not have."""
    enormous = {
        "a hundred thousand brackets": b"[" * 100_000,
        "a hundred thousand objects": b'{"a":' * 100_000,
        "twenty million digits": b"1" * 20_000_000,
        "five million empty lists": b"[" + b"[]," * 5_000_000 + b"[]]",
        "a million keys": b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
    }
    for name, content in enormous.items():
        for method, path in (("POST", "/match"), ("POST", "/api/v1/compare-faces"), ("PUT", COLLECTION)):
            yield Hostile(f"{name} to {path}", method, path, JSON, content)
    numbers = {
        "3 million numbers": "[" + "0.25," * 2_999_999 + "0.25]",
        "numbers of 10,000 digits": f"[{'9' * 10_000}, 1]",
    }
    for name, text in numbers.items():
        content = b'{"embedding1": %s, "embedding2": [0.6, 0.8]}' % text.encode()
        yield Hostile(f"an embedding of {name}", "POST", "/compare-faces", JSON, content)
    fields: dict[str, tuple[str, str, dict[str, object]]] = {
        "thirteen megabytes of base64": ("POST", EXTRACT, {"image": "QUJD" * 3_500_000}),
        "a data prefix that never ends": ("POST", EXTRACT, {"image": "data:" + "a" * 1_000_000}),
        "half a character": ("POST", EXTRACT, {"image": "\ud800"}),
        "an endless address": ("POST", EXTRACT, {"image": "http://" + "a" * 4090, "image_type": "url"}),
        "an embedder that is half a character": ("PUT", COLLECTION, {"embedder": "\ud800"}),
        "an embedder of a million letters": ("PUT", COLLECTION, {"embedder": "x" * 1_000_000}),
        "an unknown field": ("PUT", COLLECTION, {"name\ud800": 1}),
    }
    for name, (method, path, body) in fields.items():
        yield Hostile(name, method, path, JSON, json.dumps(body).encode())


def options() -> Iterator[Hostile]:
    """Malformed query parameters."""
    form = part("photo", flat("JPEG"), "a.jpg") + END
    many = "&".join(f"a{number}=1" for number in range(1000))
    values = {
        ("POST", "/v1/detect?max_faces="): ("1_0", "%205", "%EF%BC%91", "0x10", "1e1", "5.0", "", "9" * 5000),
        ("POST", "/v1/detect?detector="): ("%00",),
        ("POST", "/v1/detect?"): (many,),
        ("POST", f"{COLLECTION}/search?threshold="): ("1_0", "%200.5", "true", "0x1"),
        ("DELETE", f"{COLLECTION}?with_faces="): ("yes", "2", "null", "true%20", ""),
        ("GET", f"{COLLECTION}/subjects?limit="): ("1_0", "+1", "1.0"),
    }
    for (method, path), texts in values.items():
        headers, content = (FORM, form) if method == "POST" else ({}, b"")
        for text in texts:
            yield Hostile(f"{path}{text[:20]}", method, path + text, headers, content)


def forms() -> Iterator[Hostile]:
    """Forms that are broken or hold the wrong parts."""
    file = part("photo", b"hello", "a.jpg")
    broken = {
        "garbage": b"\0\1\2" * 100,
        "no end": file,
        "an end alone": END,
        "a part without a name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
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
        path = tuple(UPLOADS)[number % 4]
        yield Hostile(f"a form of {name} to {path}", "POST", path, FORM, content)
    for kind in ("; boundary=", "; boundary=c", "; boundary=" + "x" * 5000, "; boundary=b; charset=nope"):
        headers = {"Content-Type": "multipart/form-data" + kind}
        yield Hostile(f"a form with {kind[:25]}", "POST", "/v1/detect", headers, file + END)
    for path, names in UPLOADS.items():
        for kind, data in {"nothing": b"", "a bomb": png(50_000, 50_000, 8, 2)}.items():
            sent = b"".join(part(name, data, "a.jpg") for name in names)
            content = part("subject", b"a") + part("id", b"a") + sent + END
            yield Hostile(f"{kind} for a photo to {path}", "POST", path, FORM, content)


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


REQUESTS = [*bodies(), *options(), *forms(), *paths()]
