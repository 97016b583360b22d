"""Drawing of the toy clips: eight motions of one shape that time alone tells apart; files are written elsewhere.

Whatever a motion changes lives on a circle and starts uniformly distributed: x and y (opposite borders of the frame
are glued together, so the shape leaves on one side as it enters on the other), the logarithm of the size (after the
largest comes the smallest), the angle of the orbit around a uniformly drawn centre. A uniform draw that is shifted on
its circle stays uniform. So at any frame index the frames of all classes have the same distribution, and a clip played
backwards is a clip of the opposite class.
"""

from dataclasses import dataclass, replace

import numpy as np

from slowfast.utils.rng import numpy_rng

CLASSES = ("left", "right", "up", "down", "clockwise", "counter_clockwise", "approach", "recede")  # pairs: label ^ 1

VERBS = ("left", "right")  # of the kind with verbs and nouns: twins under reversal, so that no set of frames tells
SHAPES = {"disc": 0, "triangle": 1}  # index into OUTLINES
HUES = {"red": 0.0, "yellow": 1 / 6, "green": 1 / 3, "cyan": 1 / 2, "blue": 2 / 3, "magenta": 5 / 6}  # turns
NOUNS = tuple(f"{hue}_{shape}" for shape in SHAPES for hue in HUES)

DRAWING = 2  # raise it when the same seed no longer gives the same clips
NOUN_DRAWING = 3  # the same for the kind with verbs and nouns
MIN_SIZE = 32  # px; below this the smallest shape has no texture left
RADIUS = (0.13, 0.30)  # of the shape, in frame sides
SPEED = (0.07, 0.11)  # of a translation, in frame sides a frame
ORBIT_RADIUS = (0.24, 0.30)  # in frame sides
ORBIT_SPEED = (0.035, 0.05)  # turns a frame
ZOOM_SPEED = (0.04, 0.055)  # turns a frame of the circle that runs through all sizes
BACKGROUND_SPEED = 0.008  # frame sides a frame, at most
BACKGROUND_LEVEL = (30.0, 14.0)  # mean and amplitude, of 255
LEVELS = (255.0, 190.0)  # of the shape's two colours, of 255
PALENESS = 0.55  # share of white in the shape's colours, so that every shape outshines the background
NOUN_PALENESS = 0.2  # the same, where the colour is part of a noun
NOUN_ZOOM = 0.4  # nouns are no smaller than this, so that their outline shows


@dataclass(frozen=True)
class Look:
    """What a clip shows apart from its motion; position, zoom and orbit_angle hold at frame 0."""

    position: np.ndarray  # (2,) x and y of the shape, or of the centre of its orbit, in frame sides
    zoom: float  # from the smallest size, 0, to the largest, 1
    speed: float  # from the slowest, 0, to the fastest, 1, of each kind of motion
    orbit_angle: float  # radians
    orbit_radius: float  # frame sides
    outline: int  # index into OUTLINES
    texture: int  # index into TEXTURES
    tilt: float  # radians
    colours: np.ndarray  # (2, 3) of 255
    tint: np.ndarray  # (3,), of the background
    waves: np.ndarray  # (N, 4): cycles a frame side along x and y, phase in radians, weight
    drift: np.ndarray  # (2,), of the background, frame sides a frame


def draw_look(rng):
    """One Look from a numpy Generator."""
    angle, pace = rng.uniform(0, 2 * np.pi), BACKGROUND_SPEED * rng.uniform()
    return Look(
        position=rng.uniform(0, 1, 2),
        zoom=rng.uniform(),
        speed=rng.uniform(),
        orbit_angle=rng.uniform(0, 2 * np.pi),
        orbit_radius=rng.uniform(*ORBIT_RADIUS),
        outline=int(rng.integers(len(OUTLINES))),
        texture=int(rng.integers(len(TEXTURES))),
        tilt=rng.uniform(0, 2 * np.pi),
        colours=_contrasting_colours(rng),
        tint=rng.uniform(0.5, 1.0, 3).astype(np.float32),
        waves=np.column_stack(
            [rng.integers(-2, 3, (4, 2)), rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.5, 1.0, 4)],
        ),
        drift=pace * np.array([np.cos(angle), np.sin(angle)]),
    )


def with_noun(look, noun):
    """The same look with the shape of NOUNS[noun], plain in its colour, and not too small."""
    hue, shape = NOUNS[noun].split("_")
    plain = _colours(np.full((2, 1), HUES[hue]), NOUN_PALENESS)[[0, 0]]
    return replace(look, outline=SHAPES[shape], colours=plain, zoom=_between((NOUN_ZOOM, 1.0), look.zoom))


def clip_look(seed, split, index, noun=None):
    """The Look of a set's clip: clip `index` of a split, of NOUNS[noun] where the set has nouns."""
    if noun is None:
        return draw_look(numpy_rng(seed, "toy", split, index))
    return with_noun(draw_look(numpy_rng(seed, "toy", split, index, noun)), noun)


