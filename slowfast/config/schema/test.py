"""TEST: the multi-view test job."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.TEST = CfgNode()
    cfg.TEST.ENABLE = True  # run the test job
    cfg.TEST.DATASET = "kinetics"  # registered data set
    cfg.TEST.BATCH_SIZE = 8  # clips a machine and step, over all its processes
    cfg.TEST.CHECKPOINT_FILE_PATH = ""  # weights to test; "" = OUTPUT_DIR's, else TRAIN.CHECKPOINT_FILE_PATH
    cfg.TEST.ALLOW_RANDOM_WEIGHTS = False  # True: test an untrained model when no weights are found
    cfg.TEST.NUM_ENSEMBLE_VIEWS = 10  # clips a video, as DATA.SAMPLING places them
    cfg.TEST.NUM_SPATIAL_CROPS = 3  # crops a clip along its longer side (1 = centre)
    cfg.TEST.CROP_RULE = "auto"  # auto | slowfast | videomae | eva: where they lie; auto: as DATA.SAMPLING's source
    cfg.TEST.SCORES = "softmax"  # softmax | logits: what a view adds to its video's score
    cfg.TEST.MAX_UNREADABLE = 0  # test videos that may be unreadable before the run counts as incomplete (exit code 1)
    cfg.TEST.FRAME_ORDER = "forward"  # forward | reversed | shuffled: a control for what a model knows of time
    cfg.TEST.SAVE_RESULTS_PATH = ""  # file under OUTPUT_DIR for upstream's pickle of scores and labels; "" = none
