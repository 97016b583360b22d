"""How well a TSTL routes and answers on a test split: numbers for every way of voting, by group, and two pictures."""

# V videos, N views a video, G groups, K classes, D width
from dataclasses import dataclass, field

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from projects.cast.tstl.routing import VOTES, best_experts, fuse
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write

MOST_EXPERTS = 5
STREAMS = ("fused", "spatial", "temporal")
COLORS = matplotlib.colormaps["tab20"]


@dataclass
class Collected:
    """Sums over the views of each video.

    Args: num_videos: V. groups: Groups.
    Attributes: sums: name -> float64 (V, K), of "selector" (V, G); names are "oracle" and (vote, number of experts).
        features: stream -> (V, D). views: of each video, (V,).
    """

    num_videos: int
    groups: object
    sums: dict = field(default_factory=dict)
    features: dict = field(default_factory=dict)

    def __post_init__(self):
        self.views = np.zeros(self.num_videos, int)

    def add(self, model, frames, labels, video_ids):
        """A batch of views through `model`, a TSTL. Args: frames (B, C, F, H, W); labels, video_ids: int64 (B,)."""
        videos = video_ids.cpu().numpy()
        streams = model.embed(frames)
        selector_logits, features = model.select(frames, streams)
        selector_logits = selector_logits.float()
        right = model.class_to_group[labels.to(frames.device)]
        most = min(MOST_EXPERTS, model.num_groups)
        experts = best_experts(selector_logits, most)
        logits = model.ask(frames, streams, torch.cat([experts, right[:, None]], dim=1))
        self._sum("selector", videos, selector_logits.softmax(dim=1))
        self._sum("oracle", videos, logits[:, -1].softmax(dim=1))
        for count in range(1, most + 1):
            for vote in VOTES:
                answers, scores = fuse(vote, selector_logits, experts[:, :count], logits[:, :count])
                if vote == "majority":  # views vote, too
                    shares = torch.nn.functional.one_hot(answers, scores.shape[1])
                else:
                    shares = scores.softmax(dim=1)
                self._sum((vote, count), videos, shares)
        for stream in STREAMS:
            self._sum(stream, videos, getattr(features, stream).float(), self.features)
        np.add.at(self.views, videos, 1)

    def _sum(self, name, videos, values, into=None):
        into = self.sums if into is None else into
        values = values.double().cpu().numpy()
        np.add.at(into.setdefault(name, np.zeros((self.num_videos, values.shape[1]))), videos, values)


def summarise(collected, labels, readable, single=None):
    """Accuracies in percent.

    Args:
        labels: int (V,). readable: bool (V,), the videos that count.
        single: the classes that a single model calls, int (V,); None: there is none.
    Returns:
        dict: "overall" and "groups", a list; each with "videos", "selector", "oracle", "single" and "routed", which is
        number of experts -> vote -> accuracy.
    """
    group_of = np.asarray(collected.groups.of_class)
    true_groups = group_of[labels]
    right = {name: sums.argmax(axis=1) == labels for name, sums in collected.sums.items() if name != "selector"}
    right["selector"] = collected.sums["selector"].argmax(axis=1) == true_groups
    if single is not None:
        right["single"] = single == labels
    rows = [_accuracies(right, readable & (true_groups == group)) for group in range(collected.groups.num_groups)]
    for name, classes, row in zip(collected.groups.names, collected.groups.members, rows):
        row |= {"name": name, "classes": classes}
    return {"overall": _accuracies(right, readable), "groups": rows}


def _accuracies(right, chosen):
    def percent(name):
        return round(100.0 * float(right[name][chosen].mean()), 2) if chosen.any() else None

    counts = sorted({name[1] for name in right if isinstance(name, tuple)})
    return {
        "videos": int(chosen.sum()),
        "selector": percent("selector"),
        "oracle": percent("oracle"),
        **({"single": percent("single")} if "single" in right else {}),
        "routed": {str(count): {vote: percent((vote, count)) for vote in VOTES} for count in counts},
    }


def single_answers(path, paths):
    """What a single model calls each video, int (V,), from its test run's predictions.npz.

    Args: paths: of the V videos. Raises: UserError: it is no such file, or lacks a video.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            called = dict(zip(file["paths"].tolist(), file["scores"].argmax(axis=1).tolist()))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"--single {path}: is no predictions.npz of a test run ({error})") from None
    missing = [video for video in paths if video not in called]
    if missing:
        raise UserError(
            f"--single {path}: {len(missing)} of {len(paths)} videos are not in it, the first {missing[0]}; test the "
            "single model on the same list"
        )
    return np.array([called[video] for video in paths])


def as_markdown(summary):
    """Tables of a summary."""
    overall = summary["overall"]
    lines = [f"{overall['videos']} videos. Selector {overall['selector']} %, experts of the right groups ("]
    lines[0] += f"oracle) {overall['oracle']} %" + (f", single {overall['single']} %" if "single" in overall else "")
    lines += ["", f"| experts asked | {' | '.join(VOTES)} |", "|---|" + "---|" * len(VOTES)]
    for count, votes in overall["routed"].items():
        lines.append(f"| {count} | {' | '.join(str(votes[vote]) for vote in VOTES)} |")
    single = ["single"] if "single" in overall else []
    columns = ["videos", "selector", "oracle", *single]
    lines += ["", f"| group | {' | '.join(columns)} | routed (1 expert) |", "|---|" + "---|" * (len(columns) + 1)]
    for row in summary["groups"]:
        values = [row[column] for column in columns] + [row["routed"]["1"]["maxlogit"]]
        lines.append(f"| {row['name']} | {' | '.join(map(str, values))} |")
    return "\n".join(lines) + "\n"


def draw_features(collected, labels, readable, path):
    """Write a PNG: the selector's features of each stream on their two principal axes, a colour a group."""
    groups = np.asarray(collected.groups.of_class)[labels][readable]
    figure = Figure(figsize=(15.0, 5.5), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for axes, stream in zip(figure.subplots(1, len(STREAMS)), STREAMS):
        features = collected.features[stream][readable] / collected.views[readable][:, None]
        places, shares = principal_components(features)
        for group, name in enumerate(collected.groups.names):
            own = places[groups == group]
            axes.scatter(own[:, 0], own[:, 1], s=8, color=COLORS(group % COLORS.N), label=name[:30])
        axes.set(title=stream, xticks=[], yticks=[])
        axes.set_xlabel(f"first axis, {shares[0]:.0%} of the variance")
        axes.set_ylabel(f"second axis, {shares[1]:.0%}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right", fontsize=7, markerscale=2)
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=100))


def principal_components(features):
    """(V, D) -> places on the two axes of largest variance (V, 2), their shares of it (2,)."""
    centred = features - features.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    variance = np.zeros(max(2, len(values)))
    variance[: len(values)] = values**2
    places = np.zeros((len(features), 2))
    places[:, : min(2, len(values))] = (left * values)[:, :2]
    return places, (variance / max(variance.sum(), 1e-12))[:2]
