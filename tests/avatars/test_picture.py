"""What any picture becomes: a WebP of 256 by 256 pixels, the right way up, without metadata; or why it is refused."""

from hashlib import sha256
from io import BytesIO

import pytest

from rhythmd.avatars.picture import make_avatar
from rhythmd.errors import RefusedFile
from tests.pictures import BAD, GOOD, animated, halves, opened, png_of_size, saved, turned

Pixel = tuple[int, ...]


def made(content: bytes) -> bytes:
    output = BytesIO()
    file = make_avatar(BytesIO(content), output)
    assert (file.size, file.sha256) == (len(output.getvalue()), sha256(output.getvalue()).hexdigest())
    return output.getvalue()


def pixel(content: bytes, x: int, y: int) -> Pixel:
    return tuple(round(value / 255) for value in opened(content).convert("RGB").crop((x, y, x + 1, y + 1)).tobytes())


@pytest.mark.parametrize("kind", GOOD)
def test_picture_becomes_a_square_webp_without_metadata(kind: str) -> None:
    image = opened(made(GOOD[kind]))
    assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("WEBP", (256, 256), 1)
    assert not dict(image.getexif())
    assert {"icc_profile", "xmp", "exif"}.isdisjoint(image.info)


@pytest.mark.parametrize("kind", ["png", "jpeg", "cmyk jpeg", "lossless webp", "png with a palette", "polyglot"])
def test_picture_keeps_its_colours(kind: str) -> None:
    content = made(GOOD[kind])
    assert (pixel(content, 128, 10), pixel(content, 128, 245)) == ((1, 0, 0), (0, 0, 1))


def test_sixteen_bits_of_grey_are_not_white() -> None:
    values = opened(made(GOOD["grey png of 16 bits"])).convert("L").tobytes()
    assert 150 < min(values) <= max(values) < 160


@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_the_right_way_up_however_the_camera_was_held(orientation: int) -> None:
    content = made(turned(orientation))
    assert (pixel(content, 128, 20), pixel(content, 128, 235)) == ((1, 0, 0), (0, 0, 1))
    assert b"where I live" not in content


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animation_becomes_its_first_frame(kind: str) -> None:
    assert pixel(made(animated(kind)), 128, 128) == (1, 0, 0)


def test_middle_is_kept() -> None:
    image = halves(200, 600)
    image.paste((0, 255, 0), (0, 200, 200, 400))
    assert {pixel(made(saved(image, "PNG")), 128, y) for y in (5, 128, 250)} == {(0, 1, 0)}


def test_opacity_is_kept() -> None:
    image = halves().convert("RGBA")
    image.putalpha(0)
    assert opened(made(saved(image, "PNG"))).getchannel("A").getextrema() == (0, 0)


def test_metadata_that_is_damaged_does_not_matter() -> None:
    assert made(saved(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"))
    assert made(saved(halves(), "PNG", exif=b"II*\0\x08\0\0\0\xff\xff"))


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_refused_with_the_reason(kind: str) -> None:
    content, reason = BAD[kind]
    with pytest.raises(RefusedFile, match=reason):
        made(content)


def test_largest_size_is_taken() -> None:
    with pytest.raises(RefusedFile, match="damaged"):
        made(png_of_size(5_000, 5_000))


def test_sixteen_bits_of_colour_become_eight() -> None:
    assert pixel(made(GOOD["png of 16 bits"]), 128, 128) == (1, 0, 0)
