"""Entry point ``baselines``: methods to compare the flagship method with."""

from __future__ import annotations

from collections.abc import Sequence

from serbench.api import Loss, Student, hookimpl
from serbench_baselines.ce import CrossEntropy
from serbench_baselines.classical import Classical
from serbench_baselines.cnn_gru import CnnGru
from serbench_baselines.cpac import Cpac
from serbench_baselines.encoder_finetune import EncoderFinetune
from serbench_baselines.entropy import Entropy
from serbench_baselines.frozen import FrozenAttentive, FrozenLinear, FrozenMean
from serbench_baselines.gm_tcnet import GmTcNet
from serbench_baselines.kd import Distillation
from serbench_baselines.light_ser import LightSer
from serbench_baselines.margin import Margin
from serbench_baselines.mf_cnn import MfCnn
from serbench_baselines.mha_drn import MhaDrn
from serbench_baselines.pemonet import Pemonet
from serbench_baselines.res_lstm_sa import ResLstmSa
from serbench_baselines.spu_cnn import SpuCnn
from serbench_baselines.ssl_att import SslAtt
from serbench_baselines.tim_net import TimNet
from serbench_baselines.transformer import Transformer
from serbench_baselines.tsp_inca import TspInca
from serbench_baselines.wav2small import Wav2Small


@hookimpl
def serbench_losses() -> Sequence[type[Loss]]:
    """Losses with and without a teacher."""
    return [CrossEntropy, Distillation, Margin]


@hookimpl
def serbench_students() -> Sequence[type[Student]]:
    """The plain transformer, and methods of the paper's Table 3."""
    return [
        *(Transformer, TimNet, GmTcNet, LightSer, Cpac),
        *(FrozenLinear, FrozenMean, FrozenAttentive, SslAtt, EncoderFinetune),
        *(CnnGru, SpuCnn, Wav2Small, ResLstmSa),
        *(MhaDrn, MfCnn, Pemonet, Entropy),
        *(Classical, TspInca),
    ]
