#!/usr/bin/env python3
"""Prints the upper bounds that result_test.go compares with: p such that P(X <= x) = 0.05 for X of Binomial(n, p)."""
from decimal import Decimal, getcontext
from math import comb

getcontext().prec = 60


def tail(x, n, p):
    return sum(Decimal(comb(n, i)) * p**i * (1 - p) ** (n - i) for i in range(x + 1))


for x, n in [(0, 1), (0, 300000), (1, 10), (5, 100), (9, 10), (20, 1000000), (10, 10), (0, 0), (150, 2000)]:
    low, high = Decimal(0), Decimal(1)
    for _ in range(150):
        mid = (low + high) / 2
        if x < n and tail(x, n, mid) > Decimal("0.05"):
            low = mid
        else:
            high = mid
    print("{%d, %d, %.15g}," % (x, n, 1 if x >= n else high))
