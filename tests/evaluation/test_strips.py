"""Strips of frames: every frame in its place, colours right, read back from the file."""

import cv2
import numpy as np
import torch

from slowfast.evaluation.strips import GAP, GAP_VALUE, strips, write_png


def test_frames_lie_in_rows_of_time(tmp_path):
    clips = torch.rand(2, 3, 4, 5, 6) * 1.4 - 0.2  # some outside [0, 1]
    picture = strips(clips)
    assert picture.shape == (2 * 5 + GAP, 4 * 6 + 3 * GAP, 3)
    for row in range(2):
        for t in range(4):
            y, x = row * (5 + GAP), t * (6 + GAP)
            frame = (clips[row, :, t].permute(1, 2, 0).clamp(0, 1) * 255).round().numpy()
            assert np.array_equal(picture[y : y + 5, x : x + 6], frame)
    assert (picture[5 : 5 + GAP] == GAP_VALUE).all() and (picture[:, 6 : 6 + GAP] == GAP_VALUE).all()
    larger = strips(clips, smallest=11)  # three times as high
    assert larger.shape == (2 * 15 + GAP, 4 * 18 + 3 * GAP, 3)
    assert np.array_equal(larger[1:15:3, 1:18:3], picture[:5, :6]) and np.array_equal(
        strips(clips, smallest=5), picture
    )
    write_png(tmp_path / "new" / "a.png", picture)
    assert np.array_equal(cv2.imread(str(tmp_path / "new" / "a.png"))[..., ::-1], picture)
