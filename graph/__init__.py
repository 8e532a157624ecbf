"""The state graph: types, wiring, settings and what it is bound to."""
