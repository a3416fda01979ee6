"""Scores of LightGBM's trees, bit for bit, in a fraction of the library's time.

`parse` reads the model's text (`text`). `Forest` lays it out as tables (`nodes`, `layout`) and runs
many rows through the kernel (`kernel`, 64 at a time); `Walk` (`single`, `walk`) takes one row
through all trees, in machine code. Whatever is not understood for certain is refused, and `parity`
looks whether the library answers the same.
"""

from services.serving.domain.trees.forest import Forest
from services.serving.domain.trees.parity import adversarial_rows, disagreement
from services.serving.domain.trees.single import Code, Walk
from services.serving.domain.trees.text import Trees, parse

__all__ = ["Code", "Forest", "Trees", "Walk", "adversarial_rows", "disagreement", "parse"]
