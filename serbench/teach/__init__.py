"""Teachers inside the guard: cached label-free embeddings, heads, cross-fitted soft targets."""

from serbench.teach.crossfit import SoftTargets, cross_fit, partition_head, unit_groups
from serbench.teach.embed import embed_corpus, embedding_key
from serbench.teach.embeddings import TeacherEmbeddings, teacher_frames
from serbench.teach.heads import Head, fit_head, fit_path

__all__ = [
    "Head",
    "SoftTargets",
    "TeacherEmbeddings",
    "cross_fit",
    "embed_corpus",
    "embedding_key",
    "fit_head",
    "fit_path",
    "partition_head",
    "teacher_frames",
    "unit_groups",
]
