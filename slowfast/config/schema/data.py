"""DATA: where the videos are, which frames a clip takes, how frames become input."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.DATA = CfgNode()
    # Where the videos are.
    cfg.DATA.PATH_TO_DATA_DIR = ""  # folder of train.csv, val.csv, test.csv
    cfg.DATA.PATH_PREFIX = ""  # folder that the lists' relative paths start from
    cfg.DATA.PATH_LABEL_SEPARATOR = "auto"  # auto | " " | "," | tab, between the fields of a list (upstream: " ")
    cfg.DATA.CLASS_NAMES_PATH = ""  # a name or `id,name` a line; "" = the set's own, or classes.txt beside its lists
    cfg.DATA.MULTI_LABEL = False  # any number of classes may apply to a video; the task is then multi_label
    cfg.DATA.SKIP_BAD_LINES = False  # True: leave out lines of a list that do not fit, with a warning that counts them
    cfg.DATA.SPLIT_NUMBER = 1  # 1 to 3: which official split of UCF101 and HMDB51
    cfg.DATA.VAL_FRACTION = 0.2  # share of each class held out where video_folder finds no folders train and val
    # Reading.
    cfg.DATA.READER = "auto"  # auto | pyav | torchcodec | frames | hdf5; auto looks at the path
    cfg.DATA.DECODING_BACKEND = "torchvision"  # upstream's name for the reader: torchvision | pyav | decord
    # Which frames.
    cfg.DATA.NUM_FRAMES = 8  # frames a clip
    cfg.DATA.SAMPLING_RATE = 8  # stride in source frames; a clip spans NUM_FRAMES * this
    cfg.DATA.TARGET_FPS = 30  # frames a second that SAMPLING_RATE counts in; other videos are scaled to it
    # auto (the data set's own) | slowfast | slowfast_segments | charades | videomae_dense | videomae_segments | eva
    cfg.DATA.SAMPLING = "auto"
    cfg.DATA.USE_OFFSET_SAMPLING = False  # slowfast, test: spread the clips up to the last frame, not short of it
    # Scale, crop, flip. One of the two lists that come after it takes the place of the random short side and square.
    cfg.DATA.TRAIN_JITTER_SCALES = [256, 320]  # px; the short side is drawn from this range
    cfg.DATA.INV_UNIFORM_SAMPLE = False  # draw 1 / short side uniformly, not the short side
    cfg.DATA.TRAIN_JITTER_SCALES_RELATIVE = []  # [low, high], parts of the picture's area: boxes of such areas
    cfg.DATA.TRAIN_JITTER_ASPECT_RELATIVE = []  # [low, high], width / height of these boxes; both or none
    cfg.DATA.MULTI_SCALE_CROP = []  # parts of the short side, descending: boxes of such sides at fixed places
    cfg.DATA.MULTI_SCALE_PLACES = 13  # 13 | 5
    cfg.DATA.TRAIN_CROP_SIZE = 224  # px, height and width of training and validation clips
    cfg.DATA.TEST_CROP_SIZE = 256  # px, height and width of test clips; also their short side before the crop
    cfg.DATA.RANDOM_FLIP = True  # mirror half of the training clips; ssv2 never, unless the next key is on
    cfg.DATA.FLIP_SWAPS_LABELS = False  # a mirrored clip gets the class whose name has left and right exchanged
    # Normalisation: (value / 255 - MEAN) / STD for each colour.
    cfg.DATA.MEAN = [0.45, 0.45, 0.45]
    cfg.DATA.STD = [0.225, 0.225, 0.225]
    cfg.DATA.REVERSE_INPUT_CHANNEL = False  # hand the model BGR instead of RGB
    cfg.DATA.INPUT_CHANNEL_NUM = [3, 3]  # colours of each pathway's input
    # Views of a test video.
    cfg.DATA.ENSEMBLE_METHOD = "sum"  # sum | max, over the views of a video
