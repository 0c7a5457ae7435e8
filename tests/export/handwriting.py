"""Digits as a pen draws them: smooth curves through a few points each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.export.browser import Point

# x to the right and y down, in hundredths of the pad; a | lifts the pen.
STROKES = {
    "0": "50,16 34,26 29,50 36,76 50,84 65,74 70,48 63,25 50,16",
    "1": "54,15 52,38 49,62 47,86",
    "2": "30,32 38,18 55,15 67,27 60,48 42,68 28,83 | 28,83 50,81 73,82",
    "3": "32,22 47,15 63,22 63,38 46,48 | 46,48 65,55 69,70 55,84 36,83 28,76",
    "4": "36,16 31,36 30,52 50,54 68,50 | 66,15 64,45 61,87",
    "5": "68,16 52,17 38,18 | 38,18 36,32 34,46 | 34,46 50,42 65,52 66,70 52,83 38,83 28,76",
    "6": "60,14 45,28 35,50 34,70 45,84 60,80 66,66 57,55 44,58 35,70",
    "7": "28,20 50,19 72,18 | 72,18 60,40 51,62 46,86",
    "8": "62,24 50,15 37,24 42,40 55,52 64,68 54,84 40,80 37,66 48,50 60,37 62,24",
    "9": "64,28 50,17 36,26 36,42 50,48 62,38 65,26 | 65,26 63,50 57,86",
}


def digit(name: str, steps: int = 4) -> list[list[Point]]:
    """Return a digit's strokes as many points, from 0 to 1: `steps` pieces of a curve from each point to the next."""
    strokes = [[tuple(map(float, point.split(","))) for point in stroke.split()] for stroke in STROKES[name].split("|")]
    return [curve(np.array(stroke) / 100, steps) for stroke in strokes]


def curve(points: np.ndarray, steps: int) -> list[Point]:
    """Return points (N, 2) joined by a smooth curve (a cubic Hermite spline), `steps` pieces from each to the next."""
    slopes = np.gradient(points, axis=0)
    t = np.linspace(0, 1, steps + 1)[1:, None]
    found = [points[:1]]
    for (start, end), (leaving, arriving) in zip(pairwise(points), pairwise(slopes), strict=True):
        straight = start + (end - start) * t**2 * (3 - 2 * t)
        found.append(straight + leaving * t * (1 - t) ** 2 - arriving * t**2 * (1 - t))
    return [(float(x), float(y)) for x, y in np.concatenate(found)]
