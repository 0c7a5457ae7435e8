"""The results published by Cooke and de Alfaro, from the notebook's printed output, to be printed beside ours.

Accuracies are fractions of the 10,000 test images; the test split was also used to choose the parents.
"""

from __future__ import annotations

# Mean, best and worst of the 20 networks after generations 1 .. 6.
ACCURACY = {
    "horizontal": (
        (0.9160, 0.9187, 0.9136),
        (0.9337, 0.9389, 0.9289),
        (0.9459, 0.9496, 0.9415),
        (0.9534, 0.9590, 0.9468),
        (0.9602, 0.9658, 0.9569),
        (0.9659, 0.9691, 0.9619),
    ),
    "vertical": (
        (0.9148, 0.9164, 0.9108),
        (0.9320, 0.9384, 0.9268),
        (0.9435, 0.9483, 0.9371),
        (0.9519, 0.9580, 0.9460),
        (0.9605, 0.9638, 0.9555),
        (0.9658, 0.9687, 0.9629),
    ),
}
BASELINE = (0.9685, 0.9695)  # two networks trained for six epochs
SECONDS = 35 * 60  # about this many for six generations on Colab's CPU

# Accuracy of the target on images attacked for the source, a mean over targets, by the names in report/measure.py.
ATTACKED = {
    "horizontal": {
        "baseline on itself": 0.0075,
        "second baseline on baseline": 0.0367,
        "best on itself": 0.0061,
        "best on siblings": 0.0315,
        "best on a mix": 0.0450,
        "child on children": 0.0970,
    },
    "vertical": {
        "best on itself": 0.0063,
        "best on siblings": 0.0160,
        "best on a mix": 0.0051,
        "child on children": 0.0429,
    },
}
