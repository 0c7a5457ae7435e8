"""Make folders of pictures for testing photographs from images in packages; one folder per set, with train/ and test/.

    python bench/pictures.py FOLDER --skimage DIR --emoji NotoColorEmoji.ttf --icons DIR

    scenes    crops of eight photographs: those for train from the left part of each, those for test from the right
    emoji     faces, animals, food, travel, symbols: no emoji is in both train and test
    icons     Oxygen's, by purpose: actions, applications, devices, file types, places, states
    faces     faces, and crops of pictures without a face, in grey
    discs     red and green discs of the same brightness, on grey

DIR of --skimage is `skimage/data` of scikit-image 0.26, of --icons `icons/oxygen/base` of Debian's `oxygen-icon-theme`;
the font is from Debian's `fonts-noto-color-emoji`. The same packages give the same files.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SCENES = {  # file: crops are taken between these fractions of its height
    "astronaut.png": (0.0, 1.0),
    "chelsea.png": (0.0, 1.0),
    "coffee.png": (0.0, 1.0),
    "hubble_deep_field.jpg": (0.0, 1.0),
    "ihc.png": (0.0, 1.0),
    "motorcycle_left.png": (0.0, 1.0),
    "retina.jpg": (0.1, 0.9),
    "rocket.jpg": (0.0, 1.0),
}
PIECES, SIDES = {"train": 150, "test": 60}, (64, 160)  # per scene; the side of a crop in pixels, resized to SIDE
SIDE = 48
EMOJI = {  # class: ranges of code points
    "faces": ((0x1F600, 0x1F644), (0x1F910, 0x1F917), (0x1F920, 0x1F92F), (0x1F970, 0x1F976)),
    "animals": ((0x1F400, 0x1F43C), (0x1F980, 0x1F9AE)),
    "food": ((0x1F32D, 0x1F32F), (0x1F345, 0x1F37F), (0x1F950, 0x1F96F)),
    "travel": ((0x1F680, 0x1F6A4), (0x1F6F3, 0x1F6FC), (0x1F3D4, 0x1F3DF)),
    "symbols": ((0x1F493, 0x1F49F), (0x1F500, 0x1F53D), (0x2648, 0x2653), (0x1F534, 0x1F53B)),
}
VIEWS = 8  # of each emoji: rotated, scaled and on different backgrounds
ICONS = {"actions": 160, "apps": 160, "devices": 160, "mimetypes": 160, "places": 160, "status": 160}  # at most


def scenes(folder: Path, random: np.random.Generator) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (split, class, picture): crops of photographs."""
    for file, (top, bottom) in SCENES.items():
        picture = Image.open(folder / file).convert("RGB")
        width, height = picture.size
        for split, count in PIECES.items():
            left, right = (0.0, 0.6) if split == "train" else (0.6, 1.0)
            for _ in range(count):
                side = int(random.integers(*SIDES))
                x = left * width + random.random() * max(0.0, (right - left) * width - side)
                y = top * height + random.random() * max(0.0, (bottom - top) * height - side)
                box = (int(x), int(y), int(x) + side, int(y) + side)
                yield split, file.split(".")[0], picture.crop(box).resize((SIDE, SIDE), Image.Resampling.BOX)


def emoji(font: Path, random: np.random.Generator) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (split, class, picture): emoji on pale backgrounds."""
    face = ImageFont.truetype(str(font), 109)
    for name, ranges in EMOJI.items():
        points = [chr(point) for first, last in ranges for point in range(first, last + 1)]
        points = [point for point in points if unicodedata.name(point, "")]
        for number in random.permutation(len(points)):
            drawn = Image.new("RGBA", (136, 136))
            ImageDraw.Draw(drawn).text((0, 4), points[number], font=face, embedded_color=True)
            if not np.asarray(drawn)[..., 3].any():
                continue
            split = "test" if number % 4 == 0 else "train"
            for _ in range(VIEWS if split == "train" else 2):
                yield split, name, _placed(drawn, random)


def _placed(drawn: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a picture rotated, scaled and placed at random on a background."""
    ground = Image.new("RGBA", (160, 160), (*random.integers(200, 256, 3).tolist(), 255))
    side = int(random.integers(110, 150))
    turned = drawn.rotate(float(random.uniform(-12, 12)), Image.Resampling.BICUBIC).resize((side, side))
    place = random.integers(0, 160 - side + 1, 2).tolist()
    ground.alpha_composite(turned, tuple(place))
    return ground.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)


