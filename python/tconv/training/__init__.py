"""Training: what `compile`, `fit` and `evaluate` of models are made of."""
