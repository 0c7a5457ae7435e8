"""Take the screenshot for docs/export.md: the page of a trained model with a drawn digit. Needs Chromium.

genreg-np train --dataset mnist --preset nodes
python bench/page_figure.py runs/mnist-nodes-0/model.npz
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from genreg_np.export import export
from genreg_np.model import load

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 1000  # width of the page, in CSS pixels
SHARPNESS = 2  # image pixels per CSS pixel
SMOOTHNESS = 20  # segments between the known points of a stroke


def main() -> None:
    """Write the image."""
    sys.path.insert(0, str(ROOT))
    from tests.export.browser import Browser
    from tests.export.handwriting import STROKES, digit

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--digit", choices=tuple(STROKES), default="5")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures" / "page.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (page,) = export(load(options.model), "html", Path(folder, "page"))
        browser = Browser(Path(folder, "browser"))
        try:
            browser.open(page, WIDTH, prefers_color_scheme="light")
            left, top, width, height = browser.frame("#pad")
            for stroke in digit(options.digit, steps=SMOOTHNESS):
                browser.mouse([(left + width * x, top + height * y) for x, y in stroke])
            browser.wait_for("document.getElementById('time').textContent !== ''")
            browser.wait_for("document.getAnimations().length === 0")
            tall = browser.run("document.documentElement.scrollHeight")
            area = {"x": 0, "y": 0, "width": WIDTH, "height": tall, "scale": SHARPNESS}
            taken = Image.open(io.BytesIO(browser.screenshot(captureBeyondViewport=True, clip=area)))
            # It has few colours: a palette makes the file less than half as large.
            taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(options.out, optimize=True)
            print(f"wrote {options.out}: {browser.text('#best')}, {browser.text('#certainty')}")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
