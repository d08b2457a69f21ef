"""Least squares, and how many leave where many come. For model.py."""

import math


def solved(rows, values):
    """Least squares by the normal equations, columns scaled to be of a size; None where the columns say the same."""
    width = len(rows[0])
    scales = [max(abs(row[i]) for row in rows) or 1.0 for i in range(width)]
    rows = [[row[i] / scales[i] for i in range(width)] for row in rows]
    matrix = [[sum(row[i] * row[j] for row in rows) for j in range(width)] + [sum(row[i] * v for row, v in zip(rows, values))] for i in range(width)]
    for i in range(width):
        pivot = max(range(i, width), key=lambda j: abs(matrix[j][i]))
        if abs(matrix[pivot][i]) < 1e-9:
            return None
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for j in range(width):
            if j != i:
                factor = matrix[j][i] / matrix[i][i]
                matrix[j] = [a - factor * b for a, b in zip(matrix[j], matrix[i])]
    return [matrix[i][width] / matrix[i][i] / scales[i] for i in range(width)]


def fitted(runs, names, values, floor):
    """Costs of these drivers, none below zero: what would be is left out, and the rest fitted again.

    Errors count by their share, so that slow runs weigh as much as fast ones; below `floor` seconds nothing can be told.
    """
    names = list(names)
    while names:
        weights = [1 / max(value, floor) for value in values]
        rows = [[run[name] * weight for name in names] for run, weight in zip(runs, weights)]
        found = solved(rows, [value * weight for value, weight in zip(values, weights)])
        if found is None:
            names.pop(1 if len(names) > 1 else 0)
            continue
        worst = min(range(len(names)), key=lambda i: found[i])
        if found[worst] >= 0:
            return dict(zip(names, found))
        names.pop(worst)
    return {}


def saturation(pairs):
    """The most that comes out where `coming` go in and fewer, fuller ones leave: leaves = coming / (1 + coming / most)."""
    found = [1 / leaves - 1 / coming for coming, leaves in pairs if 0 < leaves < coming]
    return len(found) / sum(found) if found and sum(found) > 0 else math.inf


def gathered(coming, most):
    return coming / (1 + coming / most) if coming > 0 else 0.0


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0
