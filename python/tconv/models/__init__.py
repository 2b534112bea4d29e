"""Models: layers one after the other, or joined where they branch."""

from typing import Any

from tconv.models.configs import clone_model, deserialize, model_from_json, serialize
from tconv.models.functional import Functional
from tconv.models.model import Model
from tconv.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "deserialize", "model_from_json", "serialize"]


def __getattr__(name: str) -> Any:
    """`load_model` and `save_model` are `tconv.saving`'s, which is made of models."""
    if name in ("load_model", "save_model"):
        from tconv import saving

        return getattr(saving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
