"""The job of a worker that makes an avatar of any picture. Nothing but a worker imports this: Pillow is large."""

import hashlib
import warnings
from io import BytesIO
from typing import BinaryIO, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from rhythmd.errors import RefusedFile
from rhythmd.workers.frames import MadeFile

__all__ = ["make_avatar"]

FORMATS: Final = ("PNG", "JPEG", "WEBP")
MOST_PIXELS: Final = 25_000_000
SIDE: Final = 256
QUALITY: Final = 85
ORIENTATION: Final = 0x0112
"""The EXIF tag (CIPA DC-008, 4.6.4) of how the camera was held."""
TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Twice as many pixels are an error of Pillow's own; below, before a pixel is decoded, ours counts.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS


def make_avatar(source: BinaryIO, output: BinaryIO) -> MadeFile:
    """Write the middle of a PNG, JPEG or WebP, square, as a WebP without metadata. Raises RefusedFile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = _convert(source)
    except (RefusedFile, MemoryError):
        raise
    except UnidentifiedImageError:
        raise RefusedFile("this is neither PNG, JPEG nor WebP") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except Exception as error:  # noqa: BLE001 - of a damaged file, Pillow raises whatever its decoder does
        raise RefusedFile(f"this picture is damaged: {error}") from None
    output.write(content)
    return MadeFile(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _convert(source: BinaryIO) -> bytes:
    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise _too_many_pixels()
        image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG can be decoded small
        image.load()
        turn = TURNS.get(_orientation(image))
        small = ImageOps.fit(_with_plain_colours(image), (SIDE, SIDE), Image.Resampling.LANCZOS)
    content = BytesIO()
    turned = small if turn is None else small.transpose(turn)
    turned.info.clear()
    turned.save(content, "WEBP", quality=QUALITY, method=4)
    return content.getvalue()


def _orientation(image: Image.Image) -> int:
    """What the camera says of how it was held, or 0. A picture whose metadata is damaged is as good as any."""
    try:
        return int(image.getexif().get(ORIENTATION, 0))
    except Exception:  # noqa: BLE001 - see above
        return 0


def _with_plain_colours(image: Image.Image) -> Image.Image:
    """The picture with 8 bits for each of red, green and blue, and opacity if it has some that is not full."""
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _too_many_pixels() -> RefusedFile:
    return RefusedFile(f"this picture has more than {MOST_PIXELS // 1_000_000} million pixels")
