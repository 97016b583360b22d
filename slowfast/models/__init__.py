"""Backbones: importing this package registers them all."""

from slowfast.models import eva_video, video_vit, videomae, vit_llama, xvit
from slowfast.models.build import MODEL_REGISTRY, build_model

__all__ = ["MODEL_REGISTRY", "build_model", "eva_video", "video_vit", "videomae", "vit_llama", "xvit"]
