"""Models: layers one after the other, or joined where they branch."""

from tconv.models.configs import deserialize, model_from_json, serialize
from tconv.models.functional import Functional
from tconv.models.model import Model
from tconv.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "deserialize", "model_from_json", "serialize"]
