"""The toy clips: motions go where their names say, backwards is the opposite, and one frame tells nothing."""

from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from torch import nn

from slowfast.datasets.toy import CLASSES, ORBIT_SPEED, SPEED, ZOOM_SPEED, draw_clip, draw_look

SIZE = 64
CHANCE = 100 / len(CLASSES)


def look(seed, **changes):
    return replace(draw_look(np.random.default_rng(seed)), **changes)


def centre_of(frame):
    """Circular mean of the shape's pixels along x and y, radians."""
    weight = (frame.max(axis=-1) > 70).astype(float)  # the background stays below 45
    turn = np.exp(2j * np.pi * np.arange(SIZE) / SIZE)
    return np.angle([(weight.sum(axis=0) * turn).sum(), (weight.sum(axis=1) * turn).sum()])


def steps_of(motion, seed):
    """(T - 1, 2) movement of the shape between frames, px; x to the right, y downwards."""
    clip = draw_clip(motion, look(seed, outline=0, zoom=0.2), range(10), SIZE)
    steps = np.diff([centre_of(frame) for frame in clip], axis=0)
    return ((steps + np.pi) % (2 * np.pi) - np.pi) * SIZE / (2 * np.pi)


@pytest.mark.parametrize("motion, x, y", [("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_translations(motion, x, y, seed):
    """Straight, over the border too, at 4.5 to 7 px a frame."""
    steps = steps_of(motion, seed)
    along = steps @ np.array([x, y])
    across = steps @ np.array([y, x])
    assert (along > SIZE * SPEED[0] - 0.3).all() and (along < SIZE * SPEED[1] + 0.3).all()
    assert np.abs(across).max() < 0.3


@pytest.mark.parametrize("motion, sense", [("clockwise", 1), ("counter_clockwise", -1)])
@pytest.mark.parametrize("seed", range(3))
def test_orbits(motion, sense, seed):
    """With y downwards, a right turn is positive: each step is turned against the one before by the orbit's speed."""
    x, y = steps_of(motion, seed).T
    turns = np.angle((x[1:] + 1j * y[1:]) / (x[:-1] + 1j * y[:-1])) / (2 * np.pi)
    assert (sense * turns > ORBIT_SPEED[0] - 0.02).all() and (sense * turns < ORBIT_SPEED[1] + 0.02).all()


@pytest.mark.parametrize("motion, sense", [("approach", 1), ("recede", -1)])
def test_zooms(motion, sense):
    clip = draw_clip(motion, look(1, outline=0, zoom=0.5), range(9), SIZE)
    areas = (clip.max(axis=-1) > 70).sum(axis=(1, 2))
    assert (sense * np.diff(areas) > 0).all()


@pytest.mark.parametrize("motion", CLASSES)
def test_backwards_is_the_opposite(motion):
    """Frame for frame, from the state at the end; only rounding differs."""
    last = 11
    start = look(5, drift=np.zeros(2), speed=0.0)
    sign = -1 if motion in ("left", "up", "counter_clockwise", "recede") else 1
    end = {"position": start.position, "orbit_angle": start.orbit_angle, "zoom": start.zoom}
    if motion in ("left", "right", "up", "down"):
        axis = np.array([1, 0] if motion in ("left", "right") else [0, 1])
        end["position"] = start.position + sign * SPEED[0] * last * axis
    end["orbit_angle"] += sign * 2 * np.pi * ORBIT_SPEED[0] * last
    if motion in ("approach", "recede"):
        end["zoom"] = (start.zoom + sign * ZOOM_SPEED[0] * last) % 1
    opposite = CLASSES[CLASSES.index(motion) ^ 1]
    forward = draw_clip(motion, start, range(last + 1), SIZE).astype(int)
    backward = draw_clip(opposite, replace(start, **end), range(last + 1), SIZE)[::-1].astype(int)
    assert np.abs(forward - backward).mean() < 0.01
    assert np.abs(forward - forward[::-1]).mean() > 1  # and not because nothing moves


def test_frames_are_drawn_one_by_one():
    whole = draw_clip("approach", look(2), range(24), SIZE)
    np.testing.assert_array_equal(draw_clip("approach", look(2), [3, 23], SIZE), whole[[3, 23]])


def test_unknown_motion():
    with pytest.raises(ValueError, match=r"'sideways'; known: left, right"):
        draw_clip("sideways", look(0), [0], SIZE)


def frames_and_labels(folder, split, index):
    """Features (N, 768) float of one frame a clip, decoded from the files, and labels (N,)."""
    frames, labels = [], []
    for line in (folder / f"{split}.csv").read_text().splitlines():
        path, label = line.split()
        with av.open(str(folder / path)) as container:
            decoded = list(container.decode(video=0))
        frames.append(decoded[index].to_ndarray(format="rgb24"))
        labels.append(int(label))
    return features(np.stack(frames)), torch.tensor(labels)


def features(frames):
    """(N, H, W, C) uint8 -> (N, 768), 16 x 16 means of each channel."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 64
    return nn.functional.avg_pool2d(pixels, SIZE // 16).flatten(1)


def probe(train, val, hidden):
    """Top-1 in percent on `val` of a linear probe (hidden = 0) or a perceptron trained on `train`."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        width = train[0].shape[1]
        layers = [nn.Linear(width, hidden), nn.ReLU()] if hidden else []
        model = nn.Sequential(nn.BatchNorm1d(width, affine=False), *layers, nn.Linear(hidden or width, len(CLASSES)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
        for _ in range(15):
            for rows in torch.randperm(len(train[1])).split(32):
                loss = nn.functional.cross_entropy(model(train[0][rows]), train[1][rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    model.eval()
    return 100 * (model(val[0]).argmax(dim=1) == val[1]).float().mean().item()


@pytest.mark.parametrize("index", [0, 12, 23])
def test_no_single_frame_gives_the_class_away(toy_set, index):
    """On the files themselves, first, middle and last frame; 160 clips put the noise of chance at 2.6 points."""
    train, val = (frames_and_labels(toy_set, split, index) for split in ("train", "val"))
    for hidden in (0, 64):
        assert probe(train, val, hidden) <= 20


def test_the_probe_finds_a_leak():
    """Clips that all start in the middle and at medium size: ten frames later the place tells the motion."""
    labels = torch.arange(len(CLASSES)).repeat(60)
    sets = [
        np.concatenate([draw_clip(m, look(s, position=np.full(2, 0.5), zoom=0.5), [10], SIZE) for m in CLASSES])
        for s in range(120)
    ]
    train, val = (features(np.concatenate(part)) for part in (sets[:60], sets[60:]))
    for hidden in (0, 64):
        assert probe((train, labels), (val, labels), hidden) > 4 * CHANCE
