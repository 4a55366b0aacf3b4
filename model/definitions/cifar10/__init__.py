"""The walk-through's model: the network of PyTorch's tutorial, on CIFAR-10."""

from __future__ import annotations

from functools import partial

from model.definition import Definition
from model.definitions.cifar10.data import IMAGE, LABELS, examples, train_on
from model.networks import TutorialNetwork
from model.training import Training

TRAINING = Training(epochs=30, learning_rate=0.08, shift=2, flip=True)

definition = Definition(
    network=TutorialNetwork,
    examples=examples,
    image=IMAGE,
    labels=LABELS,
    train=partial(train_on, how=TRAINING),
)
