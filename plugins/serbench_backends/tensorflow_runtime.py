"""TensorFlow on the CPU in this process, with a given number of threads."""

from __future__ import annotations

import os
from typing import Any

from serbench.api import PluginError
from serbench_backends.packages import imported


def tensorflow(threads: int) -> Any:
    """The module ``tensorflow``. From here on, it uses ``threads`` threads in this process.

    Raises:
        PluginError: it is missing or broken, or already runs with another number of threads
            in this process.
    """
    tf = imported("tensorflow")
    try:
        if tf.config.list_physical_devices("GPU"):
            tf.config.set_visible_devices([], "GPU")
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        if tf.config.threading.get_inter_op_parallelism_threads() != 1:
            tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise PluginError(
            f"TensorFlow has started in this process and can no longer be set to {threads} "
            "thread(s) on the CPU; use another process"
        ) from error
    return tf


def keras(threads: int) -> Any:
    """The module ``keras``, on TensorFlow.

    Raises:
        PluginError: as ``tensorflow``; or Keras runs on something else.
    """
    tensorflow(threads)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    module = imported("keras")
    if module.backend.backend() != "tensorflow":
        raise PluginError(
            f"Keras runs on {module.backend.backend()} here; set KERAS_BACKEND=tensorflow"
        )
    return module
