"""Transposed convolutions of any rank on CPUs, with Keras-style layers.

Functions: conv_transpose, its gradients, its output shape; Plan for many inputs with one kernel.
Layers: layers.Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvNDTranspose, and those that decoders are made of;
Sequential; Model.
"""

from tconv import (
    activations,
    callbacks,
    config,
    constraints,
    geometry,
    initializers,
    layers,
    losses,
    models,
    optimizers,
    regularizers,
    saving,
)
from tconv._args import ShapeError
from tconv._build import build_info, get_cmake_dir, get_include
from tconv._grad_grad import conv_transpose_grad_grad
from tconv._pool import get_output_pool_limit, set_output_pool_limit
from tconv.config import get_num_threads, set_num_threads
from tconv.models import Model, Sequential
from tconv.ops import (
    Plan,
    conv_transpose,
    conv_transpose_grad_input,
    conv_transpose_grad_kernel,
    conv_transpose_output_shape,
)
from tconv.rfunctions import layer_conv_1d_transpose, layer_conv_2d_transpose, layer_conv_3d_transpose
from tconv.variable import Variable

__version__: str = build_info()["version"]

__all__ = [
    "Model",
    "Plan",
    "Sequential",
    "ShapeError",
    "Variable",
    "activations",
    "build_info",
    "callbacks",
    "config",
    "constraints",
    "conv_transpose",
    "conv_transpose_grad_grad",
    "conv_transpose_grad_input",
    "conv_transpose_grad_kernel",
    "conv_transpose_output_shape",
    "geometry",
    "get_cmake_dir",
    "get_include",
    "get_num_threads",
    "get_output_pool_limit",
    "initializers",
    "layer_conv_1d_transpose",
    "layer_conv_2d_transpose",
    "layer_conv_3d_transpose",
    "layers",
    "losses",
    "models",
    "optimizers",
    "regularizers",
    "saving",
    "set_num_threads",
    "set_output_pool_limit",
]
