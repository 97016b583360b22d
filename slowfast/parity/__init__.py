"""Golden cases against this code: what a published implementation computed, rebuilt, loaded and compared.

`case` reads a case, a builder (one a system, one file each) makes the subject, `compare` measures it. Tests and
tools/check_parity.py stand on this; the models know nothing of it.
"""

from slowfast.parity import eva_video, video_vit, videomae, vit_llama, xvit
from slowfast.parity.case import Case, read_case
from slowfast.parity.compare import Result, check_case
from slowfast.parity.subject import BUILDERS, Subject, build_subject, builds

__all__ = [
    "BUILDERS",
    "Case",
    "Result",
    "Subject",
    "build_subject",
    "builds",
    "check_case",
    "eva_video",
    "read_case",
    "video_vit",
    "videomae",
    "vit_llama",
    "xvit",
]
