"""What of a picture is left when it was turned by some degrees onto a larger ground: its corners are then plain."""

import math

import cv2
import numpy as np
import numpy.typing as npt

LEAST_DEGREES = 1.0  # from a multiple of 90; with less there are no corners to speak of
MOST_DEGREES = 40.0  # nearer to 45 the sides of what was turned cannot be told from the frame

SIDE = 160  # pixels, of the small copy whose corners are looked at
PLAIN_LEVELS = 6.0  # levels, 0 to 255, standard deviation, within each corner

Matrix = npt.NDArray[np.float64]


def slanted(pixels: npt.NDArray[np.uint8], degrees: float) -> Matrix | None:
    """Return the corners, (3, 4) in fractions of the sides, of what was turned clockwise by `degrees`.

    The frame then just holds it. None where the corners of `pixels`, (height, width) or (height, width, 3) uint8, are
    not plain, so that they are part of the picture.
    """
    tilt = (degrees + 45) % 90 - 45
    if not LEAST_DEGREES <= abs(tilt) <= MOST_DEGREES:
        return None
    height, width = pixels.shape[:2]
    cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    spread = cosine**2 - sine**2
    across, down = (width * cosine - height * abs(sine)) / spread, (height * cosine - width * abs(sine)) / spread
    if across <= 0 or down <= 0:
        return None
    flat = np.array([[-across, across, across, -across], [-down, -down, down, down]]) / 2
    turned = np.array([[cosine, -sine], [sine, cosine]]) @ flat
    corners = turned / np.array([[width], [height]]) + 0.5
    return np.vstack([corners, np.ones(4)]) if _corners_are_plain(pixels, corners) else None


def _corners_are_plain(pixels: npt.NDArray[np.uint8], corners: Matrix) -> bool:
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners.T * SIDE - 0.5).astype(np.int32), 1)
    count, labels = cv2.connectedComponents(1 - cv2.dilate(inside, np.ones((5, 5), np.uint8)))
    return count > 1 and all(
        float(np.asarray(small[labels == number], np.float64).std(axis=0).max()) <= PLAIN_LEVELS
        for number in range(1, count)
    )
