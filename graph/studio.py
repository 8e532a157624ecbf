"""The graph for LangGraph's own server and Studio (`langgraph dev`).

The server imports this file once and cannot wait for models later, so unlike every other module of
the project this one loads them at import. The graph is not compiled, because the server brings its
own checkpointer and refuses a graph that has one.
"""

from graph.build import wire
from graph.resources import load_resources

graph = wire(load_resources())
