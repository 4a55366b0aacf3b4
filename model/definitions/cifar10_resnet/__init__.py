"""ResNet-20 on CIFAR-10: another network and training than `cifar10`, the rest is the same."""

from __future__ import annotations

from functools import partial

from model.definition import Definition
from model.definitions.cifar10.data import IMAGE, LABELS, examples, train_on
from model.networks import ResidualNetwork
from model.training import Training

TRAINING = Training(epochs=14, learning_rate=0.4, shift=4, flip=True)

definition = Definition(
    network=ResidualNetwork,
    examples=examples,
    image=IMAGE,
    labels=LABELS,
    train=partial(train_on, how=TRAINING),
)
