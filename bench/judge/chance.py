"""Seeded chance for compiled loops: each run has its own stream, so no result depends on who ran it.

A stream is an array of one unsigned integer, the state of SplitMix64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.judge.compiling import compiled

Stream = NDArray[np.uint64]

FEW = 10.0
"""Means below which counting arrivals one by one is quicker than rejection."""


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """The finalizer of SplitMix64: neighbouring integers become unrelated ones."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def stream(seed: int, run: int) -> Stream:
    """The chance of one run."""
    state = np.empty(1, np.uint64)
    state[0] = mixed(mixed(np.uint64(seed)) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(run + 1))
    return state


@compiled
def uniform(state: Stream) -> float:
    """In (0, 1): never either end, so that its logarithm exists."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return (float(mixed(state[0]) >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16


@compiled
def normal(state: Stream) -> float:
    """Mean 0, standard deviation 1 (Box and Muller, the second value thrown away)."""
    radius = math.sqrt(-2.0 * math.log(uniform(state)))
    return radius * math.cos(2.0 * math.pi * uniform(state))


@compiled
def poisson(state: Stream, mean: float) -> int:
    """How many arrive (Hoermann's PTRS where there are many)."""
    if mean <= 0.0:
        return 0
    if mean < FEW:
        return _few(state, mean)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        accepted = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if accepted <= k * log_mean - mean - math.lgamma(k + 1.0):
            return int(k)


@compiled
def _few(state: Stream, mean: float) -> int:
    """By inversion: one uniform number, and the terms up to it."""
    left = uniform(state)
    term = math.exp(-mean)
    count = 0
    while left > term:
        left -= term
        count += 1
        term *= mean / count
        if count > 1000:  # only rounding leads here
            break
    return count


@compiled
def gamma(state: Stream, shape: float) -> float:
    """Mean 1, coefficient of variation 1 / sqrt(shape) (Marsaglia and Tsang)."""
    boosted = shape if shape >= 1.0 else shape + 1.0
    d = boosted - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v <= 0.0:
            continue
        if math.log(uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            value = d * v
            break
    if shape < 1.0:
        value *= uniform(state) ** (1.0 / shape)
    return value / shape


@compiled
def clump(state: Stream, mean: float) -> int:
    """The size of one clump: geometric from 1 on."""
    if mean <= 1.0:
        return 1
    return 1 + int(math.log(uniform(state)) / math.log(1.0 - 1.0 / mean))
