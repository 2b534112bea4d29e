"""What happens while a model is trained, with Keras' names: History, EarlyStopping, ModelCheckpoint, and your own."""

from tconv.callbacks.callback import Callback, History
from tconv.callbacks.monitoring import EarlyStopping, ModelCheckpoint

__all__ = ["Callback", "EarlyStopping", "History", "ModelCheckpoint"]

for _class in (Callback, History, EarlyStopping, ModelCheckpoint):
    _class.__module__ = "tconv.callbacks"  # where users find them
