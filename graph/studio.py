"""The graph for LangGraph's own server and Studio (`langgraph dev`).

The server imports this file once and cannot wait for models later, so unlike every other module of
the project this one loads them at import. The graph is not compiled, because the server brings its
own checkpointer and refuses a graph that has one: `langgraph dev` writes all conversations into
the folder `.langgraph_api` where it was started, so it is for developers and not for people in
distress.
"""

from graph.build import wire
from graph.resources import load_resources

graph = wire(load_resources())
