"""The part of a layer that goes into files and comes out of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from tconv.layers.weights import Weighted

if TYPE_CHECKING:
    from tconv.layers.base import Layer

Path = str | os.PathLike[str]


class Stored(Weighted):
    """Files, through tconv.saving, which is imported when it is needed."""

    def save(self, path: Path, overwrite: bool = True) -> None:
        """Writes config and weights into a `.keras` file, which `tconv.saving.load_model` and Keras 3 read.

        Args:
            path: where; ends in ".keras".
            overwrite: whether an existing file may be replaced.

        Raises:
            ValueError: the name ends otherwise, or a function in the config has no name.
            FileExistsError: there is such a file, and it may not be replaced.
            ImportError: h5py is not installed.
        """
        from tconv import saving

        saving.save_model(cast("Layer", self), path, overwrite)

    def save_weights(self, path: Path, overwrite: bool = True) -> None:
        """Writes the weights into a file; see `tconv.saving.save_weights`."""
        from tconv import saving

        saving.save_weights(cast("Layer", self), path, overwrite)

    def load_weights(self, path: Path, skip_mismatch: bool = False, by_name: bool = False) -> None:
        """Takes the weights out of a file, all or none; see `tconv.saving.load_weights`."""
        from tconv import saving

        saving.load_weights(cast("Layer", self), path, skip_mismatch, by_name)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts this layer's own weights, not those of layers in it, into `store`; override it to store them otherwise.

        Args:
            store: gets arrays by names; "0", "1", ... in the order of the weights, the trainable ones first.
        """
        for number, variable in enumerate(self._variables + self._fixed_variables):
            store[str(number)] = variable.value

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Assigns to this layer's own weights what `save_own_variables` stored; override both or none.

        Args:
            store: arrays by names.

        Raises:
            ValueError: names or shapes are others.
        """
        variables = self._variables + self._fixed_variables
        if set(store) != {str(number) for number in range(len(variables))}:
            raise ValueError(
                f"Layer '{self.name}' expected {len(variables)} variables, but received {len(store)} variables during "
                f"loading. Expected: {[variable.name for variable in variables]}"
            )
        for number, variable in enumerate(variables):
            variable.assign(store[str(number)])
