"""A form with all that a form may have, as it comes over the wire."""

from typing import Final

__all__ = ["BOUNDARY", "FORM"]

BOUNDARY: Final = b"xYz"
FORM: Final = (
    b"--xYz\r\n"
    b'Content-Disposition: form-data; name="title"\r\n\r\n'
    b"Tr\xc3\xa4umerei\r\n"
    b"--xYz \t\r\n"
    b'content-disposition: form-data; name="file"; filename="a b.mid"\r\n'
    b"Content-Type: Audio/MIDI; x=y\r\n\r\n"
    b"\r\n--xY\r\n\r\n\x00\xff\r\n"
    b"--xYz\r\n"
    b"Content-Disposition: form-data; name=empty\r\n\r\n"
    b"\r\n--xYz--\r\nepilogue"
)
