"""CAST's own keys: defaults, units and meanings."""

from projects.cast.tstl.config import add_config as add_tstl_config
from slowfast.config import CfgNode


def add_config(cfg):
    """Add the sections CAST, VIS and TSTL."""
    add_tstl_config(cfg)
    cfg.CAST = CfgNode()
    cfg.CAST.SIZE = "base"  # small | base | large | huge, of both experts; the next three keys override it
    cfg.CAST.EMBED_DIM = 0  # token width; 0 = from SIZE
    cfg.CAST.DEPTH = 0  # blocks; 0 = from SIZE
    cfg.CAST.NUM_HEADS = 0  # attention heads, of the exchange too; 0 = from SIZE
    cfg.CAST.MLP_RATIO = 4.0  # hidden width of the temporal expert's MLP / EMBED_DIM; the spatial one's is always 4
    cfg.CAST.PATCH_SIZE = 16  # px, height and width of a token of either expert; a divisor of the crops
    cfg.CAST.DOWN_RATIO = 2  # EMBED_DIM / width in which the experts exchange
    cfg.CAST.EXCHANGE_BLOCKS = None  # indices of the blocks that exchange, e.g. [0, 2]; None = all, [] = none
    cfg.CAST.ADAPTER_RATIO = 0.25  # width of an adapter's middle / EMBED_DIM
    cfg.CAST.MLP_ADAPTER_SCALE = 0.5  # factor on the adapters beside the MLPs
    cfg.CAST.DROP_PATH_RATE = 0.0  # stochastic depth of the last block's updates, growing linearly from 0; per clip
    cfg.CAST.TRAIN_EXPERTS = False  # True: train the experts too; False: adapters, exchange, final norms and heads
    cfg.CAST.INIT_STD = 0.02  # standard deviation of linear layers at the start
    cfg.CAST.HEAD_INIT_SCALE = 1.0  # factor on the heads' initial weights
    cfg.CAST.CLIP_PATH = ""  # CLIP archive or a spatial expert trained here, where training starts from
    cfg.CAST.VIDEOMAE_PATH = ""  # VideoMAE pre-training checkpoint, theirs or one trained here
    cfg.VIS = CfgNode()
    cfg.VIS.CROSS_ATTENTION = 0  # test clips whose exchange is drawn into OUTPUT_DIR/cross_attention; 0 = none
    cfg.VIS.BLOCK = -1  # block whose exchange is drawn; -1 = the last one that exchanges