def shape_positions(motion, look, times):
    """Centre of the shape on the glued frame, float64 (T, 2), x and y in [0, 1) frame sides."""
    return _path(motion, look, np.asarray(times))[0] % 1.0


def draw_clip(motion, look, times, size):
    """Frames of one clip.

    Args:
        motion: one of CLASSES.
        look: Look, everything else.
        times: indices of the frames to draw, range(length) for all.
        size: side of the square frame in px.
    Returns: uint8 (T, size, size, 3), RGB, T = len(times).
    Raises: ValueError: unknown motion.
    """
    if motion not in CLASSES:
        raise ValueError(f"unknown motion {motion!r}; known: {', '.join(CLASSES)}")
    position, zoom = _path(motion, look, np.asarray(times))  # (T, 2), (T,)
    return np.stack([_draw_frame(look, size, *state) for state in zip(times, position, zoom)])


def _draw_frame(look, size, time, position, zoom):
    """uint8 (S, S, 3): the shape at `position` (2,) over the background of frame `time`."""
    radius = float(size * RADIUS[0] * (RADIUS[1] / RADIUS[0]) ** zoom)  # px
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size  # of pixels, in frame sides
    # offset of each pixel from the shape on the glued frame: [-0.5, 0.5) frame sides -> px
    x, y = (((centres - np.float32(p) + 0.5) % 1.0 - 0.5) * size for p in position)  # (S,) each
    x, y = np.meshgrid(x, y)  # (S, S): x runs along the last axis
    distance, angle = np.hypot(x, y), np.arctan2(y, x) - np.float32(look.tilt)
    cover = np.clip(OUTLINES[look.outline](angle) * radius - distance + 0.5, 0, 1)[..., None]  # smooth over a pixel
    scaled = distance / radius
    mix = TEXTURES[look.texture](scaled * np.cos(angle), scaled * np.sin(angle))[..., None]
    shape = mix * look.colours[0] + (1 - mix) * look.colours[1]  # (S, S, 3)
    frame = cover * shape + (1 - cover) * _background(look, time, centres)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def _path(motion, look, time):
    """position (T, 2) in frame sides and zoom (T,) in [0, 1) at each of the frames `time` (T,)."""
    position = np.tile(look.position, (len(time), 1))
    zoom = np.full(len(time), look.zoom)
    sign = -1 if motion in ("left", "up", "counter_clockwise", "recede") else 1  # y points down: clockwise is positive
    if motion in ("left", "right", "up", "down"):
        axis = 0 if motion in ("left", "right") else 1
        position[:, axis] += sign * _between(SPEED, look.speed) * time
    elif motion in ("clockwise", "counter_clockwise"):
        angle = look.orbit_angle + sign * 2 * np.pi * _between(ORBIT_SPEED, look.speed) * time
        position += look.orbit_radius * np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        zoom = (zoom + sign * _between(ZOOM_SPEED, look.speed) * time) % 1.0
    return position, zoom


def _background(look, time, centres):
    """Dim drifting waves at frame `time`, float (S, S, 3); they fit the glued frame."""
    x, y = np.meshgrid(*(centres - np.float32(d * time) for d in look.drift))
    waves = sum(w * np.sin(2 * np.pi * (kx * x + ky * y) + phase) for kx, ky, phase, w in look.waves.tolist())
    mean, amplitude = BACKGROUND_LEVEL
    return (mean + amplitude * waves / float(look.waves[:, 3].sum()))[..., None] * look.tint


def _between(bounds, share):
    return bounds[0] + (bounds[1] - bounds[0]) * share


def _contrasting_colours(rng):
    """A bright and a darker colour of opposite hues, (2, 3) of 255."""
    return _colours(rng.uniform() + np.array([[0.0], [0.5]]), PALENESS)


def _colours(hues, paleness):
    """A bright and a darker colour (2, 3) of 255, of hues (2, 1) in turns."""
    wheel = 0.5 + 0.5 * np.cos(hues * 2 * np.pi - np.array([0, 2, 4]) * np.pi / 3)  # (2, 3): red, green, blue
    return (np.array(LEVELS)[:, None] * (paleness + (1 - paleness) * wheel)).astype(np.float32)


def _polygon(corners):
    half = np.pi / corners
    return lambda angle: float(np.cos(half)) / np.cos((angle % (2 * half)) - half)


OUTLINES = (  # distance of the edge from the centre in radii, at an angle
    np.ones_like,
    _polygon(3),
    _polygon(4),
    lambda angle: 0.75 + 0.25 * np.cos(5 * angle),
)


def _sharpen(wave):
    return 0.5 + 0.5 * np.tanh(3 * wave)


TEXTURES = (  # share of the first colour at (u, v), in radii
    lambda u, v: _sharpen(np.sin(2 * np.pi * u)),
    lambda u, v: _sharpen(np.sin(np.pi * u) * np.sin(np.pi * v) * 1.5),
    lambda u, v: _sharpen(np.cos(2 * np.pi * np.hypot(u, v))),
)
