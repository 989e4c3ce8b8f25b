"""Forms with files: read alike however they are cut, and whatever is no form is refused."""

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythmd.rest.serving.multipart import FormError, FormParser, Part, boundary_of
from tests.rest.forms import BOUNDARY, FORM

READ: Final = [
    (Part("title", None, ""), "Träumerei".encode()),
    (Part("file", "a b.mid", "audio/midi"), b"\r\n--xY\r\n\r\n\x00\xff"),
    (Part("empty", None, ""), b""),
]

Parts = list[tuple[Part, bytes]]


def read(pieces: list[bytes], boundary: bytes = BOUNDARY) -> Parts:
    """The parts of a form that comes in these pieces."""
    parser = FormParser(boundary)
    heads: list[Part] = []
    contents: list[bytearray] = []
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, Part):
                heads.append(event)
                contents.append(bytearray())
            else:
                contents[-1] += event
    if not parser.is_complete:
        raise FormError("not complete")
    return [(head, bytes(content)) for head, content in zip(heads, contents, strict=True)]


def outcome(pieces: list[bytes]) -> Parts | str:
    try:
        return read(pieces)
    except FormError as error:
        return str(error)


def part(head: str, content: bytes = b"x") -> bytes:
    return b"--xYz\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n--xYz--\r\n"


def test_form_whole_and_byte_by_byte() -> None:
    assert read([FORM]) == READ
    assert read([bytes([byte]) for byte in FORM]) == READ


@given(st.lists(st.integers(0, len(FORM))))
def test_form_cut_anywhere(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(FORM)]
    assert read([FORM[begin:end] for begin, end in pairwise(bounds)]) == READ


@given(st.lists(st.tuples(st.integers(0, len(FORM) - 1), st.binary(max_size=3)), max_size=4), st.integers(0, 5))
def test_form_with_faults_is_read_alike_however_it_is_cut(faults: list[tuple[int, bytes]], lost: int) -> None:
    form = bytearray(FORM[: len(FORM) - lost])
    for place, bytes_ in faults:
        form[place : place + len(bytes_)] = bytes_
    whole = outcome([bytes(form)])
    assert outcome([bytes([byte]) for byte in form]) == whole


@given(st.lists(st.binary(max_size=20)))
def test_bytes_at_random_are_no_form(pieces: list[bytes]) -> None:
    assert isinstance(outcome(pieces), str)


@given(st.binary(), st.integers(1, 10))
def test_content_comes_back_as_it_was(content: bytes, size: int) -> None:
    form = part('Content-Disposition: form-data; name="file"; filename="x"', content)
    assert read([form[at : at + size] for at in range(0, len(form), size)]) == [(Part("file", "x", ""), content)]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('filename="say \\"hi\\" \\\\ there"', 'say "hi" \\ there'),
        ('filename="say %22hi%22%0D%0A"', 'say "hi"\r\n'),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
        ('filename=""', ""),
        ("filename=plain.mid", "plain.mid"),
        ('filename="Träumerei.mid"', "Träumerei.mid"),
        ("filename=\"x\"; filename*=UTF-8''Tr%C3%A4umerei.mid", "Träumerei.mid"),
        ("filename*=UTF-8''%FF", "�"),
        ('filename="a;b=c"', "a;b=c"),
    ],
)
def test_file_name_as_clients_write_it(written: str, name: str) -> None:
    [(head, _)] = read([part(f'Content-Disposition: form-data; name="file"; {written}')])
    assert head.file_name == name


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--xYz--"[:-1],
        b"--other\r\n\r\n\r\n--other--",
        part('Content-Disposition: form-data; name="file"')[:-10],
        part("Content-Type: text/plain"),
        part("Content-Disposition: form-data"),
        part("Content-Disposition: attachment; name=file"),
        part('Content-Disposition: form-data; name="file'),
        part("Content-Disposition: form-data; name=file; ?"),
        part("Content-Disposition: form-data; name=file\r\nContent-Transfer-Encoding: base64"),
        part("Content-Disposition: form-data; name=file\r\nContent-Type: multipart/mixed; boundary=a"),
        part("Content-Disposition: form-data; name=file\r\n folded: x"),
        part("Content-Disposition: form-data; name=file\r\nno colon"),
        part("Content-Disposition: form-data; name=file\r\nX: " + "x" * 5_000),
        b"--xYz" + b" " * 300 + b"\r\n",
        b"--xYz and more\r\n",
    ],
)
def test_what_is_no_form_is_refused(form: bytes) -> None:
    assert isinstance(outcome([form]), str)
    assert isinstance(outcome([bytes([byte]) for byte in form]), str)


def test_endless_head_is_not_kept() -> None:
    parser = FormParser(BOUNDARY)
    parser.feed(b"--xYz\r\n")
    for _ in range(500):
        parser.feed(b"X: yyy\r\n")
    with pytest.raises(FormError, match="too long"):
        parser.feed(b"X: yyy\r\n" * 20)


def test_content_is_not_kept() -> None:
    parser = FormParser(BOUNDARY)
    parser.feed(part("Content-Disposition: form-data; name=file", bytes(100))[:80])
    sizes = [sum(len(event) for event in parser.feed(bytes(1_000))) for _ in range(100)]
    assert sizes[1:] == [1_000] * 99


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b"', b"a b"),
        ("multipart/form-data; charset=utf-8; Boundary=abc", b"abc"),
    ],
)
def test_boundary_in_the_header(header: str, boundary: bytes) -> None:
    assert boundary_of(header) == boundary


@pytest.mark.parametrize(
    "header", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 300,
               "multipart/form-data; boundary", "multipart/form-data; boundary=\udcff x"]
)  # fmt: skip
def test_header_without_a_boundary_is_refused(header: str) -> None:
    with pytest.raises(FormError):
        boundary_of(header)