def icons(folder: Path, random: np.random.Generator) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (split, class, picture): icons on white; only one of those with several names."""
    seen: set[bytes] = set()
    for name, most in ICONS.items():
        files = sorted(file for file in (folder / "64x64" / name).glob("*.png") if not file.is_symlink())
        files += sorted(file for file in (folder / "48x48" / name).glob("*.png") if not file.is_symlink())
        taken = 0
        for number in random.permutation(len(files)):
            drawn = Image.open(files[number]).convert("RGBA")
            small = drawn.resize((SIDE, SIDE), Image.Resampling.BOX)
            key = np.asarray(drawn.resize((16, 16), Image.Resampling.BOX)).tobytes()
            if key in seen or taken == most:
                continue
            seen.add(key)
            ground = Image.new("RGBA", small.size, (255, 255, 255, 255))
            ground.alpha_composite(small)
            yield ("test" if taken % 4 == 0 else "train"), name, ground.convert("RGB")
            taken += 1


def faces(folder: Path, random: np.random.Generator) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (split, class, picture): scikit-image's subset of Labeled Faces in the Wild, 100 faces and 100 others."""
    pixels: NDArray[Any] = np.load(folder / "lfw_subset.npy")
    for number in random.permutation(len(pixels)):
        levels = np.clip(255 * pixels[number], 0, 255).astype(np.uint8)
        name = "face" if number < len(pixels) // 2 else "other"
        yield ("test" if number % 4 == 0 else "train"), name, Image.fromarray(levels)


def discs(random: np.random.Generator) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield (split, class, picture): discs of equal grey level, red (200, 62, 62) or green (62, 132, 62)."""
    colours = {"red": (200, 62, 62), "green": (62, 132, 62)}
    for name, colour in colours.items():
        for number in range(80):
            picture = Image.new("RGB", (40, 40), (128, 128, 128))
            radius, place = random.uniform(6, 14), random.uniform(15, 25, 2)
            corners = [*(place - radius), *(place + radius)]
            ImageDraw.Draw(picture).ellipse([float(edge) for edge in corners], fill=colour)
            yield ("test" if number % 2 == 0 else "train"), name, picture


def make(folder: Path, skimage: Path, font: Path, theme: Path) -> dict[str, Path]:
    """Write all sets to a folder, and return the path of each."""
    sets = {
        "scenes": lambda random: scenes(skimage, random),
        "emoji": lambda random: emoji(font, random),
        "icons": lambda random: icons(theme, random),
        "faces": lambda random: faces(skimage, random),
        "discs": discs,
    }
    for number, (name, drawn) in enumerate(sets.items()):
        counts: dict[tuple[str, str], int] = {}
        for split, label, picture in drawn(np.random.default_rng(number)):
            count = counts[split, label] = counts.get((split, label), 0) + 1
            place = folder / name / split / label
            place.mkdir(parents=True, exist_ok=True)
            picture.save(place / f"{count:04}.png")
    return {name: folder / name for name in sets}


def main() -> None:
    """Write all sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for option in ("--skimage", "--emoji", "--icons"):
        parser.add_argument(option, type=Path, required=True)
    given = parser.parse_args()
    for name, place in make(given.folder, given.skimage, given.emoji, given.icons).items():
        counts = {split: len(list((place / split).rglob("*.png"))) for split in PIECES}
        print(name, counts, f"{len(list((place / 'train').iterdir()))} classes")


if __name__ == "__main__":
    main()
