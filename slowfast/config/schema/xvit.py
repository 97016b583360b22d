"""XVIT and TEMPORAL_HEAD: the XViT backbone and its temporal consensus."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.XVIT = CfgNode()
    cfg.XVIT.BASE_MODEL = "resnet50"  # vit_{small,base,large}_patch{P}_224: the size; the five keys below override it
    cfg.XVIT.PATCH_SIZE = 0  # px; 0 = from BASE_MODEL
    cfg.XVIT.EMBED_DIM = 0  # token width; 0 = from BASE_MODEL
    cfg.XVIT.DEPTH = 0  # blocks; 0 = from BASE_MODEL
    cfg.XVIT.NUM_HEADS = 0  # attention heads; 0 = from BASE_MODEL
    cfg.XVIT.MLP_RATIO = 0.0  # hidden width of a block's MLP / EMBED_DIM; 0 = from BASE_MODEL
    cfg.XVIT.LOCATIONS_LIST = [9, 10, 11]  # blocks whose keys and values are shifted in time
    cfg.XVIT.NUM_SEGMENTS = 8  # frames that the shift mixes; NUM_FRAMES: all of them. Released Kinetics models: 8 of 16
    cfg.XVIT.SHIFT_DIV = 8  # 1 / SHIFT_DIV of the channels come from the next frame, as many from the previous one
    cfg.XVIT.CONSENSUS_TYPE = "vit"  # vit: attention over frame features (TEMPORAL_HEAD) | avg: mean of frame logits
    cfg.XVIT.NUM_TEMPORAL_EMBEDDINGS = 8  # learnt, repeated over groups of frames; released models: 8 for 16 frames
    cfg.XVIT.PRETRAIN_IMAGE_SIZE = 224  # px; its patch grid is stored as spatial positions and resized to the crop
    cfg.XVIT.INIT_STD = 0.02  # standard deviation of linear layers at the start; a narrow model needs more to get going
    cfg.XVIT.POS_INIT_STD = 0.02  # standard deviation of spatial positions at the start
    cfg.XVIT.TEMP_INIT_STD = 0.0  # standard deviation of temporal embeddings at the start; the released recipe: zero
    cfg.XVIT.FC_INIT_STD = 0.001  # standard deviation of the "avg" consensus' classifier at the start, as released
    cfg.XVIT.BACKBONE = CfgNode()
    cfg.XVIT.BACKBONE.DROP_PATH_RATE = 0.0  # stochastic depth of the last block, growing linearly from 0
    cfg.XVIT.BACKBONE.DROP_ATTN_RATE = 0.0  # dropout on attention weights

    cfg.TEMPORAL_HEAD = CfgNode()
    cfg.TEMPORAL_HEAD.HIDDEN_DIM = 768  # token width; must equal the backbone's
    cfg.TEMPORAL_HEAD.MLP_DIM = 768  # hidden width of the classifier; the MLPs of the blocks have 4 x HIDDEN_DIM
    cfg.TEMPORAL_HEAD.NUM_ATTENTION_HEADS = 12
    cfg.TEMPORAL_HEAD.NUM_HIDDEN_LAYERS = 1  # blocks
    cfg.TEMPORAL_HEAD.HIDDEN_DROPOUT_PROB = 0.0
    cfg.TEMPORAL_HEAD.ATTENTION_PROBS_DROPOUT_PROB = 0.0
