"""Scores of LightGBM's trees, bit for bit, in a fraction of the library's time.

`Forest.of(text)` reads the model's text and lays it out as tables (`text`, `nodes`, `layout`);
`Forest.scores` runs them through the kernel (`kernel`, over 64 rows at a time). Whatever is not
understood for certain is refused, and `parity` looks whether the library answers the same.
"""

from services.serving.domain.trees.forest import Forest
from services.serving.domain.trees.parity import adversarial_rows, disagreement

__all__ = ["Forest", "adversarial_rows", "disagreement"]
