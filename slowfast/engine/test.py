"""The test loop: every view of every video once, ensembled, with where the result came from."""

import torch

from slowfast.config import derive
from slowfast.datasets.build import construct_loader
from slowfast.engine.feed import Feed
from slowfast.engine.metrics_log import Progress
from slowfast.engine.plan import describe
from slowfast.engine.precision import Precision
from slowfast.engine.processes import watchdog
from slowfast.engine.saving.initial import load_test_weights
from slowfast.evaluation.ensemble import ViewEnsemble
from slowfast.evaluation.looks import look_inside
from slowfast.evaluation.results import RunRecord, write_test_results
from slowfast.models import build_model
from slowfast.tasks import build_task
from slowfast.utils import distributed
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST
from slowfast.utils.logging import get_logger
from slowfast.utils.rng import seed_torch


def test(cfg, device):
    """Score the test split and write OUTPUT_DIR/test_results.json, predictions.npz and a confusion matrix.

    Args:
        cfg: frozen configuration.
        device: this process's torch.device.
    Returns:
        exit code: 0, or 1 if more than TEST.MAX_UNREADABLE videos could not be read.
    Raises:
        UserError: no weights, weights that do not fit, unusable data.
    """
    seed_torch(cfg.RNG_SEED, "initialise")
    model = build_model(cfg)
    checkpoint = load_test_weights(model, cfg)
    model.to(device).eval()
    loader = construct_loader(cfg, "test", rank=distributed.rank(), world_size=distributed.world_size())
    record = RunRecord.from_cfg(cfg, loader.dataset, checkpoint, distributed.world_size())
    if distributed.is_main():
        get_logger().info(describe(cfg, model, {"test": loader}))
    ensemble = score(model, loader, cfg, device)
    if distributed.is_main():
        for text in look_inside(model, cfg, loader.dataset, device):
            get_logger().info(text)
    code = _conclude(cfg, ensemble, record) if distributed.is_main() else None
    return distributed.broadcast_object(code)


@torch.inference_mode()
def score(model, loader, cfg, device):
    """Scores of all views of all videos, gathered from all processes.

    Returns:
        ViewEnsemble, complete, in the main process; None in the others.
    """
    task, precision = build_task(cfg), Precision(derive.precision(cfg), device)
    dataset = loader.dataset
    ensemble = ViewEnsemble(dataset.num_videos, dataset.num_views, cfg.MODEL.NUM_CLASSES, cfg.DATA.ENSEMBLE_METHOD)
    progress = Progress(len(loader), "test", enabled=distributed.is_main())
    batches = watchdog.watched_batches("testing", loader, Feed.from_cfg(cfg, loader, device))
    for done, (batch, frames) in enumerate(batches, start=1):
        for video in batch.unreadable:
            ensemble.add_unreadable(video.video_id, video.path, video.reason)
        if frames is not None:
            with precision.autocast():
                scores = task.predict(model, frames)
            ensemble.add(batch.video_ids, batch.view_ids, scores, batch.indices)
        progress.advance()
        if done % cfg.LOG_PERIOD == 0:
            progress.report(f"{done}/{len(loader)} batches")
    progress.close()
    watchdog.beat("gathering")
    states = distributed.gather_to_main(ensemble.state())
    return ensemble.merge(states) if states is not None else None


def _conclude(cfg, ensemble, record):
    """Write the results and say them; the exit code."""
    log = get_logger()
    result = write_test_results(cfg.OUTPUT_DIR, ensemble, record, save_results_path=cfg.TEST.SAVE_RESULTS_PATH)
    for video in result["unreadable"]:
        log.error(f"unreadable test video {video['path']}: {video['reason']}")
    metrics = " ".join(
        f"{name} {value:.2f}" for name, value in result.items() if name.endswith("_acc") or name == "map"
    )
    log.info(
        f"test: {metrics}, {result['coverage']}, {result['num_views']} view(s) each, "
        f"written to {cfg.OUTPUT_DIR}/test_results.json"
    )
    if result["num_unreadable"] > cfg.TEST.MAX_UNREADABLE:
        log.error(
            f"{result['num_unreadable']} video(s) could not be read, more than TEST.MAX_UNREADABLE "
            f"{cfg.TEST.MAX_UNREADABLE}: the accuracy is over other videos than the list's"
        )
        return EXIT_LOST
    return EXIT_DONE
