"""Review of a draft: phrase rules kept as data, rules of form kept as functions."""
