"""What a model does with data: compile, fit, evaluate, and steps on single batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tconv import _args, optimizers
from tconv._registry import Objects
from tconv.layers import arguments
from tconv.layers.base import Layer
from tconv.optimizers import Optimizer
from tconv.training import compiling, data, loop, progress, steps
from tconv.training.data import Batch
from tconv.training.objective import Objective

if TYPE_CHECKING:
    from tconv.callbacks import History


class Trainer(Layer):
    """The part of a model that is trained.

    Attributes:
        optimizer, loss: what `compile` made of its arguments, and was given; None before.
        stop_training: whether `fit` ends after the present batch; for callbacks.
        history: what the last `fit` returned.
    """

    optimizer: Optimizer | None = None
    loss: Any = None
    stop_training: bool = False
    history: History | None = None
    _objective: Objective | None = None
    _compiled_with: Mapping[str, Any] | None = None
    _transient = (*Layer._transient, "history")
    _report = staticmethod(progress.report)

    # ---- compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: a name, a config, or one of `tconv.optimizers`, whose state begins with the first step.
            loss: a name, a config, or one of `tconv.losses`; for several outputs a list, or a dictionary by their
                names, of one for each, None for none.
            loss_weights: a factor of each output's loss, arranged likewise; None for 1.
            metrics: a list of what else to show: names of losses, or functions of targets and predictions whose values
                are averaged; for several outputs a list or dictionary of such lists.
            run_eagerly: how Keras computes; here it makes no difference, as the next two.
            steps_per_execution: see above.
            jit_compile: see above.

        Raises:
            ValueError: something is not known, or there is not one for each output.
            TypeError: the derivative of a loss is not known.

        Example:
            >>> import numpy as np, tconv
            >>> model = tconv.Sequential([tconv.layers.Conv1DTranspose(1, 2, strides=2)])
            >>> model.compile(tconv.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
            >>> history = model.fit(np.ones((8, 4, 2)), np.ones((8, 8, 1)), batch_size=4, epochs=3, verbose=0)
            >>> sorted(history.history)
            ['loss', 'mae']
        """
        made = optimizers.get(optimizer)
        if made is None:
            raise ValueError("compile: optimizer=None is none.")
        objective = Objective(loss, loss_weights, metrics, compiling.output_names(self))
        self._compiled_with = {"loss": loss, "loss_weights": loss_weights, "metrics": metrics}
        self.optimizer, self.loss, self._objective = made, loss, objective
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self.optimizer is not None

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as Keras 3 writes them; None before.

        Raises:
            ValueError: a function among them has no name.
        """
        if self.optimizer is None or self._compiled_with is None:
            return None
        return compiling.written(self.optimizer, self._compiled_with)

    def compile_from_config(self, config: Mapping[str, Any], custom_objects: Objects | None = None) -> None:
        """`compile` with what `get_compile_config` gave, here or in Keras 3.

        Raises:
            ValueError: something in it is not known.
        """
        self.compile(**compiling.read(config, custom_objects))

    def _check_compiled(self, what: str) -> None:
        if self.optimizer is None or self._objective is None:
            raise ValueError(f"{what}: You must call `compile()` before using the model.")
        if self._objective.empty and what in ("fit", "train_on_batch"):
            raise ValueError(f"{what}: No loss to compute. Provide a `loss` argument in `compile()`.")

    # ---- training

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        *,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        seed: int | None = None,
    ) -> History:
        """Trains the model on all the data, several times.

        Training that is broken off, by Ctrl-C or an error, leaves the model after its last whole step. It goes on from
        a saved model as if it had not been broken off, with `initial_epoch` the number of epochs done and one `seed`.

        Args:
            x: inputs, batch first, arranged as the model takes them; or, without y, an iterable of batches (x, y) or
                (x, y, sample_weight): a list, a PyTorch DataLoader, a generator.
            y: targets, batch first; for several outputs a list, or a dictionary by their names.
            batch_size: how many examples a step is made of; None for 32. Batches of an iterable are as they are.
            epochs: the number of the last epoch, counted from 1.
            verbose: 0 for silence, 2 for one line per epoch, 1 and "auto" also for a bar while it runs, if tqdm is
                installed (`tconv[progress]`).
            callbacks: one of `tconv.callbacks`, or a list.
            validation_split: the part of the examples, from the end, that is evaluated instead of trained on.
            validation_data: (x, y) or (x, y, sample_weight), or an iterable of batches, evaluated after each epoch.
            shuffle: whether each epoch has an order of its own; batches of an iterable come as they are.
            sample_weight: factors of the examples' losses.
            initial_epoch: how many epochs were done before.
            steps_per_epoch: how many batches an epoch has; None for all there are.
            validation_steps: how many batches the validation has; None for all there are.
            validation_batch_size: how many examples its batches have; None for `batch_size`.
            validation_freq: after how many epochs the validation is done.
            seed: of the order; None for another one each time.

        Returns:
            A `History`: `history.history["loss"]` has one value per epoch.

        Raises:
            ValueError: the model is not compiled, or data or arguments do not fit.
            TypeError: data are not arrays of real numbers.
            FloatingPointError: the loss is infinite or not a number; the error says in which step.
        """
        self._check_compiled("fit")
        verbosity = progress.verbosity("fit", verbose)
        source = compiling.gathered(self, "fit", x, y, sample_weight)
        validation: Any = None
        if validation_data is not None:
            validation = compiling.validation(self, validation_data)
        elif not isinstance(validation_split, (int, float)) or validation_split:
            if not isinstance(source, Batch):
                raise ValueError("fit: validation_split is for arrays; give validation_data.")
            source, validation = data.split(source, validation_split)
        size, limit = _size("fit", "batch_size", batch_size), _limit("fit", "steps_per_epoch", steps_per_epoch)
        seed = None if seed is None else _args.integer("fit", "seed", seed, least=0)
        if not isinstance(shuffle, (bool, int)):
            raise ValueError(f"fit: shuffle={_args.show(shuffle)} must be a boolean.")
        plan = loop.Plan(
            batches=data.batches("fit", source, size, bool(shuffle), seed, limit),
            epochs=range(
                _args.integer("fit", "initial_epoch", initial_epoch, least=0),
                _args.integer("fit", "epochs", epochs, least=0),
            ),
            validation=validation
            and data.batches(
                "fit: validation_data",
                validation,
                size if validation_batch_size is None else _size("fit", "validation_batch_size", validation_batch_size),
                False,
                None,
                _limit("fit", "validation_steps", validation_steps),
            ),
            validated_every=arguments.positive("fit", "validation_freq", validation_freq),
        )
        return loop.run(self, plan, callbacks, verbosity)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics of the model on data, in inference.

        Args:
            x: inputs, or an iterable of batches, as for `fit`.
            y: targets.
            batch_size: how many examples are computed at a time; None for 32.
            verbose: 0 for silence, else a line at the end.
            sample_weight: factors of the examples' losses.
            steps: how many batches; None for all.
            callbacks: one, or a list.
            return_dict: whether to give a dictionary.

        Returns:
            The loss; where there are metrics, a list of the loss and what `return_dict` names after it.

        Raises:
            ValueError: the model is not compiled, or data or arguments do not fit.
            TypeError: data are not arrays of real numbers.
        """
        self._check_compiled("evaluate")
        shown = progress.verbosity("evaluate", verbose)
        source = compiling.gathered(self, "evaluate", x, y, sample_weight)
        size, limit = _size("evaluate", "batch_size", batch_size), _limit("evaluate", "steps", steps)
        batches = data.batches("evaluate", source, size, False, None, limit)
        logs = loop.evaluated(self, batches, loop.hooks(self, callbacks, {"steps": batches.steps, "verbose": shown}))
        if shown:
            progress.report(f"{progress.line(logs)}\n")
        return _given(logs, return_dict)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """One step on one batch; gives its loss, before the step, as `evaluate` does.

        Raises:
            ValueError, TypeError, FloatingPointError: as for `fit`.
        """
        self._check_compiled("train_on_batch")
        means = steps.Means()
        means.add(*steps.trained(self, compiling.gathered(self, "train_on_batch", x, y, sample_weight, True), ""))
        return _given(means.logs(), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, as `evaluate` gives them.

        Raises:
            ValueError, TypeError: as for `evaluate`.
        """
        self._check_compiled("test_on_batch")
        means = steps.Means()
        means.add(*steps.tested(self, compiling.gathered(self, "test_on_batch", x, y, sample_weight, True)))
        return _given(means.logs(), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch.

        Raises:
            ValueError, TypeError: as for a call.
        """
        return self(x, training=False)


def _size(what: str, name: str, value: Any) -> int:
    return arguments.positive(what, name, 32 if value is None else value)


def _limit(what: str, name: str, value: Any) -> int | None:
    return None if value is None else arguments.positive(what, name, value)


def _given(logs: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(logs)
    values = [logs["loss"], *(logs[name] for name in logs if name != "loss")]
    return values[0] if len(values) == 1 else values
