"""The contestants. To add one, subclass `base.Peer` and list it here."""

from __future__ import annotations

from tconv.bench.peers.base import Peer
from tconv.bench.peers.litert import LiteRt, LiteRtPooled
from tconv.bench.peers.ncnn import Ncnn
from tconv.bench.peers.onnxruntime import OnnxRuntime, OnnxRuntimePooled
from tconv.bench.peers.openvino import OpenVino, OpenVinoChannelsLast, OpenVinoPooled
from tconv.bench.peers.ours import Probe, Tconv, TconvDirect, TconvFloat32
from tconv.bench.peers.pytorch import TorchChannelsFirst, TorchChannelsLast, TorchChannelsLastPooled, TorchPacked
from tconv.bench.peers.tensorflow import TensorFlow, TensorFlowEigen
from tconv.bench.peers.xla import Jax

__all__ = ["OURS", "PEERS", "find", "select"]

OURS: tuple[Peer, ...] = (Tconv(), TconvFloat32(), Probe())
PEERS: tuple[Peer, ...] = (
    TorchChannelsFirst(),
    TorchChannelsLast(),
    TorchPacked(),
    TorchChannelsLastPooled(),
    OnnxRuntime(),
    OnnxRuntimePooled(),
    OpenVino(),
    OpenVinoChannelsLast(),
    OpenVinoPooled(),
    TensorFlow(),
    TensorFlowEigen(),
    Jax(),
    LiteRt(),
    LiteRtPooled(),
    Ncnn(),
    TconvDirect(),
)


def find(name: str) -> Peer:
    """The contestant of that full name.

    Raises:
        ValueError: there is none.
    """
    for peer in (*OURS, *PEERS):
        if peer.name == name:
            return peer
    raise ValueError(f"bench: no contestant {name!r}; there are {', '.join(peer.name for peer in (*OURS, *PEERS))}.")


def select(names: str | None) -> list[Peer]:
    """The peers named in the comma-separated `names`; "all" others, "none"; None for those that run by default.

    A library's name that is no peer's, like "torch", stands for all of its configurations.

    Raises:
        ValueError: a name is not that of a peer or its library.
    """
    if names is None:
        return [peer for peer in PEERS if peer.by_default]
    wanted = {name.strip() for name in names.split(",")} - {""}
    exact = {peer.name for peer in PEERS}
    libraries = {peer.library for peer in PEERS} - exact
    known = {"all", "none"} | exact | libraries
    if unknown := sorted(wanted - known):
        legal = ", ".join(["all", "none", *sorted(libraries), *(peer.name for peer in PEERS)])
        raise ValueError(f"bench: no peer {', '.join(unknown)}; there are {legal}.")
    if "all" in wanted:
        wanted |= {peer.name for peer in PEERS if peer.library != Tconv.name}
    return [peer for peer in PEERS if wanted & {peer.name, *(libraries & {peer.library})}]
